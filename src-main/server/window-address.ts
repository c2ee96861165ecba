/**
 * The window's address over HTTP, kept in the data directory, so that a page that is open reconnects after a restart and a
 * bookmark stays good: the last port and the token. The file is as secret as the administrator's kubeconfig beside it.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Env } from '../base/env.ts'

export interface WindowAddress {
  readonly port: number
  readonly token: string
}

const tokenPattern = /^[A-Za-z0-9_-]{43}$/

/** The kept address, or a new token with port 0 (any free one). */
export async function readWindowAddress(dataDir: string, env: Env): Promise<WindowAddress> {
  try {
    const kept = JSON.parse(await readFile(fileOf(dataDir), 'utf8')) as Partial<WindowAddress>
    if (typeof kept.token === 'string' && tokenPattern.test(kept.token) && typeof kept.port === 'number' && Number.isInteger(kept.port) && kept.port >= 0 && kept.port <= 65535)
      return { port: kept.port, token: kept.token }
  } catch {
    /* first start, or damaged: a new one */
  }
  return { port: 0, token: Buffer.from(env.random.bytes(32)).toString('base64url') }
}

export async function keepWindowAddress(dataDir: string, address: WindowAddress): Promise<void> {
  await writeFile(fileOf(dataDir), JSON.stringify(address), { mode: 0o600 })
}

function fileOf(dataDir: string): string {
  return join(dataDir, 'window.json')
}
