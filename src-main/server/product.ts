/** What makes a control plane a product, for every entry point: the way to hosts, monitoring, the bridge, and the window's carrier. */
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BridgeHandlers } from '../api/bridge.ts'
import type { Env } from '../base/env.ts'
import { projectDir } from '../base/node/project-dir.ts'
import { Lifetime } from '../base/lifetime.ts'
import { createBridgeHandlers } from '../bridge/bridge.ts'
import type { ControlPlane } from '../control-plane/control-plane.ts'
import { createInformerFactory } from '../client/informers.ts'
import { createMonitoring } from '../monitoring/monitoring.ts'
import { createProvisioning } from '../provisioning/provisioning.ts'
import { dockerIsHere } from '../provisioning/practice/docker.ts'
import { createPractice } from '../provisioning/practice/practice.ts'
import { serveWeb } from './web.ts'
import { keepWindowAddress, readWindowAddress } from './window-address.ts'

export interface ProductOptions {
  readonly env: Env
  readonly controlPlane: ControlPlane
  readonly dataDir: string
  /** Undefined: no window over HTTP. 0: any free port. */
  readonly uiPort?: number
  /** Directory of the built window. Default: out/renderer of the project. */
  readonly windowFiles?: string
  readonly carrier?: 'electron' | 'web'
  /** Where a packaged app keeps the agent's bundle and runtime. */
  readonly resourcesDir?: string
}

export interface Product {
  /** With its token in the fragment; undefined when the window is not built or not wanted. */
  readonly uiAddress: string | undefined
  readonly handlers: BridgeHandlers
  stop(): Promise<void>
}

export async function startProduct(options: ProductOptions): Promise<Product> {
  const { env, controlPlane, dataDir } = options
  const life = new Lifetime()
  const client = controlPlane.client(controlPlane.admin)
  const provisioning = createProvisioning({
    env,
    client,
    serveApi: stream => {
      controlPlane.serveConnection(stream)
    },
    certificateAuthority: controlPlane.certificateAuthority,
    cacheDir: join(dataDir, 'cache'),
    ...(process.env['SSH_AUTH_SOCK'] ? { sshAgent: process.env['SSH_AUTH_SOCK'] } : {}),
    ...(options.resourcesDir === undefined ? {} : { resourcesDir: options.resourcesDir }),
  })
  life.add(() => {
    provisioning.stop()
  })
  const practice = createPractice({ env, client, apply: input => provisioning.apply(input) })
  controlPlane.setDialer(provisioning.dialer)
  controlPlane.addControllers([provisioning.controller])
  const informers = createInformerFactory({ client, env })
  life.add(() => {
    informers.stop()
  })
  const monitoring = createMonitoring({ env, client, informers })
  monitoring.start()
  life.add(() => monitoring.stop())
  for (const [key, storage] of monitoring.storages) controlPlane.setVirtual(key, storage)

  const version = await readVersion()
  const handlers = createBridgeHandlers({
    handle: controlPlane.handle,
    upgrade: controlPlane.upgrade,
    user: { name: 'quarterdeck-window', groups: ['system:masters', 'system:authenticated'] },
    info: async () => ({
      version,
      carrier: options.carrier ?? 'web',
      kubeconfigPath: controlPlane.kubeconfigPath,
      apiAddress: controlPlane.address,
      kubernetesVersion: 'v1.37.2',
      dockerOnThisComputer: await dockerIsHere(),
    }),
    machines: {
      'machines.tryConnect': (input, signal) => provisioning.tryConnect(input, signal),
      'machines.sshConfig': () => provisioning.sshConfig(),
      'machines.preflight': (input, _up, signal) => provisioning.preflight(input, signal),
      'machines.plan': (input, signal) => provisioning.plan(input, signal),
      'machines.apply': (input, signal) => provisioning.apply(input, signal),
      'machines.output': (input, _up, signal) => provisioning.output(input, signal),
    },
    images: { 'images.push': (input, up, signal) => provisioning.pushImage(input, up, signal), 'images.local': () => provisioning.localImages() },
    practice: { 'practice.up': (input, _up, signal) => practice.up(input, signal), 'practice.down': (_input, _up, signal) => practice.down(signal) },
    monitoring: monitoring.handlers,
  })

  const files = options.windowFiles ?? join(projectDir, 'out', 'renderer')
  let uiAddress: string | undefined
  if (options.uiPort !== undefined && (await exists(join(files, 'index.html')))) {
    const kept = await readWindowAddress(dataDir, env)
    const serve = (port: number): ReturnType<typeof serveWeb> => serveWeb({ env, handlers, files, port, token: kept.token })
    // The last port again where none is asked for; another program may have taken it since.
    const web = options.uiPort === 0 && kept.port !== 0 ? await serve(kept.port).catch(() => serve(0)) : await serve(options.uiPort)
    await keepWindowAddress(dataDir, { port: web.port, token: web.token })
    life.add(() => web.stop())
    uiAddress = web.url
  }
  return { uiAddress, handlers, stop: () => life.stop() }
}

async function readVersion(): Promise<string> {
  try {
    return (JSON.parse(await readFile(join(projectDir, 'package.json'), 'utf8')) as { version: string }).version
  } catch {
    return '0.0.0'
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
