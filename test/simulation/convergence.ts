/** I6: what is asked for is what runs, everywhere. Judges the store's own content and the hosts' containers; says what is still wrong. */
import type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from '../../src-main/api/generated/apps-v1.ts'
import type { Job } from '../../src-main/api/generated/batch-v1.ts'
import type { ConfigMap, Endpoints, Namespace, Node, Pod, Service } from '../../src-main/api/generated/core-v1.ts'
import type { EndpointSlice } from '../../src-main/api/generated/discovery-v1.ts'
import type { KubernetesObject } from '../../src-main/api/meta.ts'
import type { StoredEntry } from '../../src-main/store/store.ts'
import type { SimHost } from './kubelet.ts'

interface World {
  readonly entries: readonly StoredEntry[]
  readonly hosts: readonly SimHost[]
  of<T>(place: string): T[]
}

type Check = (world: World) => Iterable<string>

/** Everything that has not converged; empty when the cluster is at rest. */
export function unconverged(entries: readonly StoredEntry[], hosts: readonly SimHost[]): string[] {
  const byPlace = new Map<string, unknown[]>()
  for (const { key, object } of entries) {
    const place = key.split('/', 3).slice(1).join('/')
    const list = byPlace.get(place)
    if (list) list.push(object)
    else byPlace.set(place, [object])
  }
  const world: World = { entries, hosts, of: <T>(place: string) => (byPlace.get(place) ?? []) as T[] }
  return checks.flatMap(check => [...check(world)])
}

const id = (object: { metadata: KubernetesObject['metadata'] }): string => `${object.metadata.namespace ?? ''}/${object.metadata.name ?? ''}`
const isReady = (pod: Pod): boolean => pod.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True') ?? false
const ownedBy = (object: { metadata: KubernetesObject['metadata'] }, owner: { metadata: KubernetesObject['metadata'] }): boolean =>
  object.metadata.ownerReferences?.some(o => o.controller && o.uid === owner.metadata.uid) ?? false
const isEnded = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'

const checks: readonly Check[] = [
  function* deploymentsAreRolledOut(world) {
    for (const d of world.of<Deployment>('apps/deployments')) {
      const { replicas: wanted = 1 } = d.spec
      const { observedGeneration, replicas = 0, updatedReplicas = 0, readyReplicas = 0, availableReplicas = 0, unavailableReplicas = 0 } = d.status ?? {}
      if (observedGeneration !== d.metadata.generation) yield `deployment ${id(d)} observed ${observedGeneration ?? 0} of ${d.metadata.generation ?? 0}`
      if ([replicas, updatedReplicas, readyReplicas, availableReplicas].some(n => n !== wanted) || unavailableReplicas !== 0)
        yield `deployment ${id(d)} wants ${wanted}, has ${replicas}/${updatedReplicas}/${readyReplicas}/${availableReplicas}`
      const sets = world.of<ReplicaSet>('apps/replicasets').filter(r => ownedBy(r, d))
      if (sets.reduce((sum, r) => sum + (r.spec.replicas ?? 0), 0) !== wanted)
        yield `deployment ${id(d)}: its replica sets ask for ${sets.map(r => r.spec.replicas ?? 0).join('+')}, not ${wanted}`
      if (sets.length > (d.spec.revisionHistoryLimit ?? 10) + 1) yield `deployment ${id(d)} keeps ${sets.length} replica sets`
    }
  },
  function* replicaSetsHaveTheirPods(world) {
    for (const r of world.of<ReplicaSet>('apps/replicasets')) {
      const own = world.of<Pod>('core/pods').filter(p => ownedBy(p, r) && !isEnded(p))
      const { observedGeneration, replicas = 0, readyReplicas = 0 } = r.status ?? { replicas: 0 }
      if (observedGeneration !== r.metadata.generation) yield `replica set ${id(r)} observed ${observedGeneration ?? 0} of ${r.metadata.generation ?? 0}`
      if (own.length !== (r.spec.replicas ?? 1) || replicas !== own.length || readyReplicas !== own.filter(isReady).length)
        yield `replica set ${id(r)} wants ${r.spec.replicas ?? 1}, has ${own.length}, says ${replicas}/${readyReplicas}`
    }
  },
  function* otherWorkloadsAreDone(world) {
    for (const s of world.of<StatefulSet>('apps/statefulsets')) {
      const own = world
        .of<Pod>('core/pods')
        .filter(p => ownedBy(p, s))
        .map(p => p.metadata.name)
        .sort()
      const wanted = Array.from({ length: s.spec.replicas ?? 1 }, (_, i) => `${s.metadata.name ?? ''}-${i}`).sort()
      const { observedGeneration, readyReplicas = 0, currentRevision, updateRevision } = s.status ?? {}
      if (own.join() !== wanted.join() || readyReplicas !== wanted.length || observedGeneration !== s.metadata.generation || currentRevision !== updateRevision)
        yield `stateful set ${id(s)} wants ${wanted.length}, has ${own.join()}, ready ${readyReplicas}, ${currentRevision ?? ''} of ${updateRevision ?? ''}`
    }
    for (const d of world.of<DaemonSet>('apps/daemonsets')) {
      const { desiredNumberScheduled: wanted, numberReady, updatedNumberScheduled = 0, observedGeneration } = d.status ?? { desiredNumberScheduled: -1, numberReady: 0 }
      if (wanted !== world.hosts.length || numberReady !== wanted || updatedNumberScheduled !== wanted || observedGeneration !== d.metadata.generation)
        yield `daemon set ${id(d)} wants ${wanted}, ready ${numberReady}, updated ${updatedNumberScheduled}`
    }
    for (const j of world.of<Job>('batch/jobs')) {
      if (!j.status?.conditions?.some(c => (c.type === 'Complete' || c.type === 'Failed') && c.status === 'True')) yield `job ${id(j)} is neither complete nor failed`
    }
  },
  function* podsRunWhereTheyAreBound(world) {
    const live = new Map(
      world
        .of<Pod>('core/pods')
        .filter(p => !isEnded(p))
        .map(p => [p.metadata.uid, p]),
    )
    for (const pod of live.values()) {
      const host = world.hosts.find(h => h.name === pod.spec?.nodeName)
      if (!isReady(pod)) yield `pod ${id(pod)} is not ready`
      if (!host) yield `pod ${id(pod)} is not bound to a node`
      else if (!host.containers.has(pod.metadata.uid ?? '')) yield `pod ${id(pod)} has no container on ${host.name}`
      else if (host.containers.get(pod.metadata.uid ?? '')?.ip !== pod.status?.podIP) yield `pod ${id(pod)} says another address than its container has`
    }
    for (const host of world.hosts)
      for (const c of host.containers.values()) if (!live.has(c.uid) && c.exitCode === undefined) yield `${host.name} runs an orphan of ${c.namespace}/${c.podName}`
  },
  function* nothingIsOrphaned(world) {
    const uids = new Set(world.entries.map(entry => (entry.object as KubernetesObject).metadata.uid))
    const names = new Set(world.of<Namespace>('core/namespaces').map(n => n.metadata.name))
    for (const { key, object } of world.entries) {
      const { ownerReferences = [], deletionTimestamp, namespace } = (object as KubernetesObject).metadata
      if (deletionTimestamp) yield `${key} is still being deleted`
      if (ownerReferences.length > 0 && !ownerReferences.some(owner => uids.has(owner.uid)))
        yield `${key} has lost its owner ${ownerReferences[0]?.kind ?? ''} ${ownerReferences[0]?.name ?? ''}`
      if (namespace && !names.has(namespace)) yield `${key} is in a namespace that is gone`
    }
  },
  function* servicesLeadToReadyPods(world) {
    for (const s of world.of<Service>('core/services')) {
      const selector = Object.entries(s.spec?.selector ?? {})
      if (selector.length === 0) continue
      const wanted = world
        .of<Pod>('core/pods')
        .filter(p => p.metadata.namespace === s.metadata.namespace && !isEnded(p) && isReady(p) && selector.every(([k, v]) => p.metadata.labels?.[k] === v))
        .map(p => p.status?.podIP ?? '')
        .sort()
      const slices = world.of<EndpointSlice>('discovery.k8s.io/endpointslices').filter(e => ownedBy(e, s))
      const sliced = slices.flatMap(e => (e.endpoints ?? []).filter(point => point.conditions?.ready).flatMap(point => point.addresses)).sort()
      if (sliced.join() !== wanted.join()) yield `service ${id(s)}: ready pods ${wanted.join()}, slices say ${sliced.join()}`
      const classic = world.of<Endpoints>('core/endpoints').find(e => id(e) === id(s))
      const addresses = (classic?.subsets ?? []).flatMap(subset => (subset.addresses ?? []).map(a => a.ip)).sort()
      if (addresses.join() !== wanted.join()) yield `service ${id(s)}: ready pods ${wanted.join()}, endpoints say ${addresses.join()}`
    }
  },
  function* numbersAreUnique(world) {
    const taken = new Map<string, string>()
    const claims = [
      ...world
        .of<Service>('core/services')
        .flatMap(s => [
          ...(s.spec?.clusterIP && s.spec.clusterIP !== 'None' ? [[s.spec.clusterIP, id(s)]] : []),
          ...(s.spec?.ports ?? []).flatMap(p => (p.nodePort ? [[`port ${p.nodePort}`, id(s)]] : [])),
        ]),
      ...world.of<Node>('core/nodes').map(n => [n.spec?.podCIDR ?? `no range of ${n.metadata.name ?? ''}`, n.metadata.name ?? '']),
      ...world
        .of<Pod>('core/pods')
        .filter(p => !isEnded(p) && p.status?.podIP)
        .map(p => [p.status?.podIP ?? '', id(p)]),
    ]
    for (const [value = '', owner = ''] of claims) {
      const other = taken.get(value)
      if (other !== undefined) yield `${value} belongs to ${other} and to ${owner}`
      taken.set(value, owner)
    }
  },
  function* nodesAreReady(world) {
    const all = world.of<Node>('core/nodes')
    for (const host of world.hosts) {
      const node = all.find(n => n.metadata.name === host.name)
      if (!node) {
        yield `node ${host.name} is not registered`
        continue
      }
      if (!node.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True')) yield `node ${host.name} is not ready`
      if ((node.spec?.taints ?? []).length > 0) yield `node ${host.name} has taints ${node.spec?.taints?.map(t => `${t.key}:${t.effect}`).join() ?? ''}`
      if (!node.spec?.podCIDR) yield `node ${host.name} has no pod range`
    }
  },
  function* namespacesAreFurnished(world) {
    for (const {
      metadata: { name = '' },
    } of world.of<Namespace>('core/namespaces')) {
      if (!world.of<KubernetesObject>('core/serviceaccounts').some(a => a.metadata.namespace === name && a.metadata.name === 'default'))
        yield `namespace ${name} has no default service account`
      if (!world.of<ConfigMap>('core/configmaps').some(c => c.metadata.namespace === name && c.metadata.name === 'kube-root-ca.crt'))
        yield `namespace ${name} has no kube-root-ca.crt`
    }
  },
]
