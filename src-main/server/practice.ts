/**
 * Entry point: a practice cluster on this computer.
 *
 *   npm run practice -- up [--hosts 2] [--data-dir D] [--api-port 0] [--ui-port 0]
 *   npm run practice -- down [--data-dir D]
 *
 * `up` starts a headless control plane in the background (its own data directory), makes local hosts, and turns them into
 * nodes as any server would be. It prints one line of JSON when all are Ready: {"ready":true,"ui":…,"api":…,"kubeconfig":…};
 * progress goes to standard error. `down` removes hosts, control plane and data.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { nodeEnv } from '../base/node/node-env.ts'
import { projectDir } from '../base/node/project-dir.ts'
import { removePracticeHosts } from '../provisioning/practice/practice.ts'
import { remotePractice } from '../provisioning/practice/remote-practice.ts'

const usage = 'usage: practice up [--hosts N] [--data-dir DIRECTORY] [--api-port PORT] [--ui-port PORT] | practice down [--data-dir DIRECTORY]'

interface State {
  readonly pid: number
  readonly ready: true
  readonly ui?: string
  readonly api: string
  readonly kubeconfig: string
}

const env = nodeEnv({ level: 'warn' })
const say = (message: string): void => {
  process.stderr.write(`${message}\n`)
}
const startTimeoutMs = 60_000
const stopTimeoutMs = 20_000

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { hosts: { type: 'string', default: '2' }, 'data-dir': { type: 'string' }, 'api-port': { type: 'string', default: '0' }, 'ui-port': { type: 'string', default: '0' } },
  })
  const dataDir = resolve(values['data-dir'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'quarterdeck', 'practice'))
  const hosts = Number(values.hosts)
  if (positionals[0] === 'up' && Number.isInteger(hosts) && hosts >= 1 && hosts <= 8) await up(dataDir, hosts, values['api-port'], values['ui-port'])
  else if (positionals[0] === 'down') await down(dataDir)
  else throw new Error(usage)
}

async function up(dataDir: string, hosts: number, apiPort: string, uiPort: string): Promise<void> {
  const state = (await readState(dataDir)) ?? (await startControlPlane(dataDir, apiPort, uiPort))
  const practice = remotePractice(env, await readFile(state.kubeconfig, 'utf8'))
  try {
    let last = ''
    for await (const item of practice.up({ hosts }, new AbortController().signal)) {
      say(item.message)
      last = item.state
      if (item.state === 'failed') throw new Error(`${item.message} (the control plane runs on; \`practice down\` removes everything)`)
    }
    if (last !== 'ready') throw new Error('the practice hosts did not become ready')
  } finally {
    practice.close()
  }
  const { pid: _pid, ...shown } = state
  process.stdout.write(`${JSON.stringify(shown)}\n`)
}

async function down(dataDir: string): Promise<void> {
  const state = await readState(dataDir)
  if (state) {
    const practice = remotePractice(env, await readFile(state.kubeconfig, 'utf8'))
    try {
      for await (const item of practice.down(new AbortController().signal)) say(item.message)
    } finally {
      practice.close()
    }
    await stopProcess(state.pid)
  }
  await removePracticeHosts()
  await rm(dataDir, { recursive: true, force: true })
  say('Everything of the practice cluster is gone.')
}

/** The control plane's state if it still runs. */
async function readState(dataDir: string): Promise<State | undefined> {
  const file = join(dataDir, 'practice.json')
  if (!existsSync(file)) return undefined
  const state = JSON.parse(await readFile(file, 'utf8')) as State
  if (!isAlive(state.pid)) return undefined
  return state
}

async function startControlPlane(dataDir: string, apiPort: string, uiPort: string): Promise<State> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  say('Starting a control plane in the background')
  const log = await open(join(dataDir, 'control-plane.log'), 'a', 0o600)
  const output = join(dataDir, 'control-plane.out')
  await writeFile(output, '')
  const out = await open(output, 'a')
  const child = spawn(process.execPath, [join(projectDir, 'src-main', 'server', 'run.js'), 'headless', '--data-dir', dataDir, '--api-port', apiPort, '--ui-port', uiPort], {
    detached: true,
    stdio: ['ignore', out.fd, log.fd],
  })
  child.unref()
  await Promise.all([log.close(), out.close()])
  const pid = child.pid ?? 0
  const deadline = env.clock.awakeMs() + startTimeoutMs
  for (;;) {
    const line = (await readFile(output, 'utf8')).split('\n').find(one => one.startsWith('{"ready":true'))
    if (line !== undefined) {
      const state = { pid, ...(JSON.parse(line) as Omit<State, 'pid'>) }
      await writeFile(join(dataDir, 'practice.json'), JSON.stringify(state), { mode: 0o600 })
      return state
    }
    if (!isAlive(pid) || env.clock.awakeMs() > deadline)
      throw new Error(
        `the control plane did not start; its log is ${join(dataDir, 'control-plane.log')}: ${(await readFile(join(dataDir, 'control-plane.log'), 'utf8')).slice(-2000)}`,
      )
    await env.clock.sleep(100)
  }
}

async function stopProcess(pid: number): Promise<void> {
  if (!isAlive(pid)) return
  process.kill(pid, 'SIGTERM')
  const deadline = env.clock.awakeMs() + stopTimeoutMs
  while (isAlive(pid) && env.clock.awakeMs() < deadline) await env.clock.sleep(100)
  if (isAlive(pid)) process.kill(pid, 'SIGKILL')
}

function isAlive(pid: number): boolean {
  if (pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

// Timers of the Env do not keep a process alive; the work does until it is done.
setInterval(() => undefined, 60_000)

main().then(
  () => process.exit(0),
  (fault: unknown) => {
    process.stderr.write(`practice: ${fault instanceof Error ? fault.message : String(fault)}\n`)
    process.exit(1)
  },
)
