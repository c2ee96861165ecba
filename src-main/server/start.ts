/**
 * `npm start`: builds the window when its sources changed, starts the control plane and opens the desktop window; without
 * Electron or a display it serves the window to a browser and prints its address.
 *
 *   npm start -- [--data-dir D] [--api-port 6443] [--ui-port 0] [--web] [--dev]
 */
import { spawn } from 'node:child_process'
import { access } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { nodeEnv } from '../base/node/node-env.ts'
import { createControlPlane } from '../control-plane/control-plane.ts'
import { buildWindow } from './build-window.ts'
import { defaultDataDir } from './data-dir.ts'
import { projectDir } from '../base/node/project-dir.ts'
import { openBrowser } from './open-browser.ts'
import { startProduct } from './product.ts'

const say = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

/** Path of the Electron program, or undefined where its binary was never fetched. */
async function electronProgram(): Promise<string | undefined> {
  try {
    const path: unknown = createRequire(import.meta.url)('electron')
    if (typeof path !== 'string') return undefined
    await access(path)
    return path
  } catch {
    return undefined
  }
}

function hasDisplay(): boolean {
  return process.platform !== 'linux' || Boolean(process.env['DISPLAY'] || process.env['WAYLAND_DISPLAY'])
}

async function openDesktop(program: string, args: string[]): Promise<number> {
  const { build } = await import('electron-vite')
  say('Building the desktop shell…')
  await build({ root: projectDir, logLevel: 'warn' })
  const child = spawn(program, [projectDir, ...args], { stdio: 'inherit' })
  return new Promise(done => {
    child.on('exit', code => {
      done(code ?? 0)
    })
  })
}

async function serve(asked: { dataDir: string; apiPort: number; uiPort: number; verbose: boolean; open: boolean }): Promise<void> {
  const env = nodeEnv({ level: asked.verbose ? 'debug' : 'warn' })
  const windowFiles = await buildWindow(projectDir, say)
  const controlPlane = await createControlPlane({ env, dataDir: asked.dataDir, apiPort: asked.apiPort })
  await controlPlane.start()
  const product = await startProduct({ env, controlPlane, dataDir: asked.dataDir, uiPort: asked.uiPort, windowFiles })
  say(
    `Quarterdeck runs.\n  window   ${product.uiAddress ?? 'not built'}\n  API      ${controlPlane.address}\n  kubectl  KUBECONFIG=${controlPlane.kubeconfigPath}\nctrl-C stops it. Nodes live on by themselves meanwhile.`,
  )
  if (asked.open && product.uiAddress !== undefined) await openBrowser(product.uiAddress, asked.dataDir)
  let stopping = false
  const stop = (): void => {
    if (stopping) process.exit(1)
    stopping = true
    void product
      .stop()
      .then(() => controlPlane.stop())
      .then(
        () => process.exit(0),
        () => process.exit(1),
      )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      'data-dir': { type: 'string' },
      'api-port': { type: 'string', default: '6443' },
      'ui-port': { type: 'string', default: '0' },
      web: { type: 'boolean', default: false },
      dev: { type: 'boolean', default: false },
      verbose: { type: 'boolean', default: false },
    },
  })
  const dataDir = resolve(values['data-dir'] ?? defaultDataDir(process.platform, process.env))
  const program = values.web || !hasDisplay() ? undefined : await electronProgram()
  if (program) process.exit(await openDesktop(program, [`--data-dir=${dataDir}`, `--api-port=${values['api-port']}`]))
  await serve({ dataDir, apiPort: Number(values['api-port']), uiPort: Number(values['ui-port']), verbose: values.verbose || values.dev, open: hasDisplay() && !values.web })
}

main().catch((fault: unknown) => {
  process.stderr.write(`quarterdeck: ${fault instanceof Error ? fault.message : String(fault)}\n`)
  process.exit(1)
})
