/** Errors as people read them: the cause and the next step. */
import { BridgeError } from '../../src-main/api/bridge.ts'
import { StatusError } from '../../src-main/api/status-error.ts'
import { plain } from '../kinds/visible.ts'

export interface ShownError {
  cause: string
  next: string
}

const nextByReason: Readonly<Record<string, string>> = {
  NotFound: 'It may have been deleted meanwhile. Close this and look at the list.',
  Conflict: 'The object changed meanwhile. Load it again and repeat your change.',
  AlreadyExists: 'Choose another name, or change the one that exists.',
  Invalid: 'Correct the fields named above and try again.',
  Forbidden: 'The control plane does not allow it. The message names the rule.',
  TooManyRequests: 'Wait a moment and try again. A disruption budget may be protecting the pod.',
  ServiceUnavailable: 'Try again in a moment. If it lasts, look at the machine of the node.',
  InternalError: 'Try again. If it repeats, copy this text into a report.',
  Timeout: 'Try again in a moment.',
}

export function describeError(error: unknown): ShownError {
  if (error instanceof BridgeError) return { cause: sentence(error.message), next: error.hint ?? (error.code === 'unavailable' ? 'Try again in a moment.' : '') }
  if (error instanceof StatusError) return { cause: sentence(error.status.message ?? error.reason), next: nextByReason[error.reason] ?? '' }
  return { cause: error instanceof Error ? sentence(error.message) : String(error), next: '' }
}

function sentence(text: string): string {
  return text === '' ? 'No cause was given.' : plain(text.charAt(0).toUpperCase() + text.slice(1))
}

/** A call that ended because the user or the view ended it. */
export function isCancelled(error: unknown): boolean {
  return error instanceof BridgeError && error.code === 'cancelled'
}
