/** A headless control plane of its own, started as `npm run headless` starts it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { readKubeconfig } from '../client.ts'
import { cpuMsOf, end, freePort, meter, newDataDir, untilReady, type MeasuredServer } from './measured-server.ts'

const root = fileURLToPath(new URL('../../../../', import.meta.url))
const loopWatch = pathToFileURL(join(import.meta.dirname, 'loop-watch.js')).href

export interface QuarterdeckOptions {
  /** Of an earlier run, to start on its data. */
  readonly dataDir?: string
  /** Further arguments of `headless`. */
  readonly args?: readonly string[]
  /** Of Node, before the program: `--cpu-prof`. */
  readonly nodeArgs?: readonly string[]
}

export async function startQuarterdeck(options: QuarterdeckOptions = {}): Promise<MeasuredServer> {
  const dataDir = options.dataDir ?? newDataDir()
  const kubeconfig = join(dataDir, 'bench.kubeconfig')
  const port = await freePort()
  const program = [join(root, 'src-main/server/run.js'), 'headless', '--data-dir', join(dataDir, 'data'), '--api-port', String(port), '--ui-port', '0', '--kubeconfig', kubeconfig]
  const began = performance.now()
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), '--import', loopWatch, ...program, ...(options.args ?? [])], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  const complete = readyLine(child)
  await Promise.race([complete, untilReady(port, () => child.exitCode === null)])
  const readyMs = performance.now() - began
  const pids = [child.pid ?? 0]
  const readyCpuMs = cpuMsOf(pids)
  // Its kubeconfig is there then, and whatever else a product loads.
  await complete
  await ask(child)
  return {
    name: 'Quarterdeck',
    credentials: readKubeconfig(kubeconfig),
    readyMs,
    readyCpuMs,
    dataDir,
    ...meter(pids, () => ask(child)),
    async stop(keepData = false) {
      await end(child)
      if (!keepData) rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

/** What loop-watch.js has seen since the last question. */
function ask(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (): void => {
      reject(new Error('the control plane ended'))
    }
    child.once('close', failed)
    child.once('message', message => {
      child.off('close', failed)
      resolve(Number(message))
    })
    child.send('held')
  })
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
