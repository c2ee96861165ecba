/** Things that must happen together with a write of a kind, beyond what its declaration says. */
import type { Env } from '../../base/env.ts'
import type { Store } from '../../store/store.ts'
import type { WriteHook } from './registry.ts'
import { createServiceHook } from './service-hook.ts'

export interface HookOptions {
  readonly env: Env
  readonly store: Store
  readonly serviceCIDR?: string
  readonly nodePortRange?: { readonly first: number; readonly last: number }
}

export interface Hooks {
  readonly byResource: ReadonlyMap<string, WriteHook>
  stop(): void
}

/** Default range of cluster IPs. */
const SERVICE_CIDR = '10.96.0.0/16'
const NODE_PORTS = { first: 30_000, last: 32_767 }

export function createHooks(options: HookOptions): Hooks {
  const services = createServiceHook({ ...options, serviceCIDR: options.serviceCIDR ?? SERVICE_CIDR, nodePortRange: options.nodePortRange ?? NODE_PORTS })
  return {
    byResource: new Map([['services', services.hook]]),
    stop() {
      services.stop()
    },
  }
}
