/** Starts a headless control plane of its own for a benchmark, as `npm run headless` does, and ends it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../', import.meta.url))

export interface BenchServer {
  readonly kubeconfig: string
  /** From the start of the process to its ready line, ms. */
  readonly readyMs: number
  /** Processor time until then, all threads: does not depend on what else the machine does. */
  readonly readyCpuMs: number
  readonly dataDir: string
  cpuMs(): number
  residentBytes(): number
  stop(keepData?: boolean): Promise<void>
}

/** `dataDir` of an earlier run to start on its data. */
export async function startServer(dataDir = mkdtempSync(join(tmpdir(), 'quarterdeck-bench-'))): Promise<BenchServer> {
  const kubeconfig = join(dataDir, 'bench.kubeconfig')
  const began = performance.now()
  const child = spawn(
    process.execPath,
    [join(root, 'src-main/server/run.js'), 'headless', '--data-dir', join(dataDir, 'data'), '--api-port', '0', '--ui-port', '0', '--kubeconfig', kubeconfig],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  await readyLine(child)
  const readyMs = performance.now() - began
  const cpuMs = (): number =>
    readFileSync(`/proc/${child.pid ?? 0}/stat`, 'utf8')
      .split(') ')[1]
      ?.split(' ')
      .slice(11, 13)
      .reduce((sum, ticks) => sum + Number(ticks) * 10, 0) ?? 0
  const readyCpuMs = cpuMs()
  return {
    kubeconfig,
    readyMs,
    readyCpuMs,
    dataDir,
    cpuMs,
    residentBytes: () => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid ?? 0}/status`, 'utf8'))?.[1] ?? 0) * 1024,
    async stop(keepData = false) {
      const ended = new Promise<void>(resolve => {
        child.once('close', () => {
          resolve()
        })
      })
      child.kill('SIGTERM')
      await ended
      if (!keepData) rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

function readyLine(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = ''
    let faults = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (output.includes('"ready":true')) resolve()
    })
    child.stderr?.on('data', (chunk: Buffer) => {
      faults = (faults + chunk.toString()).slice(-4096)
    })
    child.once('close', code => {
      reject(new Error(`the control plane ended with ${code ?? 'a signal'}: ${faults}`))
    })
  })
}
