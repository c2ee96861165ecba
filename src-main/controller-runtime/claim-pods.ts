/** Index of pods by the claims that they use, shared by all who ask. */
import { pods } from '../api/core/v1/pod.ts'
import { claimNamesOf } from '../api/core/v1/volume-claims.ts'
import type { Pod } from '../api/generated/core-v1.ts'

export const podsOfClaimIndex = 'claim'
export const podsOfClaim = {
  resource: pods,
  name: podsOfClaimIndex,
  values: (pod: Pod): readonly string[] => claimNamesOf(pod).map(name => `${pod.metadata.namespace ?? ''}/${name}`),
}
