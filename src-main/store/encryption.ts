/**
 * Encryption at rest: values of chosen kinds are sealed on their way to the disk, by Kubernetes' EncryptionConfiguration
 * (apiserver.config.k8s.io/v1). The first provider of a kind seals, all of them open; so a new key is put first, the
 * program started again, and the old one dropped. Values that the present configuration would seal otherwise are written
 * anew when the store is opened: nothing stays plain or under an old key. The key of the store is bound in, so that a
 * sealed value cannot be moved to another place.
 *
 * Differences from upstream: KMS providers are not spoken to, and a value that no key opens keeps the store from opening
 * instead of being served as an error.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import nacl from 'tweetnacl'
import { isObject } from '../api/json.ts'
import { parseYaml } from '../api/yaml.ts'
import { StoreError } from './store.ts'
import { isSealed, sealName } from './transform.ts'
import type { ValueTransform } from './transform.ts'

interface Provider {
  /** Of the values that it seals; undefined for identity. */
  readonly prefix: Buffer | undefined
  readonly cipher: Cipher | undefined
}
interface Cipher {
  seal(key: string, value: Uint8Array): Uint8Array
  /** undefined: not sealed with this key, or altered since. */
  open(key: string, sealed: Uint8Array): Uint8Array | undefined
}
interface Rule {
  readonly resources: readonly string[]
  readonly providers: readonly Provider[]
}

type RandomBytes = (count: number) => Uint8Array

/** The transform of a configuration's text (YAML or JSON). Throws Error with a sentence for people. */
export function encryptionOf(text: string, random: RandomBytes): ValueTransform {
  const rules = parseRules(text, random)
  const byKind = new Map<string, readonly Provider[]>()
  const all = rules.flatMap(rule => rule.providers)

  function providersOf(key: string): readonly Provider[] {
    const kind = kindOf(key)
    let found = byKind.get(kind)
    if (!found) byKind.set(kind, (found = rules.find(rule => rule.resources.some(pattern => covers(pattern, kind)))?.providers ?? []))
    return found
  }

  return {
    seal(key, value) {
      const first = providersOf(key)[0]
      return first?.cipher && first.prefix ? Buffer.concat([first.prefix, first.cipher.seal(key, value)]) : value
    },
    open(key, stored) {
      const own = providersOf(key)
      const first = own[0]
      if (!isSealed(stored)) return { value: stored, isStale: first?.cipher !== undefined }
      // A kind that is no longer named is still opened, by whatever key there is.
      for (const provider of new Set([...own, ...all])) {
        if (!provider.prefix || !provider.cipher || !provider.prefix.equals(stored.subarray(0, provider.prefix.length))) continue
        const value = provider.cipher.open(key, stored.subarray(provider.prefix.length))
        if (value) return { value, isStale: provider !== first }
      }
      throw new StoreError('corrupt', `${key} is encrypted (${sealName(stored)}) and no key of the encryption configuration opens it. Nothing was changed.`)
    },
  }
}

/** `secrets`, `deployments.apps` of `/core/secrets/…`, `/apps/deployments/…`. */
function kindOf(key: string): string {
  const [, group = '', plural = ''] = key.split('/', 3)
  return group === 'core' ? plural : `${plural}.${group}`
}

function covers(pattern: string, kind: string): boolean {
  if (pattern === '*.*' || pattern === kind) return true
  const group = kind.includes('.') ? kind.slice(kind.indexOf('.') + 1) : ''
  return pattern.startsWith('*.') && pattern.slice(2) === group
}

/* ---- the configuration ---- */

function parseRules(text: string, random: RandomBytes): Rule[] {
  const [document] = parseYaml(text)
  if (!isObject(document) || document['kind'] !== 'EncryptionConfiguration') throw new Error('the encryption configuration must be an object of kind EncryptionConfiguration')
  if (document['apiVersion'] !== 'apiserver.config.k8s.io/v1') throw new Error('the encryption configuration must have apiVersion apiserver.config.k8s.io/v1')
  const resources = listOf(document['resources'], 'resources')
  if (resources.length === 0) throw new Error('the encryption configuration names no resources')
  return resources.map((rule, i) => ({
    resources: listOf(isObject(rule) ? rule['resources'] : undefined, `resources[${i}].resources`).map(String),
    providers: listOf(isObject(rule) ? rule['providers'] : undefined, `resources[${i}].providers`).flatMap((provider, j) =>
      providersFrom(provider, `resources[${i}].providers[${j}]`, random),
    ),
  }))
}

function listOf(value: unknown, at: string): unknown[] {
  if (!Array.isArray(value)) throw new Error(`encryption configuration: ${at} must be a list`)
  return value
}

function providersFrom(given: unknown, at: string, random: RandomBytes): Provider[] {
  const [name = '', ...more] = isObject(given) ? Object.keys(given) : []
  if (!isObject(given) || name === '' || more.length > 0) throw new Error(`encryption configuration: ${at} must name exactly one provider`)
  if (name === 'identity') return [{ prefix: undefined, cipher: undefined }]
  const make = ciphers[name]
  if (!make) throw new Error(`encryption configuration: ${at}: the provider ${name} is not known; there are aesgcm, aescbc, secretbox and identity`)
  const { keys } = isObject(given[name]) ? given[name] : {}
  const list = listOf(keys, `${at}.${name}.keys`)
  if (list.length === 0) throw new Error(`encryption configuration: ${at}.${name} has no keys`)
  return list.map((key, i) => {
    const where = `${at}.${name}.keys[${i}]`
    if (!isObject(key) || typeof key['name'] !== 'string' || key['name'] === '' || key['name'].includes(':'))
      throw new Error(`encryption configuration: ${where} must have a name without colons`)
    const secret = typeof key['secret'] === 'string' ? Buffer.from(key['secret'], 'base64') : Buffer.alloc(0)
    const sizes = name === 'secretbox' ? [32] : [16, 24, 32]
    if (!sizes.includes(secret.length)) throw new Error(`encryption configuration: ${where}.secret must be ${sizes.join(', ')} bytes in base64`)
    return { prefix: Buffer.from(`k8s:enc:${name}:v1:${key['name']}:`), cipher: make(secret, random) }
  })
}

type GcmName = 'aes-128-gcm' | 'aes-192-gcm' | 'aes-256-gcm'
const gcmOf = (secret: Buffer): GcmName => `aes-${(secret.length * 8) as 128 | 192 | 256}-gcm`

const ciphers: Readonly<Record<string, (secret: Buffer, random: RandomBytes) => Cipher>> = {
  aesgcm: (secret, random) => ({
    seal(key, value) {
      const nonce = random(12)
      const cipher = createCipheriv(gcmOf(secret), secret, nonce)
      cipher.setAAD(Buffer.from(key))
      return Buffer.concat([nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()])
    },
    open(key, sealed) {
      if (sealed.length < 28) return undefined
      const decipher = createDecipheriv(gcmOf(secret), secret, sealed.subarray(0, 12))
      decipher.setAAD(Buffer.from(key))
      decipher.setAuthTag(sealed.subarray(-16))
      return attempt(() => Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]))
    },
  }),
  // Without authentication of its own: an altered value is found by the store's checksums or as broken JSON only.
  aescbc: (secret, random) => ({
    seal(_key, value) {
      const nonce = random(16)
      const cipher = createCipheriv(`aes-${secret.length * 8}-cbc`, secret, nonce)
      return Buffer.concat([nonce, cipher.update(value), cipher.final()])
    },
    open(_key, sealed) {
      if (sealed.length < 32) return undefined
      const decipher = createDecipheriv(`aes-${secret.length * 8}-cbc`, secret, sealed.subarray(0, 16))
      return attempt(() => Buffer.concat([decipher.update(sealed.subarray(16)), decipher.final()]))
    },
  }),
  secretbox: (secret, random) => ({
    seal(_key, value) {
      const nonce = new Uint8Array(random(nacl.secretbox.nonceLength))
      return Buffer.concat([nonce, nacl.secretbox(value, nonce, secret)])
    },
    open(_key, sealed) {
      const size = nacl.secretbox.nonceLength
      return nacl.secretbox.open(new Uint8Array(sealed.subarray(size)), new Uint8Array(sealed.subarray(0, size)), secret) || undefined
    },
  }),
}

function attempt(open: () => Buffer): Buffer | undefined {
  try {
    return open()
  } catch {
    return undefined
  }
}
