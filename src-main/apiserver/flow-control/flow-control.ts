/**
 * Priority and fairness: each request that comes over the network is put under a FlowSchema and its priority level, takes
 * seats there while it is served, and waits in a fair queue, or is refused with 429, where the level has none left. One
 * client that floods so takes seats of its own level only, and there only its share.
 *
 * Differences from upstream: what this process asks of itself (controllers, the window) is not limited, because its
 * clients bound themselves; the seats of a request are given back when its answer is made, because watchers are served
 * from memory that needs no work of the request.
 */
import type { FlowSchema, PolicyRulesWithSubjects, PriorityLevelConfiguration } from '../../api/generated/flowcontrol-v1.ts'
import { storagePrefix } from '../../api/resource.ts'
import type { ApiRequest, ApiResponse, UserInfo } from '../../api/request.ts'
import type { Env } from '../../base/env.ts'
import type { Store } from '../../store/store.ts'
import type { RequestInfo } from '../contracts.ts'
import type { LiveCopies } from '../live-copy.ts'
import { textResponse } from '../respond.ts'
import { allocate, seatBounds } from './allocation.ts'
import type { SeatBounds } from './allocation.ts'
import { inOrderOfPrecedence, mandatoryLevels, mandatorySchemas, matchingSchema, rulesNaming } from './classify.ts'
import { updateDangling } from './conditions.ts'
import { FlowMetrics } from './metrics.ts'
import { QueueSet } from './queue-set.ts'
import type { Queuing, Refusal, Seat } from './queue-set.ts'
import { RetryAfter } from './retry-after.ts'
import { readsMany, seatsOfList } from './width.ts'

export const flowPlaces = {
  schemas: { group: 'flowcontrol.apiserver.k8s.io', plural: 'flowschemas' },
  levels: { group: 'flowcontrol.apiserver.k8s.io', plural: 'prioritylevelconfigurations' },
} as const

export interface FlowControlOptions {
  readonly env: Env
  readonly store: Store
  readonly copies: LiveCopies
  /** Seats of the whole server. Default 600, as upstream's two bounds together. */
  readonly seats?: number
  /** How long a request may wait for a seat. Default 15 s: a quarter of a request's time. */
  readonly waitMs?: number
}

/** What a request holds while it is served. */
export interface Ticket {
  /** Headers that tell the client where it was put. */
  readonly headers: Readonly<Record<string, string>>
  /** Gives the seats back; must be called once. */
  release(): void
}

export interface FlowControl {
  /** A ticket, a promise of one, or the answer of a refusal. Throws nothing. */
  admit(request: ApiRequest, info: RequestInfo, user: UserInfo): Ticket | ApiResponse | Promise<Ticket | ApiResponse>
  readonly metrics: FlowMetrics
  /** In order of their names; those being emptied included. */
  levels(): readonly LevelState[]
  stop(): void
}

export interface LevelState {
  readonly name: string
  readonly uid: string
  readonly isExempt: boolean
  readonly handSize: number
  readonly bounds: SeatBounds
  readonly set: QueueSet
  /** Its object is gone; it gives out what it holds. */
  readonly isQuiescing: boolean
}

/** One FlowSchema with the level it leads to. */
interface Flow {
  readonly schema: FlowSchema
  readonly name: string
  readonly level: Level
  readonly headers: Readonly<Record<string, string>>
}
interface FlowForUser extends Flow {
  readonly rules: readonly PolicyRulesWithSubjects[]
}
interface Level extends LevelState {
  uid: string
  isExempt: boolean
  handSize: number
  bounds: SeatBounds
  isQuiescing: boolean
  readonly retryAfter: RetryAfter
}

const DEFAULT_SEATS = 600
const DEFAULT_WAIT_MS = 15_000
/** As upstream: how often levels lend and borrow. */
const ADJUST_MS = 10_000
/** How long after a change the conditions of schemas follow: several changes at once are one. */
const CONDITIONS_MS = 1_000
/** Users whose schemas are remembered; a server of more users than that looks them up again. */
const KEPT_USERS = 5_000

/** Memory and the dealing of hands grow with these, whatever a configuration asks for. */
const MAX_QUEUES = 4_096

function bounded(queuing: Queuing): Queuing {
  return { ...queuing, queues: Math.min(queuing.queues, MAX_QUEUES), handSize: Math.min(queuing.handSize, MAX_QUEUES) }
}

const defaultQueuing: Queuing = { queues: 64, handSize: 8, queueLengthLimit: 50 }

/** Requests that are served for as long as the client likes hold no seat. */
const longRunning = new Set(['attach', 'exec', 'log', 'portforward', 'proxy'])

export function createFlowControl(options: FlowControlOptions): FlowControl {
  const { env, store } = options
  const { clock } = env
  const schemas = options.copies.of<FlowSchema>(flowPlaces.schemas)
  const configurations = options.copies.of<PriorityLevelConfiguration>(flowPlaces.levels)
  const total = options.seats ?? DEFAULT_SEATS
  const timeoutMs = options.waitMs ?? DEFAULT_WAIT_MS
  const metrics = new FlowMetrics()
  const levels = new Map<string, Level>()
  let flows: readonly Flow[] = []
  /** By name and groups, and before that by the object, which is one and the same for a connection. */
  let byUser = new Map<string, readonly FlowForUser[]>()
  let byObject = new WeakMap<UserInfo, readonly FlowForUser[]>()
  let seen = -1
  let isActive = false
  let cancelAdjusting: (() => void) | undefined
  let cancelConditions: (() => void) | undefined

  function refresh(): void {
    const changes = schemas.changes + configurations.changes
    if (changes === seen) return
    seen = changes
    byUser = new Map()
    byObject = new WeakMap()
    cancelConditions ??= clock.after(CONDITIONS_MS, () => {
      cancelConditions = undefined
      const hasLevel = (name: string): boolean => levels.get(name)?.isQuiescing === false
      updateDangling({ env, store, schemas: schemas.list(), hasLevel }).catch((fault: unknown) => {
        env.log.log('error', 'the status of flow schemas could not be kept', { fault })
      })
    })
    updateLevels(withMandatory(configurations.list(), mandatoryLevels))
    flows = inOrderOfPrecedence(withMandatory(schemas.list(), mandatorySchemas)).flatMap(schema => {
      const level = levels.get(schema.spec.priorityLevelConfiguration.name)
      if (!level || level.isQuiescing) return [] // dangling: as if it were not there
      const headers = { 'x-kubernetes-pf-flowschema-uid': schema.metadata.uid ?? '', 'x-kubernetes-pf-prioritylevel-uid': level.uid }
      return [{ schema, name: schema.metadata.name ?? '', level, headers }]
    })
  }

  function updateLevels(wanted: readonly PriorityLevelConfiguration[]): void {
    const bounds = seatBounds(wanted, total)
    for (const configuration of wanted) {
      const name = configuration.metadata.name ?? ''
      const { limited, type } = configuration.spec
      const isExempt = type === 'Exempt'
      const queuing = limited?.limitResponse.type === 'Queue' && !isExempt ? bounded({ ...defaultQueuing, ...limited.limitResponse.queuing }) : undefined
      const own = bounds.get(name) ?? { nominal: 0, least: 0, most: 0 }
      const common = { uid: configuration.metadata.uid ?? '', isExempt, handSize: queuing?.handSize ?? 0, bounds: own, isQuiescing: false }
      let level = levels.get(name)
      // What was lent stays lent when the bounds are the same: statuses change these objects too.
      const isSame = level?.isExempt === isExempt && level.bounds.nominal === own.nominal && level.bounds.least === own.least && level.bounds.most === own.most
      if (level) Object.assign(level, common)
      else levels.set(name, (level = { name, ...common, set: new QueueSet(clock), retryAfter: new RetryAfter() }))
      level.set.configure(queuing)
      if (!isSame) level.set.setLimit(isExempt ? Number.MAX_SAFE_INTEGER : own.nominal)
    }
    const names = new Set(wanted.map(one => one.metadata.name))
    for (const level of levels.values()) {
      if (names.has(level.name)) continue
      level.isQuiescing = true
      if (level.set.isIdle) levels.delete(level.name)
    }
  }

  /** Lends and borrows while requests come; an idle server has no timer. */
  function adjust(): void {
    const limited = [...levels.values()].filter(level => !level.isExempt && !level.isQuiescing)
    const now = clock.awakeMs()
    const claims = limited.map(level => ({ bounds: level.bounds, ...level.set.demand.take(now) }))
    const limits = allocate(claims, total)
    for (const [i, level] of limited.entries()) level.set.setLimit(limits[i] ?? level.bounds.nominal)
    for (const level of levels.values()) if (level.isQuiescing && level.set.isIdle) levels.delete(level.name)
    cancelAdjusting = undefined
    if (isActive || limited.some(level => !level.set.isIdle)) scheduleAdjusting()
    isActive = false
  }

  function scheduleAdjusting(): void {
    cancelAdjusting ??= clock.after(ADJUST_MS, adjust)
  }

  function flowOf(info: RequestInfo, user: UserInfo): FlowForUser | undefined {
    let own = byObject.get(user)
    if (own) return matchingSchema(own, info)
    const key = `${user.name}\n${user.groups.join('\n')}`
    own = byUser.get(key)
    if (!own) {
      own = flows.flatMap(flow => {
        const rules = rulesNaming(flow.schema, user)
        return rules.length === 0 ? [] : [{ ...flow, rules }]
      })
      if (byUser.size >= KEPT_USERS) byUser.clear()
      byUser.set(key, own)
    }
    byObject.set(user, own)
    return matchingSchema(own, info)
  }

  function ticketOf(flow: Flow, seat: Seat): Ticket {
    metrics.started(flow, seat, clock.awakeMs())
    return {
      headers: flow.headers,
      release: () => {
        flow.level.set.release(seat)
        metrics.finished(flow, seat, clock.awakeMs())
      },
    }
  }

  function refused(flow: Flow, refusal: Refusal): ApiResponse {
    metrics.refused(flow, refusal)
    const seconds = flow.level.retryAfter.note(clock.now())
    return textResponse('Too many requests, please try again later.\n', {
      status: 429,
      headers: { ...flow.headers, 'retry-after': String(seconds), 'x-content-type-options': 'nosniff' },
    })
  }

  function take(flow: Flow, seats: number, request: ApiRequest, info: RequestInfo, user: UserInfo): Ticket | ApiResponse | Promise<Ticket | ApiResponse> {
    const { level } = flow
    const method = flow.schema.spec.distinguisherMethod?.type
    const distinguisher = method === 'ByUser' ? user.name : method === 'ByNamespace' ? info.namespace : ''
    const about = { user, info }
    const taken = level.set.take(`${flow.name}\n${distinguisher}`, { flowSchema: flow.name, distinguisher, seats, about }, { timeoutMs, client: request })
    if (taken instanceof Promise) return waiting(flow, taken)
    return typeof taken === 'string' ? refused(flow, taken) : ticketOf(flow, taken)
  }

  async function waiting(flow: Flow, decision: Promise<Seat | Refusal>): Promise<Ticket | ApiResponse> {
    metrics.enqueued(flow)
    const decided = await decision
    metrics.dequeued(flow)
    return typeof decided === 'string' ? refused(flow, decided) : ticketOf(flow, decided)
  }

  return {
    metrics,
    admit(request, info, user) {
      refresh()
      const flow = flowOf(info, user)
      if (!flow || longRunning.has(info.subresource)) return { headers: flow?.headers ?? {}, release: () => {} }
      const { level } = flow
      if (!level.isExempt) {
        isActive = true
        scheduleAdjusting()
        if (readsMany(info))
          return store
            .count(storagePrefix({ group: info.group, plural: info.resource }, info.namespace === '' ? undefined : info.namespace))
            .then(count => take(flow, seatsOfList(info, count, level.bounds.nominal, level.handSize), request, info, user))
      }
      return take(flow, 1, request, info, user)
    },
    levels() {
      refresh()
      return [...levels.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
    },
    stop() {
      cancelAdjusting?.()
      cancelConditions?.()
    },
  }
}

/** Objects as they are stored, and those that must be there in any case. */
function withMandatory<T extends { metadata: { name?: string } }>(stored: readonly T[], mandatory: readonly T[]): T[] {
  const names = new Set(stored.map(one => one.metadata.name))
  return [...stored, ...mandatory.filter(one => !names.has(one.metadata.name))]
}
