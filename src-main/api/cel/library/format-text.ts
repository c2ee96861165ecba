/** `'%s has %d'.format([…])`. */
import { CelError } from '../errors.ts'
import { CelType, formatType } from '../types.ts'
import { CelDuration, CelList, CelMap, CelTimestamp, CelUint, compareText, formatSeconds, formatTimestamp, typeOf } from '../values.ts'
import type { CelValue } from '../values.ts'

/** Digits after the point where the format does not say. */
const defaultPrecision = 6

/** Throws CelError. */
export function formatText(format: string, args: CelList): string {
  let out = ''
  let next = 0
  const points = Array.from(format)
  for (let i = 0; i < points.length; i++) {
    const c = points[i] ?? ''
    if (c !== '%') {
      out += c
      continue
    }
    i++
    if (i >= points.length) throw new CelError('unexpected end of string')
    if (points[i] === '%') {
      out += '%'
      continue
    }
    if (next >= args.size) throw new CelError(`index ${next} out of range`)
    let precision: number | undefined
    if (points[i] === '.') {
      let digits = ''
      while (/^\d$/.test(points[i + 1] ?? '')) digits += points[++i]
      i++
      if (i >= points.length || digits === '') throw new CelError('could not find end of precision specifier')
      precision = Number(digits)
    }
    out += clause(points[i] ?? '', args.at(next++), precision)
  }
  if (next < args.size) throw new CelError(`too many arguments supplied to string.format (expected ${next}, got ${args.size})`)
  return out
}

function clause(verb: string, value: CelValue, precision: number | undefined): string {
  switch (verb) {
    case 's':
      return asText(value)
    case 'd':
      return decimal(value)
    case 'f':
      return fixed(value, precision ?? defaultPrecision)
    case 'e':
      return scientific(value, precision ?? defaultPrecision)
    case 'b':
      return typeof value === 'boolean' ? String(Number(value)) : integer(value, 2, 'binary', 'only integers and bools can be formatted as binary')
    case 'x':
    case 'X':
      return hexadecimal(value, verb === 'X')
    case 'o':
      return integer(value, 8, 'octal', 'only integers can be formatted as octal')
    default:
      throw new CelError(`could not parse formatting clause: unrecognized formatting clause "${verb}"`)
  }
}

function fault(rule: string, value: CelValue): CelError {
  return new CelError(`error during formatting: ${rule}, was given ${typeOf(value).name}`)
}

function integer(value: CelValue, base: number, _name: string, rule: string): string {
  if (typeof value === 'bigint') return value.toString(base)
  if (value instanceof CelUint) return value.value.toString(base)
  throw fault(rule, value)
}

function decimal(value: CelValue): string {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof CelUint) return value.value.toString()
  if (typeof value === 'number' && !Number.isFinite(value)) return asText(value)
  throw fault('decimal clause can only be used on integers', value)
}

function double(value: CelValue, rule: string): number {
  if (typeof value === 'number') return value
  if (value === 'NaN') return NaN
  if (value === 'Infinity') return Infinity
  if (value === '-Infinity') return -Infinity
  throw fault(rule, value)
}

function unbounded(x: number): string | undefined {
  return Number.isNaN(x) ? 'NaN' : x === Infinity ? '∞' : x === -Infinity ? '-∞' : undefined
}

function fixed(value: CelValue, precision: number): string {
  const x = double(value, 'fixed-point clause can only be used on doubles')
  return unbounded(x) ?? x.toFixed(Math.min(precision, 100))
}

function scientific(value: CelValue, precision: number): string {
  const x = double(value, 'scientific clause can only be used on doubles')
  return unbounded(x) ?? x.toExponential(Math.min(precision, 100)).replace(/e([+-])(\d)$/, 'e$10$2')
}

function hexadecimal(value: CelValue, upper: boolean): string {
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value
  const text =
    bytes instanceof Uint8Array
      ? Array.from(bytes, b => b.toString(16).padStart(2, '0')).join('')
      : integer(value, 16, 'hexadecimal', 'only integers, byte buffers, and strings can be formatted as hex')
  return upper ? text.toUpperCase() : text
}

function asText(value: CelValue): string {
  if (value === null) return 'null'
  if (typeof value === 'string') return value
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  if (typeof value === 'number') return Number.isNaN(value) ? 'NaN' : value === Infinity ? 'Infinity' : value === -Infinity ? '-Infinity' : String(value)
  if (value instanceof CelUint) return value.value.toString()
  if (value instanceof Uint8Array) return new TextDecoder().decode(value)
  if (value instanceof CelTimestamp) return formatTimestamp(value.ns)
  if (value instanceof CelDuration) return `${formatSeconds(value.ns)}s`
  if (value instanceof CelType) return formatType(value)
  if (value instanceof CelList) return `[${[...value].map(inner).join(', ')}]`
  if (value instanceof CelMap && value.typeName === undefined) {
    const entries = value.keys().map(key => `${inner(key)}: ${inner(value.get(key) ?? null)}`)
    return `{${entries.sort(compareText).join(', ')}}`
  }
  throw fault('string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps', value)
}

/** Texts in lists and maps stand in quotes as they are. */
function inner(value: CelValue): string {
  return asText(value)
}
