/** Finds the built window, and has it built where the program runs from its sources and they have changed. */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from '../base/node/command.ts'
import { isWindowBuilt, windowDir } from './build-window.ts'

/** Resolves the directory of the window's files. Rejects with what the bundler said when they could not be built. */
export async function windowFiles(root: string): Promise<string> {
  const hasSources = await access(join(root, 'src-renderer')).then(
    () => true,
    () => false,
  )
  if (!hasSources || (await isWindowBuilt(root))) return windowDir(root)
  // A process of its own: the bundler's 300 MB go with it.
  const built = await runCommand(process.execPath, [join(root, 'src-main', 'server', 'build-window-files.ts')], { cwd: root })
  if (built.status !== 0) throw new Error(`the window could not be built: ${built.stderr.trim().slice(-2_000)}`)
  return windowDir(root)
}
