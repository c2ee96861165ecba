/** A node writes only its own Node, the status of its own pods, mirror pods of its own, and no protected labels or taints. */
import { deepEqual } from '../../api/json.ts'
import { forbidden } from '../../api/status-error.ts'
import type { Node, Pod } from '../../api/generated/core-v1.ts'
import type { AdmissionAttributes, AdmissionPlugin } from '../contracts.ts'
import { nodeNameOf } from '../authz/node.ts'
import { podReferences } from '../authz/pod-references.ts'
import { places, type LiveCopies } from '../live-copy.ts'

const mirrorAnnotation = 'kubernetes.io/config.mirror'

/** Labels below kubernetes.io and k8s.io that a node may set on itself. */
const ownLabels = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'failure-domain.beta.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
  'node.kubernetes.io/windows-build',
])
const ownLabelDomains = ['kubelet.kubernetes.io', 'node.kubernetes.io']

function isForbiddenLabel(key: string): boolean {
  const domain = key.includes('/') ? key.slice(0, key.indexOf('/')) : ''
  const isKubernetes = domain === 'kubernetes.io' || domain.endsWith('.kubernetes.io') || domain === 'k8s.io' || domain.endsWith('.k8s.io')
  if (!isKubernetes || ownLabels.has(key)) return false
  return !ownLabelDomains.some(own => domain === own || domain.endsWith(`.${own}`))
}

const refuse = (a: AdmissionAttributes, message: string): never => {
  throw forbidden(a.resource.group, a.resource.plural, a.name, message)
}

export function nodeRestriction(copies: LiveCopies): AdmissionPlugin {
  const nodes = copies.of<Node>(places.nodes)
  const pods = copies.of<Pod>(places.pods)

  function checkPodCreate(node: string, a: AdmissionAttributes): void {
    const pod = a.object as Pod
    if (pod.metadata.annotations?.[mirrorAnnotation] === undefined)
      refuse(a, `pod does not have ${JSON.stringify(mirrorAnnotation)} annotation, node ${JSON.stringify(node)} can only create mirror pods`)
    if (pod.spec?.nodeName !== node) refuse(a, `node ${JSON.stringify(node)} can only create pods with spec.nodeName set to itself`)
    const owners = pod.metadata.ownerReferences ?? []
    const [owner] = owners
    if (owners.length > 1) refuse(a, `node ${JSON.stringify(node)} can only create pods with a single owner reference set to itself`)
    if (!owner) return refuse(a, `node ${JSON.stringify(node)} can only create pods with an owner reference set to itself`)
    if (owner.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node)
      refuse(a, `node ${JSON.stringify(node)} can only create pods with an owner reference set to itself`)
    if (owner.controller !== true) refuse(a, `node ${JSON.stringify(node)} can only create pods with a controller owner reference set to itself`)
    if (owner.blockOwnerDeletion === true) refuse(a, `node ${JSON.stringify(node)} must not set blockOwnerDeletion on an owner reference`)
    if (nodes.get('', node)?.metadata.uid !== owner.uid)
      refuse(a, `node ${JSON.stringify(node)} UID mismatch: expected ${nodes.get('', node)?.metadata.uid ?? ''} got ${owner.uid}`)
    if (pod.spec?.serviceAccountName) refuse(a, `node ${JSON.stringify(node)} can not create pods that reference a service account`)
    const { secrets, configmaps, persistentvolumeclaims } = podReferences(pod)
    if (secrets.length > 0) refuse(a, `node ${JSON.stringify(node)} can not create pods that reference secrets`)
    if (configmaps.length > 0) refuse(a, `node ${JSON.stringify(node)} can not create pods that reference configmaps`)
    if (persistentvolumeclaims.length > 0) refuse(a, `node ${JSON.stringify(node)} can not create pods that reference persistentvolumeclaims`)
  }

  function checkPod(node: string, a: AdmissionAttributes): void {
    if (a.subresource === 'status') {
      if (a.operation !== 'UPDATE') return
      const before = a.previous as Pod
      if (before.spec?.nodeName !== node) refuse(a, `node ${JSON.stringify(node)} can only update pod status for pods with spec.nodeName set to itself`)
      if (!deepEqual(before.metadata.labels ?? {}, a.object?.metadata.labels ?? {})) refuse(a, `node ${JSON.stringify(node)} cannot update labels through pod status`)
      return
    }
    if (a.subresource === 'eviction') {
      const pod = pods.get(a.namespace, a.name)
      if (pod && pod.spec?.nodeName !== node) refuse(a, `node ${JSON.stringify(node)} can only evict pods with spec.nodeName set to itself`)
      return
    }
    if (a.subresource !== '') return refuse(a, `unexpected pod subresource ${JSON.stringify(a.subresource)}, only 'status' and 'eviction' are allowed`)
    if (a.operation === 'CREATE') return checkPodCreate(node, a)
    if (a.operation === 'DELETE') {
      const pod = (a.previous as Pod | undefined) ?? pods.get(a.namespace, a.name)
      if (pod && pod.spec?.nodeName !== node) refuse(a, `node ${JSON.stringify(node)} can only delete pods with spec.nodeName set to itself`)
      return
    }
    refuse(a, `unexpected operation ${JSON.stringify(a.operation)}, node ${JSON.stringify(node)} can only create and delete mirror pods`)
  }

  function checkNode(node: string, a: AdmissionAttributes): void {
    if (a.operation === 'DELETE') return refuse(a, `node ${JSON.stringify(node)} is not allowed to delete node ${JSON.stringify(a.name)}`)
    const next = a.object as Node
    const before = a.previous as Node | undefined
    const name = a.name === '' ? (next.metadata.name ?? '') : a.name
    if (name !== node) refuse(a, `node ${JSON.stringify(node)} is not allowed to modify node ${JSON.stringify(name)}`)
    const labels = next.metadata.labels ?? {}
    const earlier = before?.metadata.labels ?? {}
    const changed = [...new Set([...Object.keys(labels), ...Object.keys(earlier)])].filter(key => labels[key] !== earlier[key] && isForbiddenLabel(key)).sort()
    if (changed.length > 0) refuse(a, `is not allowed to modify labels: ${changed.join(', ')}`)
    if (!before) return
    if (!deepEqual(before.spec?.taints ?? [], next.spec?.taints ?? [])) refuse(a, `node ${JSON.stringify(node)} is not allowed to modify taints`)
    if (!deepEqual(before.metadata.ownerReferences ?? [], next.metadata.ownerReferences ?? [])) refuse(a, `node ${JSON.stringify(node)} is not allowed to modify ownerReferences`)
    if (!deepEqual(before.spec?.configSource, next.spec?.configSource)) refuse(a, `node ${JSON.stringify(node)} is not allowed to update configSource`)
  }

  return {
    name: 'NodeRestriction',
    async validate(a) {
      if (!a.user.groups.includes('system:nodes') || a.operation === 'CONNECT') return
      const node = nodeNameOf(a.user)
      if (node === undefined) {
        refuse(a, `could not determine node from user ${JSON.stringify(a.user.name)}`)
        return
      }
      switch (`${a.resource.group}/${a.resource.plural}`) {
        case '/pods':
          checkPod(node, a)
          return
        case '/nodes':
          checkNode(node, a)
          return
        case 'coordination.k8s.io/leases': {
          if (a.namespace !== 'kube-node-lease') refuse(a, 'can only access leases in the "kube-node-lease" system namespace')
          const name = a.operation === 'CREATE' ? (a.object?.metadata.name ?? a.name) : a.name
          if (name !== node) refuse(a, `can only access node lease with the same name as the requesting node`)
          return
        }
        case 'storage.k8s.io/csinodes':
          if ((a.object?.metadata.name ?? a.name) !== node) refuse(a, 'can only access CSINode with the same name as the requesting node')
          return
        default:
      }
    },
  }
}
