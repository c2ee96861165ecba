/** Makes the claims of pods' ephemeral volumes; they belong to their pod and go with it. */
import { persistentVolumeClaims } from '../../api/core/v1/persistent-volume-claim.ts'
import { pods } from '../../api/core/v1/pod.ts'
import { claimNameOf, isClaimForPod } from '../../api/core/v1/volume-claims.ts'
import type { PersistentVolumeClaim, Pod, Volume } from '../../api/generated/core-v1.ts'
import { keyOf } from '../../api/meta.ts'
import { podsOfClaim, podsOfClaimIndex } from '../../controller-runtime/claim-pods.ts'
import { defineController } from '../../controller-runtime/controller.ts'
import { controllerRef, typed } from '../../controller-runtime/ownership.ts'

export const ephemeralVolumeController = defineController<Pod>({
  name: 'ephemeral-volume-controller',
  for: pods,
  watches: [
    {
      // A claim that somebody deleted is made again.
      resource: persistentVolumeClaims,
      keys: (claim: PersistentVolumeClaim, { cache }) => cache.of(pods).byIndex(podsOfClaimIndex, keyOf(claim)).filter(hasEphemeral).map(keyOf),
    },
  ],
  writes: [{ resource: persistentVolumeClaims, verbs: ['create'] }],
  rules: [{ apiGroups: [''], resources: ['pods/finalizers'], verbs: ['update'] }],
  indexes: [podsOfClaim],
  workers: 2,
  async reconcile({ cache, client, events }, key) {
    const pod = cache.of(pods).get(key)
    if (!pod || pod.metadata.deletionTimestamp || !hasEphemeral(pod)) return
    for (const volume of pod.spec?.volumes ?? []) {
      const wanted = claimFor(pod, volume)
      if (!wanted) continue
      try {
        const present = cache.of(persistentVolumeClaims).get(keyOf(wanted))
        if (present && !isClaimForPod(pod, present)) throw new Error(`PVC ${keyOf(wanted)} was not created for pod ${keyOf(pod)} (pod is not owner)`)
        if (!present) await client.resource(persistentVolumeClaims).create(wanted)
      } catch (fault) {
        const text = fault instanceof Error ? fault.message : String(fault)
        events.event(typed(pods, pod), 'Warning', 'FailedBinding', `ephemeral volume ${volume.name}: ${text}`)
        throw fault
      }
    }
  },
})

function hasEphemeral(pod: Pod): boolean {
  return pod.spec?.volumes?.some(volume => volume.ephemeral !== undefined) ?? false
}

/** The claim that an ephemeral volume stands for; undefined for other volumes. Pure. */
export function claimFor(pod: Pod, volume: Volume): PersistentVolumeClaim | undefined {
  const template = volume.ephemeral?.volumeClaimTemplate
  const name = claimNameOf(pod, volume)
  if (!template || name === undefined) return undefined
  const { labels, annotations } = template.metadata ?? {}
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name,
      namespace: pod.metadata.namespace ?? '',
      ownerReferences: [controllerRef(typed(pods, pod))],
      ...(labels ? { labels } : {}),
      ...(annotations ? { annotations } : {}),
    },
    spec: template.spec,
  }
}
