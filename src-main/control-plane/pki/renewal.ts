/**
 * Keeps the control plane's own certificates fresh while it runs: at two thirds of their life they are made anew. The key
 * pairs that were handed out stay the same objects and show the new content, so whoever reads them at each use needs no word.
 */
import { X509Certificate } from 'node:crypto'
import type { Env } from '../../base/env.ts'
import type { ClusterKeys } from './pki.ts'
import type { KeyPair } from './x509.ts'

/** Certificates live for a year; a clock that jumped is noticed within the hour. */
const checkMs = 3_600_000

export interface RenewalOptions {
  readonly env: Env
  readonly keys: ClusterKeys
  /** Opens the keys again, which makes what is due (openClusterKeys). */
  readonly reopen: () => Promise<ClusterKeys>
  /** `keys` shows new certificates now. */
  readonly onRenewed: () => Promise<void> | void
}

/** The key pairs that are renewed, in the same order for all keys. */
function leavesOf(keys: ClusterKeys): KeyPair[] {
  return [keys.serving, keys.kubeletClient, keys.admin, keys.frontProxy.client]
}

/** When the first of the leaves is due, in ms since 1970. */
export function renewalDueMs(keys: ClusterKeys): number {
  return Math.min(
    ...leavesOf(keys).map(leaf => {
      const certificate = new X509Certificate(leaf.certificate)
      const from = Date.parse(certificate.validFrom)
      return from + ((Date.parse(certificate.validTo) - from) * 2) / 3
    }),
  )
}

/** Looks every hour; gives the function that ends it. */
export function keepCertificatesFresh(options: RenewalOptions): () => void {
  const { env, keys } = options
  let stopped = false
  let cancel = (): void => {}
  const look = async (): Promise<void> => {
    if (env.clock.now() <= renewalDueMs(keys)) return
    const fresh = await options.reopen()
    const renewed = leavesOf(fresh)
    leavesOf(keys).forEach((leaf, at) => Object.assign(leaf, renewed[at]))
    await options.onRenewed()
    env.log.log('info', 'certificates of the control plane were renewed')
  }
  const plan = (): void => {
    cancel = env.clock.after(checkMs, () => {
      look()
        .catch((fault: unknown) => {
          env.log.log('error', 'certificates of the control plane could not be renewed', { fault: String(fault) })
        })
        .finally(() => {
          if (!stopped) plan()
        })
    })
  }
  plan()
  return () => {
    stopped = true
    cancel()
  }
}
