/**
 * A preflight check: an optional probe that joins the one script of a host, and a pure judgement of what came back. A
 * check never changes the host; `fix` is a command that is shown to the user before anything runs it.
 */
import type { HostFacts } from '../facts/facts.ts'

export interface Verdict {
  readonly state: 'pass' | 'warn' | 'fail'
  readonly message: string
  readonly fix?: string
}

export interface CheckInput {
  readonly facts: HostFacts
  /** What the check's own probe printed (both streams), without the last newline. */
  readonly output: string
  /** Facts of the other hosts of the run. */
  readonly peers: readonly HostFacts[]
  readonly clusterCIDR: string
  readonly serviceCIDR: string
  /** Milliseconds by the desktop's clock when the facts came. */
  readonly nowMs: number
  /** Why root could not be had; undefined when it could. */
  readonly rootProblem?: string
  /** Why the SSH server refused a remote forward; undefined when it did not. */
  readonly tunnelProblem?: string
  /** The API's tunnel of this very connection is open: its port on the host is ours. */
  readonly tunnelStands: boolean
}

export interface PreflightCheck {
  /** File name. */
  readonly id: string
  readonly title: string
  /** POSIX sh that only reads. */
  readonly probe?: string
  /** Judged again when the facts of all hosts are there. */
  readonly acrossHosts?: boolean
  judge(input: CheckInput): Verdict
}

/** The one way to make a check. */
export function defineCheck(check: PreflightCheck): PreflightCheck {
  return check
}

export const pass = (message: string): Verdict => ({ state: 'pass', message })
export const warn = (message: string, fix?: string): Verdict => ({ state: 'warn', message, ...(fix === undefined ? {} : { fix }) })
export const fail = (message: string, fix?: string): Verdict => ({ state: 'fail', message, ...(fix === undefined ? {} : { fix }) })

/** `1.5 GiB`, `300 MiB`. */
export function bytesText(bytes: number): string {
  return bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : `${Math.round(bytes / 2 ** 20)} MiB`
}

/** -1, 0 or 1 for dotted numbers: '2.28' < '2.36'. */
export function compareVersions(a: string, b: string): number {
  const left = a.split(/[.-]/).map(part => Number.parseInt(part, 10) || 0)
  const right = b.split(/[.-]/).map(part => Number.parseInt(part, 10) || 0)
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0)
    if (difference !== 0) return Math.sign(difference)
  }
  return 0
}
