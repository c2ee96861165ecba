/** Expressions to syntax trees, macros expanded. Grammar and messages are those of CEL's reference implementation. */
import { Source } from './ast.ts'
import type { Expr, MapEntry, Parsed, StructField } from './ast.ts'
import { CelCompileError } from './errors.ts'
import { SyntaxFault, tokenize } from './lexer.ts'
import type { Token } from './lexer.ts'
import { expandMacro, TreeMaker } from './macros.ts'
import { CelUint, maxInt, maxUint, minInt } from './values.ts'

/** As cel-go: expressions that are nested deeper are refused, before they can exhaust the stack. */
const maxDepth = 250
/** As cel-go, in code points. */
const maxLength = 100_000

const reserved = new Set('as break const continue else false for function if import in let loop package namespace null return true var void while'.split(' '))
const startsOfExpression = "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
const relations: Readonly<Record<string, string>> = { '<': '_<_', '<=': '_<=_', '>=': '_>=_', '>': '_>_', '==': '_==_', '!=': '_!=_', in: '@in' }

/** Throws CelCompileError. */
export function parseExpression(text: string): Parsed {
  const source = new Source(text)
  try {
    if (source.points.length > maxLength)
      throw new SyntaxFault([{ offset: 0, message: `expression code point size exceeds limit: size: ${source.points.length}, limit ${maxLength}` }])
    const parser = new Parser(tokenize(source))
    const expr = parser.whole()
    return { source, expr, offsets: parser.make.offsets }
  } catch (fault) {
    if (fault instanceof SyntaxFault) throw new CelCompileError(source.display(fault.errors))
    throw fault
  }
}

class Parser {
  readonly make = new TreeMaker()
  readonly #tokens: readonly Token[]
  #next = 0
  #depth = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  whole(): Expr {
    const expr = this.#expr()
    const token = this.#peek()
    if (token.kind !== 'end') {
      const word = this.#peek(1).kind === 'end' ? 'extraneous' : 'mismatched'
      this.#fail(token, `${word} input '${token.text}' expecting <EOF>`)
    }
    if (this.make.errors.length > 0) throw new SyntaxFault(this.make.errors)
    return expr
  }

  #peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#next + ahead, this.#tokens.length - 1)] ?? { kind: 'end', text: '<EOF>', offset: 0 }
  }

  #take(): Token {
    const token = this.#peek()
    if (token.kind !== 'end') this.#next++
    return token
  }

  #at(text: string): boolean {
    const token = this.#peek()
    return (token.kind === 'operator' || (token.kind === 'ident' && text === 'in')) && token.text === text
  }

  #accept(text: string): Token | undefined {
    return this.#at(text) ? this.#take() : undefined
  }

  #expect(text: string): Token {
    const token = this.#accept(text)
    if (token) return token
    const found = this.#peek()
    return this.#fail(found, found.kind === 'end' ? `missing '${text}' at '<EOF>'` : `mismatched input '${found.text}' expecting '${text}'`)
  }

  #fail(token: Token, message: string): never {
    throw new SyntaxFault([...this.make.errors, { offset: token.offset, message: `Syntax error: ${message}` }])
  }

  #expr(): Expr {
    if (++this.#depth > maxDepth) throw new SyntaxFault([{ offset: 0, message: `expression recursion limit exceeded: ${maxDepth}` }])
    const condition = this.#logical('||')
    const op = this.#accept('?')
    if (!op) {
      this.#depth--
      return condition
    }
    const id = this.make.id(op.offset)
    const yes = this.#logical('||')
    this.#expect(':')
    const no = this.#expr()
    this.#depth--
    return { id, kind: 'call', fn: '_?_:_', target: undefined, args: [condition, yes, no] }
  }

  #logical(operator: '||' | '&&'): Expr {
    const below = (): Expr => (operator === '||' ? this.#logical('&&') : this.#relation())
    const terms = [below()]
    const ops: number[] = []
    for (let op = this.#accept(operator); op; op = this.#accept(operator)) {
      ops.push(this.make.id(op.offset))
      terms.push(below())
    }
    return ops.length === 0 ? (terms[0] as Expr) : balanced(operator === '||' ? '_||_' : '_&&_', terms, ops, 0, ops.length - 1)
  }

  #relation(): Expr {
    let left = this.#sum()
    for (;;) {
      const token = this.#peek()
      const fn = (token.kind === 'operator' || token.text === 'in') && token.kind !== 'string' && Object.hasOwn(relations, token.text) ? relations[token.text] : undefined
      if (!fn) return left
      this.#take()
      const id = this.make.id(token.offset)
      left = { id, kind: 'call', fn, target: undefined, args: [left, this.#sum()] }
    }
  }

  #sum(): Expr {
    let left = this.#product()
    for (let op = this.#accept('+') ?? this.#accept('-'); op; op = this.#accept('+') ?? this.#accept('-')) {
      const id = this.make.id(op.offset)
      left = { id, kind: 'call', fn: `_${op.text}_`, target: undefined, args: [left, this.#product()] }
    }
    return left
  }

  #product(): Expr {
    let left = this.#unary()
    for (;;) {
      const op = this.#accept('*') ?? this.#accept('/') ?? this.#accept('%')
      if (!op) return left
      const id = this.make.id(op.offset)
      left = { id, kind: 'call', fn: `_${op.text}_`, target: undefined, args: [left, this.#unary()] }
    }
  }

  #unary(): Expr {
    const first = this.#peek()
    if (first.kind !== 'operator' || (first.text !== '!' && first.text !== '-')) return this.#member()
    const literal = first.text === '-' && ['int', 'double'].includes(this.#peek(1).kind)
    if (literal) return this.#member()
    let count = 0
    while (this.#at(first.text) && !(first.text === '-' && count > 0 && ['int', 'double'].includes(this.#peek(1).kind))) {
      this.#take()
      count++
    }
    if (count % 2 === 0) return this.#member()
    const id = this.make.id(first.offset)
    return { id, kind: 'call', fn: first.text === '!' ? '!_' : '-_', target: undefined, args: [this.#member()] }
  }

  #member(): Expr {
    let expr = this.#primary()
    for (;;) {
      const dot = this.#accept('.')
      if (dot) {
        expr = this.#selected(expr, dot)
        continue
      }
      const open = this.#accept('[')
      if (!open) return expr
      const optional = this.#accept('?')
      const id = this.make.id(open.offset)
      const index = this.#expr()
      this.#expect(']')
      expr = { id, kind: 'call', fn: optional ? '_[?_]' : '_[_]', target: undefined, args: [expr, index] }
    }
  }

  #selected(operand: Expr, dot: Token): Expr {
    const optional = this.#accept('?')
    const name = this.#take()
    if (name.kind !== 'ident' && name.kind !== 'escaped') {
      this.#fail(name, `no viable alternative at input '.${name.text === '<EOF>' ? '' : name.text}'`)
    }
    if (name.kind === 'escaped') this.make.report(dot.offset, "unsupported syntax: '`'")
    if (['true', 'false', 'null', 'in'].includes(name.text)) this.#fail(name, `no viable alternative at input '.${name.text}'`)
    if (optional) {
      const id = this.make.id(dot.offset)
      return { id, kind: 'call', fn: '_?._', target: undefined, args: [operand, this.make.literal(name.offset, name.text)] }
    }
    const open = name.kind === 'ident' ? this.#accept('(') : undefined
    if (!open) return { id: this.make.id(dot.offset), kind: 'select', operand, field: name.text, testOnly: false }
    const id = this.make.id(open.offset)
    const args = this.#arguments(')')
    return expandMacro(this.make, name.text, operand, args, open.offset) ?? { id, kind: 'call', fn: name.text, target: operand, args }
  }

  #arguments(close: string): Expr[] {
    const args: Expr[] = []
    if (this.#accept(close)) return args
    do args.push(this.#expr())
    while (this.#accept(','))
    this.#expect(close)
    return args
  }

  #primary(): Expr {
    const token = this.#peek()
    switch (token.kind) {
      case 'string':
      case 'bytes':
      case 'int':
      case 'uint':
      case 'double':
        return this.#literal()
      case 'ident':
        return this.#identOrCall()
      default:
    }
    if (this.#at('-')) return this.#literal()
    if (this.#at('.')) return this.#identOrCall()
    if (this.#accept('(')) {
      const inner = this.#expr()
      this.#expect(')')
      return inner
    }
    if (this.#at('[')) return this.#list()
    if (this.#at('{')) return this.#map()
    return this.#fail(token, `${token.kind === 'end' || this.#next === 0 ? 'mismatched' : 'mismatched'} input '${token.text}' expecting ${startsOfExpression}`)
  }

  #literal(): Expr {
    const sign = this.#accept('-')
    const token = this.#take()
    const offset = sign?.offset ?? token.offset
    const text = `${sign ? '-' : ''}${token.text}`
    if (token.kind === 'string') return this.make.literal(offset, token.value ?? '')
    if (token.kind === 'bytes')
      return this.make.literal(
        offset,
        Uint8Array.from(token.value ?? '', c => c.charCodeAt(0)),
      )
    if (token.kind === 'double') return this.#double(offset, Number(text))
    const digits = token.kind === 'uint' ? token.text.slice(0, -1) : token.text
    const value = sign ? -BigInt(digits) : BigInt(digits)
    if (token.kind === 'uint') {
      if (value > maxUint) this.make.report(offset, 'invalid uint literal')
      return this.make.literal(offset, new CelUint(value))
    }
    if (value > maxInt || value < minInt) this.make.report(offset, 'invalid int literal')
    return this.make.literal(offset, value)
  }

  #double(offset: number, value: number): Expr {
    if (!Number.isFinite(value)) this.make.report(offset, 'invalid double literal')
    return this.make.literal(offset, value)
  }

  #identOrCall(): Expr {
    const dot = this.#accept('.')
    const token = this.#take()
    if (token.kind !== 'ident') this.#fail(token, `mismatched input '${token.text}' expecting IDENTIFIER`)
    if (!dot) {
      const word = token.text === 'true' ? true : token.text === 'false' ? false : token.text === 'null' ? null : undefined
      if (word !== undefined) return this.make.literal(token.offset, word)
    }
    if (token.text === 'in') this.#fail(token, `mismatched input 'in' expecting ${startsOfExpression}`)
    if (reserved.has(token.text)) this.make.report(token.offset, `reserved identifier: ${token.text}`)
    const name = `${dot ? '.' : ''}${token.text}`
    const structName = this.#structName(name)
    if (structName) return this.#struct(structName)
    const open = this.#accept('(')
    if (!open) return { id: this.make.id(token.offset), kind: 'ident', name }
    const id = this.make.id(open.offset)
    const args = this.#arguments(')')
    return expandMacro(this.make, name, undefined, args, open.offset) ?? { id, kind: 'call', fn: name, target: undefined, args }
  }

  /** The whole name where `a.b.C{` follows; takes it. */
  #structName(first: string): string | undefined {
    let ahead = 0
    let name = first
    while (this.#peek(ahead).text === '.' && this.#peek(ahead).kind === 'operator' && this.#peek(ahead + 1).kind === 'ident') {
      name += `.${this.#peek(ahead + 1).text}`
      ahead += 2
    }
    const brace = this.#peek(ahead)
    if (brace.kind !== 'operator' || brace.text !== '{') return undefined
    this.#next += ahead
    return name
  }

  #struct(typeName: string): Expr {
    const id = this.make.id(this.#expect('{').offset)
    const fields: StructField[] = []
    while (!this.#at('}')) {
      const optional = this.#accept('?') !== undefined
      const name = this.#take()
      if (name.kind !== 'ident' && name.kind !== 'escaped') this.#fail(name, `mismatched input '${name.text}' expecting {'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}`)
      if (name.kind === 'escaped') this.make.report(name.offset, "unsupported syntax: '`'")
      const colon = this.#expect(':')
      fields.push({ id: this.make.id(colon.offset), name: name.text, value: this.#expr(), optional })
      if (!this.#accept(',')) break
    }
    this.#expect('}')
    return { id, kind: 'struct', typeName, fields }
  }

  #list(): Expr {
    const id = this.make.id(this.#expect('[').offset)
    const elements: Expr[] = []
    const optional = new Set<number>()
    while (!this.#at(']')) {
      if (this.#accept('?')) optional.add(elements.length)
      elements.push(this.#expr())
      if (!this.#accept(',')) break
    }
    this.#expect(']')
    return { id, kind: 'list', elements, optional }
  }

  #map(): Expr {
    const id = this.make.id(this.#expect('{').offset)
    const entries: MapEntry[] = []
    while (!this.#at('}')) {
      const optional = this.#accept('?') !== undefined
      const key = this.#expr()
      const colon = this.#expect(':')
      entries.push({ id: this.make.id(colon.offset), key, value: this.#expr(), optional })
      if (!this.#accept(',')) break
    }
    this.#expect('}')
    return { id, kind: 'map', entries }
  }
}

/** Chains of && and || become balanced trees, so that they nest little. */
function balanced(fn: string, terms: readonly Expr[], ops: readonly number[], low: number, high: number): Expr {
  const middle = Math.floor((low + high + 1) / 2)
  const left = middle === low ? terms[middle] : balanced(fn, terms, ops, low, middle - 1)
  const right = middle === high ? terms[middle + 1] : balanced(fn, terms, ops, middle + 1, high)
  return { id: ops[middle] ?? 0, kind: 'call', fn, target: undefined, args: [left as Expr, right as Expr] }
}
