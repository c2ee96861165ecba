/**
 * Preflight of many hosts at once: one connection and one script a host, all hosts in parallel, results as they come.
 * Changes nothing on any host.
 */
import type { PreflightResult } from '../../api/infra/v1alpha1/machine.ts'
import type { Env } from '../../base/env.ts'
import { parseFacts, type HostFacts } from '../facts/facts.ts'
import { factsProbe } from '../facts/facts-probe.ts'
import { asProvisioningError, ProvisioningError } from '../host/errors.ts'
import { runAsUser, type RemoteHost } from '../host/remote-host.ts'
import type { SshConnection } from '../host/ssh-connection.ts'
import type { CheckInput, PreflightCheck } from './check.ts'
import { checks } from './checks.ts'

export interface Ranges {
  readonly clusterCIDR: string
  readonly serviceCIDR: string
}

/** What one host's script brought back. */
export interface Survey {
  readonly facts: HostFacts
  readonly outputs: ReadonlyMap<string, string>
  readonly nowMs: number
  readonly rootProblem?: string
  readonly tunnelProblem?: string
  readonly tunnelStands?: boolean
}

const mark = '@@quarterdeck-probe '
/** The whole script takes under a second on an idle host; a loaded one gets time. */
const surveyTimeoutMs = 30_000

/**
 * Reads facts and all probes in one round trip: as root, or as the login user where `host` is the fault of becoming root.
 * `tunnelStands`: this connection holds the API port of the host already, which proves forwarding.
 */
export async function survey(env: Env, connection: SshConnection, host: RemoteHost | ProvisioningError, signal?: AbortSignal, tunnelStands = false): Promise<Survey> {
  const script = surveyScript()
  const options = { timeoutMs: surveyTimeoutMs, what: 'looking at the host', ...(signal ? { signal } : {}) }
  const reading = host instanceof ProvisioningError ? runAsUser(env, connection, script, options) : host.root(script, options).then(result => result.stdout)
  const [output, tunnelProblem] = await Promise.all([reading, tunnelStands ? undefined : forwardingProblem(connection)])
  const outputs = new Map<string, string>()
  for (const part of output.split(mark).slice(1)) {
    const end = part.indexOf('\n')
    outputs.set(part.slice(0, end), part.slice(end + 1).replace(/\n+$/, ''))
  }
  return {
    facts: parseFacts(outputs.get('facts') ?? ''),
    outputs,
    nowMs: env.clock.now(),
    tunnelStands,
    ...(host instanceof ProvisioningError ? { rootProblem: host.message } : {}),
    ...(tunnelProblem === undefined ? {} : { tunnelProblem }),
  }
}

function surveyScript(): string {
  const probes = [{ id: 'facts', probe: factsProbe }, ...checks.flatMap(check => (check.probe === undefined ? [] : [{ id: check.id, probe: check.probe }]))]
  return probes.map(({ id, probe }) => `printf '\\n%s\\n' '${mark}${id}'; ( PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH LC_ALL=C\n${probe}\n) 2>&1`).join('\n')
}

/** Judges one host against the others. */
export function judge(own: Survey, peers: readonly Survey[], ranges: Ranges, only?: (check: PreflightCheck) => boolean): PreflightResult[] {
  return checks
    .filter(check => only?.(check) ?? true)
    .map(check => {
      const input: CheckInput = {
        facts: own.facts,
        output: own.outputs.get(check.id) ?? '',
        peers: peers.map(peer => peer.facts),
        ...ranges,
        nowMs: own.nowMs,
        ...(own.rootProblem === undefined ? {} : { rootProblem: own.rootProblem }),
        ...(own.tunnelProblem === undefined ? {} : { tunnelProblem: own.tunnelProblem }),
        tunnelStands: own.tunnelStands ?? false,
      }
      return { check: check.id, title: check.title, ...check.judge(input) }
    })
}

/** The one result of a host that could not be logged in to; the other checks are unknown then. */
export function loginFault(fault: unknown): PreflightResult {
  const known = asProvisioningError(fault)
  return { check: 'login', title: 'Log-in', state: 'fail', message: `${known.message} ${known.hint}` }
}

/** Failures that forbid provisioning. */
export function failures(results: readonly PreflightResult[]): PreflightResult[] {
  return results.filter(result => result.state === 'fail')
}

export interface PreflightHost {
  /** Connects, becomes root where it can, and reads the host. */
  survey(signal: AbortSignal): Promise<Survey>
}

export interface PreflightOptions {
  readonly hosts: readonly PreflightHost[]
  readonly ranges: Ranges
  readonly signal: AbortSignal
}

/** 20 hosts at once stay well below a desktop's limits; 500 would not. */
const parallelHosts = 20

/** Results as they come: first the checks of each host, then, when all hosts have answered, those that compare hosts. */
export async function* preflightHosts(options: PreflightOptions): AsyncGenerator<{ host: number; result: PreflightResult }> {
  const surveys: (Survey | undefined)[] = options.hosts.map(() => undefined)
  const ready: { host: number; result: PreflightResult }[] = []
  let wake: () => void = () => undefined
  let left = options.hosts.length
  let next = 0
  const work = async (): Promise<void> => {
    for (let at = next++; at < options.hosts.length; at = next++) {
      const host = options.hosts[at]
      if (!host) break
      try {
        const own = await host.survey(options.signal)
        surveys[at] = own
        for (const result of judge(own, [], options.ranges, check => check.acrossHosts !== true)) ready.push({ host: at, result })
      } catch (fault) {
        ready.push({ host: at, result: loginFault(fault) })
      }
      left--
      wake()
    }
  }
  const workers = Array.from({ length: Math.min(parallelHosts, options.hosts.length) }, work)
  while (left > 0 || ready.length > 0) {
    const item = ready.shift()
    if (item) yield item
    else
      await new Promise<void>(resolve => {
        wake = resolve
      })
    if (options.signal.aborted) break
  }
  await Promise.all(workers)
  for (const [at, own] of surveys.entries()) {
    if (!own) continue
    const peers = surveys.filter((peer): peer is Survey => peer !== undefined && peer !== own)
    for (const result of judge(own, peers, options.ranges, check => check.acrossHosts === true)) yield { host: at, result }
  }
}

async function forwardingProblem(connection: SshConnection): Promise<string | undefined> {
  try {
    await connection.listen(0, stream => {
      stream.destroy()
    })
    return undefined
  } catch (fault) {
    return fault instanceof Error ? fault.message : String(fault)
  }
}
