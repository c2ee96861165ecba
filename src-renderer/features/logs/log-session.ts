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
import { windowEnv } from '../../transport/window-env.ts'
import { LogClient } from './log-client.ts'

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
/** How far back a log begins; nothing of both: at its beginning. */
export interface LogStart {
  tailLines?: number
  sinceSeconds?: number
}
export interface LogOptions extends LogStart {
  previous: boolean
}

export interface LogSession {
  log: LogClient
  sources: Readonly<ShallowRef<readonly LogSource[]>>
  stop(): void
}

/** Streams open at once: a workload of more pods than this is too much to read; the rest is said to be left out. */
const maxStreams = 60
const retryMs = 500
const maxRetryMs = 4000
/** Longest refusal that is read. */
const maxRefusal = 64_000

export function openLogs(target: LogTarget, options: LogOptions): LogSession {
  const log = new LogClient()
  const sources = shallowRef<readonly LogSource[]>([])
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
    log.mark(source, text)
  }

  function join(pod: Pod, container: string, late: boolean): void {
    const id = `${pod.metadata.uid ?? ''}/${container}`
    if (known.has(id)) return
    if (sources.value.filter(s => s.state !== 'ended').length >= maxStreams) {
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
    const name = pod.metadata.name ?? ''
    let time = ''
    for (let tries = 0; !stopping.signal.aborted; tries++) {
      const seen = time
      try {
        await readOnce(index, name, container, time, late)
        if (options.previous) {
          set(index, { state: 'ended' })
          return
        }
      } catch (fault) {
        if (stopping.signal.aborted) return
        set(index, { state: 'waiting', message: fault instanceof Error ? fault.message : String(fault) })
      }
      time = await log.ended(index)
      const now = live.rows.value.find(p => p.metadata.uid === pod.metadata.uid)
      if (!now || isOver(now, container)) {
        set(index, { state: 'ended' })
        mark(index, `${name} · ${container} ended`)
        return
      }
      // A stream that brought lines was a good one: the next is a first try.
      if (time !== seen) tries = 0
      try {
        await windowEnv.clock.sleep(Math.min(maxRetryMs, retryMs * 2 ** tries), stopping.signal)
      } catch {
        return
      }
    }
  }

  /** Reads until the stream ends; from `time` on where it was read before (sinceTime has whole seconds: the engine drops what was shown). */
  async function readOnce(index: number, pod: string, container: string, time: string, late: boolean): Promise<void> {
    const query = new URLSearchParams({ container, timestamps: 'true' })
    if (!options.previous) query.set('follow', 'true')
    else query.set('previous', 'true')
    if (time !== '') query.set('sinceTime', `${time.slice(0, 19)}Z`)
    else if (!late && options.tailLines !== undefined) query.set('tailLines', String(options.tailLines))
    else if (!late && options.sinceSeconds !== undefined) query.set('sinceSeconds', String(options.sinceSeconds))
    const stream = useBridge().stream('kubernetes.stream', { path: `${resourcePath(podKind, target.namespace, pod, 'log')}?${query.toString()}` }, stopping.signal)
    let status = 200
    let refused = ''
    for await (const item of stream) {
      if ('status' in item) {
        status = item.status
        if (status < 400) set(index, { state: 'live', message: '' })
      } else if (status < 400) await log.text(index, item.text)
      else refused = (refused + item.text).slice(0, maxRefusal)
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
    log,
    sources,
    stop() {
      stopping.abort()
      scope.stop()
      log.stop()
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
