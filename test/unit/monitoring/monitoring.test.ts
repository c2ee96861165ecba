import { describe, expect, it } from 'vitest'
import { Series } from '../../../src-main/monitoring/history.ts'
import { readSummary } from '../../../src-main/monitoring/summary.ts'
import { loadOfNodes, poolOf } from '../../../src-main/monitoring/cluster-load.ts'
import { balanceOf } from '../../../src-main/monitoring/balance.ts'
import { addressesOf, podsAndAddresses } from '../../../src-main/monitoring/warnings/c11-pods-and-addresses.ts'
import { requestsSaturation } from '../../../src-main/monitoring/warnings/c5-requests-saturation.ts'
import { pendingPods } from '../../../src-main/monitoring/warnings/c13-pending.ts'
import { nodeLoss } from '../../../src-main/monitoring/warnings/c1-node-loss.ts'
import { WarningBook } from '../../../src-main/monitoring/warnings.ts'
import { load, node, now, pod } from './fixtures.ts'

const input = (l: ReturnType<typeof load>, pending: ReturnType<typeof pod>[] = []) => ({ load: l, pending, now })

describe('history', () => {
  it('keeps an hour of every sample and a day of minute means', () => {
    const series = new Series()
    const start = Date.UTC(2026, 0, 1)
    for (let i = 0; i < 6 * 60 * 25; i++) series.add({ at: start + i * 10_000, cpuMillicores: i % 6, memoryBytes: 6 })
    const all = series.since(0)
    expect({
      fine: series.since(start + (25 * 60 - 60) * 60_000).length,
      all: all.length,
      mean: all[0]?.cpuMillicores,
      ascending: all.every((s, i) => i === 0 || s.at > (all[i - 1]?.at ?? 0)),
    }).toEqual({ fine: 360, all: 360 + (1440 - 59), mean: 2.5, ascending: true })
  })
  it('drops samples that are not newer', () => {
    const series = new Series()
    series.add({ at: 2, cpuMillicores: 1, memoryBytes: 1 })
    series.add({ at: 1, cpuMillicores: 9, memoryBytes: 9 })
    expect(series.since(0)).toEqual([{ at: 2, cpuMillicores: 1, memoryBytes: 1 }])
  })
})

describe('summary', () => {
  it('reads node, file system, network and pods', () => {
    const body = {
      node: {
        cpu: { usageNanoCores: 250_000_000 },
        memory: { workingSetBytes: 1024 },
        fs: { usedBytes: 5, capacityBytes: 10 },
        network: {
          interfaces: [
            { rxBytes: 1, txBytes: 2 },
            { rxBytes: 10, txBytes: 20 },
          ],
        },
      },
      pods: [
        {
          podRef: { namespace: 'shop', name: 'web' },
          containers: [
            { name: 'app', cpu: { usageNanoCores: 1e6 }, memory: { workingSetBytes: 7 } },
            { name: 'side', cpu: { usageNanoCores: 2e6 }, memory: { workingSetBytes: 3 } },
          ],
        },
      ],
    }
    expect(readSummary(body, 5)).toEqual({
      at: 5,
      cpuMillicores: 250,
      memoryBytes: 1024,
      disk: { usedBytes: 5, capacityBytes: 10 },
      network: { receivedBytes: 11, sentBytes: 22 },
      pods: [
        {
          namespace: 'shop',
          name: 'web',
          at: 5,
          cpuMillicores: 3,
          memoryBytes: 10,
          containers: [
            { name: 'app', cpuMillicores: 1, memoryBytes: 7 },
            { name: 'side', cpuMillicores: 2, memoryBytes: 3 },
          ],
        },
      ],
    })
  })
  it.each([undefined, null, 7, [], {}, { node: [] }, { node: { cpu: { usageNanoCores: -1 } } }, { node: { memory: { workingSetBytes: 'many' } } }])(
    'takes no figures from a body without them: %o',
    body => {
      expect(readSummary(body, 1)).toBeUndefined()
    },
  )
})

describe('load of nodes', () => {
  it('adds up requests of the pods that hold resources, and shows fresh usage only', () => {
    const ended = { ...pod('done', { node: 'a', cpu: '2' }), status: { phase: 'Succeeded' } } as ReturnType<typeof pod>
    const sample = (at: number) => ({ sample: { at, cpuMillicores: 10, memoryBytes: 20, pods: [] } })
    const result = loadOfNodes(
      [node('b'), node('a')],
      [pod('x', { node: 'a', cpu: '500m' }), ended, pod('waiting')],
      new Map([
        ['a', sample(now - 1000)],
        ['b', sample(now - 100_000)],
      ]),
      now,
    )
    expect(result.map(r => [r.usage.name, r.usage.requests.cpuMillicores, r.usage.pods, r.usage.usage])).toEqual([
      ['a', 500, 1, { cpuMillicores: 10, memoryBytes: 20 }],
      ['b', 0, 0, undefined],
    ])
  })
  it('puts nodes of the same roles and taints into one pool, whatever their health', () => {
    const tainted = {
      ...node('c'),
      spec: {
        taints: [
          { key: 'gpu', value: 'yes', effect: 'NoSchedule' },
          { key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' },
        ],
      },
    } as ReturnType<typeof node>
    expect([poolOf(node('a')), poolOf(tainted)]).toEqual(['default', 'gpu=yes:NoSchedule'])
  })
})

describe('balance', () => {
  it('scores an even cluster 100 and a lopsided one lower, with the spread in points', () => {
    const even = balanceOf(load([node('a'), node('b')], [pod('x', { node: 'a', cpu: '1' }), pod('y', { node: 'b', cpu: '1' })]))
    const lopsided = balanceOf(load([node('a'), node('b')], [pod('x', { node: 'a', cpu: '4', memory: '0' })]))
    expect([even.score, even.spread.cpu, lopsided.score, lopsided.spread.cpu]).toEqual([100, 0, 0, 100])
  })
  it('gives no score for one node, nor counts nodes that take no pods', () => {
    expect(balanceOf(load([node('a'), node('b', { unschedulable: true })], []))).toEqual({ spread: { cpu: 0, memory: 0 }, pools: [{ name: 'default', nodes: ['a', 'b'] }] })
  })
})

describe('warnings', () => {
  it('C5 tells how full the pool is, with figures', () => {
    const found = requestsSaturation.find(input(load([node('a'), node('b')], [pod('x', { node: 'a', cpu: '3500m' }), pod('y', { node: 'b', cpu: '3500m' })])))
    expect(found.map(f => [f.severity, f.message])).toEqual([['warning', 'Pods request 7 cores of 8 cores CPU (88 %); 1 cores CPU is left for new pods.']])
  })
  it('C5 is silent below 80 % and critical from 95 %', () => {
    const at = (cpu: string) => requestsSaturation.find(input(load([node('a')], [pod('x', { node: 'a', cpu })]))).map(f => f.severity)
    expect([at('3100m'), at('3200m'), at('3800m')]).toEqual([[], ['warning'], ['critical']])
  })
  it('C11 counts pods against the limit and addresses against the range', () => {
    const many = Array.from({ length: 12 }, (_, i) => pod(`p${i}`, { node: 'a', cpu: '1m', memory: '1' }))
    const byPods = podsAndAddresses.find(input(load([node('a', { pods: '12' })], many)))
    const byRange = podsAndAddresses.find(input(load([node('a', { podCIDR: '10.0.0.0/28' })], many)))
    expect([byPods[0]?.severity, byPods[0]?.message, byRange[0]?.severity, byRange[0]?.message]).toEqual([
      'critical',
      '12 pods of 12 (100 %).',
      'warning',
      '12 of 13 addresses of 10.0.0.0/28 are taken (92 %).',
    ])
  })
  it.each([
    ['10.0.0.0/24', 253],
    ['10.0.0.0/30', 1],
    ['fd00::/64', undefined],
    ['nonsense', undefined],
    [undefined, undefined],
  ])('counts the addresses of %s', (range, count) => {
    expect(addressesOf(range)).toBe(count)
  })
  it('C13 gathers pods that wait for the same reason, after a minute', () => {
    const reason = '0/2 nodes are available: 2 Insufficient cpu.'
    const pending = [
      pod('old', { unschedulableSince: now - 120_000, reason }),
      pod('older', { unschedulableSince: now - 660_000, reason }),
      pod('young', { unschedulableSince: now - 5_000, reason }),
    ]
    const found = pendingPods.find(input(load([node('a')], []), pending))
    expect(found.map(f => [f.severity, f.message, f.subjects.map(s => s.name)])).toEqual([['critical', `Waiting for 11 min: ${reason}`, ['old', 'older']]])
  })
  it('C1 names the pods that would have no place, by real placement', () => {
    const owner = { kind: 'ReplicaSet', name: 'web' }
    const full = load([node('a'), node('b')], [pod('x', { node: 'a', cpu: '3', owner }), pod('y', { node: 'b', cpu: '3' })])
    const roomy = load([node('a'), node('b')], [pod('x', { node: 'a', cpu: '1', owner }), pod('y', { node: 'b', cpu: '1' })])
    expect([nodeLoss.find(input(full)).map(f => [f.severity, f.subjects.map(s => s.name)]), nodeLoss.find(input(roomy))]).toEqual([
      [
        ['critical', ['a', 'x']],
        ['warning', ['b', 'y']],
      ],
      [],
    ])
  })
  it('C1 leaves DaemonSet pods out: they belong to their node', () => {
    const owner = { kind: 'DaemonSet', name: 'agent' }
    expect(nodeLoss.find(input(load([node('a'), node('b')], [pod('x', { node: 'a', cpu: '4', owner }), pod('y', { node: 'b', cpu: '4', owner })])))).toEqual([])
  })
  it('remembers since when a warning stands, and forgets it once gone', () => {
    const book = new WarningBook()
    const full = load([node('a')], [pod('x', { node: 'a', cpu: '4' })])
    const first = book.evaluate({ load: full, pending: [], now })
    const later = book.evaluate({ load: full, pending: [], now: now + 60_000 })
    const gone = book.evaluate({ load: load([node('a')], []), pending: [], now: now + 120_000 })
    const again = book.evaluate({ load: full, pending: [], now: now + 180_000 })
    expect([first[0]?.since, later[0]?.since, gone, again[0]?.since]).toEqual([now, now, [], now + 180_000])
  })
})
