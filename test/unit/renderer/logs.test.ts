import { describe, expect, test } from 'vitest'
import { LogBuffer, StreamCursor, reorderWindowMs, splitTime } from '../../../src-renderer/features/logs/log-buffer.ts'
import { FilteredLog, logFilter, noFilter } from '../../../src-renderer/features/logs/log-filter.ts'
import { LogEngine } from '../../../src-renderer/features/logs/log-engine.ts'
import { levelOf, logLevels } from '../../../src-renderer/features/logs/log-levels.ts'
import { fieldNames, jsonFields, startingFields } from '../../../src-renderer/features/logs/json-fields.ts'
import { crc32, zipOf } from '../../../src-renderer/features/logs/zip.ts'
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
    expect([buffer.end, new FilteredLog(buffer, logFilter({ ...noFilter, include: '/error \\d+0{3}$/' })).length]).toEqual([100_000, 99])
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
    const view = new FilteredLog(log(), logFilter({ ...noFilter, include, exclude, hiddenSources: hidden }))
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
    const filter = logFilter({ ...noFilter, include: '/(/' })
    expect([filter.error === '', filter.active]).toEqual([false, false])
  })
  test('a catastrophic pattern runs in linear time', () => {
    expect(logFilter({ ...noFilter, include: '/(a+)+$/' }).matches({ seq: 0, time: '', source: 0, marker: false, level: 4, text: `${'a'.repeat(5000)}!` })).toBe(false)
  })
})

describe('the engine of a log tab', () => {
  const never = (): boolean => false
  const withLines = (count: number, text = (i: number): string => (i % 10 === 5 ? `ERROR ${i}` : `INFO ${i}`)): LogEngine => {
    const engine = new LogEngine(new LogBuffer(1000))
    for (let i = 0; i < count; i++) engine.text(0, `2026-01-01T00:00:00.${String(i).padStart(6, '0')}Z ${text(i)}\n`, 0)
    return engine
  }
  const rowsOf = (engine: LogEngine): string[] => engine.tick(10_000, never)?.rows.map(row => `${row.around ? '~' : ''}${row.text}`) ?? []

  test('puts pieces together that are cut anywhere, and gives the last line when the stream ends', () => {
    const engine = new LogEngine()
    engine.text(0, '2026-01-01T00:00:01Z on', 0)
    engine.text(0, 'e\n2026-01-01T00:00:02Z tw', 0)
    const time = engine.ended(0, 0)
    expect([rowsOf(engine), time]).toEqual([['one', 'tw'], '2026-01-01T00:00:02Z'])
  })
  test('shows lines around those that match, each once', () => {
    const engine = withLines(30)
    engine.filter({ ...noFilter, include: 'ERROR', context: 1 })
    expect(rowsOf(engine)).toEqual(['~INFO 4', 'ERROR 5', '~INFO 6', '~INFO 14', 'ERROR 15', '~INFO 16', '~INFO 24', 'ERROR 25', '~INFO 26'])
  })
  test('counts lines by level and hides levels', () => {
    const engine = withLines(30)
    engine.filter({ ...noFilter, hiddenLevels: [logLevels.indexOf('info')] })
    const state = engine.tick(10_000, never)
    expect([state?.levels, state?.rows.map(r => r.text)]).toEqual([
      [3, 0, 27, 0, 0],
      ['ERROR 5', 'ERROR 15', 'ERROR 25'],
    ])
  })
  test('counts what it drops, and no longer counts it elsewhere', () => {
    const state = withLines(1500).tick(10_000, never)
    expect([state?.kept, state?.dropped, state?.levels.reduce((a, b) => a + b)]).toEqual([1000, 500, 1000])
  })
  test('drops by characters too', () => {
    const buffer = new LogBuffer(1000, 1000)
    for (let i = 0; i < 50; i++) buffer.push({ time: '', source: 0, text: 'x'.repeat(100) }, 0)
    buffer.flush(0, true)
    expect([buffer.end - buffer.first, buffer.dropped]).toEqual([10, 40])
  })
  test('filters in pieces when its time is up, and comes to the same end', () => {
    const engine = withLines(1000)
    engine.filter({ ...noFilter, include: 'ERROR' })
    const steps = [engine.tick(10_000, () => true)?.progress]
    for (let state = engine.tick(10_000, () => true); state; state = engine.tick(10_000, () => true)) steps.push(state.progress)
    engine.view({ from: 0, count: 1000, fields: false })
    expect([steps.length > 3, (steps[0] ?? 1) < 1, steps.at(-1), rowsOf(engine).length]).toEqual([true, true, 1, 100])
  })
  test('stands still while paused, counts what comes, and shows it afterwards', () => {
    const engine = withLines(3)
    rowsOf(engine)
    engine.pause(true)
    engine.text(0, '2026-01-01T00:01:00Z later\n', 10_000)
    const paused = engine.tick(20_000, never)
    engine.pause(false)
    expect([paused?.missed, paused?.count, rowsOf(engine).at(-1)]).toEqual([1, 3, 'later'])
  })
  test('shows nothing that comes after it was emptied while paused, until it goes on', () => {
    const engine = withLines(3)
    rowsOf(engine)
    engine.pause(true)
    engine.text(0, '2026-01-01T00:01:00Z gone\n', 10_000)
    engine.tick(20_000, never)
    engine.clear()
    engine.text(0, '2026-01-01T00:02:00Z later\n', 20_000)
    const paused = engine.tick(30_000, never)
    engine.pause(false)
    expect([paused?.missed, paused?.count, rowsOf(engine)]).toEqual([1, 0, ['later']])
  })
  test('takes a filter while paused, for the lines that were there', () => {
    const engine = withLines(30)
    rowsOf(engine)
    engine.pause(true)
    engine.text(0, '2026-01-01T00:01:00Z ERROR later\n', 10_000)
    engine.filter({ ...noFilter, include: 'ERROR' })
    const paused = engine.tick(20_000, never)
    expect([paused?.rows.map(r => r.text), paused?.progress, paused?.missed]).toEqual([['ERROR 5', 'ERROR 15', 'ERROR 25'], 1, 1])
  })
  test('finds the row of a line when the filter goes', () => {
    const engine = withLines(30)
    engine.filter({ ...noFilter, include: 'ERROR 15' })
    const seq = engine.tick(10_000, never)?.rows[0]?.seq ?? -1
    engine.filter(noFilter)
    expect(engine.indexOf(seq)).toBe(15)
  })
  test('gives all lines, the shown ones, or those of one source to be saved', () => {
    const engine = withLines(12)
    engine.text(1, '2026-01-01T00:00:30Z other\n', 0)
    engine.filter({ ...noFilter, include: 'ERROR' })
    engine.tick(10_000, never)
    const shown = [...engine.save(false, ['a/b', 'c/d'])].join('')
    expect([shown, [...engine.save(true, [])].join('').split('\n').length, [...engine.saveSource(1)].join('')]).toEqual([
      '2026-01-01T00:00:00.000005Z a/b ERROR 5\n',
      14,
      '2026-01-01T00:00:30Z other\n',
    ])
  })
  test('gives JSON lines as fields', () => {
    const engine = withLines(2, i => JSON.stringify({ level: 'warn', msg: `m${i}`, http: { status: 200 } }))
    engine.view({ from: 0, count: 10, fields: true })
    const state = engine.tick(10_000, never)
    expect([state?.json, state?.fields, { ...state?.rows[1]?.fields }]).toEqual([2, ['level', 'msg', 'http.status'], { level: 'warn', msg: 'm1', 'http.status': '200' }])
  })
})

test.each<[string, string]>([
  ['2026/01/01 ERROR something', 'error'],
  ['E0101 12:00:00.000000 1 main.go:1] boom', 'error'],
  ['W0101 12:00:00.000000 1 main.go:1] hm', 'warn'],
  ['{"time":"x","level":"debug","msg":"no ERROR here"}', 'debug'],
  ['{"level":50,"msg":"pino"}', 'error'],
  ['time=x level=warning msg="y"', 'warn'],
  ['[notice] nginx', 'info'],
  ['\u001b[31mERROR\u001b[0m red', 'error'],
  ['there was no error in it', 'other'],
  ['INFOrmation', 'other'],
  ['panic: runtime error', 'error'],
])('the level of %j is %s', (line, level) => {
  expect(logLevels[levelOf(line)]).toBe(level)
})

test('fields of JSON lines are ordered by what they tell; what is no object has none', () => {
  const names = fieldNames([
    { zeta: '1', msg: 'a', alpha: '2' },
    { level: 'info', msg: 'b', alpha: '3', ts: '9' },
  ])
  expect([names, startingFields(names), jsonFields('{"a":'), jsonFields('[1]')]).toEqual([
    ['ts', 'level', 'msg', 'alpha', 'zeta'],
    ['level', 'msg', 'alpha', 'zeta'],
    undefined,
    undefined,
  ])
})
test('a field named like what every object has is a field', () => {
  expect(Object.entries(jsonFields('{"__proto__":"x","constructor":1}') ?? {})).toEqual([
    ['__proto__', 'x'],
    ['constructor', '1'],
  ])
})

test('a zip archive holds its files, deflated, with their check sums', async () => {
  const archive = new Uint8Array(await (await zipOf([{ name: 'a/b.log', content: new Blob(['hello '.repeat(100)]) }], new Date(2026, 0, 1))).arrayBuffer())
  const view = new DataView(archive.buffer)
  const at = 30 + view.getUint16(26, true)
  const packed = new Blob([archive.subarray(at, at + view.getUint32(18, true))])
  const content = await new Response(packed.stream().pipeThrough(new DecompressionStream('deflate-raw'))).text()
  expect([new TextDecoder().decode(archive.subarray(30, at)), content === 'hello '.repeat(100), view.getUint32(14, true), view.getUint32(archive.length - 22, true)]).toEqual([
    'a/b.log',
    true,
    crc32(new TextEncoder().encode(content)),
    0x06054b50,
  ])
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
