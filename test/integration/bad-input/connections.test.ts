/** Many connections, slow ones, silent ones, watchers that do not read, streams with protocols that nobody speaks. */
import { connect as connectTcp } from 'node:net'
import { connect as connectHttp2 } from 'node:http2'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeEnv } from '../../../src-main/base/node/node-env.ts'
import { serveHttps } from '../../../src-main/apiserver/serve.ts'
import { apiPeer, enableCollection, expectUnharmed, type ApiPeer } from '../../support/api-peer.ts'
import { eventually, startControlPlane, type RunningControlPlane } from '../../support/running-control-plane.ts'

let running: RunningControlPlane
let admin: ApiPeer
const configMaps = '/api/v1/namespaces/default/configmaps'
beforeAll(async () => {
  await enableCollection()
  running = await startControlPlane({ runControllers: false })
  admin = apiPeer(running.controlPlane)
  await admin.ask('/api/v1/namespaces/default/serviceaccounts', { body: { metadata: { name: 'default' } } })
  await admin.ask('/api/v1/namespaces/default/pods', { body: { metadata: { name: 'p' }, spec: { nodeName: 'away', containers: [{ name: 'c', image: 'i' }] } } })
})
afterAll(async () => {
  await expectUnharmed(running)
  admin.close()
  await running.stop()
})
const pause = (ms: number): Promise<void> =>
  new Promise(resolve => {
    setTimeout(resolve, ms)
  })

describe('limits of the port', () => {
  test('slow-loris, silence and more connections than there may be are ended, others are served', async () => {
    const { serving, authority } = running.controlPlane.keys
    const port = await serveHttps({
      env: nodeEnv({ level: 'error' }),
      handle: running.controlPlane.handle,
      upgrade: running.controlPlane.upgrade,
      certificate: serving.certificate,
      privateKey: serving.privateKey,
      port: 0,
      limits: { stallMs: 600, idleMs: 1_000, connections: 40 },
    })
    try {
      const ended = (socket: { once(event: 'close', done: () => void): unknown; resume(): unknown; on(event: 'error', done: () => void): unknown }): Promise<void> =>
        new Promise(resolve => {
          socket.on('error', () => {})
          socket.once('close', () => {
            resolve()
          })
          socket.resume()
        })
      const tls = (alpn = 'http/1.1'): Promise<TLSSocket> =>
        new Promise((resolve, reject) => {
          const socket = connectTls({ host: '127.0.0.1', port: port.port, ca: authority.certificate, ALPNProtocols: [alpn] }, () => {
            resolve(socket)
          })
          socket.once('error', reject)
        })
      const noHandshake = connectTcp(port.port, '127.0.0.1')
      const halfHandshake = connectTcp(port.port, '127.0.0.1', () => {
        halfHandshake.write(Buffer.from([0x16, 0x03, 0x01, 0x40]))
      })
      const silent = await tls()
      const slowHeaders = await tls()
      slowHeaders.write('GET /livez HTTP/1.1\r\nHost: x\r\n')
      const drip = setInterval(() => {
        if (!slowHeaders.destroyed) slowHeaders.write('X-A: b\r\n')
      }, 100)
      const slowBody = await tls()
      slowBody.write('POST /api HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{')
      const silentHttp2 = connectHttp2(`https://127.0.0.1:${port.port}`, { ca: authority.certificate })
      silentHttp2.on('error', () => {})
      const all = Promise.all([noHandshake, halfHandshake, silent, slowHeaders, slowBody].map(ended))
      await Promise.race([
        all,
        pause(12_000).then(() => {
          throw new Error('a slow connection lives on')
        }),
      ])
      clearInterval(drip)
      await eventually(async () => (silentHttp2.destroyed || silentHttp2.closed ? true : undefined), 'the end of the silent HTTP/2 connection', 10_000)
      const many = Array.from({ length: 120 }, () => connectTcp(port.port, '127.0.0.1'))
      for (const socket of many) socket.on('error', () => {})
      await pause(200)
      expect(port.connections).toBeLessThanOrEqual(40)
      for (const socket of many) socket.destroy()
      await eventually(
        async () => {
          const socket = await tls().catch(() => undefined)
          socket?.destroy()
          return socket ? true : undefined
        },
        'service after the flood',
        10_000,
      )
    } finally {
      await port.stop(0)
    }
  })
  test('1,000 idle connections are held, cost little, and others are served meanwhile', async () => {
    const open: TLSSocket[] = []
    ;(globalThis as { gc?: () => void }).gc?.()
    const before = process.memoryUsage().rss
    for (let i = 0; i < 10; i++) open.push(...(await Promise.all(Array.from({ length: 40 }, () => admin.connect()))))
    expect((await admin.ask('/livez')).text).toBe('ok')
    // Both ends are in this process.
    expect((process.memoryUsage().rss - before) / open.length).toBeLessThan(400_000)
    for (const socket of open) socket.destroy()
  }, 60_000)
})

describe('watches', () => {
  test('hundreds by one client, on one connection', async () => {
    const { admin: keys, authority } = running.controlPlane.keys
    const session = connectHttp2(`https://127.0.0.1:${running.controlPlane.port}`, { ca: authority.certificate, cert: keys.certificate, key: keys.privateKey })
    const streams = Array.from({ length: 200 }, () => session.request({ ':path': `${configMaps}?watch=true&resourceVersion=${running.controlPlane.store.revision}` }))
    let events = 0
    for (const stream of streams) {
      stream.on('error', () => {})
      stream.on('data', (chunk: Buffer) => {
        events += chunk.toString().split('"ADDED"').length - 1
      })
    }
    await Promise.all(
      streams.map(
        stream =>
          new Promise(resolve => {
            stream.once('response', resolve)
          }),
      ),
    )
    await admin.ask(configMaps, { body: { metadata: { name: 'seen' } } })
    await eventually(async () => (events === 200 ? true : undefined), 'the event at every watcher')
    session.destroy()
    expect((await admin.ask('/livez')).text).toBe('ok')
  })
  test('one that never reads is cut off, and costs no memory without end', async () => {
    const socket = await admin.connect()
    socket.pause()
    socket.write(`GET ${configMaps}?watch=true HTTP/1.1\r\nHost: x\r\n\r\n`)
    await pause(200)
    ;(globalThis as { gc?: () => void }).gc?.()
    const before = process.memoryUsage()
    const client = running.controlPlane.client(running.controlPlane.admin)
    const text = 'x'.repeat(20_000)
    await client.raw({ method: 'POST', url: configMaps, body: { object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'busy' }, data: { a: text } } } })
    for (let i = 0; i < 1_500; i++)
      await client.raw({ method: 'PATCH', url: `${configMaps}/busy`, headers: { 'content-type': 'application/merge-patch+json' }, body: { object: { data: { b: String(i) } } } })
    ;(globalThis as { gc?: () => void }).gc?.()
    const after = process.memoryUsage()
    // History itself is kept for five minutes: 1,500 versions of 20 kB, decoded and encoded. The watcher adds no copy.
    expect(after.heapUsed + after.external - before.heapUsed - before.external).toBeLessThan(120 * 2 ** 20)
    expect((await admin.ask('/livez')).text).toBe('ok')
    socket.destroy()
  })
})

describe('streams', () => {
  test.each(['websocket', 'SPDY/9', 'h2c', 'x', '__proto__', 'websocket, SPDY/3.1'])('exec by upgrade to %s towards a node that is away', async upgrade => {
    const text = await admin.raw(
      `GET /api/v1/namespaces/default/pods/p/exec?command=id&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: evil.protocol\r\n\r\n`,
      1_500,
    )
    expect(text).toMatch(/^HTTP\/1\.1 (4\d\d|503) /)
  })
  test.each([
    '/api/v1/namespaces/default/pods/p',
    '/version',
    '/api/v1/namespaces/default/pods/none/exec?command=id&stdout=1',
    '/api/v1/namespaces/default/pods/p/exec',
    '/api/v1/namespaces/default/pods/p/attach?container=evil&stdin=1',
    '/api/v1/namespaces/default/pods/p/log',
    '/nothing',
  ])('an upgrade of %s', async path => {
    const text = await admin.raw(
      `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
      1_500,
    )
    expect(text).toMatch(/^HTTP\/1\.1 (4\d\d|503|200) /)
    expect(text).not.toMatch(/^HTTP\/1\.1 101/)
  })
  test('exec without an upgrade', async () => {
    expect((await admin.ask('/api/v1/namespaces/default/pods/p/exec?command=id&stdout=1', { method: 'POST' })).status).toBeLessThan(500)
  })
})
