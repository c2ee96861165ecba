/** Deletes bootstrap tokens (Secrets in kube-system) once they expire. */
import { secrets } from '../../api/core/v1/secret.ts'
import type { Secret } from '../../api/generated/core-v1.ts'
import { isNotFound } from '../../api/status-error.ts'
import { tryParseTime } from '../../api/time.ts'
import { defineController } from '../../controller-runtime/controller.ts'

export const bootstrapTokenCleaner = defineController<Secret>({
  name: 'token-cleaner',
  for: secrets,
  writes: [{ resource: secrets, verbs: ['delete'] }],
  workers: 1,
  async reconcile({ cache, client, env }, key) {
    const secret = cache.of(secrets).get(key)
    if (!secret || secret.metadata.namespace !== 'kube-system' || secret.type !== 'bootstrap.kubernetes.io/token') return
    const expiresMs = expiryMs(secret)
    if (expiresMs === undefined) return
    const leftMs = expiresMs - env.clock.now()
    if (leftMs > 0) return { requeueAfterMs: Math.min(leftMs, 60_000) } // the wall clock may jump: never wait long
    const { name, uid } = secret.metadata
    try {
      await client.resource(secrets).delete(name ?? '', { namespace: 'kube-system', ...(uid ? { preconditions: { uid } } : {}) })
    } catch (fault) {
      if (!isNotFound(fault)) throw fault
    }
  },
})

/** When the token expires; at once where the time cannot be read, as upstream; undefined = never. Pure. */
export function expiryMs(secret: Secret): number | undefined {
  const encoded = secret.data?.['expiration']
  if (!encoded) return undefined
  try {
    return tryParseTime(atob(encoded)) ?? 0
  } catch {
    return 0
  }
}
