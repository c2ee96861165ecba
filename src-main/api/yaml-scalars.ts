/** What unquoted YAML 1.1 scalars mean, for the reader and for the writer's choice of quotes. */
import { JsonError } from './json.ts'

const words: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ...['', '~', 'null', 'Null', 'NULL'].map((w): [string, unknown] => [w, null]),
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map((w): [string, unknown] => [w, true]),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map((w): [string, unknown] => [w, false]),
])

/** What an unquoted scalar means: null, boolean, number or text. */
export function resolvePlain(text: string): unknown {
  if (words.has(text)) return words.get(text)
  if (!/^[-+.\d]/.test(text)) return text
  if (/^[-+]?\.(inf|Inf|INF)$/.test(text) || /^\.(nan|NaN|NAN)$/.test(text)) throw new JsonError(`json: unsupported value: ${text}`)
  const plain = text.replaceAll('_', '')
  const integer = parseInteger(plain)
  if (integer !== undefined) return integer
  if (/^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/.test(plain)) {
    const value = Number(plain)
    return Number.isFinite(value) ? value : text
  }
  return text
}

function parseInteger(text: string): number | bigint | undefined {
  const m = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9]\d*)$/.exec(text)
  if (!m) return undefined
  const [, sign = '', digits = ''] = m
  const octal = /^0[oO]?[0-7]+$/.test(digits)
  const exact = BigInt(octal ? `0o${digits.replace(/^0[oO]?/, '')}` : digits) * (sign === '-' ? -1n : 1n)
  if (exact >= BigInt(Number.MIN_SAFE_INTEGER) && exact <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(exact)
  return BigInt.asIntN(64, exact) === exact ? exact : Number(exact)
}
