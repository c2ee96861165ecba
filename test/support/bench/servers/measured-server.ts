/** What benchmarks need of a server, whichever it is: where it answers, and what it costs. Figures come from /proc. */
import { mkdtempSync, readFileSync } from 'node:fs'
import { Agent, get } from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChildProcess } from 'node:child_process'
import type { Credentials } from '../client.ts'

export interface MeasuredServer {
  readonly name: string
  readonly credentials: Credentials
  /** From the start of its first process until /readyz says ok, ms. */
  readonly readyMs: number
  /** Processor time until then, all its processes and threads: does not depend on what else the machine does. */
  readonly readyCpuMs: number
  readonly dataDir: string
  /** Costs are counted from here. */
  mark(): Promise<void>
  cost(): Promise<Cost>
  residentBytes(): number
  stop(keepData?: boolean): Promise<void>
}

/** Since the last mark. */
export interface Cost {
  /** Processor time of all its processes and threads. */
  readonly cpuMs: number
  /** The longest time for which the event loop was held; undefined where there is none. */
  readonly heldMs: number | undefined
}

/** `heldMs` answers what it has seen since it was last asked. */
export function meter(pids: readonly number[], heldMs: () => Promise<number | undefined>): Pick<MeasuredServer, 'mark' | 'cost' | 'residentBytes'> {
  let from = 0
  return {
    async mark() {
      await heldMs()
      from = cpuMsOf(pids)
    },
    async cost() {
      const cpuMs = cpuMsOf(pids) - from
      return { cpuMs, heldMs: await heldMs() }
    },
    residentBytes: () => residentBytesOf(pids),
  }
}

export function newDataDir(): string {
  return mkdtempSync(join(tmpdir(), 'quarterdeck-bench-'))
}

/** Processor time of processes, ms; clock ticks are hundredths of a second on every Linux we meet. */
export function cpuMsOf(pids: readonly number[]): number {
  let ticks = 0
  for (const pid of pids) {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ').slice(11, 13) ?? []
    for (const field of fields) ticks += Number(field)
  }
  return ticks * 10
}

function residentBytesOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024, 0)
}

/** Between two looks whether a server is ready. */
const POLL_MS = 10
const READY_LIMIT_MS = 120_000

function isReady(port: number, agent: Agent): Promise<boolean> {
  return new Promise(resolve => {
    get({ host: '127.0.0.1', port, path: '/readyz', agent, rejectUnauthorized: false }, answer => {
      answer.resume()
      resolve(answer.statusCode === 200)
    }).on('error', () => {
      resolve(false)
    })
  })
}

/** Resolves once /readyz says ok; rejects when the server ends or takes too long. The same look for every server. */
export async function untilReady(port: number, isAlive: () => boolean): Promise<void> {
  const agent = new Agent({ keepAlive: true })
  const began = performance.now()
  try {
    while (!(await isReady(port, agent))) {
      if (!isAlive()) throw new Error('the server ended')
      if (performance.now() - began > READY_LIMIT_MS) throw new Error('the server takes too long')
      await sleep(POLL_MS)
    }
  } finally {
    agent.destroy()
  }
}

/** Ends a process of ours and waits until it is gone. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise<void>(resolve => {
    child.once('close', () => {
      resolve()
    })
  })
  child.kill('SIGTERM')
  await ended
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        if (typeof address === 'object' && address) resolve(address.port)
        else reject(new Error('no port is free'))
      })
    })
  })
}
