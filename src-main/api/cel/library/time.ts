/** Timestamps and durations of expressions. Nanoseconds throughout. */
import { CelError } from '../errors.ts'
import { CelDuration, CelTimestamp } from '../values.ts'

export type TimePart = 'fullYear' | 'month' | 'dayOfYear' | 'dayOfMonth' | 'date' | 'dayOfWeek' | 'hours' | 'minutes' | 'seconds' | 'milliseconds'

const second = 1_000_000_000n
const units: Readonly<Record<string, bigint>> = { ns: 1n, us: 1_000n, µs: 1_000n, μs: 1_000n, ms: 1_000_000n, s: second, m: 60n * second, h: 3_600n * second }

/** RFC 3339. Throws CelError. */
export function parseTimestamp(text: string): CelTimestamp {
  const match = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,9})\d*)?(Z|[+-]\d{2}:\d{2})$/.exec(text)
  const fault = new CelError(`parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(text)} as "2006"`)
  if (!match) throw fault
  const [, year, month, day, hour, minute, secondText, fraction = '', zone = 'Z'] = match
  const ms = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(secondText))
  const date = new Date(ms)
  if (Number(year) < 100) date.setUTCFullYear(Number(year))
  if (Number.isNaN(ms) || date.getUTCDate() !== Number(day) || date.getUTCMonth() !== Number(month) - 1 || Number(hour) > 23 || Number(minute) > 59 || Number(secondText) > 59)
    throw fault
  const offset = zone === 'Z' ? 0 : (zone.startsWith('-') ? -1 : 1) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6)))
  return new CelTimestamp((BigInt(date.getTime()) - BigInt(offset) * 60_000n) * 1_000_000n + BigInt(fraction.padEnd(9, '0')))
}

/** Go's form: `1h30m`, `-1.5s`. Throws CelError. */
export function parseDuration(text: string): CelDuration {
  const fault = (): CelError => new CelError(`time: invalid duration ${JSON.stringify(text)}`)
  const body = text.replace(/^[+-]/, '')
  if (body === '0') return new CelDuration(0n)
  const parts = [...body.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)]
  if (parts.length === 0 || parts.map(p => p[0]).join('') !== body) throw fault()
  let total = 0n
  for (const [, number = '0', unit = 's'] of parts) {
    const [whole = '', fraction = ''] = number.split('.')
    const scale = units[unit] ?? 1n
    total += BigInt(whole || '0') * scale + (fraction === '' ? 0n : (BigInt(fraction) * scale) / 10n ** BigInt(fraction.length))
  }
  return new CelDuration(text.startsWith('-') ? -total : total)
}

/** A part of the calendar in a time zone: a name or `+01:00`. Throws CelError for unknown zones. */
export function timePart(ns: bigint, part: TimePart, zone: string): bigint {
  const millis = ns >= 0n ? ns / 1_000_000n : -((-ns + 999_999n) / 1_000_000n)
  const local = new Date(Number(millis) + offsetOf(Number(millis), zone) * 60_000)
  switch (part) {
    case 'fullYear':
      return BigInt(local.getUTCFullYear())
    case 'month':
      return BigInt(local.getUTCMonth())
    case 'dayOfYear':
      return BigInt(Math.floor((Date.UTC(local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate()) - Date.UTC(local.getUTCFullYear(), 0, 1)) / 86_400_000))
    case 'dayOfMonth':
      return BigInt(local.getUTCDate() - 1)
    case 'date':
      return BigInt(local.getUTCDate())
    case 'dayOfWeek':
      return BigInt(local.getUTCDay())
    case 'hours':
      return BigInt(local.getUTCHours())
    case 'minutes':
      return BigInt(local.getUTCMinutes())
    case 'seconds':
      return BigInt(local.getUTCSeconds())
    case 'milliseconds':
      return BigInt(local.getUTCMilliseconds())
  }
}

/** Minutes east of Greenwich. */
function offsetOf(ms: number, zone: string): number {
  if (zone === '' || zone === 'UTC') return 0
  const fixed = /^([+-]?)(\d{2}):(\d{2})$/.exec(zone)
  if (fixed) return (fixed[1] === '-' ? -1 : 1) * (Number(fixed[2]) * 60 + Number(fixed[3]))
  try {
    const parts = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' }).formatToParts(new Date(ms))
    const name = parts.find(p => p.type === 'timeZoneName')?.value ?? 'GMT'
    const match = /GMT([+-])(\d{2}):(\d{2})/.exec(name)
    return match ? (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3])) : 0
  } catch {
    throw new CelError(`unknown time zone ${zone}`)
  }
}
