/** Facts about single kinds that Kubernetes keeps in its strategies and that no schema tells. Keys are `<plural>` or `<plural>.<group>`. */
import type { AnyResource } from '../../api/resource.ts'

/** `pods`, `deployments.apps`. */
export function groupResource(r: { group: string; plural: string }): string {
  return r.group === '' ? r.plural : `${r.plural}.${r.group}`
}

/** PUT on a missing object makes it. */
const createOnUpdate: ReadonlySet<string> = new Set([
  'services',
  'endpoints',
  'events',
  'events.events.k8s.io',
  'limitranges',
  'podtemplates',
  'leases.coordination.k8s.io',
  'runtimeclasses.node.k8s.io',
  'roles.rbac.authorization.k8s.io',
  'rolebindings.rbac.authorization.k8s.io',
  'clusterroles.rbac.authorization.k8s.io',
  'clusterrolebindings.rbac.authorization.k8s.io',
])

/** PUT without a resourceVersion is refused. */
const versionRequired: ReadonlySet<string> = new Set([
  'leases.coordination.k8s.io',
  'customresourcedefinitions.apiextensions.k8s.io',
  'apiservices.apiregistration.k8s.io',
  'runtimeclasses.node.k8s.io',
  'csinodes.storage.k8s.io',
  'csidrivers.storage.k8s.io',
  'volumeattachments.storage.k8s.io',
  'csistoragecapacities.storage.k8s.io',
  'storageversionmigrations.storagemigration.k8s.io',
  'clustertrustbundles.certificates.k8s.io',
  'podcertificaterequests.certificates.k8s.io',
  'devicetaintrules.resource.k8s.io',
  'poddisruptionbudgets.policy',
  'mutatingwebhookconfigurations.admissionregistration.k8s.io',
  'validatingadmissionpolicies.admissionregistration.k8s.io',
  'validatingadmissionpolicybindings.admissionregistration.k8s.io',
  'mutatingadmissionpolicies.admissionregistration.k8s.io',
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io',
  'validatingwebhookconfigurations.admissionregistration.k8s.io',
])

/** DELETE answers with the last state instead of a Status. */
const returnsDeleted: ReadonlySet<string> = new Set([
  'pods',
  'services',
  'serviceaccounts',
  'persistentvolumeclaims',
  'persistentvolumes',
  'podtemplates',
  'resourcequotas',
  'storageclasses.storage.k8s.io',
  'volumeattachments.storage.k8s.io',
  'csinodes.storage.k8s.io',
  'csidrivers.storage.k8s.io',
  'volumeattributesclasses.storage.k8s.io',
  'deviceclasses.resource.k8s.io',
  'resourceclaims.resource.k8s.io',
  'resourceclaimtemplates.resource.k8s.io',
  'resourceslices.resource.k8s.io',
])

/** A write of the status leaves labels, annotations, owners and finalizers alone too. */
const statusKeepsMetadata: ReadonlySet<string> = new Set([
  'csinodes.storage.k8s.io',
  'devicetaintrules.resource.k8s.io',
  'podcertificaterequests.certificates.k8s.io',
  'resourceclaims.resource.k8s.io',
  'servicecidrs.networking.k8s.io',
  'storageversionmigrations.storagemigration.k8s.io',
  'validatingadmissionpolicies.admissionregistration.k8s.io',
  'volumeattachments.storage.k8s.io',
])

/** Where a real server keeps these in etcd, which some of its texts show; others lie under their plural. */
const storagePlaces: ReadonlyMap<string, string> = new Map([
  ['services', 'services/specs'],
  ['endpoints', 'services/endpoints'],
  ['replicationcontrollers', 'controllers'],
  ['nodes', 'minions'],
  ['ingresses.networking.k8s.io', 'ingress'],
])

/** Dependents stay when no propagation policy is asked for. */
const orphansByDefault: ReadonlySet<string> = new Set(['replicationcontrollers', 'jobs.batch'])

/** Nothing depends on these, so propagation policies do not touch their finalizers. */
const neverCollected: ReadonlySet<string> = new Set(['events', 'events.events.k8s.io'])

/** Finalizers without a domain pass. */
const plainFinalizers: ReadonlySet<string> = new Set([
  'customresourcedefinitions.apiextensions.k8s.io',
  'runtimeclasses.node.k8s.io',
  'poddisruptionbudgets.policy',
  'mutatingwebhookconfigurations.admissionregistration.k8s.io',
  'validatingwebhookconfigurations.admissionregistration.k8s.io',
  'mutatingadmissionpolicies.admissionregistration.k8s.io',
  'validatingadmissionpolicies.admissionregistration.k8s.io',
])

/** Texts that every request on a deprecated kind is warned with. */
const deprecated: ReadonlyMap<string, string> = new Map([
  ['endpoints', 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice'],
  ['componentstatuses', 'v1 ComponentStatus is deprecated in v1.19+'],
])

export function deprecationOf(r: AnyResource): string | undefined {
  return r.deprecation ?? deprecated.get(groupResource(r))
}
export function allowsCreateOnUpdate(r: AnyResource): boolean {
  return createOnUpdate.has(groupResource(r))
}
export function allowsUnconditionalUpdate(r: AnyResource): boolean {
  return !isCustom(r) && !versionRequired.has(groupResource(r))
}
export function statusWritesKeepMetadata(r: AnyResource): boolean {
  return isCustom(r) || statusKeepsMetadata.has(groupResource(r))
}
/** The key that a real server's texts show for an object. */
export function shownKey(r: AnyResource, namespace: string, name: string): string {
  const place = isCustom(r) ? `${r.group}/${r.plural}` : (storagePlaces.get(groupResource(r)) ?? r.plural)
  return ['/registry', place, ...(r.scope === 'Namespaced' ? [namespace] : []), name].join('/')
}
export function returnsDeletedObject(r: AnyResource): boolean {
  return returnsDeleted.has(groupResource(r))
}
export function allowsPlainFinalizers(r: AnyResource): boolean {
  return isCustom(r) || plainFinalizers.has(groupResource(r))
}
export function isNeverCollected(r: AnyResource): boolean {
  return neverCollected.has(groupResource(r))
}
export function orphansDependentsByDefault(r: AnyResource): boolean {
  return orphansByDefault.has(groupResource(r))
}
/** Kinds that a CustomResourceDefinition declares. */
export function isDefinedKind(r: AnyResource): boolean {
  return isCustom(r) && r.conversion !== undefined
}
/** Kinds that carry their own schema. */
export function isCustom(r: AnyResource): boolean {
  return typeof r.schema !== 'string'
}
