/**
 * Bodies of subresources that carry another kind than their resource does (discovery shows them so). Facts of v1.37.
 */
import type { Verb } from './resource.ts'

export interface SubresourceKind {
  readonly group: string
  readonly version: string
  readonly kind: string
  /** Name in the schema facts; absent for the options of streaming subresources, which travel in the query. */
  readonly schema?: string
  readonly verbs: readonly Verb[]
}

const streaming: readonly Verb[] = ['create', 'get']
const proxying: readonly Verb[] = ['create', 'delete', 'get', 'patch', 'update']
const scale: SubresourceKind = { group: 'autoscaling', version: 'v1', kind: 'Scale', schema: 'io.k8s.api.autoscaling.v1.Scale', verbs: ['get', 'patch', 'update'] }

/** By `<plural>/<subresource>`. A subresource that is not here has its resource's own kind. */
export const subresourceKinds: ReadonlyMap<string, SubresourceKind> = new Map<string, SubresourceKind>([
  ['pods/attach', { group: '', version: 'v1', kind: 'PodAttachOptions', verbs: streaming }],
  ['pods/binding', { group: '', version: 'v1', kind: 'Binding', schema: 'io.k8s.api.core.v1.Binding', verbs: ['create'] }],
  ['pods/eviction', { group: 'policy', version: 'v1', kind: 'Eviction', schema: 'io.k8s.api.policy.v1.Eviction', verbs: ['create'] }],
  ['pods/exec', { group: '', version: 'v1', kind: 'PodExecOptions', verbs: streaming }],
  ['pods/portforward', { group: '', version: 'v1', kind: 'PodPortForwardOptions', verbs: streaming }],
  ['pods/proxy', { group: '', version: 'v1', kind: 'PodProxyOptions', verbs: proxying }],
  ['nodes/proxy', { group: '', version: 'v1', kind: 'NodeProxyOptions', verbs: proxying }],
  ['services/proxy', { group: '', version: 'v1', kind: 'ServiceProxyOptions', verbs: proxying }],
  ['serviceaccounts/token', { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest', schema: 'io.k8s.api.authentication.v1.TokenRequest', verbs: ['create'] }],
  ['deployments/scale', scale],
  ['replicasets/scale', scale],
  ['statefulsets/scale', scale],
  ['replicationcontrollers/scale', scale],
])

/** Verbs of a subresource that has its resource's own kind (status and others by name). */
export const ownKindSubresourceVerbs: ReadonlyMap<string, readonly Verb[]> = new Map<string, readonly Verb[]>([
  ['status', ['get', 'patch', 'update']],
  ['approval', ['get', 'patch', 'update']],
  ['ephemeralcontainers', ['get', 'patch', 'update']],
  ['resize', ['get', 'patch', 'update']],
  ['finalize', ['update']],
  ['log', ['get']],
])
