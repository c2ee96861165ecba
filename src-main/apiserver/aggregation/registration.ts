/**
 * Looks after APIServices: registers the groups and versions of this server (those of custom kinds come and go), and
 * keeps the Available condition of those that another server answers. Part of the API server, as upstream.
 */
import { apiServiceName, availableCondition, isDelegated } from '../../api/apiregistration/v1/api-service.ts'
import type { APIService } from '../../api/generated/apiregistration-v1.ts'
import { cloneJson } from '../../api/json.ts'
import type { AnyResource } from '../../api/resource.ts'
import { isAlreadyExists, isNotFound } from '../../api/status-error.ts'
import { formatTime } from '../../api/time.ts'
import type { Env } from '../../base/env.ts'
import { isDefinedKind } from '../registry/strategy-facts.ts'
import { places, type LiveCopies } from '../live-copy.ts'
import type { Aggregation } from './aggregation.ts'

/** What is written through: requests with every right. */
export interface ApiServiceWriter {
  create(service: APIService): Promise<unknown>
  delete(name: string): Promise<unknown>
  updateStatus(service: APIService): Promise<unknown>
}

const automanaged = 'kube-aggregator.kubernetes.io/automanaged'
/** How often changes are looked for; it costs a comparison of numbers. */
const tickMs = 500
/** Services that answered well are asked again after this, others after the shorter time. */
const recheckMs = 30_000
const retryMs = 5_000

/** Priorities of Kubernetes' own groups (kube-apiserver's table). */
const priorities: Readonly<Record<string, readonly [group: number, version: number]>> = {
  'v1.': [18_000, 1],
  'v1.admissionregistration.k8s.io': [16_700, 15],
  'v1.apiextensions.k8s.io': [16_700, 15],
  'v1.apps': [17_800, 15],
  'v1.authentication.k8s.io': [17_700, 15],
  'v1.authorization.k8s.io': [17_600, 15],
  'v1.autoscaling': [17_500, 15],
  'v2.autoscaling': [17_500, 30],
  'v1.batch': [17_400, 15],
  'v1.certificates.k8s.io': [17_300, 15],
  'v1.coordination.k8s.io': [16_500, 15],
  'v1.discovery.k8s.io': [16_200, 15],
  'v1.events.k8s.io': [17_750, 15],
  'v1.flowcontrol.apiserver.k8s.io': [16_100, 21],
  'v1.networking.k8s.io': [17_200, 15],
  'v1.node.k8s.io': [16_300, 15],
  'v1.policy': [17_100, 15],
  'v1.rbac.authorization.k8s.io': [17_000, 15],
  'v1.resource.k8s.io': [16_200, 21],
  'v1.scheduling.k8s.io': [16_600, 15],
  'v1.storage.k8s.io': [16_800, 15],
  'v1.storagemigration.k8s.io': [15_800, 15],
}
const otherPriority = [1_000, 100] as const

/** The services that this server should have registered, by name. metrics.k8s.io is left to whoever installs a metrics server. */
export function localServices(resources: readonly AnyResource[]): Map<string, APIService> {
  const wanted = new Map<string, APIService>()
  for (const r of resources) {
    const name = apiServiceName(r.group, r.version)
    if (r.group === 'apiregistration.k8s.io' || r.group === 'metrics.k8s.io' || wanted.has(name)) continue
    const [groupPriorityMinimum, versionPriority] = priorities[name] ?? otherPriority
    wanted.set(name, {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name, labels: { [automanaged]: isDefinedKind(r) ? 'true' : 'onstart' } },
      spec: { ...(r.group === '' ? {} : { group: r.group }), version: r.version, groupPriorityMinimum, versionPriority },
    })
  }
  return wanted
}

export interface RegistrationOptions {
  readonly env: Env
  readonly copies: LiveCopies
  readonly resources: () => readonly AnyResource[]
  readonly aggregation: Aggregation
  readonly writer: ApiServiceWriter
}

/** Resolves when the built-in groups are registered; then goes on until stopped. */
export async function startRegistration(options: RegistrationOptions): Promise<{ stop(): void }> {
  const { env, copies } = options
  const services = copies.of<APIService>(places.apiServices)
  const watched = [services, copies.of(places.services), copies.of(places.endpointSlices)]
  let registered: readonly AnyResource[] = []
  let seen = ''
  let nextCheckMs = 0
  let stopped = false
  let cancel: () => void = () => {}

  async function register(): Promise<void> {
    const current = options.resources()
    if (current === registered) return
    const wanted = localServices(current)
    const missing = [...wanted].filter(([name]) => !services.get('', name))
    await Promise.all(
      missing.map(([, service]) =>
        options.writer.create(service).catch((fault: unknown) => {
          if (!isAlreadyExists(fault)) throw fault
        }),
      ),
    )
    const gone = services.list().filter(service => service.metadata.labels?.[automanaged] === 'true' && !isDelegated(service) && !wanted.has(service.metadata.name ?? ''))
    await Promise.all(
      gone.map(service =>
        options.writer.delete(service.metadata.name ?? '').catch((fault: unknown) => {
          if (!isNotFound(fault)) throw fault
        }),
      ),
    )
    registered = current
  }

  async function checkAll(): Promise<void> {
    const state = watched.map(copy => copy.changes).join()
    if (state === seen && env.clock.awakeMs() < nextCheckMs) return
    seen = state
    const delegated = services.list().filter(isDelegated)
    const results = await Promise.all(delegated.map(service => checkOne(service)))
    nextCheckMs = env.clock.awakeMs() + (results.every(Boolean) ? recheckMs : retryMs)
  }

  async function checkOne(service: APIService): Promise<boolean> {
    const fault = await options.aggregation.check(service)
    const condition = { type: 'Available', status: fault ? 'False' : 'True', reason: fault?.reason ?? 'Passed', message: fault?.message ?? 'all checks passed' }
    const present = availableCondition(service)
    if (present?.status === condition.status && present.reason === condition.reason && present.message === condition.message) return !fault
    const next = cloneJson(service)
    const since = present?.status === condition.status && present.lastTransitionTime ? present.lastTransitionTime : formatTime(env.clock.now())
    const others = (next.status?.conditions ?? []).filter(one => one.type !== 'Available')
    next.status = { ...next.status, conditions: [...others, { ...condition, lastTransitionTime: since }] }
    await options.writer.updateStatus(next)
    return !fault
  }

  async function round(): Promise<void> {
    try {
      await register()
      await checkAll()
    } catch (fault) {
      // Somebody else changed it: the next round sees what it is now.
      if (!stopped) env.log.log('debug', 'API services will be looked at again', { fault: fault instanceof Error ? fault.message : String(fault) })
    }
    if (!stopped) cancel = env.clock.after(tickMs, () => void round())
  }

  await register()
  cancel = env.clock.after(tickMs, () => void round())
  return {
    stop() {
      stopped = true
      cancel()
    },
  }
}
