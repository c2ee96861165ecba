import { describe, expect, test } from 'vitest'
import { BridgeError } from '../../../src-main/api/bridge.ts'
import type { BridgeHandlers, MonitoringSnapshot } from '../../../src-main/api/bridge.ts'
import { streamWindow } from '../../../src-main/api/bridge-frames.ts'
import type { DownFrame, Frame } from '../../../src-main/api/bridge-frames.ts'
import { createDispatcher } from '../../../src-main/bridge/dispatch.ts'
import { createBridgeHandlers } from '../../../src-main/bridge/bridge.ts'

const settle = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await new Promise(resolve => setImmediate(resolve))
}

function dispatcher(change: Partial<BridgeHandlers> = {}): { sent: DownFrame[]; reports: string[]; receive(frame: Frame): void; close(): void } {
  const sent: DownFrame[] = []
  const reports: string[] = []
  const handlers: BridgeHandlers = {
    ...createBridgeHandlers({
      info: () => Promise.reject(new BridgeError('failed', 'not here')),
      user: { name: 'u', groups: [] },
      upgrade: () => Promise.resolve(),
      handle: request =>
        Promise.resolve({
          status: 200,
          headers: { 'content-type': 'application/json', warning: ['299 - "old"'] },
          body: { kind: 'object', object: { url: request.url, user: request.user?.name } },
        }),
    }),
    ...change,
  }
  const made = createDispatcher(
    handlers,
    frame => {
      sent.push(frame)
    },
    (_error, method) => {
      reports.push(method)
    },
  )
  return {
    sent,
    reports,
    receive: frame => {
      made.receive(frame)
    },
    close: () => {
      made.close()
    },
  }
}

describe('a window that is not trusted', () => {
  test.each<[string, Frame, string]>([
    ['an unknown method', { t: 'call', id: 1, method: 'shell.run', value: {} }, 'not-found'],
    ['a method of Object', { t: 'call', id: 1, method: 'constructor', value: {} }, 'not-found'],
    ['a stream asked as a call', { t: 'call', id: 1, method: 'monitoring.snapshot', value: {} }, 'invalid'],
    ['a path outside the API', { t: 'call', id: 1, method: 'kubernetes.request', value: { method: 'GET', path: 'http://169.254.169.254/' } }, 'invalid'],
    [
      'headers that are not its own',
      { t: 'call', id: 1, method: 'kubernetes.request', value: { method: 'GET', path: '/api/v1/pods', headers: { 'impersonate-user': 'root' } } },
      'invalid',
    ],
    ['a watch as a request', { t: 'call', id: 1, method: 'kubernetes.request', value: { method: 'GET', path: '/api/v1/pods?watch=true' } }, 'invalid'],
    ['a part that is missing', { t: 'call', id: 1, method: 'images.local', value: {} }, 'unavailable'],
  ])('%s is refused', async (_name, frame, code) => {
    const { sent, receive } = dispatcher()
    receive(frame)
    await settle()
    expect(sent).toMatchObject([{ t: 'error', id: 1, error: { code } }])
  })

  test('an id that is in use is refused and the first call goes on', async () => {
    const { sent, receive } = dispatcher()
    receive({ t: 'call', id: 1, method: 'kubernetes.request', value: { method: 'GET', path: '/version' } })
    receive({ t: 'call', id: 1, method: 'kubernetes.request', value: { method: 'GET', path: '/version' } })
    await settle()
    expect(sent.map(f => f.t).toSorted()).toEqual(['answer', 'error'])
  })

  test('a flood of input ends the stream', async () => {
    const { sent, receive } = dispatcher({
      'images.push': async function* (_input, _up, signal) {
        await new Promise(resolve => {
          signal.addEventListener('abort', resolve)
        })
        yield* []
      },
    })
    receive({ t: 'open', id: 1, method: 'images.push', value: { nodes: [], source: { type: 'upload', name: 'a', bytes: 1 } } })
    for (let i = 0; i < 200; i++) receive({ t: 'item', id: 1, value: new Uint8Array([1]) })
    await settle()
    expect(sent.find(f => f.t === 'error')).toMatchObject({ error: { code: 'too-large' } })
  })
})

describe('calls and streams', () => {
  test('a request runs as the window’s user and brings its warnings', async () => {
    const { sent, receive } = dispatcher()
    receive({ t: 'call', id: 7, method: 'kubernetes.request', value: { method: 'GET', path: '/api/v1/pods?limit=5' } })
    await settle()
    expect(sent).toEqual([{ t: 'answer', id: 7, value: { status: 200, contentType: 'application/json', body: { url: '/api/v1/pods?limit=5', user: 'u' }, warnings: ['old'] } }])
  })

  test('a stream stops at its window until the other side acknowledges', async () => {
    const { sent, receive } = dispatcher({
      'monitoring.snapshot': async function* () {
        for (let i = 0; i < 500; i++) yield { at: i } as MonitoringSnapshot
      },
    })
    receive({ t: 'open', id: 1, method: 'monitoring.snapshot', value: {} })
    await settle()
    const before = sent.length
    receive({ t: 'ack', id: 1, count: 16 })
    await settle()
    expect([before, sent.length]).toEqual([streamWindow, streamWindow + 16])
  })

  test('cancelling and closing abort what is open', async () => {
    const aborted: number[] = []
    const { receive, close } = dispatcher({
      'machines.output': async function* (_input, _up, signal) {
        signal.addEventListener('abort', () => {
          aborted.push(1)
        })
        await new Promise(resolve => {
          signal.addEventListener('abort', resolve)
        })
        yield* []
      },
    })
    receive({ t: 'open', id: 1, method: 'machines.output', value: {} })
    receive({ t: 'open', id: 2, method: 'machines.output', value: {} })
    await settle()
    receive({ t: 'cancel', id: 1 })
    close()
    await settle()
    expect(aborted).toEqual([1, 1])
  })

  test('a fault inside is reported and told as failed', async () => {
    const { sent, reports, receive } = dispatcher({ 'images.local': () => Promise.reject(new Error('boom')) })
    receive({ t: 'call', id: 1, method: 'images.local', value: {} })
    await settle()
    expect([sent, reports]).toEqual([[{ t: 'error', id: 1, error: { code: 'failed', message: 'boom' } }], ['images.local']])
  })
})
