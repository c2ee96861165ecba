import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { nodeEnv } from '../../../src-main/base/node/node-env.ts'
import { createBridgeHandlers } from '../../../src-main/bridge/bridge.ts'
import { filePath, serveWeb } from '../../../src-main/server/web.ts'
import type { Web } from '../../../src-main/server/web.ts'

let web: Web
let files: string
beforeAll(async () => {
  files = await mkdtemp(join(tmpdir(), 'quarterdeck-web-'))
  await writeFile(join(files, 'index.html'), '<!doctype html>')
  const handlers = createBridgeHandlers({
    info: () => Promise.reject(new Error('none')),
    user: { name: 'u', groups: [] },
    upgrade: () => Promise.resolve(),
    handle: () => Promise.resolve({ status: 200, headers: { 'content-type': 'application/json' }, body: { kind: 'object', object: { gitVersion: 'v' } } }),
  })
  web = await serveWeb({ env: nodeEnv({ level: 'error' }), handlers, files })
})
afterAll(async () => {
  await web.stop()
  await rm(files, { recursive: true })
})

function open(options: { token?: string; origin?: string; host?: string; path?: string }): Promise<string> {
  const own = `127.0.0.1:${web.port}`
  const socket = new WebSocket(`ws://${own}${options.path ?? '/bridge'}`, ['quarterdeck.v1', `token.${options.token ?? web.token}`], {
    headers: { host: options.host ?? own },
    origin: options.origin ?? `http://${own}`,
  })
  return new Promise(resolve => {
    socket.on('open', () => {
      socket.send(JSON.stringify({ t: 'call', id: 1, method: 'kubernetes.request', value: { method: 'GET', path: '/version' } }))
    })
    socket.on('message', (data: Buffer) => {
      socket.close()
      resolve(data.toString())
    })
    socket.on('error', error => {
      resolve(error.message)
    })
  })
}

describe('who may speak on the bridge', () => {
  test('the page of this address with its token', async () => {
    expect(JSON.parse(await open({}))).toMatchObject({ t: 'answer', value: { status: 200 } })
  })
  test.each<[string, Parameters<typeof open>[0]]>([
    ['a wrong token', { token: 'x'.repeat(43) }],
    ['another page of this computer', { origin: 'http://127.0.0.1:1' }],
    ['a page of the Internet', { origin: 'https://example.com' }],
    ['a name that was rebound to loopback', { host: '127.evil.example', origin: 'http://127.evil.example' }],
    ['another path', { path: '/other' }],
  ])('not %s', async (_name, options) => {
    expect(await open(options)).toContain('403')
  })
})

describe('files of the window', () => {
  test('come with a strict policy', async () => {
    const response = await fetch(`http://127.0.0.1:${web.port}/`)
    expect([response.status, response.headers.get('content-security-policy')?.includes("script-src 'self';"), response.headers.get('x-content-type-options')]).toEqual([
      200,
      true,
      'nosniff',
    ])
  })
  test('are not given to another host name', async () => {
    const status = await new Promise(resolve => {
      request({ host: '127.0.0.1', port: web.port, path: '/', headers: { host: 'evil.example' } }, response => {
        response.resume()
        resolve(response.statusCode)
      }).end()
    })
    expect(status).toBe(403)
  })
  test.each(['/../package.json', '/%2e%2e/package.json', '/a/%2e%2e/%2e%2e/x', '/a%00b', '/..\\x', '/%zz'])('%s does not leave the directory', path => {
    expect(filePath('/srv/window', path)).toBeUndefined()
  })
  test('the root is the index', () => {
    expect(filePath('/srv/window', '/?a=b')).toBe('/srv/window/index.html')
  })
})
