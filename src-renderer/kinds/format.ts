/** Numbers with their units, short and aligned. */
const binary = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** `512 MiB`, `1.5 GiB`: three significant digits at most. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (Math.abs(value) >= 1000 && unit < binary.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? Math.round(value) : value >= 100 ? Math.round(value) : value >= 10 ? trim(value.toFixed(1)) : trim(value.toFixed(2))} ${binary[unit] ?? ''}`
}

/** `250 m`, `1.5 cores`. */
export function formatCores(millicores: number): string {
  if (Math.abs(millicores) < 1000) return `${Math.round(millicores)} m`
  const cores = trim((millicores / 1000).toFixed(millicores < 10_000 ? 2 : 1))
  return `${cores} ${cores === '1' ? 'core' : 'cores'}`
}

export function formatCount(value: number): string {
  return value.toLocaleString('en-US').replaceAll(',', ' ')
}

export function formatPercent(fraction: number): string {
  return Number.isFinite(fraction) ? `${Math.round(fraction * 100)} %` : '–'
}

function trim(text: string): string {
  return text.replace(/\.?0+$/, '')
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`
}
