/** T8 and T9: other pages, names and users at the window's loopback address, and a window that is itself hostile. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { bridge } from '../../../src-main/api/bridge.ts'
import { nodeEnv } from '../../../src-main/base/node/node-env.ts'
import { createBridgeHandlers } from '../../../src-main/bridge/bridge.ts'
import { serveWeb, type Web } from '../../../src-main/server/web.ts'
import { expectUnharmed } from '../../support/api-peer.ts'
import { startControlPlane, type RunningControlPlane } from '../../support/running-control-plane.ts'

let running: RunningControlPlane
let web: Web
let files: string
beforeAll(async () => {
  running = await startControlPlane({ runControllers: false })
  files = await mkdtemp(join(tmpdir(), 'quarterdeck-window-'))
  await writeFile(join(files, 'index.html'), '<!doctype html>')
  const { controlPlane } = running
  const handlers = createBridgeHandlers({ info: () => Promise.reject(new Error('none')), user: controlPlane.admin, upgrade: controlPlane.upgrade, handle: controlPlane.handle })
  web = await serveWeb({ env: nodeEnv({ level: 'error' }), handlers, files })
})
afterAll(async () => {
  await web.stop()
  await expectUnharmed(running)
  await running.stop()
  await rm(files, { recursive: true })
})

const own = (): string => `127.0.0.1:${web.port}`
const version = { t: 'call', id: 1, method: 'kubernetes.request', value: { method: 'GET', path: '/version' } }

/** 'open', or why not. */
function tryOpen(options: { protocols?: string[]; origin?: string | undefined; headers?: Record<string, string>; path?: string }): Promise<string> {
  const socket = new WebSocket(`ws://${own()}${options.path ?? '/bridge'}`, options.protocols ?? ['quarterdeck.v1', `token.${web.token}`], {
    headers: { ...options.headers },
    ...('origin' in options ? (options.origin === undefined ? {} : { origin: options.origin }) : { origin: `http://${own()}` }),
  })
  return new Promise(resolve => {
    socket.on('open', () => {
      socket.close()
      resolve('open')
    })
    socket.on('error', fault => {
      resolve(fault.message)
    })
  })
}

describe('the page of another place', () => {
  test('the window itself may connect', async () => {
    expect(await tryOpen({})).toBe('open')
  })
  test.each<[string, () => Parameters<typeof tryOpen>[0]]>([
    ['a name rebound to loopback', () => ({ headers: { host: `127.evil.example:${web.port}` }, origin: `http://127.evil.example:${web.port}` })],
    ['a rebound name with our origin', () => ({ headers: { host: `evil.example:${web.port}` } })],
    ['a host without the port', () => ({ headers: { host: '127.0.0.1' } })],
    ['a host with userinfo', () => ({ headers: { host: `127.0.0.1:${web.port}@evil.example` } })],
    ['a host with a dot', () => ({ headers: { host: `127.0.0.1.:${web.port}` } })],
    ['another loopback address', () => ({ headers: { host: `127.0.0.2:${web.port}` } })],
    ['a foreign origin', () => ({ origin: 'https://evil.example' })],
    ['another port of this computer', () => ({ origin: 'http://127.0.0.1:1' })],
    ['our address by TLS', () => ({ origin: `https://${own()}` })],
    ['an opaque origin', () => ({ origin: 'null' })],
    ['no origin', () => ({ origin: undefined })],
    ['an origin that begins like ours', () => ({ origin: `http://${own()}.evil.example` })],
    ['a file', () => ({ origin: 'file://' })],
    ['no token', () => ({ protocols: ['quarterdeck.v1'] })],
    ['no protocol', () => ({ protocols: [] })],
    ['an empty token', () => ({ protocols: ['quarterdeck.v1', 'token.'] })],
    ['half a token', () => ({ protocols: ['quarterdeck.v1', `token.${web.token.slice(0, 20)}`] })],
    ['a token and a letter', () => ({ protocols: ['quarterdeck.v1', `token.${web.token}x`] })],
    ['the token in the address', () => ({ protocols: ['quarterdeck.v1'], path: `/bridge?token=${web.token}` })],
    ['another path', () => ({ path: '/bridge/' })],
  ])('%s is refused', async (_what, options) => {
    expect(await tryOpen(options())).toContain('403')
  })
  test('files: only by our own name, only read, never what is outside', async () => {
    const status = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<number> =>
      new Promise((resolve, reject) => {
        httpRequest({ host: '127.0.0.1', port: web.port, path, method, headers }, response => {
          response.resume()
          resolve(response.statusCode ?? 0)
        })
          .on('error', reject)
          .end()
      })
    expect(await status('/')).toBe(200)
    for (const host of [`evil.example:${web.port}`, 'evil.example', '127.0.0.1', `127.0.0.1:${web.port}, evil.example`])
      expect([host, await status('/', { host })]).toEqual([host, 403])
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) expect(await status('/', {}, method)).toBe(405)
    for (const path of [
      '/../../../../etc/passwd',
      '/%2e%2e/%2e%2e/etc/passwd',
      '/..%2f..%2fetc/passwd',
      '/%252e%252e/etc/passwd',
      '//etc/passwd',
      '/a%00',
      '/%',
      '/..%5c',
      '/.',
      '/index.html/..%2f..%2f..%2fetc%2fpasswd',
      '/api/v1/secrets',
      '/bridge',
    ])
      expect([path, await status(path)]).toEqual([path, 404])
  })
  test('bytes that are no HTTP end their connection only', async () => {
    for (const text of [
      '\0\0\0\0',
      'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
      `GET /bridge HTTP/1.1\r\nHost: ${own()}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
      'GET / HTTP/9.9\r\n\r\n',
      `GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n`,
    ]) {
      const answer = await new Promise<string>(resolve => {
        let all = ''
        const socket = connect(web.port, '127.0.0.1', () => {
          socket.write(text)
        })
        socket.on('data', (chunk: Buffer) => {
          all += chunk.toString()
        })
        socket.on('close', () => {
          resolve(all)
        })
        socket.on('error', () => {})
        setTimeout(() => {
          socket.destroy()
        }, 500)
      })
      expect(answer).not.toMatch(/^HTTP\/1\.1 (101|200)/)
    }
  })
})

/** A window's connection that says anything and collects what comes back. */
async function hostile(): Promise<{ send(data: string | Uint8Array): void; answers: Record<string, unknown>[]; closed: Promise<number>; socket: WebSocket }> {
  const socket = new WebSocket(`ws://${own()}/bridge`, ['quarterdeck.v1', `token.${web.token}`], { origin: `http://${own()}` })
  const answers: Record<string, unknown>[] = []
  socket.on('message', (data: Buffer, binary: boolean) => {
    if (!binary) answers.push(JSON.parse(data.toString()) as Record<string, unknown>)
  })
  socket.on('error', () => {})
  const closed = new Promise<number>(resolve => {
    socket.on('close', code => {
      resolve(code)
    })
  })
  await new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  return {
    send: data => {
      socket.send(data)
    },
    answers,
    closed,
    socket,
  }
}

/** The answer of a good call: the main process is well, for this window. */
async function answered(window: Awaited<ReturnType<typeof hostile>>, id: number): Promise<Record<string, unknown>> {
  window.send(JSON.stringify({ ...version, id }))
  for (let i = 0; i < 200; i++) {
    const found = window.answers.find(one => one['id'] === id)
    if (found) return found
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  throw new Error('no answer')
}

const values: unknown[] = [
  undefined,
  null,
  0,
  -1,
  Infinity,
  '',
  'x',
  [],
  {},
  true,
  { __proto__: null, a: 1 },
  JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'),
  { path: 1 },
  { path: '/../../etc' },
  { method: 'TRACE', path: '/api' },
  { method: 'GET', path: 'http://evil.example/api' },
  { method: 'GET', path: '//evil.example/api' },
  { method: 'GET', path: '/api', headers: { 'impersonate-user': 'x' } },
  { method: 'GET', path: '/api', headers: { __proto__: 'x', host: 'y' } },
  { hosts: Array.from({ length: 501 }, () => ({})) },
  { host: { user: '$(id)', address: '-oProxyCommand=id', port: 22 } },
  { host: { user: 'root', address: 'a;id', port: 22 } },
  { nodes: ['x'], source: { type: '__proto__' } },
  { minutes: -1, node: 'n' },
  { hosts: 1e9 },
  'x'.repeat(100_000),
  { path: `/api/${'a'.repeat(9_000)}` },
]

describe('a hostile window', () => {
  test('calls of every method with every wrong value are refused, each with an error', async () => {
    const window = await hostile()
    let id = 10
    for (const method of Object.keys(bridge)) {
      if (method === 'app.info' || method === 'practice.down' || method === 'images.local' || method === 'monitoring.snapshot') continue
      const type = bridge[method as keyof typeof bridge].type === 'call' ? 'call' : 'open'
      for (const value of values) window.send(JSON.stringify({ t: type, id: id++, method, value }))
    }
    expect(await answered(window, 5)).toMatchObject({ t: 'answer' })
    await new Promise(resolve => setTimeout(resolve, 300))
    const kinds = new Map<unknown, string[]>()
    for (const answer of window.answers) kinds.set(answer['id'], [...(kinds.get(answer['id']) ?? []), String(answer['t'])])
    expect(kinds.size).toBe(id - 10 + 1)
    const internal = window.answers.filter(one => (one['error'] as { code?: string } | undefined)?.code === 'failed')
    expect(internal).toEqual([])
    window.socket.terminate()
  })
  test('methods and kinds that are none, and words of JavaScript, do nothing', async () => {
    const window = await hostile()
    for (const [index, method] of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'x'.repeat(100_000), '', 'kubernetes.request\0', 'KUBERNETES.REQUEST'].entries())
      window.send(JSON.stringify({ t: 'call', id: 100 + index, method, value: {} }))
    for (const t of ['cancel', 'ack', 'end', 'item', 'answer', 'credit', 'error'])
      for (const id of [0, -1, 1e9, 99]) window.send(JSON.stringify({ t, id, count: -1e308, value: { a: 1 } }))
    expect(await answered(window, 6)).toMatchObject({ t: 'answer', value: { status: 200 } })
    const errors = window.answers.filter(one => Number(one['id']) >= 100)
    expect(errors.map(one => (one['error'] as { code: string }).code)).toEqual(Array(8).fill('not-found'))
    expect(JSON.stringify(errors).length).toBeLessThan(5_000)
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
    window.socket.terminate()
  })
  test.each<[string, string | Uint8Array]>([
    ['no JSON', '{'],
    ['a number', '1'],
    ['null', 'null'],
    ['a list', '[]'],
    ['no kind', '{}'],
    ['an id that is none', '{"t":"call","id":"x","method":"app.info"}'],
    ['a fractional id', '{"t":"call","id":1.5,"method":"app.info"}'],
    ['deep nesting', '['.repeat(200_000)],
    ['no bytes', new Uint8Array()],
    ['a length that lies', new Uint8Array([255, 255, 255, 255, 1])],
    ['a short header', new Uint8Array([0, 0])],
    ['a kind that is a prototype', '{"t":"__proto__","id":1}'],
    ['a method that is none', '{"t":"call","id":1,"method":{}}'],
  ])('a frame with %s ends at most this connection', async (_what, data) => {
    const window = await hostile()
    window.send(data)
    await Promise.race([window.closed, new Promise(resolve => setTimeout(resolve, 150))])
    window.socket.terminate()
    const other = await hostile()
    expect(await answered(other, 1)).toMatchObject({ t: 'answer' })
    other.socket.terminate()
  })
  test('thousands of seeded frames', async () => {
    let seed = 20261123
    const random = (n: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
      return (seed >>> 8) % n
    }
    const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T
    const methods = [...Object.keys(bridge).filter(name => name.startsWith('kubernetes.')), '__proto__', 'x']
    let window = await hostile()
    for (let i = 0; i < 3_000; i++) {
      if (window.socket.readyState !== window.socket.OPEN) window = await hostile()
      const frame: Record<string, unknown> = {
        t: pick(['call', 'open', 'item', 'end', 'cancel', 'ack', 'x']),
        id: pick([1, 2, 3, i + 10, -1, 0]),
        method: pick(methods),
        value: pick([...values, { method: 'GET', path: '/api/v1/namespaces/default' }, { path: '/api/v1/pods?watch=true' }]),
        count: pick([1, -1, 1e308, null]),
      }
      if (random(10) === 0) delete frame[pick(Object.keys(frame))]
      window.send(JSON.stringify(frame))
      if (i % 500 === 0) await new Promise(resolve => setTimeout(resolve, 10))
    }
    window.socket.terminate()
    const last = await hostile()
    expect(await answered(last, 7)).toMatchObject({ t: 'answer', value: { status: 200 } })
    last.socket.terminate()
  })
  test('more than 1,024 open streams and more than 32 windows are refused', async () => {
    const window = await hostile()
    for (let id = 1; id <= 1_100; id++) window.send(JSON.stringify({ t: 'open', id, method: 'kubernetes.stream', value: { path: '/api/v1/pods?watch=true' } }))
    await new Promise(resolve => setTimeout(resolve, 1_500))
    expect(window.answers.filter(one => (one['error'] as { code?: string } | undefined)?.code === 'too-large').length).toBe(76)
    window.socket.terminate()
    const many = await Promise.all(Array.from({ length: 40 }, () => hostile().catch(() => undefined)))
    expect(many.filter(one => one === undefined).length).toBeGreaterThanOrEqual(8)
    for (const one of many) one?.socket.terminate()
    await new Promise(resolve => setTimeout(resolve, 100))
    expect(await tryOpen({})).toBe('open')
  })
})
