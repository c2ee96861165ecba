/** Words of an expression, with their place in code points. */
import type { SourceError } from './ast.ts'
import type { Source } from './ast.ts'

export type TokenKind = 'int' | 'uint' | 'double' | 'string' | 'bytes' | 'ident' | 'escaped' | 'operator' | 'end'

export interface Token {
  readonly kind: TokenKind
  /** As written; `<EOF>` at the end. */
  readonly text: string
  readonly offset: number
  /** Of strings (text) and bytes (Latin-1 text, one character a byte). */
  readonly value?: string
}

/** Thrown by lexer and parser. */
export class SyntaxFault extends Error {
  readonly errors: readonly SourceError[]
  constructor(errors: readonly SourceError[]) {
    super('syntax error')
    this.errors = errors
  }
}

const operators = ['==', '!=', '<=', '>=', '&&', '||', '<', '>', '[', ']', '{', '}', '(', ')', '.', ',', '-', '!', '?', ':', '+', '*', '/', '%']
const isDigit = (c: string | undefined): boolean => c !== undefined && c >= '0' && c <= '9'
const isHex = (c: string | undefined): boolean => c !== undefined && /^[0-9a-fA-F]$/.test(c)
const isWord = (c: string | undefined): boolean => c !== undefined && /^[A-Za-z0-9_]$/.test(c)

/** Throws SyntaxFault. */
export function tokenize(source: Source): Token[] {
  const { points } = source
  const tokens: Token[] = []
  let i = 0
  while (i < points.length) {
    const c = points[i] ?? ''
    if (/^[\t \r\n\f]$/.test(c)) i++
    else if (c === '/' && points[i + 1] === '/') while (i < points.length && points[i] !== '\n') i++
    else {
      const token = tokenAt(points, i)
      tokens.push(token)
      i += Array.from(token.text).length
    }
  }
  tokens.push({ kind: 'end', text: '<EOF>', offset: points.length })
  return tokens
}

function tokenAt(points: readonly string[], at: number): Token {
  const c = points[at] ?? ''
  const quoted = stringAt(points, at)
  if (quoted) return quoted
  if (isDigit(c) || (c === '.' && isDigit(points[at + 1]))) return numberAt(points, at)
  if (/^[A-Za-z_]$/.test(c)) {
    let end = at
    while (isWord(points[end])) end++
    return { kind: 'ident', text: points.slice(at, end).join(''), offset: at }
  }
  if (c === '`') {
    const match = /^`([A-Za-z0-9_.\-/ ]+)`/.exec(points.slice(at).join(''))
    if (match) return { kind: 'escaped', text: match[0], value: match[1] ?? '', offset: at }
  }
  const two = points.slice(at, at + 2).join('')
  const operator = operators.find(op => (op.length === 2 ? op === two : op === c))
  if (operator) return { kind: 'operator', text: operator, offset: at }
  throw new SyntaxFault([{ offset: at, message: `Syntax error: token recognition error at: '${c}'` }])
}

function numberAt(points: readonly string[], at: number): Token {
  let i = at
  if (points[i] === '0' && points[i + 1] === 'x' && isHex(points[i + 2])) {
    i += 2
    while (isHex(points[i])) i++
  } else {
    while (isDigit(points[i])) i++
    let double = false
    if (points[i] === '.' && isDigit(points[i + 1])) {
      double = true
      i++
      while (isDigit(points[i])) i++
    }
    const exponent = /^[eE][+-]?\d+/.exec(points.slice(i, i + 24).join(''))
    if (exponent) {
      double = true
      i += exponent[0].length
    }
    if (double) return { kind: 'double', text: points.slice(at, i).join(''), offset: at }
  }
  const unsigned = points[i] === 'u' || points[i] === 'U'
  if (unsigned) i++
  return { kind: unsigned ? 'uint' : 'int', text: points.slice(at, i).join(''), offset: at }
}

function stringAt(points: readonly string[], at: number): Token | undefined {
  let i = at
  let raw = false
  let bytes = false
  if (/^[bB]$/.test(points[i] ?? '') && /^['"rR]$/.test(points[i + 1] ?? '')) {
    bytes = true
    i++
  }
  if (/^[rR]$/.test(points[i] ?? '') && /^['"]$/.test(points[i + 1] ?? '')) {
    raw = true
    i++
  }
  const quote = points[i]
  if (quote !== '"' && quote !== "'") return undefined
  const triple = points[i + 1] === quote && points[i + 2] === quote
  const from = i + (triple ? 3 : 1)
  const end = closing(points, from, quote, triple, raw)
  if (end === undefined) throw new SyntaxFault([{ offset: at, message: `Syntax error: token recognition error at: '${points.slice(at).join('')}'` }])
  const body = points.slice(from, end)
  const value = raw ? (bytes ? latin(body.join('')) : body.join('')) : unescape(body, bytes, at)
  return { kind: bytes ? 'bytes' : 'string', text: points.slice(at, end + (triple ? 3 : 1)).join(''), value, offset: at }
}

function closing(points: readonly string[], from: number, quote: string, triple: boolean, raw: boolean): number | undefined {
  for (let i = from; i < points.length; i++) {
    const c = points[i]
    if (c === '\\' && !raw) i++
    else if (!triple && (c === '\n' || c === '\r')) return undefined
    else if (c === quote && (!triple || (points[i + 1] === quote && points[i + 2] === quote))) return i
  }
  return undefined
}

const simpleEscapes: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '"': '"', "'": "'", '\\': '\\', '?': '?', '`': '`' }

const utf8 = new TextEncoder()

/** UTF-8 bytes as Latin-1 text. */
function latin(text: string): string {
  return Array.from(utf8.encode(text), byte => String.fromCharCode(byte)).join('')
}

function unescape(points: readonly string[], bytes: boolean, at: number): string {
  let out = ''
  for (let i = 0; i < points.length; i++) {
    const c = points[i] ?? ''
    if (c !== '\\') {
      out += bytes ? latin(c) : c
      continue
    }
    const e = points[++i] ?? ''
    const simple = Object.hasOwn(simpleEscapes, e) ? simpleEscapes[e] : undefined
    if (simple !== undefined) {
      out += simple
      continue
    }
    const length = e === 'x' || e === 'X' ? 2 : e === 'u' ? 4 : e === 'U' ? 8 : /^[0-3]$/.test(e) ? 3 : 0
    const octal = length === 3
    const digits = octal ? points.slice(i, i + 3).join('') : points.slice(i + 1, i + 1 + length).join('')
    const valid = length > 0 && (octal ? /^[0-3][0-7]{2}$/.test(digits) : digits.length === length && /^[0-9a-fA-F]+$/.test(digits)) && !(bytes && (length === 4 || length === 8))
    const code = valid ? Number.parseInt(digits, octal ? 8 : 16) : -1
    if (code < 0 || code > 0x10ffff || (!bytes && code >= 0xd800 && code <= 0xdfff)) throw new SyntaxFault([{ offset: at, message: 'unable to unescape string' }])
    out += bytes ? String.fromCharCode(code) : String.fromCodePoint(code)
    i += octal ? 2 : length
  }
  return out
}
