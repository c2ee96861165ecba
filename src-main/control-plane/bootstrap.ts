/**
 * Objects that every cluster has: made at the first start, and looked after at every later one. Policy that an
 * administrator changed is kept; what is missing from it is added again, unless `rbac.authorization.kubernetes.io/autoupdate`
 * is "false" (as upstream).
 */
import { bootstrapObjects } from '../api/bootstrap-objects.ts'
import { bootstrapGroup } from '../api/agent.ts'
import {
  clusterRoleBindings,
  clusterRoles,
  configMaps,
  flowSchemas,
  namespaces,
  priorityClasses,
  priorityLevelConfigurations,
  roleBindings,
  roles,
  serviceCIDRs,
  services,
} from '../api/resources.ts'
import { storageKey, type AnyResource } from '../api/resource.ts'
import { isAlreadyExists } from '../api/status-error.ts'
import { deepEqual } from '../api/json.ts'
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Subject } from '../api/generated/rbac-v1.ts'
import type { ConfigMap, Service } from '../api/generated/core-v1.ts'
import type { ServiceCIDR } from '../api/generated/networking-v1.ts'
import type { KubernetesObject } from '../api/meta.ts'
import { missingRules } from '../apiserver/authz/rules.ts'
import type { Client } from '../client/client.ts'
import { rulesFor, type AnyController } from './controllers.ts'
import type { Store } from '../store/store.ts'
import type { ClusterKeys } from './pki/pki.ts'

const kinds: readonly AnyResource[] = [
  namespaces,
  priorityClasses,
  clusterRoles,
  roles,
  clusterRoleBindings,
  roleBindings,
  services,
  configMaps,
  serviceCIDRs,
  priorityLevelConfigurations,
  flowSchemas,
]
const group = 'rbac.authorization.k8s.io'
const bootstrapLabels = { 'kubernetes.io/bootstrapping': 'rbac-defaults' }
const autoUpdate = { 'rbac.authorization.kubernetes.io/autoupdate': 'true' }

function resourceOf(object: KubernetesObject): AnyResource {
  const found = kinds.find(kind => kind.kind === object.kind)
  if (!found) throw new Error(`assertion failed: no bootstrap kind ${object.kind}`)
  return found
}

/** Makes or mends the objects. `client` needs every right. Whatever exists already is read from the store directly: a later start makes no requests. */
export async function ensureBootstrapObjects(options: {
  store: Store
  client: Client
  kubernetesServiceIP: string
  clusterDNS: string
  serviceCIDR: string
  apiPort: number
  /** Absent in simulations: nobody is told how to know the API server. */
  keys?: ClusterKeys
}): Promise<void> {
  const wanted = bootstrapObjects()
  const first = wanted.filter(object => object.kind === 'Namespace')
  const rest = [
    ...wanted.filter(object => object.kind !== 'Namespace'),
    ...nodePolicy(),
    kubernetesService(options),
    dnsService(options.clusterDNS),
    serviceRange(options.serviceCIDR),
    ...(options.keys ? [delegatedAuthentication(options.keys)] : []),
  ]
  // Two waves: everything namespaced needs its namespace. Within a wave the store groups the writes into few syncs.
  for (const wave of [first, rest]) await Promise.all(wave.map(object => ensure(options, object)))
}

/** How aggregated servers know the API server, and users by their certificates. */
function delegatedAuthentication(keys: ClusterKeys): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'extension-apiserver-authentication', namespace: 'kube-system' },
    data: {
      'client-ca-file': keys.authority.certificate,
      'requestheader-allowed-names': '["front-proxy-client"]',
      'requestheader-client-ca-file': keys.frontProxy.authority.certificate,
      'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
      'requestheader-group-headers': '["X-Remote-Group"]',
      'requestheader-uid-headers': '["X-Remote-Uid"]',
      'requestheader-username-headers': '["X-Remote-User"]',
    },
  }
}

/** Roles of controllers, derived from their declarations. */
export async function ensureControllerPolicy(options: { store: Store; client: Client }, controllers: readonly AnyController[]): Promise<void> {
  await Promise.all(
    controllers.flatMap(controller => {
      const name = `system:controller:${controller.name}`
      const role: ClusterRole = {
        apiVersion: `${group}/v1`,
        kind: 'ClusterRole',
        metadata: { name, labels: bootstrapLabels, annotations: autoUpdate },
        rules: rulesFor(controller),
      }
      return [ensure(options, role), ensure(options, binding(name, name, [{ kind: 'ServiceAccount', name: controller.name, namespace: 'kube-system' }]))]
    }),
  )
}

async function ensure({ store, client }: { store: Store; client: Client }, object: KubernetesObject): Promise<void> {
  const resource = resourceOf(object)
  const present = await store.get(storageKey(resource, object.metadata.namespace ?? '', object.metadata.name ?? ''))
  if (!present) {
    await client
      .resource(resource)
      .create(object)
      .catch((fault: unknown) => {
        if (!isAlreadyExists(fault)) throw fault
      })
    return
  }
  const mended = mend(present.object as unknown as KubernetesObject, object)
  if (mended) await client.resource(resource).update(mended)
}

/** The present object with what is missing added, or undefined when nothing is. Only policy is mended. */
function mend(present: KubernetesObject, wanted: KubernetesObject): KubernetesObject | undefined {
  if (present.metadata.annotations?.['rbac.authorization.kubernetes.io/autoupdate'] === 'false') return undefined
  if (wanted.kind === 'ConfigMap') {
    const [before, after] = [present as ConfigMap, wanted as ConfigMap]
    return deepEqual({ ...before.data, ...after.data }, before.data) ? undefined : ({ ...before, data: { ...before.data, ...after.data } } as KubernetesObject)
  }
  if (wanted.kind === 'ClusterRole' || wanted.kind === 'Role') {
    const [before, after] = [present as ClusterRole, wanted as ClusterRole]
    if (after.aggregationRule) return undefined
    const missing: PolicyRule[] = missingRules(before.rules ?? [], after.rules ?? [])
    return missing.length === 0 ? undefined : ({ ...before, rules: [...(before.rules ?? []), ...missing] } as KubernetesObject)
  }
  if (wanted.kind === 'ClusterRoleBinding' || wanted.kind === 'RoleBinding') {
    const [before, after] = [present as ClusterRoleBinding, wanted as ClusterRoleBinding]
    const same = (a: Subject, b: Subject): boolean => a.kind === b.kind && a.name === b.name && (a.namespace ?? '') === (b.namespace ?? '')
    const missing = (after.subjects ?? []).filter(subject => !(before.subjects ?? []).some(one => same(one, subject)))
    if (missing.length === 0 || !deepEqual({ ...before.roleRef }, { ...after.roleRef })) return undefined
    return { ...before, subjects: [...(before.subjects ?? []), ...missing] } as KubernetesObject
  }
  return undefined
}

function binding(name: string, role: string, subjects: readonly Subject[]): ClusterRoleBinding {
  return {
    apiVersion: `${group}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name, labels: bootstrapLabels, annotations: autoUpdate },
    roleRef: { apiGroup: group, kind: 'ClusterRole', name: role },
    subjects: [...subjects],
  }
}

/** How hosts join and what agents read besides what the node authorizer gives them (kubeadm makes the same bindings). */
function nodePolicy(): ClusterRoleBinding[] {
  const groupSubject = (name: string): Subject => ({ apiGroup: group, kind: 'Group', name })
  return [
    binding('quarterdeck:node-bootstrap', 'system:node-bootstrapper', [groupSubject(bootstrapGroup)]),
    binding('quarterdeck:node-autoapprove-bootstrap', 'system:certificates.k8s.io:certificatesigningrequests:nodeclient', [groupSubject(bootstrapGroup)]),
    binding('quarterdeck:node-autoapprove-certificate-rotation', 'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient', [groupSubject('system:nodes')]),
    // The agent is kube-proxy, DNS and network plugin in one: it reads services, endpoint slices and the other nodes.
    binding('quarterdeck:node-proxier', 'system:node-proxier', [groupSubject('system:nodes')]),
  ]
}

/** The range that the addresses of services come from, as Kubernetes shows it. */
function serviceRange(cidr: string): ServiceCIDR {
  return { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name: 'kubernetes' }, spec: { cidrs: [cidr] } }
}

function kubernetesService(options: { kubernetesServiceIP: string; apiPort: number }): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kubernetes', namespace: 'default', labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: { type: 'ClusterIP', clusterIP: options.kubernetesServiceIP, ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }], sessionAffinity: 'None' },
  }
}

/** Without a selector: the agent of each node answers at this address itself. */
function dnsService(clusterDNS: string): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kube-dns', namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns', 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' } },
    spec: {
      type: 'ClusterIP',
      clusterIP: clusterDNS,
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
        { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
      ],
    },
  }
}
