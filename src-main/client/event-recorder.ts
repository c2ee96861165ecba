/**
 * Writes Events about objects, as upstream's recorder with its correlator: the same event again is counted up; more
 * than ten that differ only in their message within ten minutes are combined; one source may not flood one object.
 * Events are best effort: the queue is bounded, a lost event is never an error of the caller.
 */
import type { Event, ObjectReference } from '../api/generated/core-v1.ts'
import type { KubernetesObject } from '../api/meta.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { isAlreadyExists, isNotFound } from '../api/status-error.ts'
import { formatTime } from '../api/time.ts'
import type { Env } from '../base/env.ts'
import type { Client } from './client.ts'

export interface Recorder {
  /** `fieldPath` names a part of the object: `spec.containers{web}`. */
  event(object: KubernetesObject, type: 'Normal' | 'Warning', reason: string, message: string, fieldPath?: string): void
  /** Resolves when all events recorded so far were written or given up. */
  flushed(): Promise<void>
  stop(): void
}

export interface RecorderOptions {
  readonly client: Client
  readonly env: Env
  /** The kind Event of the core group (api/core/v1): given, so that this file is free of kinds. */
  readonly events: ResourceDefinition<Event>
  /** source.component: `kubelet`, `default-scheduler`, `replicaset-controller`. */
  readonly component: string
  readonly host?: string
}

/** More waiting events than this are dropped: a rollout of 1,000 pods makes a few thousand. */
const maxQueued = 10_000
/** Known events kept for counting; as upstream's LRU. */
const maxKnown = 4096
const aggregateAfter = 10
const aggregateWindowMs = 600_000
/** Upstream's spam filter: 25 at once, then one every five minutes for one source and object. */
const burst = 25
const refillMs = 300_000
/** metadata.name holds 253 bytes; the suffix takes 17. */
const maxNameLength = 236
const maxMessageLength = 1024

interface Known {
  name: string
  namespace: string
  count: number
  firstTimestamp: string
}
interface Similar {
  startMs: number
  messages: Set<string>
}
interface Bucket {
  tokens: number
  atMs: number
}

export function createEventRecorder(options: RecorderOptions): Recorder {
  const { env } = options
  const queue: Event[] = []
  const known = new Map<string, Known>()
  const similar = new Map<string, Similar>()
  const buckets = new Map<string, Bucket>()
  let running: Promise<void> | undefined
  let stopped = false

  function event(object: KubernetesObject, type: 'Normal' | 'Warning', reason: string, message: string, fieldPath?: string): void {
    if (stopped || queue.length >= maxQueued) return
    const made = makeEvent(options, object, type, reason, message, fieldPath)
    if (!takeToken(buckets, `${made.source?.component}/${made.involvedObject.uid ?? made.involvedObject.name ?? ''}`, env.clock.awakeMs())) return
    queue.push(aggregate(similar, made, env.clock.awakeMs()))
    running ??= drain().finally(() => {
      running = undefined
    })
  }
  async function drain(): Promise<void> {
    for (let next = queue.shift(); next && !stopped; next = queue.shift()) {
      try {
        await write(options, known, next)
      } catch (fault) {
        env.log.log('debug', 'event was not written', { reason: next.reason, fault: String(fault) })
      }
    }
  }
  return {
    event,
    flushed: async () => {
      while (running) await running
    },
    stop() {
      stopped = true
      queue.length = 0
    },
  }
}

function makeEvent(options: RecorderOptions, object: KubernetesObject, type: string, reason: string, message: string, fieldPath?: string): Event {
  const { namespace, name, uid, resourceVersion } = object.metadata
  const involvedObject: ObjectReference = { kind: object.kind, apiVersion: object.apiVersion }
  if (namespace) involvedObject.namespace = namespace
  if (name) involvedObject.name = name
  if (uid) involvedObject.uid = uid
  if (resourceVersion) involvedObject.resourceVersion = resourceVersion
  if (fieldPath) involvedObject.fieldPath = fieldPath
  const nowMs = options.env.clock.now()
  const now = formatTime(nowMs)
  const suffix = (BigInt(Math.floor(nowMs)) * 1_000_000n + BigInt(Math.floor(options.env.random.next() * 1_000_000))).toString(16)
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${(name ?? '').slice(0, maxNameLength)}.${suffix}`, namespace: namespace ?? 'default' },
    involvedObject,
    reason,
    message: message.slice(0, maxMessageLength),
    type,
    count: 1,
    firstTimestamp: now,
    lastTimestamp: now,
    source: { component: options.component, ...(options.host ? { host: options.host } : {}) },
    reportingComponent: options.component,
    reportingInstance: options.host ?? '',
  }
}

function takeToken(buckets: Map<string, Bucket>, key: string, nowMs: number): boolean {
  const bucket = buckets.get(key) ?? { tokens: burst, atMs: nowMs }
  bucket.tokens = Math.min(burst, bucket.tokens + (nowMs - bucket.atMs) / refillMs)
  bucket.atMs = nowMs
  remember(buckets, key, bucket)
  if (bucket.tokens < 1) return false
  bucket.tokens -= 1
  return true
}

function groupKey(event: Event): string {
  const at = event.involvedObject
  return [event.source?.component, event.source?.host, at.kind, at.namespace, at.name, at.uid, at.apiVersion, at.fieldPath, event.type, event.reason].join('|')
}

function aggregate(similar: Map<string, Similar>, event: Event, nowMs: number): Event {
  const key = groupKey(event)
  const found = similar.get(key)
  const group = found && nowMs - found.startMs < aggregateWindowMs ? found : { startMs: nowMs, messages: new Set<string>() }
  group.messages.add(event.message ?? '')
  remember(similar, key, group)
  if (group.messages.size <= aggregateAfter) return event
  return { ...event, message: `(combined from similar events): ${event.message ?? ''}`.slice(0, maxMessageLength) }
}

async function write(options: RecorderOptions, known: Map<string, Known>, event: Event): Promise<void> {
  const combined = event.message?.startsWith('(combined from similar events): ') ?? false
  const key = `${groupKey(event)}|${combined ? '' : (event.message ?? '')}`
  const client = options.client.resource(options.events)
  const earlier = known.get(key)
  if (earlier) {
    try {
      earlier.count++
      await client.patch(earlier.name, 'merge', { count: earlier.count, lastTimestamp: event.lastTimestamp, message: event.message }, { namespace: earlier.namespace })
      return
    } catch (fault) {
      if (!isNotFound(fault)) throw fault // expired events are made anew
    }
  }
  try {
    const made = await client.create({ ...event, count: earlier?.count ?? 1, firstTimestamp: earlier?.firstTimestamp ?? event.firstTimestamp ?? '' })
    remember(known, key, { name: made.metadata.name ?? '', namespace: made.metadata.namespace ?? '', count: made.count ?? 1, firstTimestamp: made.firstTimestamp ?? '' })
  } catch (fault) {
    if (!isAlreadyExists(fault)) throw fault
  }
}

/** Keeps the newest `maxKnown` entries. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key)
  map.set(key, value)
  if (map.size <= maxKnown) return
  const oldest = map.keys().next()
  if (!oldest.done) map.delete(oldest.value)
}
