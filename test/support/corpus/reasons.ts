/** Differences from the recorded server that stay, each with the reason that docs/corpus.md gives for it. */
import type { CaseResult } from './page.ts'

interface Reason {
  /** Matched against `area/scenario: step`. */
  readonly cases: RegExp
  readonly reason: string
}

const reasons: readonly Reason[] = [
  {
    cases:
      /^(kinds\/core\/(pods\/update|persistentvolumes\/immutable|persistentvolumeclaims\/immutable)|pods\/(binding|ephemeral-containers)|validation\/(pods\/updates|storage\/claim-expansion)|admission\/default-tolerations)/,
    reason: 'Behind the sentence upstream prints a diff of its internal Go structures; ours ends with the sentence',
  },
  {
    cases: /field-validation: merge patch, strict$|^patches\/merge-patch: /,
    reason: 'The text repeats the whole patched object; the order of its fields is that of Go structures there, that of the request here',
  },
  {
    cases: /^(kinds\/apps\/statefulsets\/immutable|validation\/workloads\/job-updates)/,
    reason: 'Upstream shows a value by the names of its internal Go structures, we by the names of the API',
  },
  { cases: /^http\/accept: get, Accept: application\/yaml;as=Table/, reason: 'Columns of tables have no descriptions here: these are sentences of others' },
  {
    cases: /^kinds\/admissionregistration\/mutatingwebhookconfigurations\/apply/,
    reason: 'Upstream takes an empty list that is written over an absent one for a change of this one kind and counts the generation up',
  },
  { cases: /^access-reviews\/subject: with metadata/, reason: 'The text shows managed fields, which we do not keep of what is never stored' },
  { cases: /^patches\/strategic-pod-template: not a list/, reason: 'A list that a strategic merge made a map of is noticed by another part of upstream, with other words' },
  { cases: /^validation\/services\/types-3: spec\.clusterIPs/, reason: 'Upstream finds two faults with the same field here, we the second' },
]

/** Why this case may differ; undefined for a fault of ours. */
export function reasonOf(result: CaseResult): string | undefined {
  return reasons.find(({ cases }) => cases.test(`${result.area}/${result.scenario}: ${result.step}`))?.reason
}
