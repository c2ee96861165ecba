/** Differences from the recorded server that stay, each with the reason that docs/corpus.md gives for it. */
import type { CaseResult } from './page.ts'

interface Reason {
  /** Matched against `area/scenario: step`. */
  readonly cases: RegExp
  readonly reason: string
}

const reasons: readonly Reason[] = []

/** Why this case may differ; undefined for a fault of ours. */
export function reasonOf(result: CaseResult): string | undefined {
  return reasons.find(({ cases }) => cases.test(`${result.area}/${result.scenario}: ${result.step}`))?.reason
}
