/** Numbers as Go prints and holds them. Pure. */

/** %v of a float64 (and of an int64): exponents below 1e-4 and from 1e21 on, of two digits at least. */
export function formatGoFloat(value: number | bigint): string {
  if (typeof value === 'bigint' || Number.isInteger(value)) return Math.abs(Number(value)) < 1e21 ? BigInt(value).toString() : exponent(Number(value))
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : value < 0 ? '-Inf' : 'NaN'
  return Math.abs(value) < 1e-4 || Math.abs(value) >= 1e21 ? exponent(value) : String(value)
}

function exponent(value: number): string {
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2')
}

/** Whether Go's decoder makes an int64 of a JSON number. (`1.0`, which it takes for a float, cannot be told from `1` any more.) */
export function isGoInteger(value: number | bigint): boolean {
  return typeof value === 'bigint' || (Number.isInteger(value) && Math.abs(value) < 2 ** 63)
}
