/**
 * resource.Quantity: exact decimal numbers with SI suffixes. Values are whole nano-units in a bigint, rounded away from
 * zero to nano; binary ones are capped at 2^63−1. formatQuantity gives Kubernetes' canonical form, with its quirk of
 * repeating texts that look canonical to its quick check (`+1`, `007`, `1e+21`).
 */

export type QuantityFormat = 'DecimalExponent' | 'BinarySI' | 'DecimalSI'

/** Immutable. */
export interface Quantity {
  /** Value in units of 10^-9. */
  readonly nano: bigint
  readonly format: QuantityFormat
  /** The text it was read from, where Kubernetes repeats that instead of the canonical form. */
  readonly text?: string
}

const nanoPerUnit = 1_000_000_000n
const maxNano = (2n ** 63n - 1n) * nanoPerUnit

export const quantityErrors = {
  format: "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
  number: 'unable to parse numeric part of quantity',
  suffix: "unable to parse quantity's suffix",
} as const

/** Not a quantity; `message` is Kubernetes' text. */
export class QuantityError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'QuantityError'
  }
}

interface Suffix {
  readonly base: 2 | 10
  readonly exponent: number
  readonly format: QuantityFormat
}

const suffixes: ReadonlyMap<string, Suffix> = new Map([
  ...['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'].map((s, i): [string, Suffix] => [s, { base: 2, exponent: 10 * (i + 1), format: 'BinarySI' }]),
  ...['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'].map((s, i): [string, Suffix] => [s, { base: 10, exponent: 3 * i - 9, format: 'DecimalSI' }]),
])

function suffixOf(text: string): Suffix {
  const known = suffixes.get(text)
  if (known) return known
  const m = /^[eE]([+-]?\d+)$/.exec(text)
  const exponent = Number(m?.[1])
  if (!m || Math.abs(exponent) > maxExponent) throw new QuantityError(quantityErrors.suffix)
  return { base: 10, exponent, format: 'DecimalExponent' }
}

/** Bound of a decimal exponent; Kubernetes has none, but a number of more digits is an attack, not an amount. */
const maxExponent = 1_000

/** Digits beyond which Kubernetes leaves its quick path, and with it the text as it was written. */
const quickDigits = 18

export const zeroQuantity: Quantity = { nano: 0n, format: 'DecimalSI' }

/** The quantity of a text (`1500m`, `2Gi`, `1e3`) or number. Throws QuantityError. */
export function parseQuantity(input: string | number | bigint): Quantity {
  const text = String(input)
  if (text === '0') return { nano: 0n, format: 'DecimalSI', text }
  const m = /^([+-]?)(\d*)(\.?)(\d*)([eEinumkKMGTP]*[+-]?\d*)$/.exec(text)
  if (!m || text === '' || text.length > 1_000) throw new QuantityError(quantityErrors.format)
  const [, sign = '', whole = '', , fraction = '', tail = ''] = m
  const suffix = suffixOf(tail)
  if (whole === '' && fraction === '') throw new QuantityError(quantityErrors.number)
  const digits = BigInt(whole + fraction)
  const nano = scaled(digits, suffix, fraction.length)
  const quantity = { nano: sign === '-' ? -nano : nano, format: suffix.format }
  return keepsText(whole, fraction, suffix) ? { ...quantity, text } : quantity
}

function keepsText(whole: string, fraction: string, { base, exponent }: Suffix): boolean {
  const number = whole.replace(/^0+/, '') || '0'
  const shifted = number + fraction
  if (base === 2) {
    if (fraction !== '' || 15 - number.length - Math.trunc((exponent * 3) / 10) - 1 < 0) return false
    return (BigInt(number) & 7n) !== 0n
  }
  const scale = exponent - fraction.length
  return shifted.length <= quickDigits && scale >= -9 && scale % 3 === 0 && !shifted.endsWith('000') && !shifted.startsWith('0')
}

/** Non-negative nano-units of digits × 10^-decimals × base^exponent, rounded up. */
function scaled(digits: bigint, { base, exponent }: Suffix, decimals: number): bigint {
  if (digits === 0n) return 0n
  const shift = (base === 10 ? exponent : 0) - decimals + 9
  let numerator = shift >= 0 ? digits * 10n ** BigInt(shift) : digits
  if (base === 2) numerator <<= BigInt(exponent)
  const denominator = shift >= 0 ? 1n : 10n ** BigInt(-shift)
  const nano = (numerator + denominator - 1n) / denominator
  return base === 2 && nano > maxNano ? maxNano : nano
}

/** Undefined where the text is no quantity. */
export function tryParseQuantity(input: string | number | bigint): Quantity | undefined {
  try {
    return parseQuantity(input)
  } catch (error) {
    if (error instanceof QuantityError) return undefined
    throw error
  }
}

function divideUp(nano: bigint, unit: bigint): bigint {
  const q = nano / unit
  return nano % unit === 0n ? q : nano > 0n ? q + 1n : q - 1n
}

/** Thousandths, rounded away from zero (CPU). */
export function milliValue(q: Quantity): number {
  return Number(divideUp(q.nano, 1_000_000n))
}

/** Whole units, rounded away from zero (bytes, counts). */
export function value(q: Quantity): number {
  return Number(divideUp(q.nano, nanoPerUnit))
}

/** The value as a float. */
export function floatValue(q: Quantity): number {
  return Number(q.nano) / 1e9
}

export function compareQuantity(a: Quantity, b: Quantity): number {
  return a.nano === b.nano ? 0 : a.nano < b.nano ? -1 : 1
}

/** a + b; keeps the format of a, or of b where a is zero. */
export function addQuantity(a: Quantity, b: Quantity): Quantity {
  return { nano: a.nano + b.nano, format: a.nano === 0n ? b.format : a.format }
}

export function subQuantity(a: Quantity, b: Quantity): Quantity {
  return { nano: a.nano - b.nano, format: a.nano === 0n ? b.format : a.format }
}

export function quantityOfMilli(milli: number, format: QuantityFormat = 'DecimalSI'): Quantity {
  return { nano: BigInt(Math.round(milli)) * 1_000_000n, format }
}

export function quantityOfValue(units: number | bigint, format: QuantityFormat = 'DecimalSI'): Quantity {
  return { nano: BigInt(typeof units === 'number' ? Math.round(units) : units) * nanoPerUnit, format }
}

const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']
const decimalSuffixes = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E']

/** The canonical text: whole numbers with the largest suffix that loses nothing. */
export function formatQuantity(q: Quantity): string {
  if (q.text !== undefined) return q.text
  if (q.nano === 0n) return '0'
  const small = q.nano > -1_024n * nanoPerUnit && q.nano < 1_024n * nanoPerUnit
  if (q.format === 'BinarySI' && !small && q.nano % nanoPerUnit === 0n) return formatBinary(q.nano / nanoPerUnit)
  return formatDecimal(q.nano, q.format === 'DecimalExponent')
}

function formatBinary(units: bigint): string {
  let n = 0
  while (n < binarySuffixes.length - 1 && units % 1_024n === 0n) {
    units /= 1_024n
    n++
  }
  return `${units}${binarySuffixes[n] ?? ''}`
}

function formatDecimal(nano: bigint, exponential: boolean): string {
  let exponent = -9
  while (nano % 1_000n === 0n) {
    nano /= 1_000n
    exponent += 3
  }
  const suffix = decimalSuffixes[exponent / 3 + 3]
  if (exponential || suffix === undefined) return exponent === 0 ? `${nano}` : `${nano}e${exponent}`
  return `${nano}${suffix}`
}

/** The quantity with a precision of thousandths, rounded away from zero, as the defaults of resource lists have it. */
export function roundUpMilli(q: Quantity): Quantity {
  return q.nano % 1_000_000n === 0n ? q : { nano: divideUp(q.nano, 1_000_000n) * 1_000_000n, format: q.format }
}

/** The text Kubernetes stores for a quantity's text. Throws QuantityError. */
export function canonicalQuantity(input: string | number | bigint): string {
  return formatQuantity(parseQuantity(typeof input === 'string' ? input.trim() : input))
}
