/** What the API has, from the declarations: groups, versions, resources and their subresources. Pure. */
import { createHash } from 'node:crypto'
import { allVerbs, type AnyResource, type Verb } from '../../api/resource.ts'
import { groupVersion } from '../../api/meta.ts'
import { ownKindSubresourceVerbs, subresourceKinds } from '../../api/subresource-kinds.ts'

export interface SubresourceEntry {
  readonly name: string
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly verbs: readonly string[]
}

export interface ResourceEntry {
  readonly resource: AnyResource
  readonly singular: string
  readonly verbs: readonly string[]
  readonly subresources: readonly SubresourceEntry[]
}

export interface VersionEntry {
  readonly group: string
  readonly version: string
  readonly resources: readonly ResourceEntry[]
}
export interface GroupEntry {
  readonly name: string
  readonly versions: readonly VersionEntry[]
}

const byBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Order in which a real API server lists its groups; others follow by name. */
const groupOrder = [
  '',
  'apiregistration.k8s.io',
  'apps',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'discovery.k8s.io',
  'resource.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'storagemigration.k8s.io',
]

/** Groups in Kubernetes' order, versions by preference, resources by name. */
export function groupsOf(resources: readonly AnyResource[]): GroupEntry[] {
  const groups = new Map<string, Map<string, AnyResource[]>>()
  for (const resource of resources) {
    const versions = groups.get(resource.group) ?? new Map<string, AnyResource[]>()
    groups.set(resource.group, versions)
    versions.set(resource.version, [...(versions.get(resource.version) ?? []), resource])
  }
  const rank = (name: string): number => {
    const at = groupOrder.indexOf(name)
    return at < 0 ? groupOrder.length : at
  }
  return [...groups]
    .sort(([a], [b]) => rank(a) - rank(b) || byBytes(a, b))
    .map(([name, versions]) => ({
      name,
      versions: [...versions]
        .sort(([a], [b]) => compareVersions(a, b))
        .map(([version, list]) => ({ group: name, version, resources: [...list].sort((a, b) => byBytes(a.plural, b.plural)).map(entryOf) })),
    }))
}

/** v2 before v1 before v1beta1 before v1alpha1. */
export function compareVersions(a: string, b: string): number {
  const parse = (version: string): [number, number, number] => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version)
    if (!match) return [-1, 0, 0]
    return [match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0, Number(match[1]), Number(match[3] ?? 0)]
  }
  const [x, y] = [parse(a), parse(b)]
  return y[0] - x[0] || y[1] - x[1] || y[2] - x[2] || byBytes(a, b)
}

function entryOf(resource: AnyResource): ResourceEntry {
  const names = [...(resource.subresources?.status ? ['status'] : []), ...(resource.subresources?.scale ? ['scale'] : []), ...(resource.subresources?.others ?? [])].sort(byBytes)
  return {
    resource,
    singular: resource.singular ?? resource.kind.toLowerCase(),
    // Verbs of custom kinds stand in an order of their own, as upstream.
    verbs: resource.verbs && typeof resource.schema !== 'string' ? resource.verbs : [...(resource.verbs ?? allVerbs)].sort(byBytes),
    subresources: names.map(name => subresourceOf(resource, name)),
  }
}

const scaleVerbs: readonly Verb[] = ['get', 'patch', 'update']

function subresourceOf(resource: AnyResource, name: string): SubresourceEntry {
  const foreign = subresourceKinds.get(`${resource.plural}/${name}`)
  if (foreign) return { name, group: foreign.group, version: foreign.version, kind: foreign.kind, verbs: foreign.verbs }
  if (name === 'scale') return { name, group: 'autoscaling', version: 'v1', kind: 'Scale', verbs: scaleVerbs }
  return { name, group: resource.group, version: resource.version, kind: resource.kind, verbs: ownKindSubresourceVerbs.get(name) ?? ['get', 'patch', 'update'] }
}

/** Kinds that are stored under another group or version than they are served; facts of v1.37. */
const storedAs: Readonly<Record<string, string>> = {
  'events.k8s.io/v1/Event': 'v1/Event',
  'autoscaling/v1/HorizontalPodAutoscaler': 'autoscaling/v2/HorizontalPodAutoscaler',
  'certificates.k8s.io/v1/ClusterTrustBundle': 'certificates.k8s.io/v1beta1/ClusterTrustBundle',
  'certificates.k8s.io/v1/PodCertificateRequest': 'certificates.k8s.io/v1beta1/PodCertificateRequest',
  'storagemigration.k8s.io/v1/StorageVersionMigration': 'storagemigration.k8s.io/v1beta1/StorageVersionMigration',
  'resource.k8s.io/v1/DeviceTaintRule': 'resource.k8s.io/v1beta2/DeviceTaintRule',
  'apiextensions.k8s.io/v1/CustomResourceDefinition': 'apiextensions.k8s.io/v1beta1/CustomResourceDefinition',
}

/** Lets clients see when the stored form of a kind changes. */
export function storageVersionHash(resource: AnyResource): string {
  const { version } = typeof resource.schema === 'string' ? resource : (resource.conversion?.of ?? resource)
  const served = `${groupVersion(resource.group, version)}/${resource.kind}`
  const stored = storedAs[served] ?? served
  // The core group is written with an empty name: `/v1/Pod`.
  const text = stored.split('/').length === 2 ? `/${stored}` : stored
  return createHash('sha256').update(text).digest().subarray(0, 8).toString('base64')
}

/** /api/v1 and /apis/<group>/<version>. */
export function resourceList(entry: VersionEntry): object {
  const resources: object[] = []
  for (const one of entry.resources) {
    const { resource } = one
    const namespaced = resource.scope === 'Namespaced'
    resources.push({
      name: resource.plural,
      singularName: one.singular,
      namespaced,
      kind: resource.kind,
      verbs: one.verbs,
      ...(resource.shortNames && resource.shortNames.length > 0 ? { shortNames: resource.shortNames } : {}),
      ...(resource.categories && resource.categories.length > 0 ? { categories: resource.categories } : {}),
      ...(resource.storage === 'virtual' ? {} : { storageVersionHash: storageVersionHash(resource) }),
    })
    for (const sub of one.subresources) {
      const foreign = sub.group !== resource.group || sub.version !== resource.version
      resources.push({
        name: `${resource.plural}/${sub.name}`,
        singularName: '',
        namespaced,
        ...(foreign ? { group: sub.group, version: sub.version } : {}),
        kind: sub.kind,
        verbs: sub.verbs,
      })
    }
  }
  return { kind: 'APIResourceList', ...(entry.group === '' ? {} : { apiVersion: 'v1' }), groupVersion: groupVersion(entry.group, entry.version), resources }
}

export function apiGroup(group: GroupEntry): object {
  const versions = group.versions.map(one => ({ groupVersion: groupVersion(one.group, one.version), version: one.version }))
  return { name: group.name, versions, preferredVersion: versions[0] }
}

/** Aggregated discovery: `items` of one of /api and /apis, in v2 or v2beta1 (which differ only in the name of the version). */
export function aggregated(groups: readonly GroupEntry[], apiVersion: string): object {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion,
    metadata: {},
    items: groups.map(group => ({ metadata: group.name === '' ? {} : { name: group.name }, versions: group.versions.map(aggregatedVersion) })),
  }
}

function aggregatedVersion(entry: VersionEntry): object {
  const resources = entry.resources.map(one => {
    const { resource } = one
    const responseKind = (group: string, version: string, kind: string): object =>
      group === entry.group && version === entry.version ? { group: '', version: '', kind } : { group, version, kind }
    return {
      resource: resource.plural,
      responseKind: responseKind(resource.group, resource.version, resource.kind),
      scope: resource.scope,
      singularResource: one.singular,
      verbs: one.verbs,
      ...(resource.shortNames && resource.shortNames.length > 0 ? { shortNames: resource.shortNames } : {}),
      ...(resource.categories && resource.categories.length > 0 ? { categories: resource.categories } : {}),
      ...(one.subresources.length > 0
        ? { subresources: one.subresources.map(sub => ({ subresource: sub.name, responseKind: responseKind(sub.group, sub.version, sub.kind), verbs: sub.verbs })) }
        : {}),
    }
  })
  return { version: entry.version, resources, freshness: 'Current' }
}
