import { describe, expect, test } from 'vitest'
import { EventEmitter } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { IpcMain, Session, WebContents } from 'electron'
import { nodeEnv } from '../../../src-main/base/node/node-env.ts'
import { createBridgeHandlers } from '../../../src-main/bridge/bridge.ts'
import { carryByIpc } from '../../../src-main/electron/ipc-carrier.ts'
import { answer } from '../../../src-main/electron/protocol.ts'
import { isOwnPage, mayOpenOutside, restrictContents, restrictSession } from '../../../src-main/electron/security.ts'
import { loadBounds, windowOptions } from '../../../src-main/electron/window.ts'
import { defaultDataDir } from '../../../src-main/server/data-dir.ts'

/** What the shell uses of a web contents, standing in for Electron's. */
class StandInContents extends EventEmitter {
  readonly sent: unknown[] = []
  handler: ((details: { url: string }) => { action: string }) | undefined
  id = 1
  isDestroyed(): boolean {
    return false
  }
  send(_channel: string, frame: unknown): void {
    this.sent.push(frame)
  }
  setWindowOpenHandler(handler: (details: { url: string }) => { action: string }): void {
    this.handler = handler
  }
}
const settle = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await new Promise(resolve => setImmediate(resolve))
}
const handlers = createBridgeHandlers({
  info: () => Promise.reject(new Error('none')),
  user: { name: 'u', groups: [] },
  upgrade: () => Promise.resolve(),
  handle: () => Promise.resolve({ status: 200, headers: { 'content-type': 'application/json' }, body: { kind: 'object', object: {} } }),
})
const frame = { t: 'call', id: 1, method: 'kubernetes.request', value: { method: 'GET', path: '/version' } }

describe('frames by IPC', () => {
  async function ask(senderFrame: { url: string; parent: unknown } | null, sent: unknown = frame): Promise<unknown[]> {
    const ipc = new EventEmitter()
    const contents = new StandInContents()
    const stop = carryByIpc(ipc as unknown as IpcMain, handlers, nodeEnv({ level: 'error' }))
    ipc.emit('bridge:up', { sender: contents, senderFrame }, sent)
    await settle()
    stop()
    return contents.sent
  }
  test('our own main frame is answered', async () => {
    expect(await ask({ url: 'quarterdeck://window/index.html', parent: null })).toMatchObject([{ t: 'answer', id: 1 }])
  })
  test.each<[string, { url: string; parent: unknown } | null]>([
    ['another origin', { url: 'https://example.com/', parent: null }],
    ['a frame inside', { url: 'quarterdeck://window/index.html', parent: {} }],
    ['a frame that is gone', null],
    ['a host that looks alike', { url: 'quarterdeck://window.evil/', parent: null }],
  ])('%s is not heard', async (_name, sender) => {
    expect(await ask(sender)).toEqual([])
  })
  test('what is not a frame is dropped', async () => {
    expect(await ask({ url: 'quarterdeck://window/', parent: null }, 'rubbish')).toEqual([])
  })
})

describe('the window stays in its place', () => {
  test('no new window, no navigation, no webview', () => {
    const contents = new StandInContents()
    const opened: string[] = []
    restrictContents(contents as unknown as WebContents, address => {
      opened.push(address)
    })
    const prevented: string[] = []
    for (const [event, url] of [
      ['will-navigate', 'https://example.com/'],
      ['will-navigate', 'quarterdeck://window/#/list/pods'],
      ['will-redirect', 'file:///etc/passwd'],
      ['will-attach-webview', ''],
    ])
      contents.emit(event ?? '', {
        url,
        preventDefault: () => {
          prevented.push(`${event ?? ''} ${url ?? ''}`)
        },
      })
    const denied = ['https://example.com/', 'javascript:alert(1)', 'quarterdeck://window/'].map(url => contents.handler?.({ url }).action)
    expect([prevented, denied, opened]).toEqual([['will-navigate https://example.com/', 'will-redirect file:///etc/passwd', 'will-attach-webview '], ['deny', 'deny', 'deny'], []])
  })
  test('no permission but copying', () => {
    let handler: ((contents: unknown, permission: string, answer: (ok: boolean) => void) => void) | undefined
    restrictSession({
      setPermissionRequestHandler: (h: typeof handler) => {
        handler = h
      },
      setPermissionCheckHandler: () => {},
      setDevicePermissionHandler: () => {},
    } as unknown as Session)
    const asked = ['clipboard-sanitized-write', 'clipboard-read', 'media', 'notifications', 'openExternal'].map(permission => {
      let got: boolean | undefined
      handler?.({ getURL: () => 'quarterdeck://window/' }, permission, ok => {
        got = ok
      })
      return got
    })
    expect(asked).toEqual([true, false, false, false, false])
  })
  test('it is isolated and sandboxed', () => {
    expect(windowOptions({ preload: '/p', bounds: { width: 1, height: 1 }, dark: true, icon: '' }).webPreferences).toMatchObject({
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      webSecurity: true,
      webviewTag: false,
    })
  })
  test.each(['http://quarterdeck', 'not an address', 'quarterdeck://other/', 'file:///index.html'])('%s is not a page of ours', address => {
    expect([isOwnPage(address), mayOpenOutside(address)]).toEqual([false, false])
  })
})

test('the scheme serves the window with its policy and nothing else', async () => {
  const files = await mkdtemp(join(tmpdir(), 'quarterdeck-scheme-'))
  await writeFile(join(files, 'index.html'), 'hi')
  const got = await Promise.all(
    ['quarterdeck://window/index.html', 'quarterdeck://window/%2e%2e/secret', 'quarterdeck://other/index.html', 'quarterdeck://window/none.js'].map(
      async url => (await answer(files, url, 'GET')).status,
    ),
  )
  const first = await answer(files, 'quarterdeck://window/', 'GET')
  await rm(files, { recursive: true })
  expect([got, first.headers.get('content-security-policy')?.startsWith("default-src 'none'"), await first.text()]).toEqual([[200, 404, 404, 404], true, 'hi'])
})

test('a broken size file gives the usual size', () => {
  expect(loadBounds('/nowhere')).toEqual({ width: 1440, height: 900 })
})

test.each<[NodeJS.Platform, Record<string, string>, string]>([
  ['linux', {}, '/home/u/.local/share/quarterdeck'],
  ['linux', { XDG_DATA_HOME: '/data' }, '/data/quarterdeck'],
  ['linux', { XDG_DATA_HOME: 'relative' }, '/home/u/.local/share/quarterdeck'],
  ['darwin', {}, '/home/u/Library/Application Support/Quarterdeck'],
  ['win32', { LOCALAPPDATA: '/l' }, '/l/Quarterdeck'],
  ['linux', { QUARTERDECK_DATA_DIR: '/own' }, '/own'],
])('data of %s with %o is in %s', (platform, environment, wanted) => {
  expect(defaultDataDir(platform, environment, '/home/u')).toBe(wanted)
})
