/**
 * The audit log: a line of JSON an event, in a file that is renamed when it has grown to its bound. Lines are written in
 * the order in which they come, off the event loop. A disk that does not keep up loses lines, which is counted and
 * written to the program's log; requests never wait for it.
 */
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import type { Env } from '../../base/env.ts'
import type { AuditSink } from './audit.ts'

export interface AuditLogOptions {
  readonly env: Env
  readonly path: string
  /** Default 100 MB, as upstream's usual advice. */
  readonly maxBytes?: number
  /** Files that are kept beside the newest; default 10. */
  readonly maxBackups?: number
  /** Days that files are kept; default: no bound. */
  readonly maxAgeDays?: number
}

export interface AuditLog extends AuditSink {
  readonly written: number
  readonly dropped: number
  /** Resolves when everything so far is on its way to the disk. */
  flush(): Promise<void>
  close(): Promise<void>
}

const DEFAULT_BYTES = 100 * 1024 * 1024
const DEFAULT_BACKUPS = 10
/** Lines that may wait: some ten seconds of a busy server. */
const MAX_WAITING = 20_000
const DAY_MS = 86_400_000

/** Opens the log, with its folder. Rejects with the system's error. */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  await mkdir(dirname(options.path), { recursive: true, mode: 0o700 })
  const file = await open(options.path, 'a', 0o600)
  return new RotatingLog(options, file, (await file.stat()).size)
}

class RotatingLog implements AuditLog {
  readonly #options: AuditLogOptions
  #file: FileHandle | undefined
  #size: number
  #waiting: string[] = []
  #running: Promise<void> | undefined
  #isFailing = false
  written = 0
  dropped = 0

  constructor(options: AuditLogOptions, file: FileHandle, size: number) {
    this.#options = options
    this.#file = file
    this.#size = size
  }

  write(line: string): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#drop(1, 'more events came than the disk takes')
      return
    }
    this.#waiting.push(line)
    this.#running ??= this.#run()
  }

  #drop(count: number, why: unknown): void {
    this.dropped += count
    if (!this.#isFailing) this.#options.env.log.log('error', 'audit events are lost', { path: this.#options.path, fault: String(why) })
    this.#isFailing = true
  }

  async #run(): Promise<void> {
    // Events of the same turn share the first write.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const lines = this.#waiting
      this.#waiting = []
      try {
        await this.#append(lines)
        this.written += lines.length
        this.#isFailing = false
      } catch (fault) {
        this.#drop(lines.length, fault)
      }
    }
    this.#running = undefined
  }

  async #append(lines: readonly string[]): Promise<void> {
    const bytes = Buffer.from(`${lines.join('\n')}\n`)
    if (this.#size > 0 && this.#size + bytes.length > (this.#options.maxBytes ?? DEFAULT_BYTES)) await this.#rotate()
    this.#file ??= await open(this.#options.path, 'a', 0o600)
    await this.#file.write(bytes)
    this.#size += bytes.length
  }

  async #rotate(): Promise<void> {
    const { path, env } = this.#options
    await this.#file?.close()
    this.#file = undefined
    await rename(path, await this.#freeName(env.clock.now()))
    this.#size = 0
    await this.#removeOld()
  }

  /** `audit-2026-11-23T04-05-06.789.log`; several in one millisecond are told apart by a number. */
  async #freeName(now: number): Promise<string> {
    const { path } = this.#options
    const extension = extname(path)
    const start = join(dirname(path), `${basename(path, extension)}-${new Date(now).toISOString().replaceAll(':', '-').replace('Z', '')}`)
    const present = new Set(await readdir(dirname(path)))
    for (let n = 0; ; n++) {
      const name = `${start}${n === 0 ? '' : `.${n}`}${extension}`
      if (!present.has(basename(name))) return name
    }
  }

  async #removeOld(): Promise<void> {
    const { path, maxBackups = DEFAULT_BACKUPS, maxAgeDays, env } = this.#options
    const extension = extname(path)
    const start = `${basename(path, extension)}-`
    const old = (await readdir(dirname(path))).filter(name => name.startsWith(start) && name.endsWith(extension)).sort()
    const oldest = maxAgeDays === undefined ? '' : `${start}${new Date(env.clock.now() - maxAgeDays * DAY_MS).toISOString().replaceAll(':', '-').replace('Z', '')}`
    const superfluous = old.filter((name, i) => i < old.length - maxBackups || name < oldest)
    for (const name of superfluous) await rm(join(dirname(path), name), { force: true })
  }

  async flush(): Promise<void> {
    while (this.#running) await this.#running
  }

  async close(): Promise<void> {
    await this.flush()
    await this.#file?.close()
    this.#file = undefined
  }
}
