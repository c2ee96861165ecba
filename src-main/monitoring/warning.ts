/** How a capacity warning is declared. One file a warning in warnings/, one line in warnings.ts. */
import type { CapacityWarning } from '../api/bridge.ts'
import type { Pod } from '../api/core/v1/pod.ts'
import type { NodeLoad } from './cluster-load.ts'

export interface WarningInput {
  readonly load: readonly NodeLoad[]
  /** Pods that are not bound and not ended. */
  readonly pending: readonly Pod[]
  /** Wall clock, ms. */
  readonly now: number
}

export type WarningFinding = Omit<CapacityWarning, 'since' | 'id'>

export interface WarningDefinition {
  /** C1 … C20, as the product's list numbers them. */
  readonly id: string
  /** Pure; may take long on large clusters, so it is called off the path of requests. */
  find(input: WarningInput): readonly WarningFinding[]
}

export function defineWarning(definition: WarningDefinition): WarningDefinition {
  return definition
}

export function percent(part: number): string {
  return `${Math.round(part * 100)} %`
}

/** `3 pods`, `1 pod`. */
export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}

/** 512 MiB, 1.5 GiB. */
export function bytes(amount: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let step = 0
  let rest = amount
  while (rest >= 1024 && step < units.length - 1) {
    rest /= 1024
    step++
  }
  return `${rest >= 10 || Number.isInteger(rest) ? Math.round(rest) : rest.toFixed(1)} ${units[step] ?? 'B'}`
}

/** 250 m, 1.5 cores. */
export function cores(millicores: number): string {
  return millicores < 1000 ? `${Math.round(millicores)} m` : `${(millicores / 1000).toFixed(1).replace(/\.0$/, '')} cores`
}
