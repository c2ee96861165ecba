/**
 * Entry point without a window of its own: the control plane, and the window over HTTP.
 *
 *   npm run headless -- --data-dir D [--api-port 6443] [--ui-port 0] [--kubeconfig F] [--host 127.0.0.1] [--no-ui]
 *                       [--simulated-nodes N [--simulation FILE]]
 *
 * Encryption at rest, audit, identity providers and webhooks: the flags of security-flags.ts.
 * Prints one line of JSON on standard output when the API answers: {"ready":true,"ui":"http://…","api":"https://…"}.
 * SIGTERM and SIGINT stop it cleanly.
 */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Env } from '../base/env.ts'
import { nodeEnv } from '../base/node/node-env.ts'
import { projectDir } from '../base/node/project-dir.ts'
import { createControlPlane } from '../control-plane/control-plane.ts'
import { defaultDataDir } from './data-dir.ts'
import { securityFlags, securityOptions } from './security-flags.ts'

const usage =
  'usage: headless [--data-dir DIRECTORY] [--api-port PORT] [--ui-port PORT] [--kubeconfig FILE] [--host ADDRESS] [--no-ui] [--verbose] [--simulated-nodes COUNT [--simulation FILE]]'

interface Arguments {
  readonly dataDir: string
  readonly apiPort: number
  readonly uiPort: number | undefined
  readonly kubeconfig: string | undefined
  readonly host: string | undefined
  readonly verbose: boolean
  readonly simulatedNodes: number | undefined
  readonly simulation: string | undefined
  readonly security: ReturnType<typeof securityOptions>
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      'data-dir': { type: 'string' },
      'api-port': { type: 'string', default: '6443' },
      'ui-port': { type: 'string', default: '0' },
      kubeconfig: { type: 'string' },
      host: { type: 'string' },
      'no-ui': { type: 'boolean', default: false },
      verbose: { type: 'boolean', default: false },
      'simulated-nodes': { type: 'string' },
      simulation: { type: 'string' },
      help: { type: 'boolean', default: false },
      ...securityFlags,
    },
  })
  if (values.help) {
    process.stdout.write(
      `${usage}\nand kube-apiserver's flags: ${Object.keys(securityFlags)
        .map(flag => `--${flag}`)
        .join(', ')}\n`,
    )
    process.exit(0)
  }
  return {
    dataDir: resolve(values['data-dir'] ?? defaultDataDir(process.platform, process.env)),
    apiPort: port(values['api-port'], 'api-port'),
    uiPort: values['no-ui'] ? undefined : port(values['ui-port'], 'ui-port'),
    kubeconfig: values.kubeconfig === undefined ? undefined : resolve(values.kubeconfig),
    host: values.host,
    verbose: values.verbose,
    simulatedNodes: values['simulated-nodes'] === undefined ? undefined : count(values['simulated-nodes'], 'simulated-nodes'),
    simulation: values.simulation === undefined ? undefined : resolve(values.simulation),
    security: securityOptions(values),
  }
}

function port(text: string, name: string): number {
  const number = Number(text)
  if (text === '' || !Number.isInteger(number) || number < 0 || number > 65535) throw new Error(`--${name} must be a port from 0 (any free one) to 65535`)
  return number
}

function count(text: string, name: string): number {
  const number = Number(text)
  if (text === '' || !Number.isInteger(number) || number < 0) throw new Error(`--${name} must be a whole number`)
  return number
}

/** The control plane serves without a window, too: what hinders that is told. */
async function window(env: Env): Promise<{ windowFiles?: string }> {
  try {
    const { windowFiles } = await import('./window-files.ts')
    return { windowFiles: await windowFiles(projectDir) }
  } catch (fault) {
    env.log.log('error', 'there is no window', { fault })
    return {}
  }
}

async function main(): Promise<void> {
  const asked = readArguments()
  const env = nodeEnv({ level: asked.verbose ? 'debug' : 'info' })
  const loaded = Promise.withResolvers<void>()
  const controlPlane = await createControlPlane({
    env,
    controllersAfter: loaded.promise,
    dataDir: asked.dataDir,
    apiPort: asked.apiPort,
    ...asked.security,
    ...(asked.host === undefined ? {} : { host: asked.host }),
    ...(asked.kubeconfig === undefined ? {} : { kubeconfigPath: asked.kubeconfig }),
  })
  await controlPlane.start()
  // Loaded once the API answers: its code (SSH, Docker, window) must not delay that.
  const { startProduct } = await import('./product.ts')
  const { uiPort, dataDir } = asked
  const product = await startProduct({ env, controlPlane, dataDir, ...(uiPort === undefined ? {} : { uiPort, ...(await window(env)) }) })
  const { simulatedNodes, simulation } = asked
  // Loaded only where it is asked for.
  const endSimulation =
    simulatedNodes === undefined ? undefined : await (await import('./simulation.ts')).startSimulation({ env, controlPlane, count: simulatedNodes, file: simulation })
  let stopping = false
  const stop = (): void => {
    if (stopping) process.exit(1) // asked twice: at once
    stopping = true
    void Promise.resolve(endSimulation?.())
      .then(() => product.stop())
      .then(() => controlPlane.stop())
      .then(
        () => process.exit(0),
        (fault: unknown) => {
          env.log.log('error', 'the stop failed', { fault })
          process.exit(1)
        },
      )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  loaded.resolve()
  process.stdout.write(
    `${JSON.stringify({ ready: true, ...(product.uiAddress === undefined ? {} : { ui: product.uiAddress }), api: controlPlane.address, kubeconfig: controlPlane.kubeconfigPath })}\n`,
  )
}

main().catch((fault: unknown) => {
  process.stderr.write(`quarterdeck: ${fault instanceof Error ? fault.message : String(fault)}\n`)
  process.exit(1)
})
