/**
 * Leader election by Lease, as client-go's: the holder renews; others take over once they saw no renewal for the lease's
 * duration on their own (awake) clock, so that differing wall clocks do not matter.
 */
import type { Lease } from '../api/generated/coordination-v1.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { isAlreadyExists, isConflict, isNotFound } from '../api/status-error.ts'
import { formatMicroTime } from '../api/time.ts'
import type { Env } from '../base/env.ts'
import type { Client } from './client.ts'

export interface LeaderElectionOptions {
  readonly client: Client
  readonly env: Env
  readonly leases: ResourceDefinition<Lease>
  readonly namespace: string
  readonly name: string
  /** Unique to this process. */
  readonly identity: string
  /** Default 15 s, 10 s, 2 s as upstream. */
  readonly leaseDurationMs?: number
  readonly renewDeadlineMs?: number
  readonly retryPeriodMs?: number
  /** Runs while this process leads; its signal is aborted the moment leadership is lost. */
  readonly lead: (signal: AbortSignal) => Promise<void>
}

export interface LeaderElection {
  readonly leading: boolean
  /** Gives the lease back, so that another can lead at once. */
  stop(): Promise<void>
}

interface Observed {
  version: string
  atMs: number
  lease: Lease | undefined
}

export function startLeaderElection(options: LeaderElectionOptions): LeaderElection {
  const { env } = options
  const durationMs = options.leaseDurationMs ?? 15_000
  const renewDeadlineMs = options.renewDeadlineMs ?? 10_000
  const retryMs = options.retryPeriodMs ?? 2_000
  const stopping = new AbortController()
  const observed: Observed = { version: '', atMs: 0, lease: undefined }
  let leading: AbortController | undefined
  let work: Promise<void> = Promise.resolve()

  async function loop(): Promise<void> {
    let renewedMs = 0
    while (!stopping.signal.aborted) {
      const held = await tryHold(options, observed, durationMs).catch((fault: unknown) => {
        env.log.log('debug', 'lease could not be read or written', { lease: options.name, fault: String(fault) })
        return undefined
      })
      const nowMs = env.clock.awakeMs()
      if (held) {
        renewedMs = nowMs
        if (!leading) {
          const mine = new AbortController()
          leading = mine
          work = options.lead(mine.signal)
        }
      } else if (leading && (held === false || nowMs - renewedMs >= renewDeadlineMs)) {
        leading.abort(new Error('leadership lost'))
        leading = undefined
        await work.catch(() => {})
      }
      await env.clock.sleep(retryMs * (leading ? 1 : 1 + 0.2 * env.random.next()), stopping.signal).catch(() => {})
    }
  }
  const running = loop()
  return {
    get leading() {
      return leading !== undefined
    },
    async stop() {
      stopping.abort(new Error('stopped'))
      await running
      if (!leading) return
      leading.abort(new Error('stopped'))
      leading = undefined
      await work.catch(() => {})
      await release(options, observed).catch(() => {}) // it expires by itself
    },
  }
}

/** True: held now. False: another holds it. Throws when the API cannot be reached. */
async function tryHold(options: LeaderElectionOptions, observed: Observed, durationMs: number): Promise<boolean> {
  const client = options.client.resource(options.leases)
  const nowMs = options.env.clock.awakeMs()
  const now = formatMicroTime(options.env.clock.now())
  const spec = { holderIdentity: options.identity, leaseDurationSeconds: Math.round(durationMs / 1000), renewTime: now }
  try {
    const found = await client.get(options.name, { namespace: options.namespace })
    if (found.metadata.resourceVersion !== observed.version) Object.assign(observed, { version: found.metadata.resourceVersion ?? '', atMs: nowMs, lease: found })
    const holder = found.spec?.holderIdentity ?? ''
    const mine = holder === options.identity
    const validMs = (found.spec?.leaseDurationSeconds ?? 0) * 1000
    if (!mine && holder !== '' && nowMs - observed.atMs < validMs) return false
    const transitions = (found.spec?.leaseTransitions ?? 0) + (mine ? 0 : 1)
    const next = await client.update({ ...found, spec: { ...spec, acquireTime: mine ? (found.spec?.acquireTime ?? now) : now, leaseTransitions: transitions } })
    Object.assign(observed, { version: next.metadata.resourceVersion ?? '', atMs: nowMs, lease: next })
    return true
  } catch (fault) {
    if (isConflict(fault)) return false
    if (!isNotFound(fault)) throw fault
  }
  try {
    const made = await client.create({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: options.name, namespace: options.namespace },
      spec: { ...spec, acquireTime: now, leaseTransitions: 0 },
    })
    Object.assign(observed, { version: made.metadata.resourceVersion ?? '', atMs: nowMs, lease: made })
    return true
  } catch (fault) {
    if (isAlreadyExists(fault)) return false
    throw fault
  }
}

async function release(options: LeaderElectionOptions, observed: Observed): Promise<void> {
  if (!observed.lease) return
  const now = formatMicroTime(options.env.clock.now())
  const { leaseTransitions } = observed.lease.spec ?? {}
  await options.client.resource(options.leases).update({
    ...observed.lease,
    spec: { holderIdentity: '', leaseDurationSeconds: 1, renewTime: now, acquireTime: now, leaseTransitions: leaseTransitions ?? 0 },
  })
}
