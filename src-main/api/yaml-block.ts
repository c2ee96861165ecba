/**
 * Reads the YAML that programs and people mostly write, block mappings, sequences, literals and scalars of one line, ten
 * times faster than the whole parser and in one pass. Whatever else a text uses (anchors, tags, flow, folding, comments
 * behind values) makes it give up: it never gives another answer than the whole parser would.
 */
import { maxJsonDepth, setOwn } from './json.ts'
import type { JsonObject } from './json.ts'
import { resolvePlain } from './yaml-scalars.ts'

export interface BlockDocument {
  readonly value: unknown
  /** As of the whole parser: `line 5: key "data" already set in map`. */
  readonly duplicates: string[]
}

/** The first document; undefined when the text is not of the simple kind. */
export function readBlockYaml(text: string): BlockDocument | undefined {
  // eslint-disable-next-line no-control-regex -- what must not stand in YAML, and other line ends
  if (/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff]|^ *\t/m.test(text)) return undefined
  try {
    return new BlockReader(text).read()
  } catch (fault) {
    if (fault === notSimple) return undefined
    throw fault
  }
}

const notSimple = new Error('not simple')
function giveUp(): never {
  throw notSimple
}

/** A key, its colon, and what follows on the line. */
const entry = /^([A-Za-z0-9_./][A-Za-z0-9_./-]*|"[^"\\]*"|'[^']*'):(?: +(.*))?$/
const jsonString = /^"(?:[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"$/
/** What begins anything but a plain scalar. */
const special = new Set('&*!%@`,?:#|>{}[]"\'')

class BlockReader {
  readonly #lines: string[]
  readonly #duplicates: string[] = []
  readonly #first: number
  #at = 0
  #depth = 0

  constructor(text: string) {
    this.#lines = text.split('\n')
    this.#first = /^--- *$/.test(this.#lines[0] ?? '') ? 1 : 0
    this.#at = this.#first
  }

  read(): BlockDocument | undefined {
    this.#skip()
    if (this.#at >= this.#lines.length) return undefined
    const value = this.#block(this.#indent())
    this.#skip()
    if (this.#at < this.#lines.length) giveUp()
    return { value, duplicates: this.#duplicates }
  }

  /** Past blank lines and comments. */
  #skip(): void {
    for (; this.#at < this.#lines.length; this.#at++) {
      const line = this.#lines[this.#at] as string
      for (let i = 0; ; i++) {
        if (i === line.length || line[i] === '#') break
        if (line[i] !== ' ') {
          // Another document, or the end of this one.
          if (i === 0 && /^(---|\.\.\.)( |$)/.test(line)) giveUp()
          return
        }
      }
    }
  }

  #indent(): number {
    const line = this.#lines[this.#at] ?? ''
    let indent = 0
    while (line[indent] === ' ') indent++
    return indent
  }

  #content(from: number): string {
    return (this.#lines[this.#at] as string).slice(from).trimEnd()
  }

  #isItem(at: number): boolean {
    const line = this.#lines[this.#at] as string
    return line[at] === '-' && (line[at + 1] === undefined || line[at + 1] === ' ')
  }

  #block(indent: number): unknown {
    if (++this.#depth > maxJsonDepth) giveUp()
    const value = this.#isItem(indent) ? this.#sequence(indent) : this.#mapping(indent, indent)
    this.#depth--
    return value
  }

  /** `from`: where the first entry begins in its line; the others begin at `indent`. */
  #mapping(indent: number, from: number): JsonObject {
    const out: JsonObject = {}
    for (let first = true; first || this.#continues(indent); first = false) {
      const found = entry.exec(this.#content(first ? from : indent)) ?? giveUp()
      const key = keyOf(found[1] as string)
      if (Object.hasOwn(out, key)) this.#duplicates.push(`line ${this.#at + 1}: key ${JSON.stringify(key)} already set in map`)
      setOwn(out, key, this.#value(found[2] ?? '', indent, true))
    }
    return out
  }

  /** True where the next line is an entry of the mapping at `indent`. */
  #continues(indent: number): boolean {
    this.#skip()
    if (this.#at >= this.#lines.length) return false
    const next = this.#indent()
    if (next > indent) giveUp()
    return next === indent && !this.#isItem(indent)
  }

  #sequence(indent: number): unknown[] {
    const out: unknown[] = []
    for (;;) {
      this.#skip()
      if (this.#at >= this.#lines.length || this.#indent() < indent) return out
      if (this.#indent() > indent) giveUp()
      if (!this.#isItem(indent)) return out
      out.push(this.#item(indent))
    }
  }

  #item(indent: number): unknown {
    const line = this.#lines[this.#at] as string
    let from = indent + 1
    while (line[from] === ' ') from++
    const rest = this.#content(from)
    if (rest === '' || !entry.test(rest)) {
      if (rest === '-' || rest.startsWith('- ')) giveUp()
      return this.#value(rest, indent, false)
    }
    if (++this.#depth > maxJsonDepth) giveUp()
    const value = this.#mapping(from, from)
    this.#depth--
    return value
  }

  /** The value that begins with `rest` on the current line, below `indent`. */
  #value(rest: string, indent: number, ofMapping: boolean): unknown {
    const head = rest[0]
    if (head === '|') return this.#literal(rest, indent)
    this.#at++
    if (head === undefined || head === '#') return this.#nested(indent, ofMapping)
    const value = scalar(rest, head)
    // A deeper line would go on with it.
    this.#skip()
    if (this.#at < this.#lines.length && this.#indent() > indent) giveUp()
    return value
  }

  #nested(indent: number, ofMapping: boolean): unknown {
    this.#skip()
    if (this.#at >= this.#lines.length) return null
    const next = this.#indent()
    if (next > indent) return this.#block(next)
    // Items may stand right below their key.
    return ofMapping && next === indent && this.#isItem(next) ? this.#block(next) : null
  }

  #literal(header: string, indent: number): string {
    if (!/^\|[+-]?$/.test(header)) giveUp()
    this.#at++
    const start = this.#at
    let own = -1
    const content: string[] = []
    for (; this.#at < this.#lines.length; this.#at++) {
      const line = this.#lines[this.#at] as string
      const depth = this.#indent()
      const isBlank = depth === line.length
      if (!isBlank && own < 0) {
        if (depth <= indent) break
        own = depth
        for (let i = start; i < this.#at; i++) if ((this.#lines[i] as string).length > own) giveUp()
      }
      if (!isBlank && depth < own) {
        if (depth > indent) giveUp()
        break
      }
      content.push(isBlank && (own < 0 || depth < own) ? '' : line.slice(own))
    }
    // Where the text ends within it, its last line end is a question of its own.
    if (own < 0 || this.#at >= this.#lines.length) giveUp()
    let kept = content.length
    while (kept > 0 && content[kept - 1] === '') kept--
    const body = content.slice(0, kept).join('\n')
    if (header === '|-') return body
    return header === '|' ? `${body}\n` : `${body}\n${'\n'.repeat(content.length - kept)}`
  }
}

function keyOf(text: string): string {
  if (text[0] === '"' || text[0] === "'") return text.slice(1, -1)
  const value = resolvePlain(text)
  return value === null ? 'null' : String(value)
}

function scalar(text: string, head: string): unknown {
  if (head === '"') return jsonString.test(text) ? (JSON.parse(text) as string) : giveUp()
  if (head === "'") return /^'(?:[^']|'')*'$/.test(text) ? text.slice(1, -1).replaceAll("''", "'") : giveUp()
  if (text === '{}') return {}
  if (text === '[]') return []
  if (special.has(head) || text.includes(' #') || text.includes(': ') || text.endsWith(':') || text.includes('\t')) giveUp()
  if (head === '-' && (text.length === 1 || text[1] === ' ')) giveUp()
  return resolvePlain(text)
}
