/** The list of capacity warnings. A new one is a file in warnings/ and a line here. */
import type { CapacityWarning } from '../api/bridge.ts'
import type { WarningDefinition, WarningInput } from './warning.ts'
import { nodeLoss } from './warnings/c1-node-loss.ts'
import { requestsSaturation } from './warnings/c5-requests-saturation.ts'
import { podsAndAddresses } from './warnings/c11-pods-and-addresses.ts'
import { pendingPods } from './warnings/c13-pending.ts'

export const allWarnings: readonly WarningDefinition[] = [nodeLoss, requestsSaturation, podsAndAddresses, pendingPods]

/** Keeps since when each warning stands: the same id and subject is the same warning, whatever its numbers are now. */
export class WarningBook {
  readonly #since = new Map<string, number>()

  /** The warnings that hold now, critical ones first. */
  evaluate(input: WarningInput): CapacityWarning[] {
    const seen = new Set<string>()
    const found = allWarnings.flatMap(definition =>
      definition.find(input).map(finding => {
        const first = finding.subjects[0]
        const key = `${definition.id} ${first?.kind ?? ''} ${first?.namespace ?? ''} ${first?.name ?? ''}`
        seen.add(key)
        const since = this.#since.get(key) ?? input.now
        this.#since.set(key, since)
        return { id: definition.id, since, ...finding }
      }),
    )
    for (const key of this.#since.keys()) if (!seen.has(key)) this.#since.delete(key)
    return found.sort((a, b) => (a.severity === b.severity ? a.since - b.since : a.severity === 'critical' ? -1 : 1))
  }
}
