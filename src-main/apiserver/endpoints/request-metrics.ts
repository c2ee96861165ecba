/** Counters and histograms of requests under upstream's names, in Prometheus' text form. */

const buckets = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60]

/** Combinations of labels that are kept; beyond, requests are counted without their resource (a client cannot grow this without bound). */
const MAX_SERIES = 2_000

export interface RequestLabels {
  readonly verb: string
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly subresource: string
  readonly scope: string
  readonly code: number
}

interface Histogram {
  readonly counts: number[]
  sum: number
  count: number
}

export interface RequestMetrics {
  /** `seconds` is undefined for watches, whose duration says nothing. */
  observe(labels: RequestLabels, seconds: number | undefined): void
  /** Requests that are being served now. */
  inflight: { mutating: number; readOnly: number }
  /** Lines of the text format, ending in a newline. */
  print(): string
}

function escape(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"')
}

export function printLabels(labels: Readonly<Record<string, string | number>>): string {
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${escape(String(value))}"`)
    .join(',')}}`
}

/** What tells one series from another, without printing it: labels hold no line feeds. */
function idOf(labels: RequestLabels): string {
  return `${labels.verb}\n${labels.group}\n${labels.version}\n${labels.resource}\n${labels.subresource}\n${labels.scope}`
}

/** Printed labels of a series, made when it is first met. */
interface Names {
  readonly total: Map<number, string>
  readonly duration: string
}

export function createRequestMetrics(): RequestMetrics {
  const names = new Map<string, Names>()
  const namesOf = (labels: RequestLabels): { total: string; duration: string } => {
    const id = idOf(labels)
    let known = names.get(id)
    if (!known && names.size >= MAX_SERIES && labels.resource !== 'other') return namesOf({ ...labels, group: '', version: '', resource: 'other', subresource: '' })
    const { code, ...rest } = labels
    if (!known) names.set(id, (known = { total: new Map(), duration: print({ ...rest }) }))
    let total = known.total.get(code)
    if (total === undefined) known.total.set(code, (total = printLabels({ code, ...rest })))
    return { total, duration: known.duration }
  }
  const totals = new Map<string, number>()
  const durations = new Map<string, Histogram>()
  const inflight = { mutating: 0, readOnly: 0 }
  return {
    inflight,
    observe(given, seconds) {
      const { total, duration: key } = namesOf(given)
      totals.set(total, (totals.get(total) ?? 0) + 1)
      if (seconds === undefined) return
      let histogram = durations.get(key)
      if (!histogram) durations.set(key, (histogram = { counts: buckets.map(() => 0), sum: 0, count: 0 }))
      histogram.sum += seconds
      histogram.count++
      const at = buckets.findIndex(bound => seconds <= bound)
      if (at >= 0) histogram.counts[at] = (histogram.counts[at] ?? 0) + 1
    },
    print() {
      const lines = ['# HELP apiserver_request_total Requests by verb, resource and code.', '# TYPE apiserver_request_total counter']
      for (const [labels, count] of totals) lines.push(`apiserver_request_total${labels} ${count}`)
      lines.push('# HELP apiserver_request_duration_seconds Time from a request to its answer.', '# TYPE apiserver_request_duration_seconds histogram')
      for (const [labels, histogram] of durations) {
        let sum = 0
        buckets.forEach((bound, i) => {
          sum += histogram.counts[i] ?? 0
          lines.push(`apiserver_request_duration_seconds_bucket${labels.slice(0, -1)},le="${bound}"} ${sum}`)
        })
        lines.push(`apiserver_request_duration_seconds_bucket${labels.slice(0, -1)},le="+Inf"} ${histogram.count}`)
        lines.push(`apiserver_request_duration_seconds_sum${labels} ${histogram.sum}`, `apiserver_request_duration_seconds_count${labels} ${histogram.count}`)
      }
      lines.push('# HELP apiserver_current_inflight_requests Requests being served.', '# TYPE apiserver_current_inflight_requests gauge')
      lines.push(
        `apiserver_current_inflight_requests{request_kind="mutating"} ${inflight.mutating}`,
        `apiserver_current_inflight_requests{request_kind="readOnly"} ${inflight.readOnly}`,
      )
      return `${lines.join('\n')}\n`
    },
  }
}
