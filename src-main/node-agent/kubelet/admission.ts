/**
 * Whether a pod may start on this node at all, asked once before anything of it is made: a pod may name its node without
 * asking the scheduler, and a scheduler may have decided on what is no longer so. Kubernetes' reasons and messages. Pure.
 * Unlike a kubelet nothing is evicted to make room for critical pods.
 */
import { isPodTerminal, podRequests, resourceAmounts, untoleratedTaint } from '../../api/core/v1/pod-questions.ts'
import { podAllowsNode } from '../../api/core/v1/node-selector.ts'
import type { Node, Pod } from '../../api/generated/core-v1.ts'

export interface Rejection {
  readonly reason: string
  readonly message: string
}

/** `others`: the pods that were let in before. */
export function admissionFault(pod: Pod, node: Node, others: readonly Pod[]): Rejection | undefined {
  if (pod.spec?.os && pod.spec.os.name !== 'linux') return { reason: 'PodOSNotSupported', message: "Failed to admit pod as the OS field doesn't match node OS" }
  const active = others.filter(other => other.metadata.uid !== pod.metadata.uid && !isPodTerminal(other))
  const predicate = (name: string, description: string): Rejection => ({ reason: name, message: `Predicate ${name} failed: ${description}` })
  const short = shortage(pod, node, active)
  if (short) return short
  if (!podAllowsNode(pod, node)) return predicate('NodeAffinity', "node(s) didn't match Pod's node affinity/selector")
  if (portsTaken(pod, active)) return predicate('NodePorts', "node(s) didn't have free ports for the requested pod ports")
  if (untoleratedTaint(node.spec?.taints, pod.spec?.tolerations, ['NoExecute'])) return predicate('TaintToleration', "node(s) had taints that the pod didn't tolerate")
  return undefined
}

function shortage(pod: Pod, node: Node, others: readonly Pod[]): Rejection | undefined {
  const capacity = resourceAmounts(node.status?.allocatable)
  const fault = (name: string, requested: number, used: number, most: number): Rejection => ({
    reason: `OutOf${name}`,
    message: `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${used}, capacity: ${most}`,
  })
  const most = capacity.get('pods')
  if (most !== undefined && others.length + 1 > most) return fault('pods', 1, others.length, most)
  const used = new Map<string, number>()
  for (const other of others) for (const [name, amount] of podRequests(other)) used.set(name, (used.get(name) ?? 0) + amount)
  for (const [name, requested] of podRequests(pod)) {
    // What the node does not know is a matter of the cluster.
    const whole = capacity.get(name)
    if (requested > 0 && whole !== undefined && requested > whole - (used.get(name) ?? 0)) return fault(name, requested, used.get(name) ?? 0, whole)
  }
  return undefined
}

interface HostPort {
  readonly port: number
  readonly protocol: string
  readonly address: string
}

const everywhere = '0.0.0.0'

function hostPorts(pod: Pod): HostPort[] {
  const sidecars = (pod.spec?.initContainers ?? []).filter(container => container.restartPolicy === 'Always')
  return [...(pod.spec?.containers ?? []), ...sidecars].flatMap(container =>
    (container.ports ?? []).flatMap(({ hostPort, protocol, hostIP }) => (hostPort ? [{ port: hostPort, protocol: protocol ?? 'TCP', address: hostIP || everywhere }] : [])),
  )
}

function portsTaken(pod: Pod, others: readonly Pod[]): boolean {
  const wanted = hostPorts(pod)
  if (wanted.length === 0) return false
  const taken = others.flatMap(hostPorts)
  return wanted.some(a => taken.some(b => a.port === b.port && a.protocol === b.protocol && (a.address === b.address || a.address === everywhere || b.address === everywhere)))
}
