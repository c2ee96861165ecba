/** metav1.Time (seconds) and MicroTime in RFC 3339, Go durations, and kubectl's short ages. Pure: now is given. */

/** `2026-01-01T00:00:00Z` */
export function formatTime(ms: number): string {
  const second = Math.floor(ms / 1_000)
  // Every write asks several times for the present second.
  if (second !== lastSecond) {
    lastText = `${new Date(ms).toISOString().slice(0, -5)}Z`
    lastSecond = second
  }
  return lastText
}

let lastSecond = Number.NaN
let lastText = ''

/** `2026-01-01T00:00:00.000000Z` */
export function formatMicroTime(ms: number): string {
  const whole = Math.floor(ms)
  const micros = Math.floor((ms - whole) * 1_000)
  return `${new Date(whole).toISOString().slice(0, -1)}${String(micros).padStart(3, '0')}Z`
}

const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)$/

/** Milliseconds (with fractions) of an RFC 3339 time, or undefined when it is none. */
export function tryParseTime(text: string): number | undefined {
  const m = rfc3339.exec(text)
  if (!m) return undefined
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map(i => Number(m[i])) as [number, number, number, number, number, number]
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) return undefined
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCMonth() !== month - 1) return undefined
  const zone = m[8] ?? 'Z'
  const offset = zone === 'Z' ? 0 : (zone.startsWith('-') ? -1 : 1) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6)))
  const fraction = m[7] === undefined ? 0 : Number(`0.${m[7].slice(0, 9)}`) * 1_000
  return date.getTime() + ((hour * 60 + minute - offset) * 60 + second) * 1_000 + fraction
}

/** Milliseconds of an RFC 3339 time; NaN when it is none (decoding refuses such times, so stored objects have none). */
export function parseTime(text: string | undefined): number {
  return (text === undefined ? undefined : tryParseTime(text)) ?? Number.NaN
}

/** A metav1.Time in its stored form: UTC, whole seconds. Undefined when the text is no time. */
export function canonicalTime(text: string): string | undefined {
  const ms = tryParseTime(text)
  return ms === undefined ? undefined : formatTime(Math.floor(ms / 1_000) * 1_000)
}

/** A metav1.MicroTime in its stored form: UTC, microseconds. */
export function canonicalMicroTime(text: string): string | undefined {
  const ms = tryParseTime(text)
  if (ms === undefined) return undefined
  // Digits are taken from the text: a float of milliseconds would round the last one.
  const fraction = (/[.,](\d+)/.exec(text)?.[1] ?? '').padEnd(6, '0').slice(0, 6)
  return `${formatTime(Math.floor(ms / 1_000) * 1_000).slice(0, -1)}.${fraction}Z`
}

/** kubectl's short ages: 5s, 3m20s, 15m, 2h5m, 30h, 3d4h, 12d, 2y30d, 9y; `<invalid>` for clearly negative ones. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1_000)
  if (seconds < -1) return '<invalid>'
  if (seconds < 0) return '0s'
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.trunc(seconds / 60)
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`
  if (minutes < 180) return `${minutes}m`
  const hours = Math.trunc(minutes / 60)
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`
  if (hours < 48) return `${hours}h`
  const days = Math.trunc(hours / 24)
  if (hours < 24 * 8) return hours % 24 === 0 ? `${days}d` : `${days}d${hours % 24}h`
  if (hours < 24 * 365 * 2) return `${days}d`
  const years = Math.trunc(days / 365)
  if (hours < 24 * 365 * 8) return days % 365 === 0 ? `${years}y` : `${years}y${days % 365}d`
  return `${years}y`
}

/** Age of a timestamp as tables show it; `<unknown>` without one. */
export function ageOf(timestamp: string | undefined, now: number): string {
  const then = parseTime(timestamp)
  return Number.isNaN(then) ? '<unknown>' : humanDuration(now - then)
}

const unitMs: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** No duration needs more; longer texts are none. */
const maxDurationLength = 1_024

/** Milliseconds of a Go duration such as `1h30m` or `-1.5s`, or undefined when it is none. */
export function parseGoDuration(text: string): number | undefined {
  if (text.length > maxDurationLength) return undefined
  const sign = text.startsWith('-') ? -1 : 1
  const rest = text.replace(/^[+-]/, '')
  if (rest === '0') return 0
  if (!/^(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(rest)) return undefined
  let ms = 0
  for (const m of rest.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)) ms += Number(m[1]) * (unitMs[m[2] ?? ''] ?? 0)
  return sign * ms
}

/** How Go prints a duration: `1h30m0s`, `1.5s`, `250ms`, `0s`. */
export function formatGoDuration(ms: number): string {
  if (ms === 0) return '0s'
  const sign = ms < 0 ? '-' : ''
  const nanos = Math.round(Math.abs(ms) * 1e6)
  if (nanos < 1_000) return `${sign}${nanos}ns`
  if (nanos < 1e6) return `${sign}${nanos / 1e3}µs`
  if (nanos < 1e9) return `${sign}${nanos / 1e6}ms`
  const hours = Math.floor(nanos / 3.6e12)
  const minutes = Math.floor((nanos % 3.6e12) / 6e10)
  const seconds = (nanos % 6e10) / 1e9
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}s`
  return minutes > 0 ? `${sign}${minutes}m${seconds}s` : `${sign}${seconds}s`
}
