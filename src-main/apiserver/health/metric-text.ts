/** Prometheus' text form: labels and histograms. Pure. */

function escape(value: string): string {
  return /[\\"\n]/.test(value) ? value.replace(/[\\"\n]/g, c => (c === '\n' ? '\\n' : `\\${c}`)) : value
}

/** `{a="b",c="d"}`; nothing without labels. */
export function printLabels(labels: Readonly<Record<string, string>> = {}): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`)
  return parts.length === 0 ? '' : `{${parts.join(',')}}`
}

/** Counts of observations by upper bounds. */
export class Histogram {
  readonly #bounds: readonly number[]
  readonly #counts: number[]
  #sum = 0
  #count = 0

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = bounds.map(() => 0)
  }

  observe(value: number): void {
    this.#sum += value
    this.#count++
    const at = this.#bounds.findIndex(bound => value <= bound)
    if (at >= 0) this.#counts[at] = (this.#counts[at] ?? 0) + 1
  }

  /** Its lines, without HELP and TYPE. */
  print(name: string, labels: Readonly<Record<string, string>>): string[] {
    let total = 0
    const lines = this.#bounds.map((bound, i) => {
      total += this.#counts[i] ?? 0
      return `${name}_bucket${printLabels({ ...labels, le: String(bound) })} ${total}`
    })
    const own = printLabels(labels)
    return [...lines, `${name}_bucket${printLabels({ ...labels, le: '+Inf' })} ${this.#count}`, `${name}_sum${own} ${this.#sum}`, `${name}_count${own} ${this.#count}`]
  }
}
