/** Opens the window's address in the user's browser. Through a file that only the user can read: arguments of programs are seen by everybody on the computer. */
import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const openers: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = { darwin: ['open'], win32: ['cmd', '/c', 'start', ''], linux: ['xdg-open'] }

/** Resolves when the opener was started or is not there; never throws: the address is printed anyway. */
export async function openBrowser(address: string, dataDir: string): Promise<void> {
  const [program, ...args] = openers[process.platform] ?? []
  if (program === undefined) return
  const page = join(dataDir, 'open-window.html')
  try {
    await writeFile(
      page,
      `<!doctype html><meta charset="utf-8"><title>Quarterdeck</title><meta http-equiv="refresh" content="0; url=${address}"><a href="${address}">Open Quarterdeck</a>\n`,
      { mode: 0o600 },
    )
    await new Promise<void>(resolve => {
      const child = spawn(program, [...args, page], { stdio: 'ignore', detached: true })
      child.once('error', () => {
        resolve()
      })
      child.once('spawn', () => {
        child.unref()
        resolve()
      })
    })
  } catch {
    /* a read-only data directory: the printed address remains */
  }
}
