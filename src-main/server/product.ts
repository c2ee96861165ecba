/** What makes a control plane a product, for every entry point: the way to hosts, monitoring, and the window's carrier. */
import { join } from 'node:path'
import type { Env } from '../base/env.ts'
import { Lifetime } from '../base/lifetime.ts'
import type { ControlPlane } from '../control-plane/control-plane.ts'
import { createPractice, type Practice } from '../provisioning/practice/practice.ts'
import { createProvisioning, type Provisioning } from '../provisioning/provisioning.ts'

export interface ProductOptions {
  readonly env: Env
  readonly controlPlane: ControlPlane
  readonly dataDir: string
  /** Undefined: no window. 0: any free port. */
  readonly uiPort?: number
  /** Where a packaged app keeps what it sends to hosts. */
  readonly resourcesDir?: string
}

export interface Product {
  /** With its token in the fragment; undefined when the window is not built or not wanted. */
  readonly uiAddress: string | undefined
  readonly provisioning: Provisioning
  readonly practice: Practice
  stop(): Promise<void>
}

export async function startProduct(options: ProductOptions): Promise<Product> {
  const { env, controlPlane } = options
  const life = new Lifetime()
  const client = controlPlane.client(controlPlane.admin)
  const provisioning = createProvisioning({
    env, client, certificateAuthority: controlPlane.certificateAuthority, cacheDir: join(options.dataDir, 'cache'), serveApi: stream => { controlPlane.serveConnection(stream) },
    ...(options.resourcesDir === undefined ? {} : { resourcesDir: options.resourcesDir }),
  })
  life.add(() => { provisioning.stop() })
  const practice = createPractice({ env, client, apply: input => provisioning.apply(input) })
  controlPlane.setDialer(provisioning.dialer)
  controlPlane.addControllers([provisioning.controller])
  return { uiAddress: undefined, provisioning, practice, stop: () => life.stop() }
}
