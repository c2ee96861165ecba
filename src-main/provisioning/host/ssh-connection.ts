/**
 * One SSH connection to a host; the only importer of ssh2. The host's key is compared with the accepted fingerprint before
 * anything secret is sent: without one nothing is sent at all (HostKeyUnknown), with another one the connection is
 * refused (HostKeyChanged, naming both). A dead peer is noticed within keepaliveMs × keepaliveMisses.
 */
import { createHash } from 'node:crypto'
import type { Duplex, Readable, Writable } from 'node:stream'
import { Client, type AnyAuthMethod, type ClientChannel, type ConnectConfig, type ServerHostKeyAlgorithm } from 'ssh2'
import type { Env } from '../../base/env.ts'
import { ProvisioningError } from './errors.ts'
import { algorithms, hostKeyTypes } from './ssh-algorithms.ts'

export interface SshTarget {
  readonly address: string
  readonly port: number
  readonly user: string
}
export interface SshCredentials {
  readonly privateKey?: string
  readonly passphrase?: string
  readonly password?: string
  /** Socket of an SSH agent. */ readonly agentSocket?: string
}

/** A host on the way to another, logged in to with the same credentials. */
export interface SshHop {
  readonly target: SshTarget
  /** Accepted host key, `SHA256:…`; without it the way ends there (HostKeyUnknown). */
  readonly fingerprint?: string
}

export interface ConnectOptions {
  readonly env: Env
  readonly target: SshTarget
  readonly credentials: SshCredentials
  /** Accepted host key, `SHA256:…`. */
  readonly fingerprint?: string
  /** The nearest to this computer first. */
  readonly jump?: readonly SshHop[]
  /** For TCP and handshake; default 15 s. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export interface HostKey {
  readonly fingerprint: string
  readonly type: string
}

export interface RemoteProcess {
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
  /** Exit status; 128 + n where a signal ended it. Rejects with ConnectionLost when the connection breaks first. */
  readonly exit: Promise<number>
  kill(): void
}

export interface SshConnection {
  readonly target: SshTarget
  readonly hostKey: HostKey
  /** Starts a command line in the user's login shell, without a terminal. */
  start(commandLine: string): Promise<RemoteProcess>
  /** A stream to a TCP port of the host's loopback, or of another host that it reaches. */
  dial(port: number, address?: string): Promise<Duplex>
  /** Makes the host listen on 127.0.0.1:`port` (0: any) and hands each connection over; resolves with the port. */
  listen(port: number, onConnection: (stream: Duplex) => void): Promise<number>
  /** Resolves once when the connection is over, with the reason if it was not asked for. */
  readonly closed: Promise<ProvisioningError | undefined>
  readonly isOpen: boolean
  end(): void
}

// Three missed answers of five seconds: quicker than any human, slower than a hiccup of Wi-Fi.
const keepaliveMs = 5_000
const keepaliveMisses = 3
const handshakeTimeoutMs = 15_000
/** sshd's MaxSessions is 10 by default; some room stays for the user's own shells through the same connection. */
const maxSessions = 6

/** Connects and logs in, through the jump hosts where there are some. Throws ProvisioningError. */
export async function connectSsh(options: ConnectOptions): Promise<SshConnection> {
  const way = await openWay(options)
  try {
    const connection = await connectOver(options, way.stream)
    void connection.closed.then(way.end)
    return connection
  } catch (fault) {
    way.end()
    throw fault
  }
}

/** Opens a stream to the target; undefined where it is reached directly. */
type OpenStream = (() => Promise<Duplex>) | undefined

/** Logs in to one jump host after the other. */
async function openWay(options: ConnectOptions): Promise<{ stream: OpenStream; end: () => void }> {
  const { jump = [], fingerprint: _own, target, ...shared } = options
  const hops: SshConnection[] = []
  const end = (): void => {
    for (const hop of hops.splice(0).reverse()) hop.end()
  }
  const streamTo = (next: SshTarget): OpenStream => {
    const last = hops.at(-1)
    return last && (() => last.dial(next.port, next.address))
  }
  try {
    for (const hop of jump) hops.push(await connectOver({ ...shared, ...hop }, streamTo(hop.target)))
  } catch (fault) {
    end()
    throw fault
  }
  return { stream: streamTo(target), end }
}

async function connectOver(options: ConnectOptions, stream: OpenStream): Promise<SshConnection> {
  if (options.fingerprint === undefined) {
    const key = (await open({ ...options, credentials: {} }, undefined, stream)).seen
    throw new ProvisioningError('HostKeyUnknown', `The host key ${key.fingerprint} (${key.type}) of ${options.target.address} has not been accepted yet.`, {
      host: options.target.address,
      fingerprint: key.fingerprint,
    })
  }
  const attempt = await open(options, undefined, stream)
  if (attempt.connection) return attempt.connection
  // A host has keys of several types, and the accepted one need not be of the type that was agreed on first.
  for (const types of hostKeyTypes) {
    if (types.includes(attempt.seen.type as ServerHostKeyAlgorithm)) continue
    const other = await open(options, types, stream).catch((fault: unknown) => {
      if (fault instanceof ProvisioningError && fault.code === 'NoCommonAlgorithm') return undefined
      throw fault
    })
    if (other?.connection) return other.connection
  }
  throw new ProvisioningError('HostKeyChanged', `The host key of ${options.target.address} is ${attempt.seen.fingerprint}, but ${options.fingerprint} was accepted.`, {
    host: options.target.address,
    fingerprint: attempt.seen.fingerprint,
  })
}

/** The host's key, with nothing sent to the host but the handshake. */
export async function readHostKey(options: Omit<ConnectOptions, 'fingerprint'>): Promise<HostKey> {
  const way = await openWay(options)
  try {
    const attempt = await open({ ...options, credentials: {} }, undefined, way.stream)
    attempt.connection?.end()
    return attempt.seen
  } finally {
    way.end()
  }
}

/** Fingerprint as `ssh-keygen -l` prints it, and the type that the key blob names. */
export function hostKeyOf(blob: Buffer): HostKey {
  const length = blob.length >= 4 ? blob.readUInt32BE(0) : 0
  return { fingerprint: `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`, type: blob.subarray(4, 4 + Math.min(length, 64)).toString('latin1') }
}

type Attempt = { readonly seen: HostKey; readonly connection?: SshConnection }

/** Resolves without a connection when the host's key is not the accepted one. */
function open(options: ConnectOptions, only: readonly ServerHostKeyAlgorithm[] | undefined, stream: OpenStream): Promise<Attempt> {
  const { target, signal } = options
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(new ProvisioningError('Cancelled', 'The connection attempt was cancelled.', { host: target.address }))
      return
    }
    const client = new Client()
    let seen: HostKey | undefined
    let refused = false
    let settled = false
    const finish = (act: () => void): void => {
      if (settled) return
      settled = true
      signal?.removeEventListener('abort', abort)
      act()
    }
    const fail = (fault: Error): void => {
      finish(() => {
        client.destroy()
        if (refused && seen) resolve({ seen })
        else reject(translate(fault, options))
      })
    }
    const abort = (): void => {
      fail(new ProvisioningError('Cancelled', 'The connection attempt was cancelled.', { host: target.address }))
    }
    signal?.addEventListener('abort', abort, { once: true })
    client.on('error', fail)
    client.on('close', () => {
      fail(new Error('connection closed during the handshake'))
    })
    client.on('ready', () => {
      finish(() => {
        if (seen) resolve({ seen, connection: wrap(client, target, seen, fail) })
        else reject(new ProvisioningError('Internal', 'no host key was seen'))
      })
    })
    client.on('keyboard-interactive', (_name, _instructions, _language, prompts, answer) => {
      // Only questions whose answer is not echoed ask for the password; anything else (one-time codes) gets no secret.
      answer(prompts.map(prompt => (prompt.echo === true ? '' : (options.credentials.password ?? ''))))
    })
    // A jump host may wait minutes for a target that drops what it is sent.
    const late = new ProvisioningError('Unreachable', `${target.address}:${target.port} was not reached through its jump host in time.`, { host: target.address })
    const cancelTimer = stream
      ? options.env.clock.after(options.timeoutMs ?? handshakeTimeoutMs, () => {
          fail(late)
        })
      : undefined
    const begin = (sock?: Duplex): void => {
      cancelTimer?.()
      if (settled) {
        sock?.destroy()
        return
      }
      client.connect({
        ...connectConfig(options, only),
        ...(sock ? { sock } : {}),
        hostVerifier: (blob: Buffer) => {
          seen = hostKeyOf(blob)
          refused = seen.fingerprint !== options.fingerprint
          return !refused
        },
      })
    }
    Promise.resolve(stream?.())
      .then(begin)
      .catch((fault: unknown) => {
        cancelTimer?.()
        fail(fault instanceof Error ? fault : new Error(String(fault)))
      })
  })
}

function connectConfig(options: ConnectOptions, only: readonly ServerHostKeyAlgorithm[] | undefined): ConnectConfig {
  const { credentials, target } = options
  const methods: AnyAuthMethod[] = []
  const base = { username: target.user }
  if (credentials.privateKey !== undefined)
    methods.push({ ...base, type: 'publickey', key: credentials.privateKey, ...(credentials.passphrase ? { passphrase: credentials.passphrase } : {}) })
  if (credentials.agentSocket) methods.push({ ...base, type: 'agent', agent: credentials.agentSocket })
  if (credentials.password) {
    const password = credentials.password
    methods.push({ ...base, type: 'password', password })
    methods.push({
      ...base,
      type: 'keyboard-interactive',
      prompt: (_name, _instructions, _language, prompts, answer) => {
        answer(prompts.map(prompt => (prompt.echo === true ? '' : password)))
      },
    })
  }
  if (methods.length === 0) methods.push({ ...base, type: 'none' })
  let next = 0
  return {
    host: target.address,
    port: target.port,
    username: target.user,
    algorithms: algorithms(only),
    readyTimeout: options.timeoutMs ?? handshakeTimeoutMs,
    keepaliveInterval: keepaliveMs,
    keepaliveCountMax: keepaliveMisses,
    // Parsed here as well: a bad key or passphrase then throws at once and is told apart from a refused login.
    ...(credentials.privateKey === undefined ? {} : { privateKey: credentials.privateKey, ...(credentials.passphrase ? { passphrase: credentials.passphrase } : {}) }),
    authHandler: (_left, _partial, step) => {
      step((methods[next++] ?? false) as AnyAuthMethod)
    },
  }
}

function translate(fault: Error & { level?: string; code?: string }, options: ConnectOptions): ProvisioningError {
  if (fault instanceof ProvisioningError) return fault
  const { address, port, user } = options.target
  const place = { host: address, cause: fault }
  const text = fault.message
  if (/no passphrase given|bad passphrase|Unsupported state or unable to authenticate|bad decrypt/i.test(text))
    return new ProvisioningError('PassphraseWrong', 'The private key cannot be opened with this passphrase.', place)
  if (/privateKey|Unsupported key format|Malformed .* private key/i.test(text)) return new ProvisioningError('KeyUnreadable', 'The private key cannot be read.', place)
  if (/no matching|Handshake failed: no/i.test(text))
    return new ProvisioningError('NoCommonAlgorithm', `${address} and this program have no SSH algorithm in common (${text}).`, place)
  if (fault.level === 'client-authentication' || /authentication methods failed/i.test(text))
    return new ProvisioningError('AuthenticationFailed', `${user}@${address} refused the log-in.`, place)
  if (fault.level === 'client-timeout' || fault.code === 'ETIMEDOUT') return new ProvisioningError('Unreachable', `${address}:${port} did not answer in time.`, place)
  const reasons: Record<string, string> = {
    ECONNREFUSED: 'refused the connection',
    EHOSTUNREACH: 'cannot be reached',
    ENETUNREACH: 'cannot be reached from this network',
    ENOTFOUND: 'is not a known host name',
    EAI_AGAIN: 'could not be looked up',
  }
  return new ProvisioningError('Unreachable', `${address}:${port} ${reasons[fault.code ?? ''] ?? `broke off the connection (${text})`}.`, place)
}

function wrap(client: Client, target: SshTarget, hostKey: HostKey, unfinished: (fault: Error) => void): SshConnection {
  let isOpen = true
  let asked = false
  let lastFault: Error | undefined
  const listeners = new Map<number, (stream: Duplex) => void>()
  const waiting: (() => void)[] = []
  let sessions = 0
  const lost = (): ProvisioningError =>
    new ProvisioningError('ConnectionLost', `The connection to ${target.address} broke${lastFault ? ` (${lastFault.message})` : ''}.`, {
      host: target.address,
      ...(lastFault ? { cause: lastFault } : {}),
    })
  client.off('error', unfinished)
  client.on('error', fault => {
    lastFault = fault
  })
  const closed = new Promise<ProvisioningError | undefined>(resolve => {
    client.once('close', () => {
      isOpen = false
      for (const wake of waiting.splice(0)) wake()
      resolve(asked ? undefined : lost())
    })
  })
  client.on('tcp connection', (details, accept, reject) => {
    const take = listeners.get(details.destPort)
    if (take) {
      const stream = accept()
      stream.on('error', () => stream.destroy())
      take(stream)
    } else reject()
  })
  const release = (): void => {
    sessions--
    waiting.shift()?.()
  }

  async function start(commandLine: string): Promise<RemoteProcess> {
    while (isOpen && sessions >= maxSessions)
      await new Promise<void>(resolve => {
        waiting.push(resolve)
      })
    if (!isOpen) throw lost()
    sessions++
    return new Promise((resolve, reject) => {
      let begun = false
      void closed.then(() => {
        if (!begun) reject(lost())
      })
      client.exec(commandLine, { pty: false }, (fault, channel) => {
        begun = true
        if (fault) {
          release()
          reject(isOpen ? new ProvisioningError('CommandFailed', `The host refused to run a command (${fault.message}).`, { host: target.address }) : lost())
          return
        }
        channel.once('close', release)
        resolve(processOf(channel, closed, lost))
      })
    })
  }

  return {
    target,
    hostKey,
    closed,
    start,
    get isOpen() {
      return isOpen
    },
    dial: (port, address = '127.0.0.1') =>
      callback<ClientChannel>(
        closed,
        lost,
        done => {
          client.forwardOut('127.0.0.1', 0, address, port, done)
        },
        fault =>
          new ProvisioningError(
            /Connection refused/i.test(fault.message) ? 'Unreachable' : /prohibited|disabled/i.test(fault.message) ? 'ForwardingRefused' : 'Unreachable',
            `${address === '127.0.0.1' ? `Port ${port} of ${target.address}` : `${address}:${port}`} cannot be reached through ${address === '127.0.0.1' ? 'SSH' : target.address} (${fault.message}).`,
            { host: target.address, cause: fault },
          ),
      ),
    async listen(port, onConnection) {
      const bound = await callback<number>(
        closed,
        lost,
        done => {
          client.forwardIn('127.0.0.1', port, done)
        },
        fault =>
          new ProvisioningError('ForwardingRefused', `The SSH server of ${target.address} refused to listen on 127.0.0.1:${port} (${fault.message}).`, {
            host: target.address,
            cause: fault,
          }),
      )
      listeners.set(bound, onConnection)
      return bound
    },
    end() {
      asked = true
      client.end()
    },
  }
}

function callback<T>(closed: Promise<unknown>, lost: () => Error, ask: (done: (fault: Error | undefined, value: T) => void) => void, refused: (fault: Error) => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    void closed.then(() => {
      reject(lost())
    })
    try {
      ask((fault, value) => {
        if (fault) reject(refused(fault))
        else resolve(value)
      })
    } catch {
      reject(lost())
    } // ssh2 throws 'Not connected' when the socket is gone already
  })
}

function processOf(channel: ClientChannel, closed: Promise<unknown>, lost: () => Error): RemoteProcess {
  const exit = new Promise<number>((resolve, reject) => {
    let status: number | undefined
    channel.on('exit', (code: number | null, signal?: string) => {
      status = code ?? 128 + (signalNumbers[signal ?? ''] ?? 0)
    })
    channel.once('close', () => {
      if (status === undefined) reject(lost())
      else resolve(status)
    })
    void closed.then(() => {
      if (status === undefined) reject(lost())
    })
  })
  exit.catch(() => undefined) // the reader may be gone by then; it is reported where it is awaited
  channel.stdin.on('error', () => undefined) // a command that does not read its input is no fault
  return {
    stdin: channel.stdin,
    stdout: channel,
    stderr: channel.stderr,
    exit,
    kill() {
      channel.signal('KILL')
      channel.close()
    },
  }
}

const signalNumbers: Record<string, number> = { HUP: 1, INT: 2, QUIT: 3, KILL: 9, PIPE: 13, ALRM: 14, TERM: 15 }
