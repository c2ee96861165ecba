/** Cron schedules, by table. */
import { describe, expect, it } from 'vitest'
import { countIndexes } from '../../../src-main/api/batch/v1/job-policy.ts'
import { nextTime, parseSchedule } from '../../../src-main/api/batch/v1/schedule.ts'

const at = (text: string): number => Date.parse(text)

describe('the next time', () => {
  it.each([
    ['*/5 * * * *', 'UTC', '2026-01-01T00:02:30Z', '2026-01-01T00:05:00Z'],
    ['0 0 * * *', 'UTC', '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'],
    ['@hourly', 'UTC', '2026-01-01T00:59:59Z', '2026-01-01T01:00:00Z'],
    ['0 0 29 2 *', 'UTC', '2026-01-01T00:00:00Z', '2028-02-29T00:00:00Z'],
    ['0 9 * * mon-fri', 'UTC', '2026-01-02T10:00:00Z', '2026-01-05T09:00:00Z'],
    ['30 8 * * *', 'Europe/Paris', '2026-07-01T00:00:00Z', '2026-07-01T06:30:00Z'],
    ['0 0 13 * 5', 'UTC', '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'],
    ['@every 90s', 'UTC', '2026-01-01T00:00:00Z', '2026-01-01T00:01:30Z'],
  ])('of %s in %s after %s', (schedule, zone, after, expected) => {
    expect(new Date(nextTime(parseSchedule(schedule), at(after), zone) ?? 0).toISOString().replace('.000Z', 'Z')).toBe(expected)
  })
  it('is none for a day that never comes', () => {
    expect(nextTime(parseSchedule('0 0 30 2 *'), at('2026-01-01T00:00:00Z'))).toBeUndefined()
  })
})

it.each([
  ['* * * *', 'expected exactly 5 fields, found 4: [* * * *]'],
  ['60 * * * *', 'end of range (60) above maximum (59): 60'],
  ['5-1 * * * *', 'beginning of range (5) beyond end of range (1): 5-1'],
  ['*/0 * * * *', 'step of range should be a positive number: */0'],
  ['x * * * *', 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'],
])('refuses %s', (text, message) => {
  expect(() => parseSchedule(text)).toThrow(message)
})

it.each([
  ['0,2-4', 4],
  ['', 0],
  ['3-1', 'non-increasing order, previous: 3, current: 1'],
  ['x', 'cannot convert string to integer for index: "x"'],
  ['9', 'too large index: "9"'],
])('counts indexes of %s', (text, expected) => {
  expect(countIndexes(text, 5)).toBe(expected)
})
