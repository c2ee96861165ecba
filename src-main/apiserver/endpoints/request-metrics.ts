/**
 * Figures of requests, watches and admission under upstream's names, in Prometheus' text form. Labels are printed once a
 * series, not once a request.
 */
import { Histogram, printLabels } from '../health/metric-text.ts'

const durations = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60]
const sizes = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]
const admissionSeconds = [0.005, 0.025, 0.1, 0.5, 1, 2.5]

/** Combinations of labels that are kept; beyond, requests are counted in one more series (a client cannot grow this without bound). */
const MAX_SERIES = 2_000

export interface RequestLabels {
  /** GET, LIST, WATCH, POST, PUT, PATCH, APPLY, DELETE, DELETECOLLECTION; other words for paths that are no resources. */
  readonly verb: string
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly subresource: string
  readonly scope: string
  readonly code: number
  readonly dryRun: boolean
}

/** Of the one series beyond the bound. No resource has this name: they are lower case. */
const overflowLabels: RequestLabels = { verb: 'OTHER', group: '', version: '', resource: 'OTHER', subresource: '', scope: '', code: 0, dryRun: false }

/** Of the watches of one kind. */
export interface WatchFigures {
  open: number
  events: number
  bytes: number
}

export interface RequestMetrics {
  /** `seconds` is undefined for watches, whose duration says nothing; `bytes` for answers that are no reads. */
  observe(labels: RequestLabels, seconds: number | undefined, bytes: number | undefined): void
  /** Requests that are being served now. */
  readonly inflight: { mutating: number; readOnly: number }
  /** The same one for the same kind; the caller counts in it. */
  watches(kind: { readonly group: string; readonly version: string; readonly plural: string }): WatchFigures
  admitted(step: 'admit' | 'validate', operation: string, isRejected: boolean, seconds: number): void
  readonly authentication: { success: number; failure: number }
  readonly authorization: { allowed: number; denied: number }
  /** Lines of the text format. */
  print(): string[]
}

class Series {
  readonly labels: Readonly<Record<string, string>>
  readonly byCode = new Map<number, number>()
  readonly seconds = new Histogram(durations)
  readonly bytes = new Histogram(sizes)
  hasSeconds = false
  hasBytes = false

  constructor({ verb, group, version, resource, subresource, scope, dryRun }: RequestLabels) {
    this.labels = { verb, group, version, resource, subresource, scope, component: 'apiserver', dry_run: dryRun ? 'All' : '' }
  }
}

/** What tells one series from another, without printing it: labels hold no line feeds. */
function idOf(labels: RequestLabels): string {
  return `${labels.verb}\n${labels.group}\n${labels.version}\n${labels.resource}\n${labels.subresource}\n${labels.scope}\n${labels.dryRun ? 1 : 0}`
}

export function createRequestMetrics(): RequestMetrics {
  const series = new Map<string, Series>()
  const watching = new Map<string, { readonly labels: Readonly<Record<string, string>>; readonly figures: WatchFigures }>()
  const steps = new Map<string, { readonly labels: Readonly<Record<string, string>>; readonly seconds: Histogram }>()
  const inflight = { mutating: 0, readOnly: 0 }
  const authentication = { success: 0, failure: 0 }
  const authorization = { allowed: 0, denied: 0 }

  let overflow: Series | undefined

  function seriesOf(labels: RequestLabels): Series {
    const id = idOf(labels)
    const known = series.get(id)
    if (known) return known
    if (series.size >= MAX_SERIES) return (overflow ??= keep(overflowLabels))
    return keep(labels)
  }

  function keep(labels: RequestLabels): Series {
    const made = new Series(labels)
    series.set(idOf(labels), made)
    return made
  }

  return {
    inflight,
    authentication,
    authorization,
    observe(labels, seconds, bytes) {
      const one = seriesOf(labels)
      one.byCode.set(labels.code, (one.byCode.get(labels.code) ?? 0) + 1)
      if (seconds !== undefined) {
        one.hasSeconds = true
        one.seconds.observe(seconds)
      }
      if (bytes !== undefined) {
        one.hasBytes = true
        one.bytes.observe(bytes)
      }
    },
    watches({ group, version, plural }) {
      const id = `${group}/${version}/${plural}`
      let known = watching.get(id)
      if (!known) watching.set(id, (known = { labels: { group, version, resource: plural }, figures: { open: 0, events: 0, bytes: 0 } }))
      return known.figures
    },
    admitted(step, operation, isRejected, seconds) {
      const id = `${step} ${operation} ${isRejected}`
      let known = steps.get(id)
      if (!known) steps.set(id, (known = { labels: { type: step, operation, rejected: String(isRejected) }, seconds: new Histogram(admissionSeconds) }))
      known.seconds.observe(seconds)
    },
    print: () => [
      ...printRequests([...series.values()]),
      ...printWatches([...watching.values()]),
      ...head('apiserver_admission_step_admission_duration_seconds', 'histogram', 'Time of the plugins of one step, by operation.'),
      ...[...steps.values()].flatMap(({ labels, seconds }) => seconds.print('apiserver_admission_step_admission_duration_seconds', labels)),
      ...counts('apiserver_current_inflight_requests', 'gauge', 'Requests being served.', [
        [{ request_kind: 'mutating' }, inflight.mutating],
        [{ request_kind: 'readOnly' }, inflight.readOnly],
      ]),
      ...counts('authentication_attempts', 'counter', 'Requests by whether their user is known.', [
        [{ result: 'success' }, authentication.success],
        [{ result: 'failure' }, authentication.failure],
      ]),
      ...counts('authorization_attempts_total', 'counter', 'Requests by whether their user may make them.', [
        [{ result: 'allowed' }, authorization.allowed],
        [{ result: 'denied' }, authorization.denied],
      ]),
    ],
  }
}

function head(name: string, type: string, help: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`]
}

function counts(name: string, type: string, help: string, samples: readonly (readonly [Readonly<Record<string, string>>, number])[]): string[] {
  return [...head(name, type, help), ...samples.map(([labels, value]) => `${name}${printLabels(labels)} ${value}`)]
}

function printRequests(all: readonly Series[]): string[] {
  const reads = all.filter(one => one.hasBytes)
  return [
    ...counts(
      'apiserver_request_total',
      'counter',
      'Requests by verb, resource and code.',
      all.flatMap(({ labels, byCode }) => [...byCode].map(([code, count]) => [{ ...labels, code: String(code) }, count] as const)),
    ),
    ...head('apiserver_request_duration_seconds', 'histogram', 'Time from a request to its answer.'),
    ...all.filter(one => one.hasSeconds).flatMap(({ labels, seconds }) => seconds.print('apiserver_request_duration_seconds', labels)),
    ...head('apiserver_response_sizes', 'histogram', 'Bytes of answers to reads.'),
    ...reads.flatMap(({ labels: { dry_run: _dropped, ...labels }, bytes }) => bytes.print('apiserver_response_sizes', labels)),
  ]
}

function printWatches(all: readonly { readonly labels: Readonly<Record<string, string>>; readonly figures: WatchFigures }[]): string[] {
  return [
    ...counts(
      'apiserver_longrunning_requests',
      'gauge',
      'Watches that are open.',
      all.map(({ labels, figures }) => [{ ...labels, component: 'apiserver', scope: '', subresource: '', verb: 'WATCH' }, figures.open] as const),
    ),
    ...counts(
      'apiserver_watch_events_total',
      'counter',
      'Events sent to watchers.',
      all.map(({ labels, figures }) => [labels, figures.events] as const),
    ),
    ...counts(
      'apiserver_watch_events_bytes_total',
      'counter',
      'Bytes of the events sent to watchers.',
      all.map(({ labels, figures }) => [labels, figures.bytes] as const),
    ),
  ]
}
