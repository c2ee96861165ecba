/** Encryption at rest: what is on disk, rotation of keys, and what happens without the right key. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { nodeEnv } from '../../../src-main/base/node/node-env.ts'
import { openEmbeddedStore } from '../../../src-main/store/embedded/embedded-store.ts'
import { encryptionOf } from '../../../src-main/store/encryption.ts'
import type { Store } from '../../../src-main/store/store.ts'

const env = nodeEnv({ level: 'error' })
const canary = 'canary-4f1c'
const secretKey = (byte: number, size = 32): string => Buffer.alloc(size, byte).toString('base64')
const config = (providers: string, resources = '[secrets]'): string =>
  `apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: ${resources}\n  providers:\n${providers}`
const provider = (kind: string, ...keys: [name: string, byte: number, size?: number][]): string =>
  `  - ${kind}:\n      keys:\n${keys.map(([name, byte, size]) => `      - { name: ${name}, secret: "${secretKey(byte, size)}" }\n`).join('')}`

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'quarterdeck-sealed-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const open = (text?: string): Promise<Store> => openEmbeddedStore({ dir, env, ...(text === undefined ? {} : { transform: encryptionOf(text, count => env.random.bytes(count)) }) })
const secret = (value: string): never => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, data: { value } }) as never

async function onDisk(): Promise<string> {
  const names = await readdir(dir)
  return (await Promise.all(names.map(name => readFile(join(dir, name), 'latin1')))).join('')
}
async function valueOf(store: Store, key = '/core/secrets/a/s'): Promise<unknown> {
  return ((await store.get(key))?.object as { data?: { value?: unknown } } | undefined)?.data?.value
}

describe.each([
  ['aesgcm', 32],
  ['aesgcm', 16],
  ['aescbc', 24],
  ['secretbox', 32],
] as const)('%s with keys of %i bytes', (kind, size) => {
  test('keeps secrets unreadable on disk and gives them back', async () => {
    const text = config(provider(kind, ['one', 1, size]))
    const store = await open(text)
    await store.put('/core/secrets/a/s', secret(canary), { absent: true })
    await store.put('/core/configmaps/a/c', secret('plain-value'), { absent: true })
    await store.close()
    const disk = await onDisk()
    const again = await open(text)
    expect({ hidden: !disk.includes(canary), sealed: disk.includes(`k8s:enc:${kind}:v1:one:`), others: disk.includes('plain-value'), value: await valueOf(again) }).toEqual({
      hidden: true,
      sealed: true,
      others: true,
      value: canary,
    })
    await again.close()
  })
})

test('an open with a new configuration leaves nothing plain or under the old key', async () => {
  const first = await open()
  await first.put('/core/secrets/a/s', secret(canary), { absent: true })
  await first.put('/core/secrets/a/s', secret(`${canary}-2`), { any: true })
  await first.put('/core/secrets/a/gone', secret(`${canary}-3`), { absent: true })
  await first.delete('/core/secrets/a/gone', { any: true })
  await first.close()
  const plain = await onDisk()
  await (await open(config(provider('aesgcm', ['one', 1])))).close()
  const sealed = await onDisk()
  await (await open(config(provider('secretbox', ['two', 2]) + provider('aesgcm', ['one', 1])))).close()
  const rotated = await onDisk()
  const last = await open(config(provider('secretbox', ['two', 2])))
  expect({
    before: plain.includes(canary),
    after: sealed.includes(canary),
    one: sealed.includes('aesgcm:v1:one:'),
    left: rotated.includes(':one:'),
    two: rotated.includes('secretbox:v1:two:'),
    value: await valueOf(last),
  }).toEqual({ before: true, after: false, one: true, left: false, two: true, value: `${canary}-2` })
  await last.close()
})

test('identity first takes the encryption away again', async () => {
  const store = await open(config(provider('aesgcm', ['one', 1])))
  await store.put('/core/secrets/a/s', secret(canary), { absent: true })
  await store.close()
  await (await open(config(`  - identity: {}\n${provider('aesgcm', ['one', 1])}`))).close()
  const plain = await open()
  expect(await valueOf(plain)).toBe(canary)
  await plain.close()
})

test('without the key the store does not open and is not changed', async () => {
  const text = config(provider('aesgcm', ['one', 1]))
  const store = await open(text)
  await store.put('/core/secrets/a/s', secret(canary), { absent: true })
  await store.close()
  const before = await onDisk()
  const faults = [
    await open().catch(String),
    await open(config(provider('aesgcm', ['one', 9]))).catch(String),
    await open(config(provider('secretbox', ['other', 1]))).catch(String),
  ]
  expect(faults).toEqual([
    expect.stringContaining('start with the encryption configuration'),
    expect.stringContaining('no key of the encryption configuration opens it'),
    expect.stringContaining('k8s:enc:aesgcm:v1:one'),
  ])
  expect(await onDisk()).toBe(before)
  const again = await open(text)
  expect(await valueOf(again)).toBe(canary)
  await again.close()
})

test('a sealed value is bound to its place', () => {
  const transform = encryptionOf(config(provider('aesgcm', ['one', 1])), count => env.random.bytes(count))
  const sealed = transform.seal('/core/secrets/a/s', Buffer.from('{}'))
  const altered = Buffer.from(sealed)
  altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1
  expect(Buffer.from(transform.open('/core/secrets/a/s', sealed).value).toString()).toBe('{}')
  expect(() => transform.open('/core/secrets/b/s', sealed)).toThrow('no key')
  expect(() => transform.open('/core/secrets/a/s', altered)).toThrow('no key')
})

test('kinds are chosen by name, group and star', () => {
  const transform = encryptionOf(config(provider('aesgcm', ['one', 1]), "['*.apps', widgets.example.com]"), count => env.random.bytes(count))
  const isSealed = (key: string): boolean =>
    Buffer.from(transform.seal(key, Buffer.from('{}')))
      .toString('latin1')
      .startsWith('k8s:enc:')
  expect(['/apps/deployments/a/d', '/example.com/widgets/a/w', '/core/secrets/a/s', '/batch/jobs/a/j'].map(isSealed)).toEqual([true, true, false, false])
})

test.each([
  ['kind: Other', 'kind EncryptionConfiguration'],
  ['apiVersion: v2\nkind: EncryptionConfiguration', 'apiVersion apiserver.config.k8s.io/v1'],
  [config('  - aesgcm: { keys: [ { name: a, secret: "c2hvcnQ=" } ] }'), '16, 24, 32 bytes'],
  [config('  - secretbox: { keys: [ { name: a, secret: "c2hvcnQ=" } ] }'), 'must be 32 bytes'],
  [config('  - kms: { name: k }'), 'the provider kms is not known'],
  [config('  - aesgcm: { keys: [] }'), 'has no keys'],
  [config('  - aesgcm: { keys: [ { name: "a:b", secret: "" } ] }'), 'without colons'],
])('a wrong configuration is refused: %s', (text, message) => {
  expect(() => encryptionOf(text, count => env.random.bytes(count))).toThrow(message)
})
