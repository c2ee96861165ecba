/** What provisioning asks of the cluster: bootstrap tokens, the Node, draining. */
import { bootstrapGroup, networkProvenCondition } from '../../api/agent.ts'
import { nodes } from '../../api/core/v1/node.ts'
import { pods } from '../../api/core/v1/pod.ts'
import { secrets } from '../../api/core/v1/secret.ts'
import type { Node, Pod } from '../../api/generated/core-v1.ts'
import { isNotFound, StatusError } from '../../api/status-error.ts'
import { formatTime } from '../../api/time.ts'
import type { Env } from '../../base/env.ts'
import type { Client } from '../../client/client.ts'
import type { ClusterSide, NetworkProofAnswer } from '../phases/phase.ts'

/** Long enough for a slow first start, short enough to be worthless soon after. */
const tokenLifeMs = 3_600_000

export function clusterSide(env: Env, client: Client, nodeName: string): ClusterSide {
  const find = async (): Promise<Node | undefined> => {
    try {
      return (await client.resource(nodes).get(nodeName)) as Node
    } catch (fault) {
      if (isNotFound(fault)) return undefined
      throw fault
    }
  }
  return {
    bootstrapToken: () => createBootstrapToken(env, client, nodeName),
    nodeExists: async () => (await find()) !== undefined,
    nodeProblem: async () => nodeProblem(await find()) ?? pathProblem(client, nodeName),
    networkProof: async () => networkProof(await find()),
  }
}

/**
 * A node counts only when the API also reaches its agent (logs, exec, metrics), through the tunnel and with a certificate
 * that the cluster signed, which comes a moment after Ready.
 */
async function pathProblem(client: Client, nodeName: string): Promise<string | undefined> {
  const answer = await client.raw({ method: 'GET', url: `/api/v1/nodes/${encodeURIComponent(nodeName)}/proxy/healthz` })
  const text = await client.text(answer.body, 64 * 1024)
  return answer.status === 200 ? undefined : `The API does not reach the agent of the node yet (${answer.status}: ${text.slice(0, 200)}).`
}

/** Undefined when the node is Ready. */
export function nodeProblem(node: Node | undefined): string | undefined {
  if (!node) return 'The agent has not registered the node yet.'
  const ready = node.status?.conditions?.find(condition => condition.type === 'Ready')
  if (ready?.status === 'True') return undefined
  return ready?.message || 'The node has not reported its state yet.'
}

/** What the node's agent says of the pod network; undefined where it says nothing yet. */
export function networkProof(node: Node | undefined): NetworkProofAnswer | undefined {
  const condition = node?.status?.conditions?.find(one => one.type === networkProvenCondition)
  return condition && { proven: condition.status === 'True', message: condition.message ?? '' }
}

async function createBootstrapToken(env: Env, client: Client, nodeName: string): Promise<string> {
  const letters = 'abcdefghijklmnopqrstuvwxyz0123456789'
  // 36 letters from a byte: values from 252 up would favour some letters and are passed over.
  const word = (length: number): string => {
    let out = ''
    while (out.length < length) for (const byte of env.random.bytes(length * 2)) if (byte < 252 && out.length < length) out += letters.charAt(byte % 36)
    return out
  }
  const id = word(6)
  const secret = word(16)
  await client.resource(secrets).create({
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'bootstrap.kubernetes.io/token',
    metadata: { name: `bootstrap-token-${id}`, namespace: 'kube-system' },
    stringData: {
      description: `Joins node ${nodeName}.`,
      'token-id': id,
      'token-secret': secret,
      expiration: formatTime(env.clock.now() + tokenLifeMs),
      'usage-bootstrap-authentication': 'true',
      'auth-extra-groups': bootstrapGroup,
    },
  })
  return `${id}.${secret}`
}

/** Marks the node unschedulable. Does nothing when it is gone. */
export async function cordon(client: Client, nodeName: string): Promise<void> {
  try {
    await client.resource(nodes).patch(nodeName, 'merge', { spec: { unschedulable: true } })
  } catch (fault) {
    if (!isNotFound(fault)) throw fault
  }
}

/** Pods that a drain has to move: not those of DaemonSets, mirror pods or ones that have ended. */
export async function podsToDrain(client: Client, nodeName: string): Promise<Pod[]> {
  const { items } = await client.resource(pods).list({ fieldSelector: `spec.nodeName=${nodeName}` })
  return (items as Pod[]).filter(
    pod =>
      !pod.metadata?.ownerReferences?.some(owner => owner.controller === true && owner.kind === 'DaemonSet') &&
      pod.metadata?.annotations?.['kubernetes.io/config.mirror'] === undefined &&
      !['Succeeded', 'Failed'].includes(pod.status?.phase ?? ''),
  )
}

/** Asks for the eviction of each pod once; gives the pods that are left and why a budget keeps some. */
export async function evictOnce(client: Client, nodeName: string): Promise<{ left: number; blocked: string[] }> {
  const left = await podsToDrain(client, nodeName)
  const blocked: string[] = []
  for (const pod of left) {
    if (pod.metadata?.deletionTimestamp !== undefined) continue
    const { name = '', namespace = '' } = pod.metadata ?? {}
    try {
      await client.resource(pods).createSub(name, 'eviction', { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } }, { namespace })
    } catch (fault) {
      if (fault instanceof StatusError && fault.code === 429) blocked.push(`${namespace}/${name}`)
      else if (!isNotFound(fault)) throw fault
    }
  }
  return { left: left.length, blocked }
}

/** Deletes the Node and whatever pods are still bound to it, without waiting for an agent that is gone. */
export async function deleteNode(client: Client, nodeName: string): Promise<void> {
  const { items } = await client.resource(pods).list({ fieldSelector: `spec.nodeName=${nodeName}` })
  for (const pod of items) {
    await client
      .resource(pods)
      .delete(pod.metadata.name ?? '', { namespace: pod.metadata.namespace ?? '', gracePeriodSeconds: 0 })
      .catch((fault: unknown) => {
        if (!isNotFound(fault)) throw fault
      })
  }
  await client
    .resource(nodes)
    .delete(nodeName)
    .catch((fault: unknown) => {
      if (!isNotFound(fault)) throw fault
    })
}
