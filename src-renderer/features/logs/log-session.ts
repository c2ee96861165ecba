/**
 * One log tab: follows the containers of one pod, or of all pods that a workload's labels select, also of pods that come
 * later. True streaming; a broken stream goes on where it was.
 */
import { shallowRef, watch, effectScope } from 'vue'
import type { ShallowRef } from 'vue'
import { pods as podKind } from '../../../src-main/api/core/v1/pod.ts'
import type { Pod } from '../../../src-main/api/core/v1/pod.ts'
import { resourcePath } from '../../../src-main/api/resource.ts'
import { StatusError } from '../../../src-main/api/status-error.ts'
import type { Status } from '../../../src-main/api/status-error.ts'
import { BridgeError } from '../../../src-main/api/bridge.ts'
import { present } from '../../../src-main/base/assert.ts'
import { useLive } from '../../stores/live-list.ts'
import { useBridge } from '../../transport/connect.ts'
import { splitLines } from '../../transport/bridge-transport.ts'
import { windowEnv } from '../../transport/window-env.ts'
import { LogBuffer, StreamCursor, splitTime } from './log-buffer.ts'

export interface LogTarget {
  namespace: string
  pod?: string
  selector?: Readonly<Record<string, string>>
  container?: string
}
export interface LogSource {
  pod: string
  container: string
  /** Colour number, one a pod. */ colour: number
  state: 'opening' | 'live' | 'waiting' | 'ended'
  message: string
}
export interface LogOptions {
  tailLines: number
  previous: boolean
}

export interface LogSession {
  buffer: LogBuffer
  sources: Readonly<ShallowRef<readonly LogSource[]>>
  /** Counts up when lines were added. */ version: Readonly<ShallowRef<number>>
  stop(): void
}

/** Streams open at once: a workload of more pods than this is too much to read; the rest is said to be left out. */
const maxStreams = 60
const retryMs = 500
const maxRetryMs = 4000
const flushMs = 100

export function openLogs(target: LogTarget, options: LogOptions): LogSession {
  const buffer = new LogBuffer()
  const sources = shallowRef<readonly LogSource[]>([])
  const version = shallowRef(0)
  const stopping = new AbortController()
  const scope = effectScope(true)
  const live = present(
    scope.run(() => useLive(podKind)),
    "the log session's scope",
  )
  const colours = new Map<string, number>()
  const known = new Map<string, number>()
  let leftOut = false

  const set = (index: number, change: Partial<LogSource>): void => {
    sources.value = sources.value.map((s, i) => (i === index ? { ...s, ...change } : s))
  }
  const mark = (source: number, text: string): void => {
    buffer.push({ time: '', source, text, marker: true }, performance.now())
  }
  const timer = setInterval(() => {
    if (buffer.flush(performance.now())) version.value++
  }, flushMs)

  function join(pod: Pod, container: string, late: boolean): void {
    const id = `${pod.metadata.uid ?? ''}/${container}`
    if (known.has(id)) return
    if (known.size >= maxStreams) {
      if (!leftOut) {
        leftOut = true
        mark(0, `more than ${maxStreams} containers: the others are left out`)
      }
      return
    }
    const name = pod.metadata.name ?? ''
    if (!colours.has(name)) colours.set(name, (colours.size % 8) + 1)
    const index = sources.value.length
    known.set(id, index)
    sources.value = [...sources.value, { pod: name, container, colour: colours.get(name) ?? 1, state: 'opening', message: '' }]
    if (late) mark(index, `${name} · ${container} joined`)
    void follow(index, pod, container, late)
  }

  async function follow(index: number, pod: Pod, container: string, late: boolean): Promise<void> {
    const cursor = new StreamCursor()
    const name = pod.metadata.name ?? ''
    for (let tries = 0; !stopping.signal.aborted; tries++) {
      const seen = cursor.time
      try {
        cursor.resume()
        await readOnce(index, name, container, cursor, late)
        if (options.previous) {
          set(index, { state: 'ended' })
          return
        }
      } catch (fault) {
        if (stopping.signal.aborted) return
        set(index, { state: 'waiting', message: fault instanceof Error ? fault.message : String(fault) })
      }
      const now = live.rows.value.find(p => p.metadata.uid === pod.metadata.uid)
      if (!now || isOver(now, container)) {
        set(index, { state: 'ended' })
        mark(index, `${name} · ${container} ended`)
        return
      }
      // A stream that brought lines was a good one: the next is a first try.
      if (cursor.time !== seen) tries = 0
      try {
        await windowEnv.clock.sleep(Math.min(maxRetryMs, retryMs * 2 ** tries), stopping.signal)
      } catch {
        return
      }
    }
  }

  async function readOnce(index: number, pod: string, container: string, cursor: StreamCursor, late: boolean): Promise<void> {
    const query = new URLSearchParams({ container, timestamps: 'true' })
    if (!options.previous) query.set('follow', 'true')
    else query.set('previous', 'true')
    if (cursor.time !== '') query.set('sinceTime', `${cursor.time.slice(0, 19)}Z`)
    else if (!late) query.set('tailLines', String(options.tailLines))
    const stream = useBridge().stream('kubernetes.stream', { path: `${resourcePath(podKind, target.namespace, pod, 'log')}?${query.toString()}` }, stopping.signal)
    let status = 200
    async function* text(): AsyncGenerator<string> {
      for await (const item of stream) {
        if ('status' in item) {
          status = item.status
          if (status < 400) set(index, { state: 'live', message: '' })
        } else yield item.text
      }
    }
    let refused = ''
    for await (const line of splitLines(text())) {
      if (status >= 400) {
        refused += line
        continue
      }
      const { time, text: said } = splitTime(line)
      if (cursor.accept(time, said)) buffer.push({ time, source: index, text: said }, performance.now())
    }
    if (status >= 400) throw refusal(status, refused)
  }

  let first = true
  scope.run(() =>
    watch(
      [live.rows, live.state],
      ([rows, state]) => {
        if (state === 'loading') return
        for (const pod of rows)
          if (isTarget(pod, target)) for (const container of containersOf(pod)) if (!target.container || container === target.container) join(pod, container, !first)
        first = false
      },
      { immediate: true },
    ),
  )

  return {
    buffer,
    sources,
    version,
    stop() {
      stopping.abort()
      clearInterval(timer)
      scope.stop()
    },
  }
}

function refusal(status: number, body: string): Error {
  try {
    return StatusError.from(JSON.parse(body) as Status)
  } catch {
    return new BridgeError('failed', body === '' ? `the server answered ${status}` : body.slice(0, 500))
  }
}

function isTarget(pod: Pod, target: LogTarget): boolean {
  if (pod.metadata.namespace !== target.namespace) return false
  return target.pod === undefined ? Object.entries(target.selector ?? {}).every(([k, v]) => pod.metadata.labels?.[k] === v) : pod.metadata.name === target.pod
}

/** Containers that have run: others have no log yet, and join when they have. */
function containersOf(pod: Pod): string[] {
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
  return statuses.filter(s => s.state?.running || s.state?.terminated || s.lastState?.terminated).map(s => s.name)
}

function isOver(pod: Pod, container: string): boolean {
  const phase = pod.status?.phase
  if (phase === 'Succeeded' || phase === 'Failed') return true
  const status = pod.status?.initContainerStatuses?.find(s => s.name === container)
  return status?.state?.terminated?.exitCode === 0
}
