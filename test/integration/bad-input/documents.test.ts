/** Documents that are deep, doubled, misspelt, mis-encoded or hold numbers that do not fit. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apiPeer, enableCollection, expectBounded, expectUnharmed, type ApiPeer, type Answer } from '../../support/api-peer.ts'
import { startControlPlane, type RunningControlPlane } from '../../support/running-control-plane.ts'

let running: RunningControlPlane
let admin: ApiPeer
const configMaps = '/api/v1/namespaces/default/configmaps'
const deployments = '/apis/apps/v1/namespaces/default/deployments'
let count = 0
beforeAll(async () => {
  await enableCollection()
  running = await startControlPlane({ runControllers: false })
  admin = apiPeer(running.controlPlane)
})
afterAll(async () => {
  await expectUnharmed(running)
  admin.close()
  await running.stop()
})

const yaml = (text: string, query = ''): Promise<Answer> => admin.ask(configMaps + query, { type: 'application/yaml', body: text })
const dataOf = (answer: Answer): unknown => (JSON.parse(answer.text) as { data?: unknown }).data
const head = (): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y${++count}}\n`

describe('nesting of 1.5 million', () => {
  const depth = 1_500_000
  test.each<[string, string, string]>([
    ['lists', 'application/json', '['.repeat(depth)],
    ['closed lists', 'application/json', '['.repeat(depth) + ']'.repeat(depth)],
    ['objects', 'application/json', '{"a":'.repeat(600_000)],
    ['a field of an object', 'application/json', `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"deep"},"data":${'['.repeat(depth)}${']'.repeat(depth)}}`],
    ['YAML flow', 'application/yaml', '['.repeat(depth)],
    ['YAML flow objects', 'application/yaml', '{a: '.repeat(500_000)],
    ['YAML dashes', 'application/yaml', '- '.repeat(depth)],
    ['YAML keys', 'application/yaml', Array.from({ length: 2_000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
    ['YAML questions', 'application/yaml', '? '.repeat(500_000)],
  ])('%s', async (_name, type, body) => {
    const answer = await expectBounded(() => admin.ask(configMaps, { type, body }), 3_000)
    expect([answer.status, answer.reason]).toEqual([400, 'BadRequest'])
  })
  test.each(['application/merge-patch+json', 'application/json-patch+json', 'application/strategic-merge-patch+json', 'application/apply-patch+yaml'])('a %s', async type => {
    const answer = await expectBounded(() => admin.ask(`${configMaps}/none?fieldManager=m`, { method: 'PATCH', type, body: '['.repeat(depth) + ']'.repeat(depth) }), 3_000)
    expect(answer.status).toBe(400)
  })
  test('just below the bound, in every place that walks it', async () => {
    const nested = `${'{"a":'.repeat(900)}1${'}'.repeat(900)}`
    expect((await admin.ask('/apis/apps/v1/namespaces/default/controllerrevisions', { body: `{"metadata":{"name":"deep"},"revision":1,"data":${nested}}` })).status).toBe(201)
    for (const type of ['application/merge-patch+json', 'application/strategic-merge-patch+json'])
      expect((await admin.ask('/apis/apps/v1/namespaces/default/controllerrevisions/deep', { method: 'PATCH', type, body: `{"data":${nested}}` })).status).toBeLessThan(500)
    expect((await admin.ask('/apis/apps/v1/namespaces/default/controllerrevisions/deep', { headers: { accept: 'application/yaml' } })).status).toBe(200)
  })
})

describe('YAML', () => {
  test('anchors that multiply', async () => {
    const bomb = `${head()}a: &a ["lol","lol","lol","lol","lol","lol","lol","lol","lol"]\n${'bcdefghij'
      .split('')
      .map(
        (name, i) =>
          `${name}: &${name} [${Array(9)
            .fill(`*${'abcdefghi'[i] ?? ''}`)
            .join(',')}]`,
      )
      .join('\n')}\n`
    const answer = await expectBounded(() => yaml(bomb), 3_000)
    expect([answer.status, answer.message.includes('aliasing')]).toEqual([400, true])
  })
  test('an anchor that holds itself', async () => {
    expect((await expectBounded(() => yaml(`${head()}data: &a {b: *a}\n`))).status).toBe(400)
    expect((await expectBounded(() => yaml(`${head()}data: &a\n  <<: *a\n`))).status).toBe(400)
  })
  test.each(['!!js/function "function(){}"', '!!python/object/apply:os.system ["id"]', '!ruby/object:Gem {}', '!<tag:evil.example,2026:x> y', '!!binary "%%%"'])(
    'tag %s is refused',
    async value => {
      expect((await yaml(`${head()}data:\n  a: ${value}\n`)).status).toBe(400)
    },
  )
  test('words of Norway are booleans unless quoted, and no text', async () => {
    expect(dataOf(await yaml(`${head()}data: {country: "no", on: 'yes', off: "off"}\n`))).toEqual({ country: 'no', true: 'yes', false: 'off' })
    for (const word of ['no', 'NO', 'yes', 'off', 'on', 'y', 'n']) expect((await yaml(`${head()}data: {country: ${word}}\n`)).status).toBe(400)
    for (const number of ['010', '1_000', '0x1F', '1e3', '.5']) expect((await yaml(`${head()}data: {port: ${number}}\n`)).status).toBe(400)
    for (const text of ['12:30:45', '2026-01-01', '1.2.3']) expect(dataOf(await yaml(`${head()}data: {a: ${text}}\n`))).toEqual({ a: text })
  })
  test.each(['\t- a', 'a: b: c', '{', '"', '*x', '&', '- a\nb: c', '\u0000', '\u0007', '? ? ?'])('text %j is no object', async text => {
    expect((await yaml(text)).status).toBe(400)
  })
  test('a merge key cannot bring a prototype', async () => {
    const answer = await yaml(`${head()}data:\n  <<: {__proto__: {polluted: "yes"}}\n`)
    expect(answer.status).toBe(400)
    expect(({} as { polluted?: string }).polluted).toBeUndefined()
  })
})

describe('encoding of text', () => {
  const around = (bytes: number[]): Uint8Array =>
    Buffer.concat([Buffer.from(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"u${++count}"},"data":{"a":"`), Buffer.from(bytes), Buffer.from('"}}')])
  test.each<[string, number[]]>([
    ['a lone continuation', [0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['a cut character', [0xe2, 0x82]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['beyond Unicode', [0xf5, 0x80, 0x80, 0x80]],
    ['a raw NUL', [0]],
    ['a raw newline', [10]],
  ])('%s in JSON', async (_name, bytes) => {
    expect((await admin.ask(configMaps, { body: around(bytes) })).status).toBe(400)
  })
  test('invalid UTF-8 in YAML and in patches', async () => {
    expect(
      (await admin.ask(configMaps, { type: 'application/yaml', body: Buffer.concat([Buffer.from(`${head()}data: {a: "`), Buffer.from([0xff]), Buffer.from('"}')]) })).status,
    ).toBe(400)
    expect((await admin.ask(configMaps, { body: { metadata: { name: 'patched' } } })).status).toBe(201)
    for (const type of ['application/merge-patch+json', 'application/strategic-merge-patch+json', 'application/apply-patch+yaml']) {
      expect(
        (
          await admin.ask(`${configMaps}/patched?fieldManager=m`, {
            method: 'PATCH',
            type,
            body: Buffer.concat([Buffer.from('{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"'), Buffer.from([0xff]), Buffer.from('"}}')]),
          })
        ).status,
      ).toBe(400)
    }
  })
  test('a byte order mark before JSON', async () => {
    expect((await admin.ask(configMaps, { body: '\ufeff{"metadata":{"name":"bom"}}' })).status).toBe(400)
  })
  test('lone surrogates become U+FFFD, and NUL stays what it is', async () => {
    expect(dataOf(await admin.ask(configMaps, { body: '{"metadata":{"name":"lone"},"data":{"a":"\\ud800","b":"\\udc00x","c":"\\u0000"}}' }))).toEqual({
      a: '\ufffd',
      b: '\ufffdx',
      c: '\0',
    })
    expect(dataOf(await admin.ask(`${configMaps}/lone`))).toEqual({ a: '\ufffd', b: '\ufffdx', c: '\0' })
    for (const name of ['a\\u0000', '\\ud800', 'a\\n', '\\u202e', 'é']) expect((await admin.ask(configMaps, { body: `{"metadata":{"name":"${name}"}}` })).status).toBe(422)
  })
})

describe('fields', () => {
  const spec = (name: string, more: string): string =>
    `{"metadata":{"name":"${name}"},"spec":{"selector":{"matchLabels":{"a":"b"}},${more}"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}`
  const cases: [string, string, string][] = [
    ['unknown', '"replicasss":3,', 'unknown field "spec.replicasss"'],
    ['miscased', '"Replicas":3,', 'unknown field "spec.Replicas"'],
    ['doubled', '"replicas":3,"replicas":4,', 'duplicate field "spec.replicas"'],
  ]
  test.each(cases)('%s: Strict refuses, Warn says it, Ignore is silent', async (name, more, fault) => {
    const strict = await admin.ask(`${deployments}?fieldValidation=Strict`, { body: spec(`${name}-strict`, more) })
    expect([strict.status, strict.message]).toEqual([400, expect.stringContaining(`strict decoding error: ${fault}`)])
    expect((await admin.ask(`${deployments}/${name}-strict`)).status).toBe(404)
    const warned = await admin.ask(`${deployments}?fieldValidation=Warn`, { body: spec(`${name}-warn`, more) })
    expect([warned.status, String(warned.headers['warning'])]).toEqual([201, expect.stringContaining(fault.replaceAll('"', '\\"'))])
    const silent = await admin.ask(`${deployments}?fieldValidation=Ignore`, { body: spec(`${name}-ignore`, more) })
    expect([silent.status, silent.headers['warning']]).toEqual([201, undefined])
    const replicas = (JSON.parse(silent.text) as { spec: { replicas: number } }).spec.replicas
    expect(replicas).toBe(name === 'doubled' ? 4 : 1)
  })
  test('another word for the validation is 422', async () => {
    expect((await admin.ask(`${deployments}?fieldValidation=strict`, { body: spec('word', '') })).status).toBe(422)
  })
  test.each([
    '9007199254740993',
    '9223372036854775807',
    '9223372036854775808',
    '1e400',
    '-1e400',
    '1.5',
    '-1',
    '2147483648',
    '"3"',
    'true',
    '[]',
    '{}',
    'NaN',
    'Infinity',
    '01',
    '+1',
    '.5',
    '0x10',
  ])('replicas %s', async number => {
    const answer = await admin.ask(deployments, { body: spec('number', `"replicas":${number},`) })
    expect(answer.status === 400 || answer.status === 422).toBe(true)
    expect((await admin.ask(`${deployments}/number`)).status).toBe(404)
  })
  test('integers of 64 bits are kept exactly', async () => {
    for (const number of ['9007199254740993', '9223372036854775807', '-9223372036854775808']) {
      const name = `exact-${++count}`
      const made = await admin.ask('/apis/apps/v1/namespaces/default/controllerrevisions', {
        body: `{"metadata":{"name":"${name}"},"revision":${number.startsWith('-') ? 1 : number},"data":{"n":${number}}}`,
      })
      expect([made.status, made.text.includes(`"n":${number}`)]).toEqual([201, true])
      const patched = await admin.ask(`/apis/apps/v1/namespaces/default/controllerrevisions/${name}`, {
        method: 'PATCH',
        type: 'application/merge-patch+json',
        body: '{"metadata":{"labels":{"a":"b"}}}',
      })
      expect([patched.status, patched.text.includes(`"n":${number}`)]).toEqual([200, true])
      for (const headers of [{}, { accept: 'application/yaml' }] as Record<string, string>[])
        expect((await admin.ask(`/apis/apps/v1/namespaces/default/controllerrevisions/${name}`, { headers })).text).toContain(number)
    }
  })
  test.each(['1Gii', '', ' ', '--1', '1e', '1E99999999999', '0x10', 'Infinity', '1 Gi', '١', '9'.repeat(5_000), `1${'0'.repeat(400)}Ei`, '1e-99999999', '-1'])(
    'quantity %j',
    async quantity => {
      const answer = await expectBounded(
        () =>
          admin.ask('/api/v1/namespaces/default/pods', {
            body: { metadata: { name: 'quantity' }, spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: quantity, memory: quantity } } }] } },
          }),
        1_000,
      )
      if (answer.status === 201) await admin.ask('/api/v1/namespaces/default/pods/quantity?gracePeriodSeconds=0', { method: 'DELETE' })
      else expect([400, 403, 422]).toContain(answer.status)
    },
  )
})
