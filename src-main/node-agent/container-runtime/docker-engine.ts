/**
 * The one place that knows dockerode: Docker Engine behind its unix socket, in an API version that both sides speak, with
 * a time limit on every call and every failure as a RuntimeError. Of dockerode only the part that talks to a local
 * engine is used; the agent's bundle leaves out its SSH client and BuildKit session (provisioning/artifacts).
 */
import { inspect } from 'node:util'
import Docker from 'dockerode'
import { RuntimeError } from './runtime.ts'

/** The oldest API that we speak (Docker 20.10). Newer engines (29 needs at least 1.44) are asked with their own minimum. */
const baseApiVersion = '1.41'
/** A wedged engine must not hold a pod's worker for ever. */
const callTimeoutMs = 120_000
const versionTimeoutMs = 10_000

/** For streams that may be silent for ever: no time limit. */
export const noTimeout = 0

export class DockerEngine {
  readonly #socketPath: string
  #version: Promise<string> | undefined

  constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  /** The answer of `work`, which may be silent for `timeoutMs`; throws RuntimeError. "Not modified" counts as done. */
  async ask<T>(work: (docker: Docker) => Promise<T>, timeoutMs: number = callTimeoutMs): Promise<T> {
    const version = await this.#negotiated()
    return translated(work(this.#client(timeoutMs, version)))
  }

  /** A GET's answer as it comes, which dockerode gives for some calls only as a whole (logs without follow). */
  async stream(path: string, query: Readonly<Record<string, unknown>>, signal?: AbortSignal): Promise<NodeJS.ReadableStream> {
    return this.ask(
      docker =>
        new Promise((resolve, reject) => {
          const options = { path: `${path}?`, method: 'GET', isStream: true, statusCodes: { 200: true }, options: { ...query }, ...abortedBy(signal) }
          docker.modem.dial(options, (fault, answer) => {
            if (fault) reject(fault)
            else resolve(answer as NodeJS.ReadableStream)
          })
        }),
      noTimeout,
    )
  }

  /** The engine may come back from a restart as another version. */
  forgetVersion(): void {
    this.#version = undefined
  }

  #negotiated(): Promise<string> {
    this.#version ??= translated(this.#client(versionTimeoutMs).version()).then(
      version => `v${laterVersion(version.MinAPIVersion ?? '0', baseApiVersion)}`,
      (fault: unknown) => {
        this.#version = undefined
        throw fault
      },
    )
    return this.#version
  }

  #client(timeoutMs: number, version?: string): Docker {
    // Host and protocol are given so that DOCKER_HOST of an environment means nothing here.
    return new Docker({ socketPath: this.#socketPath, host: '', protocol: 'http', timeout: timeoutMs, ...(version === undefined ? {} : { version }) })
  }
}

/** Options of a call that the signal ends. dockerode formats every request's options for its debug output, shown or not: a signal would drag along all that listens to it. */
export function abortedBy(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal ? { abortSignal: Object.defineProperty(signal, inspect.custom, { value: () => 'AbortSignal', configurable: true }) } : {}
}

/** Query and body apart: dockerode's plain options would be both at once, a whole container in the URL. */
export function parts<T>(query: Readonly<Record<string, unknown>>, body: unknown = {}): T {
  return { _query: query, _body: body } as T
}

/** The later of two API versions such as 1.41. */
export function laterVersion(a: string, b: string): string {
  const [aMajor = 0, aMinor = 0] = a.split('.').map(Number)
  const [bMajor = 0, bMinor = 0] = b.split('.').map(Number)
  return aMajor > bMajor || (aMajor === bMajor && aMinor > bMinor) ? a : b
}

/** What dockerode throws: the engine's answer with its status, or the socket's fault. */
interface DockerFault {
  readonly message: string
  readonly code?: string
  readonly statusCode?: number
  readonly reason?: string
  readonly json?: unknown
}

async function translated<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (thrown) {
    const fault = thrown as DockerFault
    if (fault.statusCode === 304) return undefined as T
    if (fault.statusCode !== undefined) throw new RuntimeError(fault.statusCode, engineMessage(fault, fault.statusCode))
    throw new RuntimeError(0, `container runtime: ${fault.code === 'ECONNRESET' ? 'connection lost, or no answer in time' : fault.message}`)
  }
}

/** The engine's own words: dockerode puts `(HTTP code 404) no such container - ` before them and a blank after. */
function engineMessage(fault: DockerFault, statusCode: number): string {
  if (typeof fault.json === 'object' && fault.json !== null && 'message' in fault.json && typeof fault.json.message === 'string') return fault.json.message
  const before = `(HTTP code ${statusCode}) ${fault.reason ?? 'unexpected'} - `
  return (fault.message.startsWith(before) ? fault.message.slice(before.length) : fault.message).trim()
}
