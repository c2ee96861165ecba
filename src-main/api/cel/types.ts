/**
 * CEL's types and how they fit one another: assignability with type parameters, as the checker of the Common Expression
 * Language specification defines it. Types are values, too: `type(x)` gives one.
 */

export type TypeKind =
  'null' | 'bool' | 'int' | 'uint' | 'double' | 'string' | 'bytes' | 'timestamp' | 'duration' | 'dyn' | 'any' | 'error' | 'list' | 'map' | 'struct' | 'opaque' | 'type' | 'param'

/** A type. Compare with sameType. */
export class CelType {
  readonly kind: TypeKind
  /** `int`, `list`, name of a struct or of a type parameter. */
  readonly name: string
  readonly parameters: readonly CelType[]

  constructor(kind: TypeKind, name: string, parameters: readonly CelType[] = []) {
    this.kind = kind
    this.name = name
    this.parameters = parameters
  }
}

export const nullType = new CelType('null', 'null_type')
export const boolType = new CelType('bool', 'bool')
export const intType = new CelType('int', 'int')
export const uintType = new CelType('uint', 'uint')
export const doubleType = new CelType('double', 'double')
export const stringType = new CelType('string', 'string')
export const bytesType = new CelType('bytes', 'bytes')
export const timestampType = new CelType('timestamp', 'google.protobuf.Timestamp')
export const durationType = new CelType('duration', 'google.protobuf.Duration')
export const dynType = new CelType('dyn', 'dyn')
export const errorType = new CelType('error', '!error!')
export const typeType = new CelType('type', 'type')

export function listType(element: CelType): CelType {
  return new CelType('list', 'list', [element])
}
export function mapType(key: CelType, value: CelType): CelType {
  return new CelType('map', 'map', [key, value])
}
export function optionalType(value: CelType): CelType {
  return new CelType('opaque', 'optional_type', [value])
}
export function structType(name: string): CelType {
  return new CelType('struct', name)
}
export function opaqueType(name: string): CelType {
  return new CelType('opaque', name)
}
export function paramType(name: string): CelType {
  return new CelType('param', name)
}
export function typeOfType(of: CelType): CelType {
  return new CelType('type', 'type', [of])
}

export function isDyn(t: CelType): boolean {
  return t.kind === 'dyn' || t.kind === 'any'
}

/** The type in an optional, else undefined. */
export function optionalValueType(t: CelType): CelType | undefined {
  return t.kind === 'opaque' && t.name === 'optional_type' ? t.parameters[0] : undefined
}

export function sameType(a: CelType, b: CelType): boolean {
  if (a === b) return true
  if (a.kind !== b.kind || a.name !== b.name || a.parameters.length !== b.parameters.length) return false
  return a.parameters.every((p, i) => sameType(p, b.parameters[i] ?? errorType))
}

/** As messages show it: `list(int)`, `map(string, dyn)`. */
export function formatType(t: CelType): string {
  switch (t.kind) {
    case 'null':
      return 'null'
    case 'timestamp':
      return 'timestamp'
    case 'duration':
      return 'duration'
    case 'type':
      return t.parameters.length === 0 ? 'type' : `type(${t.parameters.map(formatType).join(', ')})`
    default:
      return t.parameters.length === 0 ? t.name : `${t.name}(${t.parameters.map(formatType).join(', ')})`
  }
}

/** As Go prints a type: null is `null_type`, times have their full names. */
export function typeText(t: CelType): string {
  return t.parameters.length === 0 ? t.name : `${t.name}(${t.parameters.map(typeText).join(', ')})`
}

/** `string.(int, dyn)` for members, `(int, dyn)` for functions. */
export function formatSignature(args: readonly CelType[], member: boolean): string {
  const [target] = args
  if (member && target) return `${formatType(target)}.(${args.slice(1).map(formatType).join(', ')})`
  return `(${args.map(formatType).join(', ')})`
}

/** What type parameters stand for so far; by name. */
export type Substitutions = Map<string, CelType>

export function substitute(m: Substitutions, t: CelType, paramsToDyn: boolean): CelType {
  if (t.kind === 'param') {
    const found = m.get(t.name)
    if (found) return substitute(m, found, paramsToDyn)
    return paramsToDyn ? dynType : t
  }
  if (t.parameters.length === 0) return t
  return new CelType(
    t.kind,
    t.name,
    t.parameters.map(p => substitute(m, p, paramsToDyn)),
  )
}

function equalOrLessSpecific(a: CelType, b: CelType): boolean {
  if (isDyn(a) || a.kind === 'param') return true
  if (isDyn(b) || b.kind === 'param') return false
  if (a.kind !== b.kind) return false
  switch (a.kind) {
    case 'opaque':
      if (a.name !== b.name || a.parameters.length !== b.parameters.length) return false
      return a.parameters.every((p, i) => equalOrLessSpecific(p, b.parameters[i] ?? errorType))
    case 'list':
    case 'map':
      return a.parameters.every((p, i) => equalOrLessSpecific(p, b.parameters[i] ?? errorType))
    case 'type':
      return true
    default:
      return sameType(a, b)
  }
}

export function mostGeneral(a: CelType, b: CelType): CelType {
  return equalOrLessSpecific(a, b) ? a : b
}

function notReferencedIn(m: Substitutions, t: CelType, within: CelType): boolean {
  if (sameType(t, within)) return false
  if (within.kind === 'param') {
    const sub = m.get(within.name)
    return sub ? notReferencedIn(m, t, sub) : true
  }
  return within.parameters.every(p => notReferencedIn(m, t, p))
}

function validSubstitution(m: Substitutions, t: CelType, param: CelType): { valid: boolean; had: boolean } {
  if (sameType(t, param)) return { valid: true, had: true }
  const sub = param.kind === 'param' ? m.get(param.name) : undefined
  if (sub) {
    if (sameType(t, sub)) return { valid: true, had: true }
    if (!assign(m, t, sub)) return { valid: false, had: true }
    const general = mostGeneral(t, sub)
    if (notReferencedIn(m, param, general)) m.set(param.name, general)
    return { valid: true, had: true }
  }
  if (param.kind === 'param' && notReferencedIn(m, param, t)) {
    m.set(param.name, t)
    return { valid: true, had: false }
  }
  return { valid: false, had: false }
}

function assign(m: Substitutions, a: CelType, b: CelType): boolean {
  if (b.kind === 'param') {
    const { valid, had } = validSubstitution(m, a, b)
    if (valid) return true
    if (had) return false
  }
  if (a.kind === 'param') return validSubstitution(m, b, a).valid
  if (isDyn(a) || isDyn(b) || a.kind === 'error' || b.kind === 'error') return true
  if (a.kind === 'null') return nullable(b)
  if (b.kind === 'null') return nullable(a)
  switch (a.kind) {
    case 'type':
      return b.kind === 'type'
    case 'opaque':
    case 'list':
    case 'map':
      return a.kind === b.kind && a.name === b.name && a.parameters.length === b.parameters.length && a.parameters.every((p, i) => assign(m, p, b.parameters[i] ?? errorType))
    default:
      return a.kind === b.kind && a.name === b.name
  }
}

function nullable(t: CelType): boolean {
  return ['opaque', 'struct', 'any', 'duration', 'timestamp', 'null'].includes(t.kind)
}

/** The substitutions after `b` was assigned to `a`, or undefined when it cannot be. */
export function assignable(m: Substitutions, a: CelType, b: CelType): Substitutions | undefined {
  const copy = new Map(m)
  return assign(copy, a, b) ? copy : undefined
}

export function assignableAll(m: Substitutions, a: readonly CelType[], b: readonly CelType[]): Substitutions | undefined {
  if (a.length !== b.length) return undefined
  const copy = new Map(m)
  return a.every((t, i) => assign(copy, t, b[i] ?? errorType)) ? copy : undefined
}
