/** The embedded store of a data directory, with its encryption, and errors in sentences for people. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Env } from '../base/env.ts'
import type { Store } from '../store/store.ts'
import type { ValueTransform } from '../store/transform.ts'

/** `encryptionConfigFile` holds an EncryptionConfiguration (YAML or JSON). */
export async function openStore(options: { dataDir: string; env: Env; encryptionConfigFile: string | undefined }): Promise<Store> {
  const { dataDir, env, encryptionConfigFile } = options
  const { openEmbeddedStore } = await import('../store/embedded/embedded-store.ts')
  const transform = encryptionConfigFile === undefined ? undefined : await readEncryption(encryptionConfigFile, env)
  try {
    return await openEmbeddedStore({ dir: join(dataDir, 'store'), env, ...(transform ? { transform } : {}) })
  } catch (fault) {
    if ((fault as { code?: unknown }).code === 'locked')
      throw new Error(`the data directory ${dataDir} is in use by another Quarterdeck; stop it first or choose another directory`, { cause: fault })
    throw fault
  }
}

/** Loaded only where it is asked for. */
async function readEncryption(file: string, env: Env): Promise<ValueTransform> {
  const { encryptionOf } = await import('../store/encryption.ts')
  const text = await readFile(file, 'utf8').catch((fault: unknown) => {
    throw new Error(`the encryption configuration ${file} cannot be read: ${fault instanceof Error ? fault.message : String(fault)}`, { cause: fault })
  })
  return encryptionOf(text, count => env.random.bytes(count))
}
