/**
 * One action of kubectl's JSONPath dialect (`.spec.containers[0].name`, `..name`, `[?(@.type=="Ready")].status`), for
 * printer columns and selectable fields. Paths are parsed once; no part of them becomes a regular expression. `range`
 * belongs to templates of the client and is refused. Values of a path that a long chain of `..` multiplies are bounded.
 */
import { isObject, stringifyJson } from '../json.ts'

export class JsonPathError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'JsonPathError'
  }
}

type Node =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'literal'; readonly value: string | number | boolean }
  | { readonly kind: 'wildcard' }
  | { readonly kind: 'recursive' }
  | { readonly kind: 'slice'; readonly from: number | undefined; readonly to: number | undefined; readonly step: number | undefined; readonly derived: boolean }
  | { readonly kind: 'union'; readonly paths: readonly (readonly Node[])[] }
  | { readonly kind: 'filter'; readonly left: readonly Node[]; readonly operator: string; readonly right: readonly Node[] }

export type JsonPath = readonly Node[]

/** Values that one step may bring forth: a column shows one of them. */
const maxValues = 10_000
/** Nested unions and filters; each costs a call. */
const maxDepth = 20

/** Throws JsonPathError. */
export function parseJsonPath(text: string, depth = 0): JsonPath {
  if (depth > maxDepth) throw new JsonPathError('nested too deeply')
  return new Parser(text, depth).parse()
}

const terminators: ReadonlySet<string> = new Set([' ', '\t', '\r', '\n', '.', ',', '[', ']', '$', '@', '{', '}'])

class Parser {
  readonly #text: string
  readonly #depth: number
  readonly #nodes: Node[] = []
  #at = 0

  constructor(text: string, depth: number) {
    this.#text = text
    this.#depth = depth
  }

  parse(): JsonPath {
    while (this.#at < this.#text.length) {
      if (this.#text.startsWith('}', this.#at)) break
      if (this.#text.startsWith('[?(', this.#at)) this.#filter()
      else if (this.#text.startsWith('..', this.#at)) this.#recursive()
      else this.#step()
    }
    return this.#nodes
  }

  #step(): void {
    const c = this.#text[this.#at] ?? ''
    if (c === '\r' || c === '\n') throw new JsonPathError('unclosed action')
    if (c === ' ' || c === '@' || c === '$') this.#at++
    else if (c === '[') this.#array()
    else if (c === '"' || c === "'") this.#quote(c)
    else if (c === '.') this.#field(1)
    else if (/[+\-\d]/.test(c)) this.#number()
    else if (/[\p{L}\p{N}_]/u.test(c)) this.#identifier()
    else throw new JsonPathError(`unrecognized character in action: U+${(this.#text.codePointAt(this.#at) ?? 0).toString(16).toUpperCase().padStart(4, '0')} '${c}'`)
  }

  #field(skip: number): void {
    this.#at += skip
    let name = ''
    for (; this.#at < this.#text.length && !terminators.has(this.#text[this.#at] ?? ''); this.#at++) {
      if (this.#text[this.#at] === '\\') this.#at++
      name += this.#text[this.#at] ?? ''
    }
    this.#nodes.push(name === '*' ? { kind: 'wildcard' } : { kind: 'field', name })
  }

  #recursive(): void {
    if (this.#nodes[this.#nodes.length - 1]?.kind === 'recursive') throw new JsonPathError('invalid multiple recursive descent')
    this.#at += 2
    this.#nodes.push({ kind: 'recursive' })
    if (/[\p{L}\p{N}_]/u.test(this.#text[this.#at] ?? '')) this.#field(0)
  }

  #identifier(): void {
    const from = this.#at
    while (this.#at < this.#text.length && !terminators.has(this.#text[this.#at] ?? '')) this.#at++
    const word = this.#text.slice(from, this.#at)
    if (word !== 'true' && word !== 'false') throw new JsonPathError(`unrecognized identifier ${word}`)
    this.#nodes.push({ kind: 'literal', value: word === 'true' })
  }

  #number(): void {
    const from = this.#at++
    while (/[\d.]/.test(this.#text[this.#at] ?? '')) this.#at++
    const text = this.#text.slice(from, this.#at)
    const value = Number(text)
    if (!Number.isFinite(value)) throw new JsonPathError(`cannot parse number ${text}`)
    this.#nodes.push({ kind: 'literal', value })
  }

  #quote(end: string): void {
    let text = ''
    for (this.#at++; this.#text[this.#at] !== end; this.#at++) {
      if (this.#at >= this.#text.length || this.#text[this.#at] === '\n') throw new JsonPathError('unterminated quoted string')
      if (this.#text[this.#at] === '\\') this.#at++
      text += this.#text[this.#at] ?? ''
    }
    this.#at++
    this.#nodes.push({ kind: 'literal', value: text })
  }

  #array(): void {
    const end = this.#text.indexOf(']', this.#at)
    if (end < 0 || this.#text.slice(this.#at, end).includes('\n')) throw new JsonPathError('unterminated array')
    const given = this.#text.slice(this.#at + 1, end)
    this.#at = end + 1
    const text = given === '*' ? ':' : given
    const parts = text.split(',')
    if (parts.length > 1) {
      this.#nodes.push({ kind: 'union', paths: parts.map(part => parseJsonPath(`[${part.trim()}]`, this.#depth + 1)) })
      return
    }
    const key = /^'([^']*)'$/.exec(text)
    if (key) this.#nodes.push(...parseJsonPath(`.${key[1] ?? ''}`, this.#depth + 1))
    else this.#nodes.push(sliceNode(text))
  }

  #filter(): void {
    this.#at += 3
    const from = this.#at
    this.#skipFilter()
    const text = this.#text.slice(from, this.#at)
    if (this.#text[this.#at + 1] !== ']') throw new JsonPathError('unclosed array expect ]')
    this.#at += 2
    const [, left = '', operator = '', right = ''] = splitFilter(text) ?? []
    const parse = (part: string): JsonPath => parseJsonPath(part, this.#depth + 1)
    this.#nodes.push(operator === '' ? { kind: 'filter', left: parse(text), operator: 'exists', right: [] } : { kind: 'filter', left: parse(left), operator, right: parse(right) })
  }

  /** Moves to the parenthesis that closes a filter: one outside of its quoted text. */
  #skipFilter(): void {
    let quote = ''
    for (; this.#at < this.#text.length; this.#at++) {
      const c = this.#text[this.#at] ?? ''
      if (c === '\n') break
      if (quote === '' && c === ')') return
      if (quote === '' && (c === '"' || c === "'")) quote = c
      else if (c === quote && this.#text[this.#at - 1] !== '\\') quote = ''
    }
    throw new JsonPathError('unterminated filter')
  }
}

/** Left side, operator and right side of a comparison; undefined where there is none. */
function splitFilter(text: string): readonly [string, string, string, string] | undefined {
  const start = text.search(/[!<>=]/)
  if (start <= 0) return undefined
  let end = start
  while (end < text.length && '!<>='.includes(text[end] ?? '')) end++
  return end === text.length ? undefined : [text, text.slice(0, start), text.slice(start, end), text.slice(end)]
}

function sliceNode(text: string): Node {
  const parts = /^(-?\d*)(:-?\d*)?(:-?\d*)?$/.exec(text)
  if (!parts) throw new JsonPathError(`invalid array index ${text}`)
  const numberOf = (part: string): number | undefined => {
    if (part === '') return undefined
    const value = Number(part)
    if (!Number.isSafeInteger(value)) throw new JsonPathError(`array index ${part} is not a number`)
    return value
  }
  const from = numberOf(parts[1] ?? '')
  const derived = parts[2] === undefined
  return {
    kind: 'slice',
    from,
    to: derived ? (from ?? 0) + 1 : numberOf((parts[2] ?? '').slice(1)),
    step: parts[3] === undefined ? undefined : numberOf(parts[3].slice(1)),
    derived,
  }
}

/** The values that a path finds; missing keys find nothing. Throws JsonPathError where the path does not fit the value. */
export function findJsonPath(path: JsonPath, value: unknown): readonly unknown[] {
  let found: readonly unknown[] = [value]
  for (const node of path) {
    found = walk(found, node)
    if (found.length > maxValues) throw new JsonPathError('too many values')
  }
  return found
}

function walk(input: readonly unknown[], node: Node): readonly unknown[] {
  switch (node.kind) {
    case 'field':
      return input.flatMap(value => (isObject(value) && Object.hasOwn(value, node.name) ? [value[node.name]] : []))
    case 'literal':
      return [node.value]
    case 'wildcard':
      return input.flatMap(childrenOf)
    case 'recursive':
      return descend(input, [])
    case 'slice':
      return input.flatMap(value => sliceOf(value, node))
    case 'union':
      return node.paths.flatMap(path => path.reduce<readonly unknown[]>(walk, input))
    case 'filter':
      return input.flatMap(value => filtered(value, node))
  }
}

function childrenOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : isObject(value) ? Object.values(value) : []
}

function descend(input: readonly unknown[], into: unknown[]): unknown[] {
  for (const value of input) {
    const children = childrenOf(value)
    if (children.length === 0) continue
    into.push(value)
    if (into.length > maxValues) throw new JsonPathError('too many values')
    descend(children, into)
  }
  return into
}

function sliceOf(value: unknown, node: Node & { kind: 'slice' }): readonly unknown[] {
  if (value === null || value === undefined) return []
  if (!Array.isArray(value)) throw new JsonPathError(`${typeof value} is not array or slice`)
  let from = node.from ?? 0
  let to = node.to ?? value.length
  if (from < 0) from += value.length
  if (to < 0 || (to === 0 && node.derived)) to += value.length
  if (to === from) return []
  if (from >= value.length || from < 0) throw new JsonPathError(`array index out of bounds: index ${from}, length ${value.length}`)
  if (to > value.length || to < 0) throw new JsonPathError(`array index out of bounds: index ${to - 1}, length ${value.length}`)
  if (from > to) throw new JsonPathError(`starting index ${from} is greater than ending index ${to}`)
  const step = node.step ?? 1
  if (step <= 0) throw new JsonPathError('step must be > 0')
  return value.slice(from, to).filter((_, i) => i % step === 0)
}

function filtered(value: unknown, node: Node & { kind: 'filter' }): readonly unknown[] {
  if (!Array.isArray(value)) throw new JsonPathError('value is not array or slice and cannot be filtered')
  return value.filter((item: unknown) => {
    const lefts = quietly(() => findJsonPath(node.left, item), node.operator === 'exists')
    if (node.operator === 'exists') return lefts.length > 0
    const rights = findJsonPath(node.right, item)
    if (lefts.length === 0 || rights.length === 0) return false
    if (lefts.length > 1 || rights.length > 1) throw new JsonPathError('can only compare one element at a time')
    return compare(lefts[0], node.operator, rights[0])
  })
}

function quietly(find: () => readonly unknown[], isQuiet: boolean): readonly unknown[] {
  try {
    return find()
  } catch (fault) {
    if (isQuiet && fault instanceof JsonPathError) return []
    throw fault
  }
}

function compare(left: unknown, operator: string, right: unknown): boolean {
  if (left === null || right === null || typeof left === 'object' || typeof right === 'object') throw new JsonPathError('invalid type for comparison')
  const [a, b] = [typeof left === 'bigint' ? Number(left) : left, typeof right === 'bigint' ? Number(right) : right] as [string | number | boolean, string | number | boolean]
  if (typeof a !== typeof b) throw new JsonPathError('incompatible types for comparison')
  switch (operator) {
    case '==':
      return a === b
    case '!=':
      return a !== b
    case '<':
      return a < b
    case '<=':
      return a <= b
    case '>':
      return a > b
    case '>=':
      return a >= b
    default:
      throw new JsonPathError(`unrecognized filter operator ${operator}`)
  }
}

/** A found value as text, as the server's printer shows it. */
export function jsonPathText(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  return typeof value === 'object' ? stringifyJson(sorted(value)) : typeof value === 'number' ? goNumber(value) : String(value)
}

/** Go's encoder writes the keys of maps in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map(key => [key, sorted(value[key])]),
  )
}

/** How Go's fmt prints a float64: with an exponent from 1e21 on, as JavaScript, but of two digits at least. */
function goNumber(value: number): string {
  return String(value).replace(/e([+-])(\d)$/, 'e$10$2')
}

/** The path, or undefined where the text is none. */
export function tryParseJsonPath(text: string): JsonPath | undefined {
  try {
    return parseJsonPath(text)
  } catch (fault) {
    if (fault instanceof JsonPathError) return undefined
    throw fault
  }
}
