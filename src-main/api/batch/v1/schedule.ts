/** Cron schedules: five fields of numbers, names, ranges, steps and lists, or an @word. Wording of faults as Kubernetes gives them. */

interface Field {
  readonly low: number
  readonly high: number
  readonly names?: Readonly<Record<string, number>>
}

const monthNames = Object.fromEntries(['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'].map((name, i) => [name, i + 1]))
const dayNames = Object.fromEntries(['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'].map((name, i) => [name, i]))
const fields: readonly Field[] = [
  { low: 0, high: 59 },
  { low: 0, high: 23 },
  { low: 1, high: 31 },
  { low: 1, high: 12, names: monthNames },
  { low: 0, high: 6, names: dayNames },
]
const words: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}

export interface Schedule {
  /** Minutes, hours, days of month, months, days of week that match. */
  readonly sets: readonly ReadonlySet<number>[]
  /** Whether day of month and day of week were given as `*` or `?`: then the other one alone decides. */
  readonly anyDay: boolean
  readonly anyWeekday: boolean
  /** `@every 5m`: an interval instead of the five fields. */
  readonly everyMs?: number
}

/** Thrown for text that is no schedule. */
export class ScheduleError extends Error {}

export function parseSchedule(text: string): Schedule {
  if (text.startsWith('@every ')) return { sets: [], anyDay: true, anyWeekday: true, everyMs: parseInterval(text.slice('@every '.length), text) }
  let spec = text
  if (text.startsWith('@')) {
    const word = Object.hasOwn(words, text) ? words[text] : undefined
    if (word === undefined) throw new ScheduleError(`unrecognized descriptor: ${text}`)
    spec = word
  }
  const parts = spec.split(/\s+/).filter(part => part !== '')
  if (spec.trim() === '') throw new ScheduleError('empty spec string')
  if (parts.length !== fields.length) throw new ScheduleError(`expected exactly 5 fields, found ${parts.length}: [${parts.join(' ')}]`)
  const sets = fields.map((field, i) => parseField(parts[i] ?? '', field))
  return { sets, anyDay: startsOpen(parts[2]), anyWeekday: startsOpen(parts[4]) }
}

const startsOpen = (part: string | undefined): boolean => (part ?? '').split(',').some(item => item.startsWith('*') || item.startsWith('?'))

function parseInterval(text: string, whole: string): number {
  let total = 0
  let rest = text
  while (rest !== '') {
    const match = /^(\d+(?:\.\d+)?)(h|m|s|ms)/.exec(rest)
    if (match === null) throw new ScheduleError(`failed to parse duration ${whole}: time: invalid duration ${JSON.stringify(text)}`)
    total += Number(match[1]) * ({ h: 3_600_000, m: 60_000, s: 1000, ms: 1 }[match[2] ?? 's'] ?? 1)
    rest = rest.slice(match[0].length)
  }
  // Finer than a second is rounded up to one, as cron does.
  return Math.max(1000, total - (total % 1000))
}

function parseField(text: string, field: Field): ReadonlySet<number> {
  const set = new Set<number>()
  for (const item of text.split(',').filter(i => i !== '')) for (const value of parseRange(item, field)) set.add(value)
  return set
}

function parseRange(text: string, field: Field): number[] {
  const [range = '', stepText, ...more] = text.split('/')
  if (more.length > 0) throw new ScheduleError(`too many slashes: ${text}`)
  const bounds = range.split('-')
  let start: number
  let end: number
  if (bounds[0] === '*' || bounds[0] === '?') {
    start = field.low
    end = field.high
  } else {
    start = parseValue(bounds[0] ?? '', field)
    end = start
    if (bounds.length === 2) end = parseValue(bounds[1] ?? '', field)
    else if (bounds.length > 2) throw new ScheduleError(`too many hyphens: ${text}`)
    else if (stepText !== undefined) end = field.high
  }
  const step = stepText === undefined ? 1 : parseNumber(stepText)
  if (start < field.low) throw new ScheduleError(`beginning of range (${start}) below minimum (${field.low}): ${text}`)
  if (end > field.high) throw new ScheduleError(`end of range (${end}) above maximum (${field.high}): ${text}`)
  if (start > end) throw new ScheduleError(`beginning of range (${start}) beyond end of range (${end}): ${text}`)
  if (step === 0) throw new ScheduleError(`step of range should be a positive number: ${text}`)
  const values: number[] = []
  for (let value = start; value <= end; value += step) values.push(value)
  return values
}

function parseValue(text: string, field: Field): number {
  const name = text.toLowerCase()
  if (field.names !== undefined && Object.hasOwn(field.names, name)) return field.names[name] ?? 0
  return parseNumber(text)
}

function parseNumber(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw new ScheduleError(`failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`)
  const value = Number(text)
  if (value < 0) throw new ScheduleError(`negative number (${value}) not allowed: ${text}`)
  return value
}

const lookAheadYears = 5

/** The first moment after `afterMs` that the schedule names, in a time zone (default UTC); undefined when there is none within five years. */
export function nextTime(schedule: Schedule, afterMs: number, timeZone = 'UTC'): number | undefined {
  if (schedule.everyMs !== undefined) return afterMs - (afterMs % 1000) + schedule.everyMs
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    weekday: 'short',
  })
  let at = afterMs - (afterMs % 60_000) + 60_000
  const limit = afterMs + lookAheadYears * 366 * 86_400_000
  while (at <= limit) {
    const parts = wallClock(format, at)
    // Hours are the largest safe step: days change length with the clock.
    if (schedule.sets[3]?.has(parts.month) !== true || !dayMatches(schedule, parts)) at += 60_000 * (60 - parts.minute)
    else if (schedule.sets[1]?.has(parts.hour) !== true) at += 60_000 * (60 - parts.minute)
    else if (schedule.sets[0]?.has(parts.minute) !== true) at += 60_000
    else return at
  }
  return undefined
}

interface WallClock {
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly weekday: number
}

function wallClock(format: Intl.DateTimeFormat, at: number): WallClock {
  const parts = new Map(format.formatToParts(at).map(part => [part.type, part.value]))
  return {
    month: Number(parts.get('month')),
    day: Number(parts.get('day')),
    hour: Number(parts.get('hour')),
    minute: Number(parts.get('minute')),
    weekday: dayNames[(parts.get('weekday') ?? '').toLowerCase()] ?? 0,
  }
}

/** Day of month and day of week: both when either is open, else any of the two. */
function dayMatches(schedule: Schedule, at: WallClock): boolean {
  const day = schedule.sets[2]?.has(at.day) === true
  const weekday = schedule.sets[4]?.has(at.weekday) === true
  return schedule.anyDay || schedule.anyWeekday ? day && weekday : day || weekday
}

/** Whether a name is a time zone that this program knows. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions()
    return true
  } catch {
    return false
  }
}
