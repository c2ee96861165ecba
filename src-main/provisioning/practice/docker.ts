/**
 * The Docker of this computer, through its command-line program: practice hosts and image pushing need a dozen calls of
 * it, and the program finds the engine (context, socket, Docker Desktop) as its user has set it up.
 */
import { runCommand, type CommandOptions } from '../../base/node/command.ts'

export class DockerError extends Error {
  readonly args: readonly string[]
  readonly stderr: string
  constructor(args: readonly string[], stderr: string) {
    super(`docker ${args.slice(0, 2).join(' ')} failed: ${stderr.trim() || 'no reason given'}`)
    this.name = 'DockerError'
    this.args = args
    this.stderr = stderr
  }
}

/** Standard output of `docker <args>`, without the last newline; throws DockerError. */
export async function docker(args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await dockerResult(args, options)
  if (result.status !== 0) throw new DockerError(args, result.stderr)
  return result.stdout.trimEnd()
}

/** As `docker`, for calls whose failure is an answer. */
export async function dockerResult(args: readonly string[], options: CommandOptions = {}): Promise<{ status: number; stdout: string; stderr: string }> {
  try {
    return await runCommand('docker', args, options)
  } catch (fault) {
    if (fault instanceof Error && 'code' in fault && fault.code === 'ENOENT') throw new DockerError(args, 'the docker program is not installed')
    throw fault
  }
}

/** True when an engine answers. */
export async function dockerIsHere(): Promise<boolean> {
  try {
    return (await dockerResult(['version', '--format', '{{.Server.Version}}'])).status === 0
  } catch {
    return false
  }
}

/** Images of this computer with a name, for pushing them to nodes. */
export async function localImages(): Promise<{ name: string; bytes: number }[]> {
  const names = (await docker(['image', 'ls', '--no-trunc', '--format', '{{.Repository}}:{{.Tag}}'])).split('\n').filter(name => name !== '' && !name.includes('<none>'))
  if (names.length === 0) return []
  const sizes = (await docker(['image', 'inspect', '--format', '{{.Size}}', ...names])).split('\n')
  return names.map((name, at) => ({ name, bytes: Number(sizes[at] ?? 0) })).filter(image => !image.name.startsWith('quarterdeck-host:'))
}
