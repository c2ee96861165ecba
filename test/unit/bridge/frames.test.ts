import { describe, expect, test } from 'vitest'
import { createFrameClient, decodeFrame, encodeFrame, streamWindow } from '../../../src-main/api/bridge-frames.ts'
import type { DownFrame, Frame, UpFrame } from '../../../src-main/api/bridge-frames.ts'

describe('frames on the wire', () => {
  test.each<[string, Frame]>([
    ['plain values as JSON', { t: 'answer', id: 1, value: { a: [1, 'x', null] } }],
    ['bytes as the value', { t: 'item', id: 2, value: Uint8Array.from([0, 255, 7]) }],
    ['bytes in the field data', { t: 'item', id: 3, value: { channel: 1, data: Uint8Array.from([104, 105]) } }],
    ['an object of the cluster that looks like our marker', { t: 'item', id: 4, value: { bytes: 'value', data: 'text' } }],
    ['empty bytes', { t: 'item', id: 5, value: new Uint8Array() }],
  ])('%s arrive as they were', (_name, frame) => {
    expect(decodeFrame(encodeFrame(frame))).toEqual(frame)
  })

  test('integers beyond 2^53 arrive as their digits', () => {
    expect(decodeFrame(encodeFrame({ t: 'answer', id: 1, value: { n: 9007199254740993n } }))).toEqual({ t: 'answer', id: 1, value: { n: '9007199254740993' } })
  })

  test.each([
    ['no JSON', 'x'],
    ['no frame', '{"a":1}'],
    ['no id', '{"t":"call"}'],
    ['a cut frame', Uint8Array.from([0, 0, 0, 9, 1])],
    ['nothing', new Uint8Array()],
  ])('%s is refused', (_name, data) => {
    expect(() => decodeFrame(data)).toThrow(expect.objectContaining({ code: 'invalid' }) as Error)
  })
})

describe('the window’s end', () => {
  function connected(): { sent: UpFrame[]; client: ReturnType<typeof createFrameClient> } {
    const sent: UpFrame[] = []
    return {
      sent,
      client: createFrameClient(frame => {
        sent.push(frame)
      }),
    }
  }

  test('a call is answered once and an error carries its hint', async () => {
    const { sent, client } = connected()
    const good = client.client.call('app.info', {})
    const bad = client.client.call('images.local', {})
    client.receive({ t: 'answer', id: 1, value: { version: '1' } })
    client.receive({ t: 'error', id: 2, error: { code: 'unavailable', message: 'no Docker', hint: 'start it' } })
    await expect(good).resolves.toEqual({ version: '1' })
    await expect(bad).rejects.toMatchObject({ code: 'unavailable', message: 'no Docker', hint: 'start it' })
    expect(sent.map(f => f.t)).toEqual(['call', 'call'])
  })

  test('leaving a stream cancels it', async () => {
    const { sent, client } = connected()
    const stream = client.client.stream('monitoring.snapshot', {})
    client.receive({ t: 'item', id: 1, value: { at: 1 } } as DownFrame)
    for await (const item of stream) {
      expect(item).toEqual({ at: 1 })
      break
    }
    expect(sent.at(-1)).toEqual({ t: 'cancel', id: 1 })
  })

  test('no more items go up than there is credit for', () => {
    const { sent, client } = connected()
    const stream = client.client.stream('images.push', { nodes: [], source: { type: 'upload', name: 'a', bytes: 1 } })
    for (let i = 0; i < streamWindow + 10; i++) stream.send(new Uint8Array([1]))
    stream.end()
    const before = sent.filter(f => f.t === 'item').length
    client.receive({ t: 'credit', id: 1, count: 16 })
    expect([before, sent.filter(f => f.t === 'item').length, sent.at(-1)]).toEqual([streamWindow, streamWindow + 10, { t: 'end', id: 1 }])
  })

  test('a lost carrier fails what was open', async () => {
    const { client } = connected()
    const call = client.client.call('app.info', {})
    client.fail(new Error('lost'))
    await expect(call).rejects.toThrow('lost')
  })
})
