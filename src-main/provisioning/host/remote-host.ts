/**
 * A host to run scripts on: one SSH connection plus the way to root. Scripts are POSIX sh; their text is visible in the
 * host's process list, so secrets and file contents travel on standard input only.
 */
import type { Readable } from 'node:stream'
import type { Env } from '../../base/env.ts'
import { codeOfOutput, ProvisioningError } from './errors.ts'
import { asRoot, choosePrivilege, privilegeFault, privilegeProbe, readyMark, type Privilege, type PrivilegeChoice } from './privilege.ts'
import { quote } from './shell.ts'
import type { RemoteProcess, SshConnection } from './ssh-connection.ts'

export interface RunOptions {
  readonly input?: string | Uint8Array | Readable
  /** Longest time without any output or accepted input; default 60 s. */
  readonly idleTimeoutMs?: number
  /** Longest time in all; default 10 min. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** Output as it comes, both streams. */
  readonly onOutput?: (text: string) => void
  /** Bytes of input accepted so far. */
  readonly onSent?: (bytes: number) => void
  /** Words for messages, since the script itself is long: `installing docker.io`. */
  readonly what?: string
}

export interface RunResult {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export interface RemoteHost {
  readonly connection: SshConnection
  readonly env: Env
  /** As the login user. Any exit status is a result. */
  run(script: string, options?: RunOptions): Promise<RunResult>
  /** As root. Any exit status is a result; not becoming root throws. */
  root(script: string, options?: RunOptions): Promise<RunResult>
  /** As root; throws on a status other than 0, with a code found in the output. Gives standard output. */
  mustRoot(script: string, options?: RunOptions): Promise<string>
}

const defaultIdleMs = 60_000
const defaultTotalMs = 600_000
/** Kept of each stream; a preflight answer is 20 KB, an apt run 200 KB. */
const maxKeptBytes = 4 * 1024 * 1024

/** Finds out how to become root and proves that it works. Throws NotRoot, SudoPasswordNeeded, SudoPasswordWrong. */
export async function becomeRoot(env: Env, connection: SshConnection, choice: PrivilegeChoice, sudoPassword: string | undefined, signal?: AbortSignal): Promise<RemoteHost> {
  const options = signal ? { signal } : {}
  const plain = { commandLine: `/bin/sh -c ${quote(privilegeProbe)}` }
  const probe = await execute(env, connection, plain, undefined, { ...options, what: 'looking for sudo' })
  const privilege = choosePrivilege(probe.stdout, choice, sudoPassword, connection.target.address)
  const host = remoteHost(env, connection, privilege)
  const uid = await host.root('id -u', { ...options, what: 'becoming root' })
  if (uid.stdout.trim() !== '0') throw new ProvisioningError('NotRoot', 'The command that should run as root does not.', { host: connection.target.address })
  return host
}

/** A script as the login user, for hosts where root cannot be had. Gives standard output whatever the status. */
export async function runAsUser(env: Env, connection: SshConnection, script: string, options: RunOptions = {}): Promise<string> {
  return (await execute(env, connection, { commandLine: `/bin/sh -c ${quote(script)}` }, undefined, options)).stdout
}

function remoteHost(env: Env, connection: SshConnection, privilege: Privilege): RemoteHost {
  const address = connection.target.address
  const root = (script: string, options: RunOptions = {}): Promise<RunResult> => execute(env, connection, asRoot(script, privilege), readyMark, options)
  return {
    connection,
    env,
    root,
    run: (script, options = {}) => execute(env, connection, { commandLine: `/bin/sh -c ${quote(script)}` }, undefined, options),
    async mustRoot(script, options = {}) {
      const result = await root(script, options)
      if (result.status === 0) return result.stdout
      const output = `${result.stdout.slice(-8000)}\n${result.stderr.slice(-8000)}`
      const code = codeOfOutput(output)
      const line = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-3).join(' / ').slice(0, 500)
      throw new ProvisioningError(code, `${capital(options.what ?? 'a command')} failed with status ${result.status}${line ? `: ${line}` : ''}.`, {
        host: address,
        command: options.what ?? script.slice(0, 200),
        exitStatus: result.status,
      })
    },
  }
}

async function execute(env: Env, connection: SshConnection, command: { commandLine: string; secret?: string }, mark: string | undefined, options: RunOptions): Promise<RunResult> {
  const address = connection.target.address
  const cancelled = (): ProvisioningError => new ProvisioningError('Cancelled', `${capital(options.what ?? 'a command')} was cancelled.`, { host: address })
  if (options.signal?.aborted) throw cancelled()
  const process = await connection.start(command.commandLine)
  let stop: (fault: ProvisioningError) => void = () => undefined
  const stopped = new Promise<never>((_resolve, reject) => {
    stop = reject
  })
  stopped.catch(() => undefined)
  const watch = watchdog(env, options, address, fault => {
    process.kill()
    stop(fault)
  })
  const abort = (): void => {
    process.kill()
    stop(cancelled())
  }
  options.signal?.addEventListener('abort', abort, { once: true })
  try {
    if (command.secret !== undefined) process.stdin.write(command.secret)
    return await Promise.race([converse(process, mark, options, watch.alive, address), stopped])
  } finally {
    watch.end()
    options.signal?.removeEventListener('abort', abort)
  }
}

async function converse(process: RemoteProcess, mark: string | undefined, options: RunOptions, alive: () => void, address: string): Promise<RunResult> {
  let ready: () => void = () => undefined
  const begun = new Promise<void>(resolve => {
    ready = resolve
  })
  let marked = mark === undefined
  if (marked) ready()
  const stdout = keep(
    process.stdout,
    chunk => {
      alive()
      if (marked) options.onOutput?.(chunk)
    },
    text => {
      if (marked || mark === undefined || !text.includes(mark)) return
      marked = true
      const after = text.slice(text.indexOf(mark) + mark.length)
      if (after !== '') options.onOutput?.(after)
      ready()
    },
  )
  const stderr = keep(process.stderr, chunk => {
    alive()
    if (marked) options.onOutput?.(chunk)
    else if (/try again|incorrect password/i.test(chunk)) process.stdin.end() // no second password comes; without this sudo would wait for one
  })
  const sent = begun.then(() => send(process, options, alive))
  sent.catch(() => undefined)
  const status = await process.exit
  await Promise.all([stdout.done, stderr.done])
  if (!marked) throw privilegeFault(stderr.text(), address)
  const text = stdout.text()
  return { status, stdout: mark === undefined ? text : text.slice(text.indexOf(mark) + mark.length), stderr: stderr.text() }
}

async function send(process: RemoteProcess, options: RunOptions, alive: () => void): Promise<void> {
  const { input } = options
  let sent = 0
  const write = async (chunk: Uint8Array): Promise<void> => {
    if (!process.stdin.write(chunk)) {
      await new Promise<void>(resolve => {
        const done = (): void => {
          process.stdin.off('drain', done)
          process.stdin.off('close', done)
          resolve()
        }
        process.stdin.on('drain', done)
        process.stdin.on('close', done)
      })
    }
    sent += chunk.length
    alive()
    options.onSent?.(sent)
  }
  if (typeof input === 'string') await write(Buffer.from(input, 'utf8'))
  else if (input instanceof Uint8Array) {
    for (let at = 0; at < input.length; at += 256 * 1024) await write(input.subarray(at, at + 256 * 1024))
  } else if (input) {
    for await (const chunk of input) await write(chunk as Uint8Array)
  }
  process.stdin.end()
}

/** Collects a stream's text; multi-byte characters are decoded whole. */
function keep(stream: Readable, onText: (chunk: string) => void, onAll?: (text: string) => void): { text: () => string; done: Promise<void> } {
  let text = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    if (text.length < maxKeptBytes) text += chunk
    onText(chunk)
    onAll?.(text)
  })
  const done = new Promise<void>(resolve => {
    stream.once('end', resolve)
    stream.once('close', resolve)
    stream.once('error', () => {
      resolve()
    })
  })
  return { text: () => text, done }
}

function watchdog(env: Env, options: RunOptions, address: string, expire: (fault: ProvisioningError) => void): { alive: () => void; end: () => void } {
  const what = capital(options.what ?? 'a command')
  const idleMs = options.idleTimeoutMs ?? defaultIdleMs
  let lastSign = env.clock.awakeMs()
  let cancelIdle: () => void = () => undefined
  const check = (): void => {
    const left = lastSign + idleMs - env.clock.awakeMs()
    if (left <= 0) expire(new ProvisioningError('Timeout', `${what} gave no sign of life for ${Math.round(idleMs / 1000)} s.`, { host: address }))
    else cancelIdle = env.clock.after(left, check)
  }
  cancelIdle = env.clock.after(idleMs, check)
  const totalMs = options.timeoutMs ?? defaultTotalMs
  const cancelTotal = env.clock.after(totalMs, () => {
    expire(new ProvisioningError('Timeout', `${what} did not end within ${Math.round(totalMs / 1000)} s.`, { host: address }))
  })
  return {
    alive: () => {
      lastSign = env.clock.awakeMs()
    },
    end: () => {
      cancelIdle()
      cancelTotal()
    },
  }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
