/** The syntax tree of an expression. Nodes have ids; positions and types are kept beside the tree, by id. */
import type { CelValue } from './values.ts'

interface Node {
  readonly id: number
}

export interface Literal extends Node {
  readonly kind: 'literal'
  readonly value: CelValue
}
export interface Ident extends Node {
  readonly kind: 'ident'
  name: string
}
export interface Select extends Node {
  readonly kind: 'select'
  readonly operand: Expr
  readonly field: string
  /** has(operand.field) */
  readonly testOnly: boolean
}
export interface Call extends Node {
  readonly kind: 'call'
  fn: string
  target: Expr | undefined
  readonly args: readonly Expr[]
}
export interface ListExpr extends Node {
  readonly kind: 'list'
  readonly elements: readonly Expr[]
  readonly optional: ReadonlySet<number>
}
export interface MapEntry {
  readonly id: number
  readonly key: Expr
  readonly value: Expr
  readonly optional: boolean
}
export interface MapExpr extends Node {
  readonly kind: 'map'
  readonly entries: readonly MapEntry[]
}
export interface StructField {
  readonly id: number
  readonly name: string
  readonly value: Expr
  readonly optional: boolean
}
export interface StructExpr extends Node {
  readonly kind: 'struct'
  readonly typeName: string
  readonly fields: readonly StructField[]
}
export interface Comprehension extends Node {
  readonly kind: 'comprehension'
  readonly range: Expr
  readonly iterVar: string
  readonly iterVar2: string | undefined
  readonly accuVar: string
  readonly init: Expr
  readonly condition: Expr
  readonly step: Expr
  readonly result: Expr
}
/** What an identifier or selection means that names something else: set by the checker. */
export type Expr = Literal | Ident | Select | Call | ListExpr | MapExpr | StructExpr | Comprehension

/** The accumulator of macros; not a name that an expression can say. */
export const accumulator = '@result'

export interface SourceError {
  readonly offset: number
  readonly message: string
}

/** A parsed expression. */
export interface Parsed {
  readonly source: Source
  readonly expr: Expr
  /** Offset in code points of each node, by id. */
  readonly offsets: ReadonlyMap<number, number>
}

/** The text of an expression by code points, and its lines. */
export class Source {
  readonly text: string
  readonly points: readonly string[]
  readonly #lines: readonly number[]

  constructor(text: string) {
    this.text = text
    this.points = Array.from(text)
    const lines = [0]
    for (const [i, c] of this.points.entries()) if (c === '\n') lines.push(i + 1)
    this.#lines = lines
  }

  location(offset: number): { line: number; column: number } {
    let line = 0
    while (line + 1 < this.#lines.length && (this.#lines[line + 1] ?? 0) <= offset) line++
    return { line: line + 1, column: offset - (this.#lines[line] ?? 0) }
  }

  /** All errors in order of place, each with its line and a mark below it. */
  display(errors: readonly SourceError[]): string {
    const placed = errors.map(e => ({ ...e, at: this.location(e.offset) }))
    placed.sort((a, b) => a.at.line - b.at.line || a.at.column - b.at.column)
    const shown = placed.slice(0, maxErrors).map(({ at, message }) => {
      const start = this.#lines[at.line - 1] ?? 0
      const next = this.#lines[at.line]
      const snippet = this.points.slice(start, next === undefined ? undefined : next - 1).join('')
      const head = `ERROR: <input>:${at.line}:${at.column + 1}: ${message}`
      if (this.points.length === 0) return head
      const line = snippet.replaceAll('\t', ' ')
      return `${head}\n | ${line}\n | ${mark(line, at.column)}`
    })
    if (placed.length > maxErrors) shown.push(`${placed.length - maxErrors} more errors were truncated`)
    return shown.join('\n')
  }
}

/** As cel-go: more than these are only counted. */
const maxErrors = 100

/** Dots up to the place and an arrow below it, both as wide as the characters above them. */
function mark(line: string, column: number): string {
  const points = Array.from(line)
  let out = ''
  for (let i = 0; i < column; i++) out += isWide(points[i] ?? ' ') ? '．' : '.'
  return out + (isWide(points[column] ?? ' ') ? '＾' : '^')
}

function isWide(point: string): boolean {
  return (point.codePointAt(0) ?? 0) > 0x7f
}
