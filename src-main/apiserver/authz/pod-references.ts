/** Names of the objects, in a pod's own namespace, that running the pod needs. Pure. */
import type { Container, Pod, Volume } from '../../api/generated/core-v1.ts'

export interface PodReferences {
  readonly secrets: readonly string[]
  readonly configmaps: readonly string[]
  readonly persistentvolumeclaims: readonly string[]
  readonly serviceaccounts: readonly string[]
}

/** Stored pods are immutable, so what one refers to is found once. */
const known = new WeakMap<Pod, PodReferences>()

export function podReferences(pod: Pod): PodReferences {
  let references = known.get(pod)
  if (!references) known.set(pod, (references = findReferences(pod)))
  return references
}

function findReferences(pod: Pod): PodReferences {
  const secrets = new Set<string>()
  const configmaps = new Set<string>()
  const claims = new Set<string>()
  const add = (set: Set<string>, name: string | undefined): void => {
    if (name) set.add(name)
  }
  for (const reference of pod.spec?.imagePullSecrets ?? []) add(secrets, reference.name)
  const containers: Pick<Container, 'env' | 'envFrom'>[] = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? []), ...(pod.spec?.ephemeralContainers ?? [])]
  for (const container of containers) {
    for (const source of container.envFrom ?? []) {
      add(secrets, source.secretRef?.name)
      add(configmaps, source.configMapRef?.name)
    }
    for (const variable of container.env ?? []) {
      add(secrets, variable.valueFrom?.secretKeyRef?.name)
      add(configmaps, variable.valueFrom?.configMapKeyRef?.name)
    }
  }
  for (const volume of pod.spec?.volumes ?? []) {
    for (const name of volumeSecrets(volume)) add(secrets, name)
    add(configmaps, volume.configMap?.name)
    for (const source of volume.projected?.sources ?? []) {
      add(secrets, source.secret?.name)
      add(configmaps, source.configMap?.name)
    }
    add(claims, volume.persistentVolumeClaim?.claimName)
    if (volume.ephemeral) claims.add(`${pod.metadata.name ?? ''}-${volume.name}`)
  }
  return {
    secrets: [...secrets],
    configmaps: [...configmaps],
    persistentvolumeclaims: [...claims],
    serviceaccounts: pod.spec?.serviceAccountName ? [pod.spec.serviceAccountName] : [],
  }
}

function volumeSecrets(volume: Volume): (string | undefined)[] {
  return [
    volume.secret?.secretName,
    volume.csi?.nodePublishSecretRef?.name,
    volume.cephfs?.secretRef?.name,
    volume.flexVolume?.secretRef?.name,
    volume.iscsi?.secretRef?.name,
    volume.rbd?.secretRef?.name,
    volume.scaleIO?.secretRef?.name,
    volume.storageos?.secretRef?.name,
    volume.azureFile?.secretName,
  ]
}
