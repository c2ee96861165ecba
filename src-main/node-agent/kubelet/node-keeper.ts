/** Registers this host as a Node, keeps its status and its Lease fresh. */
import { nodes } from '../../api/core/v1/node.ts'
import { leases } from '../../api/coordination/v1/lease.ts'
import type { Node } from '../../api/generated/core-v1.ts'

import type { AgentConfig } from '../../api/agent.ts'
import { isAlreadyExists, isNotFound } from '../../api/status-error.ts'
import { formatMicroTime } from '../../api/time.ts'
import type { Env } from '../../base/env.ts'
import type { Client } from '../../client/client.ts'
import { arch } from 'node:os'
import type { ProofState } from '../network/network-proof.ts'
import { Waker } from '../waker.ts'
import type { ContainerRuntime, RuntimeInfo } from '../container-runtime/runtime.ts'
import { hostFacts, nodeStatus } from './node-status.ts'
import { same } from './status-patch.ts'

const leaseMs = 10_000
const leaseSeconds = 40
/** A change is written at once; without one the status is said again every five minutes. */
const checkMs = 10_000
const repeatMs = 300_000
/** After a start the pod network needs a moment to be looked at: a node that was Ready must not be told NotReady for that. */
const networkGraceMs = 15_000
const leaseNamespace = 'kube-node-lease'

export interface NodeKeeperOptions {
  readonly env: Env
  readonly client: Client
  readonly config: AgentConfig
  readonly stateDir: string
  readonly runtime: ContainerRuntime
  readonly networkReady: () => boolean
  /** Whether pods of this node were seen to reach what they have to. */
  readonly networkProof: () => ProofState
}

export class NodeKeeper {
  readonly #options: NodeKeeperOptions
  #node: Node | undefined
  #writtenAtMs = -Infinity
  readonly #startMs: number
  readonly #waker: Waker

  constructor(options: NodeKeeperOptions) {
    this.#options = options
    this.#waker = new Waker(options.env.clock)
    this.#startMs = options.env.clock.awakeMs()
  }

  /** The Node as the API last gave it. */
  get node(): Node | undefined {
    return this.#node
  }

  /** Looks at the status now. */
  wake(): void {
    this.#waker.wake()
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#loop(() => this.#status(), checkMs, signal, this.#waker), this.#loop(() => this.#renew(), leaseMs, signal, new Waker(this.#options.env.clock))])
  }

  async #loop(work: () => Promise<void>, periodMs: number, signal: AbortSignal, waker: Waker): Promise<void> {
    const { env } = this.#options
    while (!signal.aborted) {
      try {
        await work()
      } catch (fault) {
        env.log.log('debug', 'node heartbeat not written', { fault: String(fault) })
      }
      await waker.pause(periodMs, signal)
    }
  }

  async #status(): Promise<void> {
    const { env, client, config, runtime } = this.#options
    let info: RuntimeInfo | undefined
    let runtimeFault = ''
    try {
      info = await runtime.info()
    } catch (fault) {
      runtimeFault = fault instanceof Error ? fault.message : String(fault)
    }
    const images = info ? await runtime.images() : []
    const facts = await hostFacts(info?.rootDir ?? '/', this.#options.stateDir)
    const node = await this.#ensureNode()
    const wasReady = node.status?.conditions?.some(condition => condition.type === 'Ready' && condition.status === 'True') ?? false
    if (wasReady && !this.#options.networkReady() && env.clock.awakeMs() - this.#startMs < networkGraceMs) return
    const next = nodeStatus({
      now: env.clock.now(),
      facts,
      runtime: info,
      runtimeFault,
      networkReady: this.#options.networkReady(),
      networkProof: this.#options.networkProof(),
      wasReady,
      images,
      nodeName: config.nodeName,
      nodeAddress: config.nodeAddress,
      agentVersion: config.agentVersion,
      previous: node,
    })
    const unchanged = same(withoutTimes(node.status ?? {}), withoutTimes(next))
    if (unchanged && env.clock.awakeMs() - this.#writtenAtMs < repeatMs) return
    const conditions = next.conditions?.map(condition => ({ ...condition }))
    this.#node = await client
      .resource(nodes)
      .patch(config.nodeName, 'strategic', { status: { ...next, conditions, addresses: [{ $patch: 'replace' }, ...(next.addresses ?? [])] } }, { subresource: 'status' })
    this.#writtenAtMs = env.clock.awakeMs()
  }

  async #ensureNode(): Promise<Node> {
    const { client, config } = this.#options
    try {
      const node = await client.resource(nodes).get(config.nodeName)
      return await this.#reconcile(node)
    } catch (fault) {
      if (!isNotFound(fault)) throw fault
    }
    try {
      return await client.resource(nodes).create(this.#declared())
    } catch (fault) {
      if (!isAlreadyExists(fault)) throw fault
      return client.resource(nodes).get(config.nodeName)
    }
  }

  #declared(): Node {
    const { config } = this.#options
    const architecture = arch() === 'x64' ? 'amd64' : arch()
    return {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name: config.nodeName,
        labels: {
          'kubernetes.io/hostname': config.nodeName,
          'kubernetes.io/os': 'linux',
          'kubernetes.io/arch': architecture,
          'beta.kubernetes.io/os': 'linux',
          'beta.kubernetes.io/arch': architecture,
          ...config.nodeLabels,
        },
        annotations: { 'infra.quarterdeck.app/agent-version': config.agentVersion, 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' },
      },
      spec: config.nodeTaints.length > 0 ? { taints: config.nodeTaints.map(taint => ({ ...taint })) } : {},
    }
  }

  /** Labels of the configuration and the agent's version follow an upgrade; what people set stays. */
  async #reconcile(node: Node): Promise<Node> {
    const declared = this.#declared()
    const labels = Object.entries(declared.metadata.labels ?? {}).filter(([key, value]) => node.metadata.labels?.[key] !== value)
    const annotations = Object.entries(declared.metadata.annotations ?? {}).filter(([key, value]) => node.metadata.annotations?.[key] !== value)
    this.#node = node
    if (labels.length === 0 && annotations.length === 0) return node
    return this.#options.client
      .resource(nodes)
      .patch(node.metadata.name ?? '', 'merge', { metadata: { labels: Object.fromEntries(labels), annotations: Object.fromEntries(annotations) } })
  }

  async #renew(): Promise<void> {
    const { env, client, config } = this.#options
    const renewTime = formatMicroTime(env.clock.now())
    const spec = { holderIdentity: config.nodeName, leaseDurationSeconds: leaseSeconds, renewTime }
    try {
      await client.resource(leases).patch(config.nodeName, 'merge', { spec }, { namespace: leaseNamespace })
    } catch (fault) {
      if (!isNotFound(fault)) throw fault
      const owner = this.#node ? [{ apiVersion: 'v1', kind: 'Node', name: config.nodeName, uid: this.#node.metadata.uid ?? '' }] : []
      await client
        .resource(leases)
        .create({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: config.nodeName, namespace: leaseNamespace, ownerReferences: owner }, spec })
    }
  }
}

function withoutTimes(status: object): unknown {
  const { conditions, ...rest } = status as { conditions?: Record<string, unknown>[] }
  const shown = { ...rest } as Record<string, unknown>
  for (const field of ['volumesAttached', 'volumesInUse', 'config', 'phase', 'features', 'runtimeHandlers', 'declaredFeatures']) delete shown[field]
  return {
    ...shown,
    conditions: (conditions ?? [])
      .map(({ lastHeartbeatTime: _h, lastTransitionTime: _t, ...condition }) => condition)
      .sort((a, b) => String(a['type']).localeCompare(String(b['type']))),
  }
}
