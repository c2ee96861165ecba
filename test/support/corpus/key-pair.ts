/** The administrator's certificate and key as files, for clients that read files. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunningControlPlane } from '../running-control-plane.ts'

export async function writeKeyPair(running: RunningControlPlane): Promise<{ cert: string; key: string }> {
  const { admin } = running.controlPlane.keys
  const pair = { cert: join(running.dataDir, 'client.crt'), key: join(running.dataDir, 'client.key') }
  await writeFile(pair.cert, admin.certificate)
  await writeFile(pair.key, admin.privateKey, { mode: 0o600 })
  return pair
}
