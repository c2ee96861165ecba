/**
 * What a node may do: objects that pods on it use, its own Node and Lease, and the fixed rules of every kubelet. Access to
 * secrets, config maps, claims, volumes and tokens follows the pods bound to the node right now (upstream's graph, computed
 * from an index instead of kept).
 */
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../api/generated/core-v1.ts'
import type { UserInfo } from '../../api/request.ts'
import { parseFieldSelector } from '../../api/selectors.ts'
import type { Attributes, Authorizer, Decision } from '../contracts.ts'
import { places, type LiveCopies } from '../live-copy.ts'
import { podReferences } from './pod-references.ts'
import { ruleAllows, type PolicyRule } from './rules.ts'

/** Whether a field selector takes only pods of the node. Read as the list itself reads it: a comma may be escaped. */
function selectsNode(fieldSelector: string, node: string): boolean {
  try {
    return parseFieldSelector(fieldSelector).some(term => term.field === 'spec.nodeName' && term.op !== '!=' && term.value === node)
  } catch {
    return false
  }
}

/** Name of the node that this user is, or undefined. */
export function nodeNameOf(user: UserInfo): string | undefined {
  const prefix = 'system:node:'
  return user.name.startsWith(prefix) && user.name.length > prefix.length && user.groups.includes('system:nodes') ? user.name.slice(prefix.length) : undefined
}

const rule = (verbs: string[], group: string, ...resources: string[]): PolicyRule => ({ verbs, apiGroups: [group], resources })

/** What every node may do regardless of names. */
const nodeRules: readonly PolicyRule[] = [
  rule(['create'], 'authentication.k8s.io', 'tokenreviews'),
  rule(['create'], 'authorization.k8s.io', 'subjectaccessreviews', 'localsubjectaccessreviews'),
  rule(['get', 'list', 'watch'], '', 'services'),
  rule(['create', 'update', 'patch'], '', 'events'),
  rule(['create', 'update', 'patch'], 'events.k8s.io', 'events'),
  rule(['create', 'get', 'list', 'watch'], 'certificates.k8s.io', 'certificatesigningrequests'),
  rule(['get', 'list', 'watch'], 'storage.k8s.io', 'csidrivers'),
  rule(['get', 'list', 'watch'], 'node.k8s.io', 'runtimeclasses'),
  rule(['get', 'list', 'watch'], 'certificates.k8s.io', 'clustertrustbundles'),
  rule(['get', 'list', 'watch'], '', 'endpoints'),
  rule(['get', 'list', 'watch'], 'discovery.k8s.io', 'endpointslices'),
]

const allowed: Decision = { allowed: true, reason: '' }
const refuse = (reason: string): Decision => ({ allowed: false, reason })

export function createNodeAuthorizer(copies: LiveCopies): Authorizer {
  const pods = copies.of<Pod>(places.pods)
  const claims = copies.of<PersistentVolumeClaim>(places.persistentVolumeClaims)
  const volumes = copies.of<PersistentVolume>(places.persistentVolumes)
  const podsOn = pods.indexBy(pod => (pod.spec?.nodeName ? [pod.spec.nodeName] : []))

  /** Whether a pod on the node uses the object. */
  const isRelated = (node: string, kind: 'secrets' | 'configmaps' | 'persistentvolumeclaims' | 'persistentvolumes' | 'serviceaccounts', namespace: string, name: string): boolean =>
    podsOn(node).some(pod => {
      if (kind !== 'persistentvolumes' && pod.metadata.namespace !== namespace) return false
      const uses = podReferences(pod)
      if (kind === 'persistentvolumes') return uses.persistentvolumeclaims.some(claim => claims.get(pod.metadata.namespace ?? '', claim)?.spec?.volumeName === name)
      if (uses[kind].includes(name)) return true
      // Secrets that a volume needs at mount time.
      return (
        kind === 'secrets' &&
        uses.persistentvolumeclaims.some(claim => {
          const volume = volumes.get('', claims.get(namespace, claim)?.spec?.volumeName ?? '')
          const references = [volume?.spec?.csi?.nodePublishSecretRef, volume?.spec?.csi?.nodeStageSecretRef, volume?.spec?.csi?.nodeExpandSecretRef]
          return references.some(reference => reference?.name === name && (reference.namespace ?? namespace) === namespace)
        })
      )
    })
  const related = (node: string, a: Attributes, kind: Parameters<typeof isRelated>[1]): Decision =>
    a.name !== '' && isRelated(node, kind, a.namespace, a.name) ? allowed : refuse(`no relationship found between node '${node}' and this object`)

  return {
    authorize(a): Promise<Decision> {
      const node = nodeNameOf(a.user)
      if (node === undefined || !a.isResource) return Promise.resolve(refuse(''))
      return Promise.resolve(decide(node, a))
    },
    rulesFor: user =>
      Promise.resolve({
        resourceRules: [],
        nonResourceRules: [],
        incomplete: nodeNameOf(user) !== undefined,
        ...(nodeNameOf(user) === undefined ? {} : { evaluationError: 'node authorizer does not support user rule resolution' }),
      }),
  }

  function decide(node: string, a: Attributes): Decision {
    switch (`${a.group}/${a.resource}`) {
      case '/secrets':
      case '/configmaps':
        if (!['get', 'list', 'watch'].includes(a.verb)) return refuse('can only read resources of this type')
        if (a.subresource !== '') return refuse('cannot read subresource')
        if (a.namespace === '') return refuse('can only read namespaced object of this type')
        return related(node, a, a.resource as 'secrets' | 'configmaps')
      case '/persistentvolumeclaims':
        if (a.subresource === 'status' ? !['get', 'update', 'patch'].includes(a.verb) : a.subresource !== '' || a.verb !== 'get')
          return refuse('can only get individual resources of this type')
        return related(node, a, 'persistentvolumeclaims')
      case '/persistentvolumes':
        if (a.subresource !== '' || a.verb !== 'get') return refuse('can only get individual resources of this type')
        return related(node, a, 'persistentvolumes')
      case '/serviceaccounts':
        if (a.verb === 'get' && a.subresource === '') return related(node, a, 'serviceaccounts')
        if (a.verb !== 'create' || a.subresource !== 'token') return refuse('can only create tokens for individual service accounts')
        return related(node, a, 'serviceaccounts')
      case 'coordination.k8s.io/leases':
        if (!['get', 'create', 'update', 'patch', 'delete'].includes(a.verb)) return refuse('can only get, create, update, patch, or delete a node lease')
        if (a.namespace !== 'kube-node-lease') return refuse('can only access leases in the "kube-node-lease" system namespace')
        return a.verb === 'create' || a.name === node ? allowed : refuse('can only access node lease with the same name as the requesting node')
      case 'storage.k8s.io/csinodes':
        if (a.subresource !== '' || !['get', 'create', 'update', 'patch', 'delete'].includes(a.verb)) return refuse('can only get, create, update, patch, or delete a CSINode')
        return a.verb === 'create' || a.name === node ? allowed : refuse('can only access CSINode with the same name as the requesting node')
      case '/nodes':
        return decideNode(node, a)
      case '/pods':
        return decidePod(node, a)
      default:
        return nodeRules.some(one => ruleAllows(one, a)) ? allowed : refuse('')
    }
  }

  function decideNode(node: string, a: Attributes): Decision {
    if (a.verb === 'create' && a.subresource === '') return allowed
    if (a.name !== node) {
      const isRead = ['get', 'list', 'watch'].includes(a.verb)
      return refuse(`node '${node}' cannot ${isRead ? 'read' : 'modify'} ${isRead && a.name === '' ? 'all nodes' : `'${a.name}'`}, only its own Node object`)
    }
    if (a.subresource === '') return ['get', 'list', 'watch', 'update', 'patch'].includes(a.verb) ? allowed : refuse('')
    return a.subresource === 'status' && ['get', 'update', 'patch'].includes(a.verb) ? allowed : refuse('')
  }

  function decidePod(node: string, a: Attributes): Decision {
    if (a.subresource === '') {
      if (a.verb === 'create' || a.verb === 'delete') return allowed // NodeRestriction looks at whose pod it is
      if (a.verb === 'get') return isOwnPod(node, a) ? allowed : refuse(`no relationship found between node '${node}' and this object`)
      if (a.verb === 'list' || a.verb === 'watch') {
        if (selectsNode(a.fieldSelector ?? '', node)) return allowed
        return a.name !== '' && isOwnPod(node, a) ? allowed : refuse('can only list/watch pods with spec.nodeName field selector')
      }
      return refuse('')
    }
    if (a.subresource === 'status') return ['get', 'update', 'patch'].includes(a.verb) ? allowed : refuse('')
    return a.subresource === 'eviction' && a.verb === 'create' ? allowed : refuse('')
  }

  function isOwnPod(node: string, a: Attributes): boolean {
    return pods.get(a.namespace, a.name)?.spec?.nodeName === node
  }
}
