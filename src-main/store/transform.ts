/** What may happen to values between memory and disk, and the default: nothing. */
import { StoreError } from './store.ts'

/** Changes values between memory and disk. */
export interface ValueTransform {
  /** What is written for a value; itself where its kind is not sealed. */
  seal(key: string, value: Uint8Array): Uint8Array
  /** The inverse. `isStale`: it would be written otherwise now. Throws StoreError 'corrupt' when no key opens it. */
  open(key: string, stored: Uint8Array): { value: Uint8Array; isStale: boolean }
}

/** Every sealed value begins so, and no JSON does. */
const start = Buffer.from('k8s:enc:')

export function isSealed(stored: Uint8Array): boolean {
  return stored.length >= start.length && start.every((byte, i) => stored[i] === byte)
}

/** Without a configuration: what is sealed cannot be read. */
export const noEncryption: ValueTransform = {
  seal: (_key, value) => value,
  open(key, stored) {
    if (isSealed(stored))
      throw new StoreError('corrupt', `${key} is encrypted (${sealName(stored)}): start with the encryption configuration that it was written with. Nothing was changed.`)
    return { value: stored, isStale: false }
  },
}

/** `k8s:enc:aesgcm:v1:key1`, for messages. */
export function sealName(stored: Uint8Array): string {
  return /^(?:[^:]*:){4}[^:]*/.exec(Buffer.from(stored.subarray(0, 200)).toString('latin1'))?.[0] ?? 'in an unknown way'
}
