/** Figures of priority and fairness under upstream's names. One record a schema and level, kept while the program runs. */
import { Histogram, printLabels } from '../health/metric-text.ts'
import type { LevelState } from './flow-control.ts'
import type { Refusal, Seat } from './queue-set.ts'

interface FlowName {
  readonly name: string
  readonly level: { readonly name: string }
}

const buckets = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30]

class Figures {
  readonly labels: Readonly<Record<string, string>>
  dispatched = 0
  executing = 0
  executingSeats = 0
  inQueue = 0
  readonly refusals = new Map<Refusal, number>()
  readonly waits = new Histogram(buckets)
  readonly executions = new Histogram(buckets)
  constructor(labels: Readonly<Record<string, string>>) {
    this.labels = labels
  }
}

const prefix = 'apiserver_flowcontrol_'

export class FlowMetrics {
  readonly #figures = new Map<string, Map<string, Figures>>()

  #of(flow: FlowName): Figures {
    let level = this.#figures.get(flow.level.name)
    if (!level) this.#figures.set(flow.level.name, (level = new Map()))
    let figures = level.get(flow.name)
    if (!figures) level.set(flow.name, (figures = new Figures({ priority_level: flow.level.name, flow_schema: flow.name })))
    return figures
  }

  started(flow: FlowName, seat: Seat, nowMs: number): void {
    const figures = this.#of(flow)
    figures.dispatched++
    figures.executing++
    figures.executingSeats += seat.seats
    figures.waits.observe((nowMs - seat.arrivedMs) / 1_000)
  }

  finished(flow: FlowName, seat: Seat, nowMs: number): void {
    const figures = this.#of(flow)
    figures.executing--
    figures.executingSeats -= seat.seats
    figures.executions.observe((nowMs - seat.startedMs) / 1_000)
  }

  enqueued(flow: FlowName): void {
    this.#of(flow).inQueue++
  }
  dequeued(flow: FlowName): void {
    this.#of(flow).inQueue--
  }
  refused(flow: FlowName, refusal: Refusal): void {
    const { refusals } = this.#of(flow)
    refusals.set(refusal, (refusals.get(refusal) ?? 0) + 1)
  }

  /** Lines of the text format. */
  print(levels: readonly LevelState[]): string[] {
    const all = [...this.#figures.values()].flatMap(level => [...level.values()])
    const lines: string[] = []
    const head = (name: string, type: string, help: string): void => {
      lines.push(`# HELP ${prefix}${name} ${help}`, `# TYPE ${prefix}${name} ${type}`)
    }
    const each = (name: string, type: string, help: string, value: (figures: Figures) => number): void => {
      head(name, type, help)
      for (const figures of all) lines.push(`${prefix}${name}${printLabels(figures.labels)} ${value(figures)}`)
    }
    each('dispatched_requests_total', 'counter', 'Requests that were given seats.', one => one.dispatched)
    head('rejected_requests_total', 'counter', 'Requests that were refused.')
    for (const { labels, refusals } of all) for (const [reason, count] of refusals) lines.push(`${prefix}rejected_requests_total${printLabels({ ...labels, reason })} ${count}`)
    each('current_executing_requests', 'gauge', 'Requests that hold seats.', one => one.executing)
    each('current_executing_seats', 'gauge', 'Seats in use.', one => one.executingSeats)
    each('current_inqueue_requests', 'gauge', 'Requests that wait for seats.', one => one.inQueue)
    head('request_wait_duration_seconds', 'histogram', 'Time that requests waited for seats.')
    for (const { labels, waits } of all) lines.push(...waits.print(`${prefix}request_wait_duration_seconds`, { ...labels, execute: 'true' }))
    head('request_execution_seconds', 'histogram', 'Time that requests held seats.')
    for (const { labels, executions } of all) lines.push(...executions.print(`${prefix}request_execution_seconds`, { ...labels, type: 'regular' }))
    const seats: readonly [string, string, (level: LevelState) => number][] = [
      ['nominal_limit_seats', 'Seats of a level by its shares.', level => level.bounds.nominal],
      ['lower_limit_seats', 'Seats that a level always keeps.', level => level.bounds.least],
      ['upper_limit_seats', 'Seats that a level may have by borrowing.', level => level.bounds.most],
      ['current_limit_seats', 'Seats of a level now.', level => (level.isExempt ? level.bounds.least : level.set.limit)],
    ]
    for (const [name, help, value] of seats) {
      head(name, 'gauge', help)
      for (const level of levels) lines.push(`${prefix}${name}${printLabels({ priority_level: level.name })} ${value(level)}`)
    }
    return lines
  }
}
