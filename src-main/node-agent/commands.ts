/** Runs programs of the host: no shell, bounded output, a time limit. */
import { spawn } from 'node:child_process'
import type { Clock } from '../base/env.ts'

const maxOutputBytes = 4 << 20
const timeoutMs = 30_000

export interface CommandResult {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export type RunCommand = (program: string, args: readonly string[], input?: string) => Promise<CommandResult>

/** Resolves with any exit status (127: no such program; 124: took too long). */
export function commandRunner(clock: Clock): RunCommand {
  return (program, args, input) =>
    new Promise(resolve => {
      const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' } })
      let stdout = ''
      let stderr = ''
      let late = false
      const cancel = clock.after(timeoutMs, () => {
        late = true
        child.kill('SIGKILL')
      })
      child.stdout.on('data', chunk => {
        if (stdout.length < maxOutputBytes) stdout += String(chunk)
      })
      child.stderr.on('data', chunk => {
        if (stderr.length < maxOutputBytes) stderr += String(chunk)
      })
      child.on('error', fault => {
        cancel()
        resolve({ status: 127, stdout, stderr: fault.message })
      })
      child.on('close', code => {
        cancel()
        resolve({ status: late ? 124 : (code ?? 1), stdout, stderr })
      })
      child.stdin.on('error', () => {
        /* it ended before it read all: its status tells */
      })
      child.stdin.end(input ?? '')
    })
}

/** Throws with what the program wrote where it failed. */
export async function runOrThrow(run: RunCommand, program: string, args: readonly string[], input?: string): Promise<string> {
  const result = await run(program, args, input)
  if (result.status !== 0) throw new Error(`${program} ${args.slice(0, 6).join(' ')}: exit ${result.status}: ${(result.stderr || result.stdout).trim().slice(0, 500)}`)
  return result.stdout
}
