/** Claims without a storage class and ingresses without an ingress class get the default one. */
import type { Ingress, IngressClass } from '../../api/generated/networking-v1.ts'
import type { PersistentVolumeClaim } from '../../api/generated/core-v1.ts'
import type { StorageClass } from '../../api/generated/storage-v1.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import type { AdmissionPlugin } from '../contracts.ts'
import { places, type LiveCopies } from '../live-copy.ts'

/** Of several defaults the newest, then the first by name. */
function newestDefault<T extends KubernetesObject>(classes: readonly T[], annotations: readonly string[]): T | undefined {
  const created = (one: T): string => one.metadata.creationTimestamp ?? ''
  const name = (one: T): string => one.metadata.name ?? ''
  return classes
    .filter(one => annotations.some(annotation => one.metadata.annotations?.[annotation] === 'true'))
    .sort((x, y) => (created(x) < created(y) ? 1 : created(x) > created(y) ? -1 : name(x) < name(y) ? -1 : 1))[0]
}

export function defaultStorageClass(copies: LiveCopies): AdmissionPlugin {
  const classes = copies.of<StorageClass>(places.storageClasses)
  return {
    name: 'DefaultStorageClass',
    async mutate(a) {
      if (a.resource.group !== '' || a.resource.plural !== 'persistentvolumeclaims' || a.subresource !== '' || a.operation !== 'CREATE') return
      const claim = a.object as PersistentVolumeClaim
      if (claim.spec?.storageClassName !== undefined || claim.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] !== undefined) return
      const standard = newestDefault(classes.list(), ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class'])
      if (standard) claim.spec = { ...claim.spec, storageClassName: standard.metadata.name ?? '' }
    },
  }
}

export function defaultIngressClass(copies: LiveCopies): AdmissionPlugin {
  const classes = copies.of<IngressClass>(places.ingressClasses)
  return {
    name: 'DefaultIngressClass',
    async mutate(a) {
      if (a.resource.group !== 'networking.k8s.io' || a.resource.plural !== 'ingresses' || a.subresource !== '' || a.operation !== 'CREATE') return
      const ingress = a.object as Ingress
      if (ingress.spec?.ingressClassName !== undefined || ingress.metadata.annotations?.['kubernetes.io/ingress.class'] !== undefined) return
      const standard = newestDefault(classes.list(), ['ingressclass.kubernetes.io/is-default-class'])
      if (standard) ingress.spec = { ...ingress.spec, ingressClassName: standard.metadata.name ?? '' }
    },
  }
}
