/** A followed log that Docker tells twice after a rotation. */
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { virtualEnv } from '../../../src-main/base/virtual-env.ts'
import { ReplayFilter } from '../../../src-main/node-agent/container-runtime/log-replays.ts'
import { followedLog, FrameSplitter } from '../../../src-main/node-agent/container-runtime/output-frames.ts'

const at = (number: number): string => `2026-11-23T04:27:00.${String(number).padStart(9, '0')}Z`
function entry(number: number, text: string, stream: 1 | 2 = 1): Buffer {
  const body = Buffer.from(`${at(number)} ${text}`)
  const header = Buffer.alloc(8)
  header[0] = stream
  header.writeUInt32BE(body.length, 4)
  return Buffer.concat([header, body])
}

/** What a reader gets, with the bytes cut into pieces of `cut`. */
function read(entries: readonly Buffer[], options: { cut?: number; times?: boolean } = {}): string {
  const filter = new ReplayFilter(virtualEnv().clock, options.times ?? false)
  const splitter = new FrameSplitter()
  const all = Buffer.concat(entries)
  let out = ''
  for (let from = 0; from < all.length; from += options.cut ?? all.length)
    for (const piece of splitter.push(all.subarray(from, from + (options.cut ?? all.length)))) out += filter.push(piece)?.bytes.toString() ?? ''
  return out
}

describe('a followed log', () => {
  const told = [entry(1, 'one\n'), entry(2, 'two\n'), entry(3, 'three\n')]

  it('is told once, however it is cut', () => {
    for (const cut of [1, 2, 7, 31, 64, 1000]) expect(read([...told, ...told.slice(1), entry(4, 'four\n')], { cut })).toBe('one\ntwo\nthree\nfour\n')
    expect(read([...told, told[2] ?? Buffer.alloc(0)])).toBe('one\ntwo\nthree\n')
  })

  it('keeps the parts of a long line, which have one time, and drops them when they come again', () => {
    const long = [entry(5, 'begin '), entry(5, 'middle '), entry(5, 'end\n')]
    expect(read([...told, ...long, ...told, ...long, entry(6, 'after\n')], { cut: 10 })).toBe('one\ntwo\nthree\nbegin middle end\nafter\n')
  })

  it('keeps what two streams wrote at nearly the same time', () => {
    expect(read([entry(5, 'out\n'), entry(4, 'err\n', 2), entry(6, 'out\n')])).toBe('out\nerr\nout\n')
  })

  it('keeps times for those who ask for them', () => {
    expect(read([...told, ...told], { times: true, cut: 13 })).toBe(`${at(1)} one\n${at(2)} two\n${at(3)} three\n`)
  })

  it('goes on with what was written behind the end of its stream', async () => {
    const filter = new ReplayFilter(virtualEnv().clock, false)
    const asked: (string | undefined)[] = []
    let out = ''
    const rest = (): Promise<Readable> => {
      asked.push(filter.newest())
      return Promise.resolve(Readable.from([entry(2, 'two\n'), entry(3, 'three\n')]))
    }
    for await (const chunk of followedLog(Readable.from([entry(1, 'one\n'), entry(2, 'two\n')]), filter, rest)) out += chunk.bytes.toString()
    expect([out, asked]).toEqual(['one\ntwo\nthree\n', [`${Date.parse('2026-11-23T04:27:00Z') / 1000}.000000002`]])
  })

  it('goes on when the clock was set back', () => {
    const env = virtualEnv()
    const filter = new ReplayFilter(env.clock, false)
    const splitter = new FrameSplitter()
    const push = (bytes: Buffer): string =>
      splitter
        .push(bytes)
        .map(piece => filter.push(piece)?.bytes.toString() ?? '')
        .join('')
    expect(push(entry(500, 'before\n'))).toBe('before\n')
    env.jump(-60_000)
    expect(push(entry(100, 'after\n'))).toBe('after\n')
    expect(push(entry(90, 'again\n'))).toBe('')
  })
})
