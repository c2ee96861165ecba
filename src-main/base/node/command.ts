/** Runs a program of this computer. No shell is involved: arguments reach the program as they are. */
import { spawn } from 'node:child_process'
import type { Readable } from 'node:stream'

export interface CommandResult {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export interface CommandOptions {
  readonly input?: string | Uint8Array | Readable
  readonly signal?: AbortSignal
  /** Added to this process's environment. */
  readonly environment?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Called with each piece of output as it comes; the result holds it too. */
  readonly onOutput?: (text: string) => void
}

/** Output kept of one stream; enough for any listing, and a bound for a program gone mad. */
const maxOutputBytes = 16 * 1024 * 1024

/** Never rejects for an exit status; rejects when the program cannot be started or the signal aborts. */
export function runCommand(program: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      cwd: options.cwd,
      env: { ...process.env, ...options.environment },
      ...(options.signal ? { signal: options.signal } : {}),
    })
    const stdout = collect(child.stdout, options.onOutput)
    const stderr = collect(child.stderr, options.onOutput)
    child.once('error', reject)
    child.once('close', (status, signal) => {
      resolve({ status: status ?? (signal ? 128 : 1), stdout: stdout(), stderr: stderr() })
    })
    child.stdin.on('error', () => undefined) // a program that does not read its input is no fault; its status tells
    if (options.input === undefined) child.stdin.end()
    else if (typeof options.input === 'string' || options.input instanceof Uint8Array) child.stdin.end(options.input)
    else options.input.once('error', reject).pipe(child.stdin)
  })
}

/** Standard output as a stream, for programs that write a file's worth of bytes. `done` gives the status and what stood on standard error. */
export function streamCommand(program: string, args: readonly string[], signal?: AbortSignal): { stdout: Readable; done: Promise<CommandResult> } {
  const child = spawn(program, [...args], { stdio: ['ignore', 'pipe', 'pipe'], ...(signal ? { signal } : {}) })
  const stderr = collect(child.stderr)
  const done = new Promise<CommandResult>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', status => {
      resolve({ status: status ?? 1, stdout: '', stderr: stderr() })
    })
  })
  return { stdout: child.stdout, done }
}

function collect(stream: Readable, onOutput?: (text: string) => void): () => string {
  const chunks: Buffer[] = []
  let size = 0
  stream.on('data', (chunk: Buffer) => {
    onOutput?.(chunk.toString('utf8'))
    if (size < maxOutputBytes) {
      chunks.push(chunk)
      size += chunk.length
    }
  })
  return () => Buffer.concat(chunks).toString('utf8')
}
