/** Keeps a claim that is being deleted until no placed pod uses it, and says on bound claims since when nobody does. */
import { persistentVolumeClaims } from '../../api/core/v1/persistent-volume-claim.ts'
import { pods } from '../../api/core/v1/pod.ts'
import { claimNamesOf, pvcProtectionFinalizer } from '../../api/core/v1/volume-claims.ts'
import type { PersistentVolumeClaim, Pod } from '../../api/generated/core-v1.ts'
import { podsOfClaim, podsOfClaimIndex } from '../../controller-runtime/claim-pods.ts'
import { defineController } from '../../controller-runtime/controller.ts'
import type { ControllerContext } from '../../controller-runtime/controller.ts'
import { holdsClaim, refersToClaim, unusedCondition } from './plan.ts'

export const pvcProtectionController = defineController<PersistentVolumeClaim>({
  name: 'pvc-protection-controller',
  for: persistentVolumeClaims,
  watches: [
    {
      resource: pods,
      keys: (pod: Pod, _context, previous?: Pod) => [
        ...new Set([pod, ...(previous ? [previous] : [])].flatMap(p => claimNamesOf(p).map(name => `${p.metadata.namespace ?? ''}/${name}`))),
      ],
    },
  ],
  writes: [{ resource: persistentVolumeClaims }, { resource: persistentVolumeClaims, subresource: 'status' }],
  indexes: [podsOfClaim],
  workers: 2,
  async reconcile(context, key) {
    const claim = context.cache.of(persistentVolumeClaims).get(key)
    if (!claim) return
    const writer = context.client.resource(persistentVolumeClaims)
    const finalizers = claim.metadata.finalizers ?? []
    const isProtected = finalizers.includes(pvcProtectionFinalizer)
    if (claim.metadata.deletionTimestamp) {
      if (isProtected && !(await isHeld(context, key, claim)))
        await writer.update({ ...claim, metadata: { ...claim.metadata, finalizers: finalizers.filter(f => f !== pvcProtectionFinalizer) } })
      return
    }
    if (!isProtected) {
      await writer.update({ ...claim, metadata: { ...claim.metadata, finalizers: [...finalizers, pvcProtectionFinalizer] } })
      return
    }
    // Before that the binder still writes the status.
    if (claim.status?.phase !== 'Bound') return
    const isUsed = context.cache
      .of(pods)
      .byIndex(podsOfClaimIndex, key)
      .some(pod => refersToClaim(pod, claim))
    const condition = unusedCondition(claim, isUsed, context.env.clock.now())
    if (!condition) return
    const others = (claim.status.conditions ?? []).filter(c => c.type !== condition.type)
    await writer.updateStatus({ ...claim, status: { ...claim.status, conditions: [...others, condition] } })
  },
})

/** The cache may lack a pod that was just made: before a claim may go, the API is asked. */
async function isHeld({ cache, client }: ControllerContext, key: string, claim: PersistentVolumeClaim): Promise<boolean> {
  if (
    cache
      .of(pods)
      .byIndex(podsOfClaimIndex, key)
      .some(pod => holdsClaim(pod, claim))
  )
    return true
  const { items } = await client.resource(pods).list({ namespace: claim.metadata.namespace ?? '' })
  return items.some(pod => holdsClaim(pod, claim))
}
