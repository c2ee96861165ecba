/** /healthz, /livez and /readyz, with ?verbose, ?exclude= and one path a check. */
import { textResponse } from '../respond.ts'
import type { NonResourceHandler } from '../contracts.ts'

export interface HealthCheck {
  readonly name: string
  /** Resolves when all is well; throws why not. */
  check(): void | Promise<void>
  /** Paths that ask it; default all three. A server that is only not ready yet should not be restarted, so give 'readyz' alone for those. */
  readonly on?: readonly ('healthz' | 'livez' | 'readyz')[]
}

/** One line of text per check, in upstream's form. */
export function healthHandler(checks: readonly HealthCheck[], log: (text: string) => void): NonResourceHandler {
  return async ({ info }) => {
    const match = /^\/(healthz|livez|readyz)(?:\/(.+))?\/?$/.exec(info.path)
    if (!match) return undefined
    const path = match[1] as 'healthz' | 'livez' | 'readyz'
    const all = checks.filter(one => (one.on ?? [path]).includes(path))
    if (match[2] !== undefined) {
      const one = all.find(candidate => candidate.name === match[2])
      if (!one) return undefined
      const fault = await runCheck(one)
      return fault === undefined ? textResponse('ok', { headers: noCache }) : textResponse(`internal server error: ${fault}\n`, { status: 500, headers: noCache })
    }
    const excluded = new Set(info.query.getAll('exclude'))
    const lines: string[] = []
    const failed: string[] = []
    for (const one of all) {
      if (excluded.delete(one.name)) {
        lines.push(`[+]${one.name} excluded: ok`)
        continue
      }
      const fault = await runCheck(one)
      if (fault === undefined) {
        lines.push(`[+]${one.name} ok`)
        continue
      }
      failed.push(one.name)
      lines.push(`[-]${one.name} failed: reason withheld`)
      log(`health check ${one.name} failed: ${fault}`)
    }
    if (excluded.size > 0) lines.push(`warn: some health checks cannot be excluded: no matches for ${[...excluded].map(name => JSON.stringify(name)).join(',')}`)
    if (failed.length > 0) return textResponse(`${lines.join('\n')}\n${path} check failed\n`, { status: 500, headers: noCache })
    return textResponse(info.query.has('verbose') ? `${lines.join('\n')}\n${path} check passed\n` : 'ok', { headers: noCache })
  }
}

const noCache = { 'cache-control': 'no-cache, private', 'x-content-type-options': 'nosniff' }

/** Why a check failed; undefined when all is well. */
export async function runCheck(check: HealthCheck): Promise<string | undefined> {
  try {
    await check.check()
    return undefined
  } catch (fault) {
    return fault instanceof Error ? fault.message : String(fault)
  }
}

/** Outside of /api and /apis an unknown path is answered in plain text, as Go's servers do. The last handler of the list. */
export const unknownPathHandler: NonResourceHandler = ({ info }) =>
  Promise.resolve(/^\/apis?(\/|$)/.test(info.path) && info.resource === '' ? undefined : textResponse('404 page not found\n', { status: 404 }))
