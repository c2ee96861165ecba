/** Waiting for a revision that another API server may have written already. */
import { tooLargeResourceVersion } from '../../api/status-error.ts'
import type { Call } from './call.ts'

/** As upstream's watch cache. */
const WAIT_MS = 3_000

/** Resolves once the store has reached `revision` (decimal); throws a 504 after three seconds. */
export async function waitForRevision(call: Call, revision: string): Promise<void> {
  const { store } = call.registry
  const wanted = BigInt(revision)
  if (BigInt(store.revision) >= wanted) return
  const current = store.revision
  const reached = await new Promise<boolean>(resolve => {
    const finish = (value: boolean): void => {
      cancel()
      stop()
      resolve(value)
    }
    const cancel = call.env.clock.after(WAIT_MS, () => {
      finish(false)
    })
    const stop = store.watch('/', {
      after: store.revision,
      onEvent: () => {},
      onProgress: at => {
        if (BigInt(at) >= wanted)
          queueMicrotask(() => {
            finish(true)
          })
      },
    })
    call.request.signal?.addEventListener(
      'abort',
      () => {
        finish(false)
      },
      { once: true },
    )
  })
  if (!reached) throw tooLargeResourceVersion(revision, current)
}
