/** What makes a control plane a product, for every entry point: the way to hosts, monitoring, and the window's carrier. */
import type { Env } from '../base/env.ts'
import { Lifetime } from '../base/lifetime.ts'
import type { ControlPlane } from '../control-plane/control-plane.ts'

export interface ProductOptions {
  readonly env: Env
  readonly controlPlane: ControlPlane
  readonly dataDir: string
  /** Undefined: no window. 0: any free port. */
  readonly uiPort?: number
}

export interface Product {
  /** With its token in the fragment; undefined when the window is not built or not wanted. */
  readonly uiAddress: string | undefined
  stop(): Promise<void>
}

export async function startProduct(_options: ProductOptions): Promise<Product> {
  const life = new Lifetime()
  return { uiAddress: undefined, stop: () => life.stop() }
}
