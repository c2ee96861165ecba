/** Numbers against the limits of a schema; see value-validation.ts. Pure. */
import type { JsonObject } from '../json.ts'
import { formatGoFloat, isGoInteger } from './go-numbers.ts'
import type { ValueFault } from './value-validation.ts'

export { isGoInteger } from './go-numbers.ts'

interface Limits {
  readonly types: readonly string[]
  readonly format: string
  readonly limits: Readonly<JsonObject>
}

/** Faults of a number. Limits that are no whole numbers hold for integers cut down to whole ones, as in Go. */
export function numberFaults({ types, format, limits }: Limits, value: number | bigint, path: string): ValueFault[] {
  const faults: ValueFault[] = []
  const type = types.length === 1 && (types[0] === 'integer' || types[0] === 'number') ? types[0] : ''
  const range = (number: number | bigint, prefix: string): boolean => {
    const text = rangeFault(number, type, type === '' ? '' : format, prefix, path)
    if (text !== undefined) faults.push({ code: 'plain', name: '', message: text })
    return text === undefined
  }
  const fault = (text: string): void => {
    faults.push({ code: 'other', name: path, message: `${path} in body should ${text}`, value })
  }
  range(value, 'Checked')
  const factor = numberOf(limits['multipleOf'])
  if (factor !== undefined) {
    const native = range(factor, 'MultipleOf') && isGoInteger(value)
    const positive = native ? Math.trunc(Number(factor)) > 0 : Number(factor) > 0
    if (!positive) faults.push({ code: 'other', name: path, message: `factor MultipleOf declared for ${path} must be positive: ${formatGoFloat(factor)}`, value: factor })
    else if (!isMultiple(value, factor, native)) fault(`be a multiple of ${formatGoFloat(factor)}`)
  }
  for (const [key, label, words, exceeds] of bounds) {
    const limit = numberOf(limits[key])
    if (limit === undefined) continue
    const exclusive = limits[key === 'maximum' ? 'exclusiveMaximum' : 'exclusiveMinimum'] === true
    const bound = range(limit, label) && isGoInteger(value) ? BigInt(Math.trunc(Number(limit))) : limit
    const order = compare(value, bound)
    if (exceeds(order) || (exclusive && order === 0)) fault(`be ${exclusive ? words : `${words} or equal to`} ${formatGoFloat(bound)}`)
  }
  return faults
}

const bounds = [
  ['maximum', 'Maximum boundary', 'less than', (order: number) => order > 0],
  ['minimum', 'Minimum boundary', 'greater than', (order: number) => order < 0],
] as const

function numberOf(value: unknown): number | bigint | undefined {
  return typeof value === 'number' || typeof value === 'bigint' ? value : undefined
}

function compare(a: number | bigint, b: number | bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function isMultiple(value: number | bigint, factor: number | bigint, native: boolean): boolean {
  if (native) return BigInt(value) % BigInt(Math.trunc(Number(factor))) === 0n
  const [a, b] = [Number(value), Number(factor)]
  const quotient = b < 1 ? (1 / b) * a : a / b
  // Whole but for the last digits of a float.
  if (!Number.isFinite(quotient) || Math.abs(quotient) > Number.MAX_SAFE_INTEGER) return false
  const nearest = Math.round(quotient)
  return Math.abs(quotient - nearest) <= 1e-9 * Math.max(1, Math.abs(quotient))
}

const int32 = 2 ** 31
const float32 = 3.4028234663852886e38

/** What Go's kube-openapi says of a number that its type cannot hold. */
function rangeFault(value: number | bigint, type: string, format: string, prefix: string, path: string): string | undefined {
  const number = Number(value)
  let fits = true
  if (type === 'integer') fits = isGoInteger(value) && (format !== 'int32' || (number >= -int32 && number < int32))
  else if (format === 'float') fits = Math.abs(number) <= float32
  if (fits) return undefined
  return `${prefix} value must be of type ${type} ${format === '' ? '(default format)' : `with format ${format}`} in ${path}`
}
