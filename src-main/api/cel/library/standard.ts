/** CEL's standard library: operators, sizes, conversions, texts, times. */
import { CelError } from '../errors.ts'
import { global, member } from '../functions.ts'
import type { Library, Overload } from '../functions.ts'
import { compileRegex } from '../regex.ts'
import {
  boolType,
  bytesType,
  CelType,
  doubleType,
  durationType,
  dynType,
  intType,
  listType,
  mapType,
  paramType,
  stringType,
  timestampType,
  typeOfType,
  uintType,
} from '../types.ts'
import {
  checkInt,
  checkUint,
  CelDuration,
  CelList,
  CelMap,
  CelTimestamp,
  CelUint,
  compare,
  equal,
  formatSeconds,
  formatTimestamp,
  maxInt,
  maxUint,
  minInt,
  sizeOf,
  typeOf,
} from '../values.ts'
import type { CelValue } from '../values.ts'
import { parseDuration, parseTimestamp, timePart } from './time.ts'
import type { TimePart } from './time.ts'

const a = paramType('A')
const b = paramType('B')
const listA = listType(a)
const mapAB = mapType(a, b)

const ordered: readonly CelType[] = [boolType, intType, uintType, doubleType, stringType, bytesType, timestampType, durationType]
const shortNames = new Map<CelType, string>([
  [boolType, 'bool'],
  [intType, 'int64'],
  [uintType, 'uint64'],
  [doubleType, 'double'],
  [stringType, 'string'],
  [bytesType, 'bytes'],
  [timestampType, 'timestamp'],
  [durationType, 'duration'],
])
const crossNumeric: readonly (readonly [CelType, CelType])[] = [
  [intType, doubleType],
  [intType, uintType],
  [uintType, doubleType],
  [uintType, intType],
  [doubleType, intType],
  [doubleType, uintType],
]

function comparison(word: string, holds: (order: number) => boolean): Overload[] {
  const run = (x: CelValue, y: CelValue): boolean => {
    const order = compare(x, y)
    if (order === undefined) throw new CelError('no such overload')
    return holds(order)
  }
  return [
    ...ordered.map(t => global(`${word}_${shortNames.get(t)}`, [t, t], boolType, run)),
    ...crossNumeric.map(([x, y]) => global(`${word}_${shortNames.get(x)}_${shortNames.get(y)}`, [x, y], boolType, run)),
  ]
}

function uints(run: (x: bigint, y: bigint) => bigint): (x: CelUint, y: CelUint) => CelUint {
  return (x, y) => checkUint(run(x.value, y.value))
}
function ints(run: (x: bigint, y: bigint) => bigint): (x: bigint, y: bigint) => bigint {
  return (x, y) => checkInt(run(x, y))
}
function nonZero(y: bigint, what: string): void {
  if (y === 0n) throw new CelError(`${what} by zero`)
}

const divide = (x: bigint, y: bigint): bigint => {
  nonZero(y, 'division')
  return x / y
}
const modulo = (x: bigint, y: bigint): bigint => {
  nonZero(y, 'modulus')
  return x % y
}

function joinBytes(x: Uint8Array, y: Uint8Array): Uint8Array {
  const out = new Uint8Array(x.length + y.length)
  out.set(x)
  out.set(y, x.length)
  return out
}

const arithmetic: Library = {
  '_+_': [
    global('add_bytes', [bytesType, bytesType], bytesType, joinBytes),
    global('add_double', [doubleType, doubleType], doubleType, (x: number, y: number) => x + y),
    global('add_duration_duration', [durationType, durationType], durationType, (x: CelDuration, y: CelDuration) => new CelDuration(x.ns + y.ns)),
    global('add_duration_timestamp', [durationType, timestampType], timestampType, (x: CelDuration, y: CelTimestamp) => new CelTimestamp(x.ns + y.ns)),
    global('add_timestamp_duration', [timestampType, durationType], timestampType, (x: CelTimestamp, y: CelDuration) => new CelTimestamp(x.ns + y.ns)),
    global(
      'add_int64',
      [intType, intType],
      intType,
      ints((x, y) => x + y),
    ),
    global('add_list', [listA, listA], listA, (x: CelList, y: CelList) => x.concat(y)),
    global('add_string', [stringType, stringType], stringType, (x: string, y: string) => x + y),
    global(
      'add_uint64',
      [uintType, uintType],
      uintType,
      uints((x, y) => x + y),
    ),
  ],
  '_-_': [
    global('subtract_double', [doubleType, doubleType], doubleType, (x: number, y: number) => x - y),
    global('subtract_duration_duration', [durationType, durationType], durationType, (x: CelDuration, y: CelDuration) => new CelDuration(x.ns - y.ns)),
    global(
      'subtract_int64',
      [intType, intType],
      intType,
      ints((x, y) => x - y),
    ),
    global('subtract_timestamp_duration', [timestampType, durationType], timestampType, (x: CelTimestamp, y: CelDuration) => new CelTimestamp(x.ns - y.ns)),
    global('subtract_timestamp_timestamp', [timestampType, timestampType], durationType, (x: CelTimestamp, y: CelTimestamp) => new CelDuration(x.ns - y.ns)),
    global(
      'subtract_uint64',
      [uintType, uintType],
      uintType,
      uints((x, y) => x - y),
    ),
  ],
  '_*_': [
    global('multiply_double', [doubleType, doubleType], doubleType, (x: number, y: number) => x * y),
    global(
      'multiply_int64',
      [intType, intType],
      intType,
      ints((x, y) => x * y),
    ),
    global(
      'multiply_uint64',
      [uintType, uintType],
      uintType,
      uints((x, y) => x * y),
    ),
  ],
  '_/_': [
    global('divide_double', [doubleType, doubleType], doubleType, (x: number, y: number) => x / y),
    global('divide_int64', [intType, intType], intType, ints(divide)),
    global('divide_uint64', [uintType, uintType], uintType, uints(divide)),
  ],
  '_%_': [global('modulo_int64', [intType, intType], intType, ints(modulo)), global('modulo_uint64', [uintType, uintType], uintType, uints(modulo))],
  '-_': [global('negate_double', [doubleType], doubleType, (x: number) => -x), global('negate_int64', [intType], intType, (x: bigint) => checkInt(-x))],
  '!_': [global('logical_not', [boolType], boolType, (x: boolean) => !x)],
}

function contains(needle: CelValue, hay: CelList): boolean {
  for (const item of hay) if (equal(item, needle)) return true
  return false
}

const logic: Library = {
  '_&&_': [global('logical_and', [boolType, boolType], boolType)],
  '_||_': [global('logical_or', [boolType, boolType], boolType)],
  '_?_:_': [global('conditional', [boolType, a, a], a)],
  '@not_strictly_false': [global('not_strictly_false', [boolType], boolType)],
  '_==_': [global('equals', [a, a], boolType, (x: CelValue, y: CelValue) => equal(x, y))],
  '_!=_': [global('not_equals', [a, a], boolType, (x: CelValue, y: CelValue) => !equal(x, y))],
  '_<_': comparison('less', order => order < 0),
  '_<=_': comparison('less_equals', order => order <= 0),
  '_>_': comparison('greater', order => order > 0),
  '_>=_': comparison('greater_equals', order => order >= 0),
  '@in': [global('in_list', [a, listA], boolType, contains), global('in_map', [a, mapAB], boolType, (key: CelValue, map: CelMap) => map.has(key))],
  '_[_]': [global('index_list', [listA, intType], a), global('index_map', [mapAB, a], b)],
}

const size = (x: CelValue): bigint => BigInt(sizeOf(x))

const texts: Library = {
  size: [bytesType, listA, mapAB, stringType].flatMap(t => {
    const name = t.kind
    return [global(`size_${name}`, [t], intType, size), member(`${name}_size`, [t], intType, size)]
  }),
  contains: [member('contains_string', [stringType, stringType], boolType, (x: string, y: string) => x.includes(y))],
  startsWith: [member('starts_with_string', [stringType, stringType], boolType, (x: string, y: string) => x.startsWith(y))],
  endsWith: [member('ends_with_string', [stringType, stringType], boolType, (x: string, y: string) => x.endsWith(y))],
  matches: [
    global('matches', [stringType, stringType], boolType, (x: string, pattern: string) => compileRegex(pattern).test(x)),
    member('matches_string', [stringType, stringType], boolType, (x: string, pattern: string) => compileRegex(pattern).test(x)),
  ],
}

function refuse(from: CelValue, to: CelType): CelError {
  return new CelError(`type conversion error from '${typeOf(from).name}' to '${to.name}'`)
}

function parseInteger(text: string, min: bigint, max: bigint, to: CelType): bigint {
  if (!/^[+-]?\d+$/.test(text) || (to === uintType && /^[+-]/.test(text))) throw refuse(text, to)
  const value = BigInt(text.replace(/^\+/, ''))
  if (value < min || value > max) throw refuse(text, to)
  return value
}

function truncated(x: number, check: (value: bigint) => CelValue, what: string): CelValue {
  if (!Number.isFinite(x)) throw new CelError(`${what} overflow`)
  return check(BigInt(Math.trunc(x)))
}

function parseDouble(text: string): number {
  if (/^[+-]?(inf|infinity)$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity
  if (/^nan$/i.test(text)) return NaN
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) throw refuse(text, doubleType)
  return Number(text)
}

function decodeText(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes)
  } catch {
    throw new CelError('invalid UTF-8 in bytes, cannot convert to string')
  }
}
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/** As Go's %g with the shortest digits. */
export function formatDouble(x: number): string {
  if (Number.isNaN(x)) return 'NaN'
  if (!Number.isFinite(x)) return x < 0 ? '-Inf' : '+Inf'
  if (Object.is(x, -0)) return '-0'
  const exponent = x === 0 ? 0 : Math.floor(Math.log10(Math.abs(x)))
  if (exponent < -4 || exponent >= 21) return x.toExponential().replace(/e([+-])(\d)$/, 'e$10$2')
  return String(x)
}

const same = (x: CelValue): CelValue => x

const conversions: Library = {
  int: [
    global('int64_to_int64', [intType], intType, same),
    global('double_to_int64', [doubleType], intType, (x: number) => truncated(x, checkInt, 'integer')),
    global('duration_to_int64', [durationType], intType, (x: CelDuration) => x.ns),
    global('string_to_int64', [stringType], intType, (x: string) => parseInteger(x, minInt, maxInt, intType)),
    global('timestamp_to_int64', [timestampType], intType, (x: CelTimestamp) => (x.ns - (((x.ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)) / 1_000_000_000n),
    global('uint64_to_int64', [uintType], intType, (x: CelUint) => checkInt(x.value)),
  ],
  uint: [
    global('uint64_to_uint64', [uintType], uintType, same),
    global('double_to_uint64', [doubleType], uintType, (x: number) => truncated(x, checkUint, 'unsigned integer')),
    global('int64_to_uint64', [intType], uintType, (x: bigint) => checkUint(x)),
    global('string_to_uint64', [stringType], uintType, (x: string) => new CelUint(parseInteger(x, 0n, maxUint, uintType))),
  ],
  double: [
    global('double_to_double', [doubleType], doubleType, same),
    global('int64_to_double', [intType], doubleType, Number),
    global('string_to_double', [stringType], doubleType, parseDouble),
    global('uint64_to_double', [uintType], doubleType, (x: CelUint) => Number(x.value)),
  ],
  bool: [
    global('bool_to_bool', [boolType], boolType, same),
    global('string_to_bool', [stringType], boolType, (x: string) => {
      if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(x)) return true
      if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(x)) return false
      throw refuse(x, boolType)
    }),
  ],
  bytes: [global('bytes_to_bytes', [bytesType], bytesType, same), global('string_to_bytes', [stringType], bytesType, (x: string) => encoder.encode(x))],
  string: [
    global('string_to_string', [stringType], stringType, same),
    global('bool_to_string', [boolType], stringType, String),
    global('bytes_to_string', [bytesType], stringType, decodeText),
    global('double_to_string', [doubleType], stringType, formatDouble),
    global('duration_to_string', [durationType], stringType, (x: CelDuration) => `${formatSeconds(x.ns)}s`),
    global('int64_to_string', [intType], stringType, (x: bigint) => x.toString()),
    global('timestamp_to_string', [timestampType], stringType, (x: CelTimestamp) => formatTimestamp(x.ns)),
    global('uint64_to_string', [uintType], stringType, (x: CelUint) => x.value.toString()),
  ],
  timestamp: [
    global('timestamp_to_timestamp', [timestampType], timestampType, same),
    global('int64_to_timestamp', [intType], timestampType, (x: bigint) => new CelTimestamp(x * 1_000_000_000n)),
    global('string_to_timestamp', [stringType], timestampType, parseTimestamp),
  ],
  duration: [
    global('duration_to_duration', [durationType], durationType, same),
    global('int64_to_duration', [intType], durationType, (x: bigint) => new CelDuration(x)),
    global('string_to_duration', [stringType], durationType, parseDuration),
  ],
  dyn: [global('to_dyn', [a], dynType, same)],
  type: [global('type', [a], typeOfType(a), (x: CelValue) => typeOf(x))],
}

function accessor(part: TimePart, overload: string, ofDuration?: bigint): Overload[] {
  const out = [
    member(`timestamp_to_${overload}`, [timestampType], intType, (x: CelTimestamp) => timePart(x.ns, part, 'UTC')),
    member(`timestamp_to_${overload}_with_tz`, [timestampType, stringType], intType, (x: CelTimestamp, zone: string) => timePart(x.ns, part, zone)),
  ]
  const millis = part === 'milliseconds'
  if (ofDuration !== undefined) {
    out.push(member(`duration_to_${overload}`, [durationType], intType, (x: CelDuration) => (millis ? (x.ns / ofDuration) % 1_000n : x.ns / ofDuration)))
  }
  return out
}

const times: Library = {
  getFullYear: accessor('fullYear', 'year'),
  getMonth: accessor('month', 'month'),
  getDayOfYear: accessor('dayOfYear', 'day_of_year'),
  getDayOfMonth: accessor('dayOfMonth', 'day_of_month'),
  getDate: accessor('date', 'day_of_month_1_based'),
  getDayOfWeek: accessor('dayOfWeek', 'day_of_week'),
  getHours: accessor('hours', 'hours', 3_600_000_000_000n),
  getMinutes: accessor('minutes', 'minutes', 60_000_000_000n),
  getSeconds: accessor('seconds', 'seconds', 1_000_000_000n),
  getMilliseconds: accessor('milliseconds', 'milliseconds', 1_000_000n),
}

export const standardLibraries: readonly Library[] = [arithmetic, logic, texts, conversions, times]
