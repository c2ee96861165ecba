/** The table of a run: on the screen line by line as it comes, and whole in docs/bench.md. */
import { writeFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import type { Goal, Value } from './measurements.ts'

export interface Row extends Value {
  /** The same of the other server. */
  readonly other?: number
  /** Processor milliseconds of the server for each request: ours, the other's. */
  readonly cpuMs?: readonly (number | undefined)[]
  /** The longest hold of our event loop meanwhile. */
  readonly heldMs?: number
  /** A goal in the unit itself. */
  readonly bound?: { readonly value: number; readonly is: Goal['is'] }
}

/** No request may hold the event loop for longer. */
export const HELD_GOAL_MS = 20

function figure(value: number | undefined): string {
  if (value === undefined) return ''
  const digits = Math.abs(value) < 1 ? 3 : Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

function sign(is: Goal['is']): string {
  return is === 'at least' ? '≥' : '≤'
}

function reaches(value: number, goal: number, is: Goal['is']): boolean {
  return is === 'at least' ? value >= goal : value <= goal
}

function cellsOf(row: Row): string[] {
  const ratio = row.other === undefined ? undefined : row.value / row.other
  const goals: string[] = []
  let reached = true
  if (row.bound) {
    goals.push(`${sign(row.bound.is)} ${figure(row.bound.value)} ${row.unit}`)
    reached &&= reaches(row.value, row.bound.value, row.bound.is)
  }
  if (row.goal && ratio !== undefined) {
    goals.push(`${sign(row.goal.is)} ${row.goal.ratio}×`)
    reached &&= reaches(ratio, row.goal.ratio, row.goal.is)
  }
  if (row.heldMs !== undefined) reached &&= row.heldMs <= HELD_GOAL_MS
  const verdict = goals.length === 0 && row.heldMs === undefined ? '' : reached ? 'yes' : '**no**'
  const cpu = row.cpuMs?.map(figure) ?? []
  return [
    row.name,
    row.unit,
    figure(row.value),
    figure(row.other),
    ratio === undefined ? '' : `${figure(ratio)}×`,
    goals.join(', '),
    cpu[0] ?? '',
    cpu[1] ?? '',
    figure(row.heldMs),
    verdict,
  ]
}

const heads = ['', 'unit', 'Quarterdeck', 'Kubernetes', 'ratio', 'goal', 'cpu ms', "other's", 'loop ms', 'reached'] as const
const widths = [48, 5, 11, 11, 8, 16, 8, 8, 8, 8]

export function machine(): string {
  return `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${release()}, Node ${process.version}`
}

export function load(): string {
  return loadavg()
    .map(value => value.toFixed(1))
    .join(' ')
}

export class Report {
  readonly #rows: Row[] = []
  readonly #loadBefore = load()

  begin(): void {
    console.log(`${machine()}\nload before the run: ${this.#loadBefore}\n`)
    this.#print([...heads])
  }

  add(row: Row): void {
    this.#rows.push(row)
    this.#print(cellsOf(row))
  }

  #print(cells: readonly string[]): void {
    console.log(cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' '))
  }

  /** `names`: of the servers. */
  write(path: string, names: readonly string[]): void {
    const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
    const table = [line(heads), line(heads.map((_, i) => (i === 0 ? '---' : '---:'))), ...this.#rows.map(row => line(cellsOf(row)))]
    const text = [
      '# Speed and memory',
      '',
      `Written by \`npm run bench\`, never by hand. ${names.join(' and ')} on one machine in one run, each measurement on one and then on the other, by one client program (TLS, kept connections, JSON). Both write durably. The control plane runs whole (controllers, scheduler, provisioning), the other is its API server and etcd alone.`,
      '',
      `- machine: ${machine()}`,
      `- load of the machine before and after the run: ${this.#loadBefore}; ${load()}`,
      '- *cpu ms*: processor time of the server for each request, all its processes; *loop ms*: the longest time for which the event loop was held meanwhile, to be at most 20 ms',
      '- *ratio*: our figure to the other one; *reached*: goal and event loop both',
      '',
      ...table,
      '',
    ]
    writeFileSync(path, text.join('\n'))
  }
}
