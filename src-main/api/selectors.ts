/**
 * Label and field selectors: the text grammar of query parameters, the LabelSelector object, and matching, with
 * Kubernetes' exact faults (apimachinery's labels, fields and metav1 validation packages).
 */
import type { LabelSelector, LabelSelectorRequirement } from './generated/meta-v1.ts'
import type { FieldErrorList, FieldPath } from './field-errors.ts'
import { forbiddenField, invalidValue, required } from './field-errors.ts'
import { compareBytes, quoteGo } from './json.ts'
import { isQualifiedName, isValidLabelValue } from './names.ts'

export type { LabelSelector, LabelSelectorRequirement }

export type Labels = Readonly<Record<string, string>>

/** Does an object with these labels match? `undefined` is no labels. */
export type LabelMatcher = (labels: Labels | undefined) => boolean

export type LabelOperator = 'in' | 'notin' | '=' | '==' | '!=' | 'exists' | '!' | 'gt' | 'lt'

export interface LabelRequirement {
  readonly key: string
  readonly operator: LabelOperator
  readonly values: readonly string[]
}

/** A selector that cannot be parsed; `message` is Kubernetes' text, to be answered as 400. */
export class SelectorError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'SelectorError'
  }
}

type TokenKind = 'identifier' | 'end' | 'error' | '(' | ')' | ',' | '!' | '=' | '==' | '!=' | '>' | '<' | 'in' | 'notin'
interface Token {
  readonly kind: TokenKind
  readonly text: string
}

const specials = '=!(),><'
const symbols: ReadonlySet<string> = new Set(['(', ')', ',', '!', '=', '==', '!=', '>', '<'])

function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  let i = 0
  while (i < text.length) {
    const c = text[i] ?? ''
    if (/[ \t\r\n]/.test(c)) {
      i++
    } else if (specials.includes(c)) {
      const two = text.slice(i, i + 2)
      const symbol = symbols.has(two) ? two : c
      tokens.push({ kind: symbol as TokenKind, text: symbol })
      i += symbol.length
    } else {
      const start = i
      while (i < text.length && !/[ \t\r\n=!(),><]/.test(text[i] ?? '')) i++
      const word = text.slice(start, i)
      tokens.push({ kind: word === 'in' || word === 'notin' ? word : 'identifier', text: word })
    }
  }
  tokens.push({ kind: 'end', text: '' })
  return tokens
}

class Parser {
  readonly #tokens: Token[]
  #at = 0

  constructor(text: string) {
    this.#tokens = tokenize(text)
  }

  /** `in` and `notin` are ordinary words except where an operator may stand. */
  #peek(operators = false): Token {
    const token = this.#tokens[this.#at] ?? { kind: 'end', text: '' }
    return !operators && (token.kind === 'in' || token.kind === 'notin') ? { kind: 'identifier', text: token.text } : token
  }

  #next(operators = false): Token {
    const token = this.#peek(operators)
    if (this.#at < this.#tokens.length - 1) this.#at++
    return token
  }

  parse(): LabelRequirement[] {
    const out: LabelRequirement[] = []
    for (;;) {
      const first = this.#peek()
      if (first.kind === 'end') return out
      if (first.kind !== 'identifier' && first.kind !== '!') throw new SelectorError(`found '${first.text}', expected: !, identifier, or 'end of string'`)
      out.push(this.#requirementOrFault())
      const after = this.#next()
      if (after.kind === 'end') return out
      if (after.kind !== ',') throw new SelectorError(`found '${after.text}', expected: ',' or 'end of string'`)
      const following = this.#peek()
      if (following.kind !== 'identifier' && following.kind !== '!') throw new SelectorError(`found '${following.text}', expected: identifier after ','`)
    }
  }

  #requirementOrFault(): LabelRequirement {
    try {
      return this.#requirement()
    } catch (error) {
      throw error instanceof SelectorError ? new SelectorError(`unable to parse requirement: ${error.message}`) : error
    }
  }

  #requirement(): LabelRequirement {
    let token = this.#next()
    const negated = token.kind === '!'
    if (negated) token = this.#next()
    if (token.kind !== 'identifier') throw new SelectorError(`found '${token.text}', expected: identifier`)
    const key = token.text
    const faults = isQualifiedName(key)
    if (faults.length > 0) throw new SelectorError(`<nil>: Invalid value: ${quoteGo(key)}: ${faults.join('; ')}`)
    const follows = this.#peek().kind
    if (negated) return { key, operator: '!', values: [] }
    if (follows === 'end' || follows === ',') return { key, operator: 'exists', values: [] }
    const operator = this.#operator()
    const values = operator === 'in' || operator === 'notin' ? this.#values() : this.#value()
    return checkRequirement({ key, operator, values })
  }

  #operator(): LabelOperator {
    const token = this.#next(true)
    switch (token.kind) {
      case 'in':
      case 'notin':
      case '=':
      case '==':
      case '!=':
        return token.kind
      case '>':
        return 'gt'
      case '<':
        return 'lt'
      default:
        throw new SelectorError(`found '${token.text}', expected: in, notin, =, ==, !=, gt, lt`)
    }
  }

  #values(): string[] {
    const open = this.#next()
    if (open.kind !== '(') throw new SelectorError(`found '${open.text}' expected: '('`)
    const token = this.#peek()
    if (token.kind === ')') {
      this.#next()
      return []
    }
    if (token.kind !== 'identifier' && token.kind !== ',') throw new SelectorError(`found '${token.text}', expected: ',', ')' or identifier`)
    const values = this.#list()
    if (this.#next().kind !== ')') throw new SelectorError(`found '${token.text}', expected: ')'`)
    return [...values].sort(compareBytes)
  }

  #list(): Set<string> {
    const values = new Set<string>()
    for (;;) {
      const token = this.#next()
      if (token.kind === 'identifier') {
        values.add(token.text)
        const after = this.#peek()
        if (after.kind === ')') return values
        if (after.kind !== ',') throw new SelectorError(`found '${after.text}', expected: ',' or ')'`)
      } else if (token.kind === ',') {
        if (values.size === 0) values.add('')
        const after = this.#peek()
        if (after.kind === ')') return values.add('')
        if (after.kind === ',') {
          this.#next()
          values.add('')
        }
      } else throw new SelectorError(`found '${token.text}', expected: ',', or identifier`)
    }
  }

  #value(): string[] {
    const token = this.#peek()
    if (token.kind === 'end' || token.kind === ',') return ['']
    this.#next()
    if (token.kind !== 'identifier') throw new SelectorError(`found '${token.text}', expected: identifier`)
    return [token.text]
  }
}

function checkRequirement(r: LabelRequirement): LabelRequirement {
  const faults: string[] = []
  if (r.operator === 'in' && r.values.length === 0) faults.push("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty")
  if (r.operator === 'gt' || r.operator === 'lt') {
    const value = r.values[0] ?? ''
    if (!isInt64(value)) faults.push(`values[0]: Invalid value: ${quoteGo(value)}: for 'Gt', 'Lt' operators, the value must be an integer`)
  }
  r.values.forEach((v, i) => {
    const texts = isValidLabelValue(v)
    if (texts.length > 0) faults.push(`values[${i}][${r.key}]: Invalid value: ${quoteGo(v)}: ${texts.join('; ')}`)
  })
  if (faults.length > 0) throw new SelectorError(faults.length === 1 ? (faults[0] ?? '') : `[${faults.join(', ')}]`)
  return r
}

function isInt64(text: string): boolean {
  return /^[+-]?\d{1,40}$/.test(text) && BigInt.asIntN(64, BigInt(text.replace(/^\+/, ''))) === BigInt(text.replace(/^\+/, ''))
}

/** The requirements of a selector's text, in its order. Throws SelectorError. */
export function parseLabelRequirements(text: string): LabelRequirement[] {
  return new Parser(text).parse()
}

function requirementMatches({ key, operator, values }: LabelRequirement, labels: Labels): boolean {
  const has = Object.hasOwn(labels, key)
  const value = has ? (labels[key] ?? '') : ''
  switch (operator) {
    case 'exists':
      return has
    case '!':
      return !has
    case 'in':
    case '=':
    case '==':
      return has && values.includes(value)
    case 'notin':
    case '!=':
      return !has || !values.includes(value)
    case 'gt':
      return has && isInt64(value) && BigInt(value) > BigInt(values[0] ?? '0')
    case 'lt':
      return has && isInt64(value) && BigInt(value) < BigInt(values[0] ?? '0')
  }
}

const noLabels: Labels = {}

/** The matcher of `app=web,tier in (a,b),!old`. An empty text matches all. Throws SelectorError with Kubernetes' text. */
export function parseLabelSelector(text: string): LabelMatcher {
  const requirements = parseLabelRequirements(text)
  return labels => requirements.every(r => requirementMatches(r, labels ?? noLabels))
}

function expressionMatches(r: LabelSelectorRequirement, labels: Labels): boolean {
  const has = Object.hasOwn(labels, r.key)
  const listed = has && (r.values ?? []).includes(labels[r.key] ?? '')
  switch (r.operator) {
    case 'In':
      return listed
    case 'NotIn':
      return !listed
    case 'Exists':
      return has
    case 'DoesNotExist':
      return !has
    default:
      return false
  }
}

/** An absent selector matches nothing, an empty one everything. */
export function labelSelectorMatches(selector: LabelSelector | undefined, labels: Labels | undefined): boolean {
  if (selector === undefined) return false
  const own = labels ?? noLabels
  for (const [key, v] of Object.entries(selector.matchLabels ?? {})) if (!Object.hasOwn(own, key) || own[key] !== v) return false
  return (selector.matchExpressions ?? []).every(r => expressionMatches(r, own))
}

/** Equality-based selector of Services and ReplicationControllers: absent and empty match nothing. */
export function labelMapMatches(selector: Labels | undefined, labels: Labels | undefined): boolean {
  const entries = Object.entries(selector ?? {})
  const own = labels ?? noLabels
  return entries.length > 0 && entries.every(([key, v]) => Object.hasOwn(own, key) && own[key] === v)
}

/** True where the selector selects everything. */
export function isEmptyLabelSelector(selector: LabelSelector): boolean {
  return Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0
}

/** Faults of a LabelSelector object. */
export function validateLabelSelector(selector: LabelSelector | undefined, at: FieldPath, options: { allowInvalidValues?: boolean } = {}): FieldErrorList {
  if (selector === undefined) return []
  const errors = validateLabels(selector.matchLabels, at.child('matchLabels'))
  selector.matchExpressions?.forEach((r, i) => errors.push(...validateExpression(r, at.child('matchExpressions').index(i), options)))
  return errors
}

function validateExpression(r: LabelSelectorRequirement, at: FieldPath, options: { allowInvalidValues?: boolean }): FieldErrorList {
  const errors: FieldErrorList = []
  const values = r.values ?? []
  if (r.operator === 'In' || r.operator === 'NotIn') {
    if (values.length === 0) errors.push(required(at.child('values'), "must be specified when `operator` is 'In' or 'NotIn'"))
  } else if (r.operator === 'Exists' || r.operator === 'DoesNotExist') {
    if (values.length > 0) errors.push(forbiddenField(at.child('values'), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
  } else errors.push(invalidValue(at.child('operator'), r.operator ?? '', 'not a valid selector operator'))
  errors.push(...isQualifiedName(r.key ?? '').map(fault => invalidValue(at.child('key'), r.key ?? '', fault)))
  if (!options.allowInvalidValues) {
    values.forEach((v, i) => errors.push(...isValidLabelValue(v).map(fault => invalidValue(at.child('values').index(i), v, fault))))
  }
  return errors
}

/** Faults of a map of labels. */
export function validateLabels(labels: Labels | undefined, at: FieldPath): FieldErrorList {
  const errors: FieldErrorList = []
  for (const key of Object.keys(labels ?? {})) {
    errors.push(...isQualifiedName(key).map(fault => invalidValue(at, key, fault)))
    const v = labels?.[key] ?? ''
    errors.push(...isValidLabelValue(v).map(fault => invalidValue(at, v, fault)))
  }
  return errors
}

/** Text of a LabelSelector as kubectl and status fields show it: sorted by key, `a=b,c in (d,e),!f`. */
export function labelSelectorToString(selector: LabelSelector | undefined): string {
  if (selector === undefined) return '<none>'
  const parts: { key: string; text: string }[] = Object.entries(selector.matchLabels ?? {}).map(([key, v]) => ({ key, text: `${key}=${v}` }))
  for (const r of selector.matchExpressions ?? []) {
    const values = [...(r.values ?? [])].sort(compareBytes).join(',')
    const text = r.operator === 'In' ? `${r.key} in (${values})` : r.operator === 'NotIn' ? `${r.key} notin (${values})` : r.operator === 'Exists' ? r.key : `!${r.key}`
    parts.push({ key: r.key, text })
  }
  return parts
    .sort((a, b) => compareBytes(a.key, b.key))
    .map(p => p.text)
    .join(',')
}

export interface FieldRequirement {
  readonly field: string
  readonly op: '=' | '==' | '!='
  readonly value: string
}

/** The requirements of `metadata.name=a,spec.nodeName!=b`; backslash escapes `,`, `=` and itself. Throws SelectorError. */
export function parseFieldSelector(text: string): FieldRequirement[] {
  const out: FieldRequirement[] = []
  for (const part of splitTerms(text)) {
    if (part === '') continue
    const m = splitTerm(part)
    if (!m) throw new SelectorError(`invalid selector: '${text}'; can't understand '${part}'`)
    out.push({ field: m.field, op: m.op, value: unescapeField(m.value) })
  }
  return out
}

function splitTerms(text: string): string[] {
  const terms: string[] = []
  let start = 0
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === ',') {
      terms.push(text.slice(start, i))
      start = i + 1
    }
  }
  return [...terms, text.slice(start)]
}

function splitTerm(term: string): FieldRequirement | undefined {
  for (let i = 0; i < term.length; i++) {
    if (term[i] === '\\') {
      i++
      continue
    }
    for (const op of ['!=', '==', '='] as const) if (term.startsWith(op, i)) return { field: term.slice(0, i), op, value: term.slice(i + op.length) }
  }
  return undefined
}

function unescapeField(text: string): string {
  let out = ''
  for (let i = 0; i < text.length; i++) {
    const c = text[i] ?? ''
    if (c === '\\') {
      const next = text[++i]
      if (next === undefined) throw new SelectorError(`invalid field selector: invalid escape sequence: \\`)
      if (!'\\,='.includes(next)) throw new SelectorError(`invalid field selector: invalid escape sequence: \\${next}`)
      out += next
    } else if (c === ',' || c === '=') throw new SelectorError(`invalid field selector: unescaped character in value: ${c}`)
    else out += c
  }
  return out
}

/** Whether values of fields, by name, satisfy a field selector. */
export function fieldSelectorMatches(requirements: readonly FieldRequirement[], valueOf: (field: string) => string): boolean {
  return requirements.every(r => (valueOf(r.field) === r.value) === (r.op !== '!='))
}
