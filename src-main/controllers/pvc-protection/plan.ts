/** Which pods keep a claim alive, and what its condition `Unused` says. Pure. */
import { isPodTerminal } from '../../api/core/v1/pod-questions.ts'
import { claimNameOf, isClaimForPod } from '../../api/core/v1/volume-claims.ts'
import type { PersistentVolumeClaim, PersistentVolumeClaimCondition, Pod } from '../../api/generated/core-v1.ts'
import { formatTime } from '../../api/time.ts'

function refersTo(pod: Pod, claim: PersistentVolumeClaim, ephemeralToo: boolean): boolean {
  return (pod.spec?.volumes ?? []).some(volume => {
    if (claimNameOf(pod, volume) !== claim.metadata.name) return false
    return volume.persistentVolumeClaim !== undefined || (ephemeralToo && isClaimForPod(pod, claim))
  })
}

/** A pod that was placed uses its claims: its node may have mounted them. One that is only waiting to be collected no longer uses its own. */
export function holdsClaim(pod: Pod, claim: PersistentVolumeClaim): boolean {
  if (!pod.spec?.nodeName) return false
  const isShutDown = pod.metadata.deletionTimestamp !== undefined && pod.metadata.deletionGracePeriodSeconds === 0
  return refersTo(pod, claim, !isShutDown)
}

/** For the condition every pod counts that has not ended, placed or not. */
export function refersToClaim(pod: Pod, claim: PersistentVolumeClaim): boolean {
  return !isPodTerminal(pod) && refersTo(pod, claim, true)
}

/** The condition that a bound claim should get; undefined when it says so already. */
export function unusedCondition(claim: PersistentVolumeClaim, isUsed: boolean, nowMs: number): PersistentVolumeClaimCondition | undefined {
  const present = claim.status?.conditions?.find(c => c.type === 'Unused')
  if (isUsed ? present?.status === 'False' : present?.status === 'True') return undefined
  const facts = isUsed
    ? { status: 'False', reason: 'PodUsingPVC', message: 'A pod is currently referencing this PVC' }
    : { status: 'True', reason: 'NoPodsUsingPVC', message: 'No pods are currently referencing this PVC' }
  return { type: 'Unused', ...facts, lastTransitionTime: formatTime(nowMs) }
}
