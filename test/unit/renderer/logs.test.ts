import { describe, expect, test } from 'vitest'
import { LogBuffer, StreamCursor, reorderWindowMs, splitTime } from '../../../src-renderer/features/logs/log-buffer.ts'
import { FilteredLog, logFilter } from '../../../src-renderer/features/logs/log-filter.ts'
import { visible } from '../../../src-renderer/kinds/visible.ts'

const texts = (buffer: LogBuffer): string[] => Array.from({ length: buffer.end - buffer.first }, (_, i) => buffer.at(buffer.first + i)?.text ?? '')

describe('lines of several streams', () => {
  test('come in time order through the reorder window', () => {
    const buffer = new LogBuffer(10)
    buffer.push({ time: '2026-01-01T00:00:02Z', source: 0, text: 'second' }, 0)
    buffer.push({ time: '2026-01-01T00:00:01Z', source: 1, text: 'first' }, 100)
    buffer.flush(reorderWindowMs)
    expect(texts(buffer)).toEqual(['first', 'second'])
  })
  test('wait until the window has passed', () => {
    const buffer = new LogBuffer(10)
    buffer.push({ time: '2026-01-01T00:00:02Z', source: 0, text: 'a' }, 0)
    expect([buffer.flush(reorderWindowMs - 1), buffer.held, buffer.flush(reorderWindowMs), buffer.held]).toEqual([false, 1, true, 0])
  })
  test('push out the oldest when the ring is full, and are counted', () => {
    const buffer = new LogBuffer(3)
    for (let i = 0; i < 5; i++) buffer.push({ time: `2026-01-01T00:00:0${i}Z`, source: 0, text: String(i) }, 0)
    buffer.flush(0, true)
    expect([texts(buffer), buffer.dropped, buffer.at(0)]).toEqual([['2', '3', '4'], 2, undefined])
  })
  test('are cut when they are too long, with the count of what is missing', () => {
    const buffer = new LogBuffer(2)
    buffer.push({ time: '', source: 0, text: 'x'.repeat(20_000) }, 0)
    buffer.flush(0, true)
    expect(buffer.at(0)?.text.endsWith('(3616 more characters)')).toBe(true)
  })
  test('a hundred thousand lines are kept and filtered', () => {
    const buffer = new LogBuffer(200_000)
    for (let i = 0; i < 100_000; i++) buffer.push({ time: '', source: 0, text: i % 100 === 0 ? `error ${i}` : `fine ${i}` }, 0)
    buffer.flush(0, true)
    expect([buffer.end, new FilteredLog(buffer, logFilter('/error \\d+0{3}$/', '', new Set())).length]).toEqual([100_000, 99])
  })
})

describe('a stream that is read again', () => {
  test('shows no line twice and loses none of the same moment', () => {
    const cursor = new StreamCursor()
    const first = [
      ['t1', 'a'],
      ['t2', 'b'],
      ['t2', 'b'],
    ].map(([t, x]) => cursor.accept(t ?? '', x ?? ''))
    cursor.resume()
    const again = [
      ['t1', 'a'],
      ['t2', 'b'],
      ['t2', 'b'],
      ['t2', 'c'],
      ['t3', 'd'],
    ].map(([t, x]) => cursor.accept(t ?? '', x ?? ''))
    expect([first, again]).toEqual([
      [true, true, true],
      [false, false, false, true, true],
    ])
  })
})

describe('filters', () => {
  const log = (): LogBuffer => {
    const buffer = new LogBuffer(100)
    for (const [i, text] of ['GET /a 200', 'GET /b 500', 'POST /a 500', 'health'].entries()) buffer.push({ time: '', source: i % 2, text }, 0)
    buffer.flush(0, true)
    return buffer
  }
  const shown = (include: string, exclude: string, hidden: number[] = []): string[] => {
    const view = new FilteredLog(log(), logFilter(include, exclude, new Set(hidden)))
    return Array.from({ length: view.length }, (_, i) => view.line(i)?.text ?? '')
  }
  test.each<[string, string, string[]]>([
    ['get', '', ['GET /a 200', 'GET /b 500']],
    ['500', 'POST', ['GET /b 500']],
    ['/^(GET|POST) .* 5\\d\\d$/', '', ['GET /b 500', 'POST /a 500']],
    ['', 'health', ['GET /a 200', 'GET /b 500', 'POST /a 500']],
  ])('%j without %j', (include, exclude, wanted) => {
    expect(shown(include, exclude)).toEqual(wanted)
  })
  test('a hidden source is not shown', () => {
    expect(shown('', '', [1])).toEqual(['GET /a 200', 'POST /a 500'])
  })
  test('a wrong pattern is told and hides nothing', () => {
    const filter = logFilter('/(/', '', new Set())
    expect([filter.error === '', filter.active]).toEqual([false, false])
  })
  test('a catastrophic pattern runs in linear time', () => {
    expect(logFilter('/(a+)+$/', '', new Set()).matches({ seq: 0, time: '', source: 0, marker: false, text: `${'a'.repeat(5000)}!` })).toBe(false)
  })
})

test('times are split from the line', () => {
  expect([splitTime('2026-01-01T00:00:00.123456789Z hello'), splitTime('plain')]).toEqual([
    { time: '2026-01-01T00:00:00.123456789Z', text: 'hello' },
    { time: '', text: 'plain' },
  ])
})
test('escapes and direction marks of hostile lines are made visible', () => {
  expect(visible('a\u001b]0;title\u0007b\u001b[2Jc\u202ed\u0007\u001b[31mred')).toBe('abc·d␇\u001b[31mred')
})
