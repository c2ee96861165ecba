import { describe, expect, test } from 'vitest'
import { columnsOf, compareCells } from '../../../src-renderer/kinds/columns.ts'
import { formatBytes, formatCores } from '../../../src-renderer/kinds/format.ts'
import { parseFilter } from '../../../src-renderer/kinds/filter.ts'
import type { Filterable } from '../../../src-renderer/kinds/filter.ts'
import { kindByWord, kindId, kindTitle, shownKinds } from '../../../src-renderer/kinds/kinds.ts'
import { toneOf } from '../../../src-renderer/kinds/tone.ts'
import { parseHosts } from '../../../src-renderer/features/wizard/hosts.ts'
import { pods } from '../../../src-main/api/core/v1/pod.ts'

const row = (cells: Record<string, string | number>, labels: Record<string, string> = {}, namespace = 'shop'): Filterable => ({
  cell: id => cells[id],
  text: () => Object.values(cells).join(' '),
  labels: () => labels,
  namespace: () => namespace,
})

describe('the filter box', () => {
  const web = row({ name: 'web-1', status: 'Running', restarts: 14, cpu: 0.6, age: '3d4h' }, { app: 'web' })
  test.each<[string, boolean]>([
    ['web', true],
    ['WEB run', true],
    ['db', false],
    ['!db', true],
    ['ns:shop', true],
    ['ns:data,shop', true],
    ['ns:data', false],
    ['status=running', true],
    ['status!=Running', false],
    ['restarts>3', true],
    ['restarts>20', false],
    ['cpu>500m', true],
    ['cpu>1', false],
    ['label:app=web', true],
    ['l:app!=web', false],
    ['/^web-\\d/', true],
    ['name~^w.b', true],
    ['age>2d', true],
    ['age>4d', false],
    ['', true],
  ])('%j is %j', (text, wanted) => {
    const { filter, error } = parseFilter(text)
    expect([error, filter ? filter(web) : true]).toEqual(['', wanted])
  })
  test.each(['/(/', 'restarts>many'])('%j says what is wrong', text => {
    expect(parseFilter(text).error).not.toBe('')
  })
})

describe('kinds', () => {
  test('every shown kind has an id, a title and columns', () => {
    for (const kind of shownKinds.value) expect([kindByWord(kindId(kind)), kindTitle(kind).length > 2, columnsOf(kind)[0]?.id]).toEqual([kind, true, 'name'])
  })
  test.each<[string, string]>([
    ['po', 'Pods'],
    ['deploy', 'Deployments'],
    ['ing', 'Ingresses'],
    ['netpol', 'Network policies'],
    ['endpointslices', 'Endpoint slices'],
    ['pvc', 'Persistent volume claims'],
    ['ep', 'Endpoints'],
    ['cm', 'Config maps'],
  ])(':%s is %s', (word, title) => {
    const kind = kindByWord(word)
    expect(kind && kindTitle(kind)).toBe(title)
  })
  test('an odd object does not break a list', () => {
    const context = { now: 0, podUsage: () => undefined, nodeUsage: () => undefined }
    expect(() => columnsOf(pods).map(c => c.value({ apiVersion: 'v1', kind: 'Pod', metadata: {} }, context))).not.toThrow()
  })
  test('cells are ordered as people count, empty ones last', () => {
    expect(['pod-10', undefined, 'pod-2', 'Pod-1'].toSorted(compareCells)).toEqual(['Pod-1', 'pod-2', 'pod-10', undefined])
  })
  test.each<[string, string]>([
    ['Running', 'ok'],
    ['CrashLoopBackOff', 'bad'],
    ['ContainerCreating', 'busy'],
    ['Init:0/2', 'busy'],
    ['Init:Error', 'bad'],
    ['NotReady', 'bad'],
    ['Ready,SchedulingDisabled', 'warn'],
    ['Completed', 'idle'],
    ['ExitCode:3', 'bad'],
  ])('%s is %s', (state, tone) => {
    expect(toneOf(state)).toBe(tone)
  })
})

test.each<[number, string]>([
  [0, '0 B'],
  [999, '999 B'],
  [1536, '1.5 KiB'],
  [5 * 2 ** 30, '5 GiB'],
  [1023 * 2 ** 20, '1 GiB'],
  [123_456_789, '118 MiB'],
])('%d bytes read %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text)
})
test.each<[number, string]>([
  [0, '0 m'],
  [250, '250 m'],
  [1000, '1 core'],
  [1500, '1.5 cores'],
  [36_000, '36 cores'],
])('%d millicores read %s', (cores, text) => {
  expect(formatCores(cores)).toBe(text)
})

describe('pasted hosts', () => {
  test('all usual spellings are read', () => {
    expect(parseHosts('root@10.0.0.1\n# a comment\nadmin@host.example.net:2222\n10.0.0.2 \nssh -p 2200 ops@10.0.0.3\n10.0.0.4,deploy,22\n[fd00::1]:22\n').hosts).toEqual([
      { user: 'root', address: '10.0.0.1', port: 22, name: 'node-10-0-0-1' },
      { user: 'admin', address: 'host.example.net', port: 2222, name: 'host-2222' },
      { user: 'root', address: '10.0.0.2', port: 22, name: 'node-10-0-0-2' },
      { user: 'ops', address: '10.0.0.3', port: 2200, name: 'node-10-0-0-3-2200' },
      { user: 'deploy', address: '10.0.0.4', port: 22, name: 'node-10-0-0-4' },
      { user: 'root', address: 'fd00::1', port: 22, name: 'node-fd00-1' },
    ])
  })
  test.each(['root@10.0.0.1:99999', '$(reboot)@host', 'root@-oProxyCommand=x', 'a b c', 'root@host;reboot'])('%s is refused', line => {
    const { hosts, errors } = parseHosts(line)
    expect([hosts, errors.length]).toEqual([[], 1])
  })
  test('jump hosts on the way are read', () => {
    const jump = [{ user: 'ops', address: 'gate', port: 2222 }]
    expect(parseHosts('root@10.0.0.1 via ops@gate:2222\nssh -J ops@gate:2222 -p 23 ada@10.0.0.2').hosts.map(h => [h.user, h.address, h.port, h.jump])).toEqual([
      ['root', '10.0.0.1', 22, jump],
      ['ada', '10.0.0.2', 23, jump],
    ])
  })
  test('a wrong jump host is told', () => {
    expect(parseHosts('root@10.0.0.1 via -oProxyCommand=x').errors[0]?.message).toMatch(/^Jump host -oProxyCommand=x: /)
  })
  test('a host is taken once', () => {
    expect(parseHosts('root@a\nroot@a').errors).toEqual([{ line: 2, text: 'root@a', message: 'This host is in the list already' }])
  })
})
