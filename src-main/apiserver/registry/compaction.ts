/**
 * Forgets old history. As upstream every revision can be read for at least five minutes after it was superseded, and one
 * that a page began with is gone within ten, also while nobody writes: whoever holds a continue token is told then, and
 * not at some later time that depends on others.
 */
import type { Env } from '../../base/env.ts'
import { StoreError } from '../../store/store.ts'
import type { Store } from '../../store/store.ts'

export const compactionIntervalMs = 300_000

/** Outside of every served group. As upstream's `compact_rev_key`: writing it moves the revision on in a store at rest. */
export const compactionKey = '/quarterdeck.store/compactions//last'

/** Each interval forgets what is older than one interval. Returns the function that ends it. */
export function compactRegularly(env: Env, store: Store): () => void {
  let last = store.revision
  let cancel: () => void = () => {}
  const schedule = (): void => {
    cancel = env.clock.after(compactionIntervalMs, () => {
      schedule()
      compactOnce().catch((fault: unknown) => {
        // A full disk or a store that closes: the next interval tries again.
        env.log.log(fault instanceof StoreError && fault.code === 'closed' ? 'debug' : 'warn', 'compaction failed', { fault: String(fault) })
      })
    })
  }
  const compactOnce = async (): Promise<void> => {
    const until = last
    // `until` itself stays readable, so the mark has to be newer than whatever can have been read before it.
    last = (await store.put(compactionKey, { metadata: {} }, { any: true })).revision
    await store.compact(until)
  }
  schedule()
  return () => {
    cancel()
  }
}
