/** The headless program as its users start it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { clientCommands } from '../support/clients.ts'

const program = fileURLToPath(new URL('../../src-main/server/headless.ts', import.meta.url))
let dataDir: string
const children: ChildProcess[] = []

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'quarterdeck-headless-'))
})
afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill('SIGKILL')
  await rm(dataDir, { recursive: true, force: true })
})

interface Started {
  readonly child: ChildProcess
  /** The first line of standard output, or undefined when it ended without one. */ readonly line: string | undefined
  readonly stderr: () => string
  readonly exit: Promise<number | null>
}

const start = (...args: string[]): Promise<Started> => startWhole('--no-ui', ...args)

async function startWhole(...args: string[]): Promise<Started> {
  const child = spawn(process.execPath, [program, '--data-dir', dataDir, '--api-port', '0', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const exit = new Promise<number | null>(resolve => {
    child.once('exit', code => {
      resolve(code)
    })
  })
  const line = new Promise<string>(resolve => {
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (text.includes('\n')) resolve(text.split('\n')[0] ?? '')
    })
  })
  return { child, line: await Promise.race([line, exit.then(() => undefined)]), stderr: () => stderr, exit }
}

const ready = (started: Started): { api: string; kubeconfig: string; ready: boolean } => JSON.parse(started.line ?? 'null') as { api: string; kubeconfig: string; ready: boolean }

test('says in one line of JSON where it serves, keeps what was acknowledged over a restart, and stops when asked', async () => {
  const first = await start()
  const answer = ready(first)
  expect(answer).toMatchObject({ ready: true, api: expect.stringMatching(/^https:\/\/127\.0\.0\.1:\d+$/) })
  expect((await stat(answer.kubeconfig)).mode & 0o777).toBe(0o600)
  expect((await clientCommands(answer.kubeconfig).kubectl(['create', 'configmap', 'kept', '--from-literal=a=b'])).code).toBe(0)
  first.child.kill('SIGTERM')
  expect(await first.exit).toBe(0)
  const second = ready(await start())
  expect((await clientCommands(second.kubeconfig).kubectl(['get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}'])).stdout).toBe('b')
})

test('serves the window, too, which is built when it is not there yet', async () => {
  const { ui } = JSON.parse((await startWhole()).line ?? 'null') as { ui: string }
  const page = await fetch(ui)
  expect({ status: page.status, type: page.headers.get('content-type'), script: /<script type="module"[^>]* src=/.test(await page.text()) }).toEqual({
    status: 200,
    type: 'text/html; charset=utf-8',
    script: true,
  })
})

test('a second one on the same data is refused and leaves the first alone', async () => {
  const first = ready(await start())
  const second = await start()
  expect({ line: second.line, code: await second.exit, said: second.stderr().includes('in use by another Quarterdeck') }).toEqual({ line: undefined, code: 1, said: true })
  expect((await clientCommands(first.kubeconfig).kubectl(['get', 'namespace', 'default', '-o', 'name'])).stdout).toBe('namespace/default\n')
})

test('a port that is taken is named in the error', async () => {
  const first = ready(await start())
  const port = new URL(first.api).port
  const other = await mkdtemp(join(tmpdir(), 'quarterdeck-headless-'))
  const second = await start('--data-dir', other, '--api-port', port)
  expect({ line: second.line, code: await second.exit, said: second.stderr().includes(`port ${port} is in use by another program`) }).toEqual({
    line: undefined,
    code: 1,
    said: true,
  })
  await rm(other, { recursive: true, force: true })
})
