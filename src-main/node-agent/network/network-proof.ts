/**
 * The proof that a pod of this node reaches what pods have to reach: pods of other nodes, services, the cluster's DNS, and
 * the outside where the host itself reaches it. A new node is not Ready before; one that was Ready stays so, since a
 * data path that fails later is no reason to move pods about.
 */
import { promises as dns } from 'node:dns'
import { networkInterfaces } from 'node:os'
import type { AgentConfig } from '../../api/agent.ts'
import { agentPorts, networkProvenCondition } from '../../api/agent.ts'
import type { Node } from '../../api/generated/core-v1.ts'
import type { Env } from '../../base/env.ts'
import { hostResolver } from '../kubelet/pod-files.ts'
import { addressNumber, addressText } from '../proxy/compile.ts'
import { Waker } from '../waker.ts'
import { peersOf, probeIP } from './overlay.ts'
import type { ProbeResult, ProbeTarget } from './probe-child.ts'

/** Other nodes learn of this one within a second: asked soon at first. */
const retry = { firstMs: 300, maxMs: 5_000 }
const upstreamTimeoutMs = 1_500
/** A few nodes are proof enough; a thousand would be a storm. */
const maxPeers = 5
const dnsPort = 53
const httpsPort = 443
/** A name that cannot exist: any answer shows that the server was reached. */
const outsideName = 'probe.invalid'
const podToPod = 'pod to pod'
const agentAnnotation = 'infra.quarterdeck.app/agent-version'

export interface NetworkProofOptions {
  readonly env: Env
  readonly config: AgentConfig
  readonly nodes: () => Iterable<Node>
  readonly probe: (targets: readonly ProbeTarget[]) => Promise<readonly ProbeResult[]>
  /** Something to be shown has changed. */
  readonly onChange: () => void
  /** Servers outside; default: the host's own. */
  readonly upstreams?: () => Promise<readonly string[]>
}

export interface ProofState {
  readonly proven: boolean
  /** What was reached, or what was not. */
  readonly message: string
}

export class NetworkProof {
  readonly #options: NetworkProofOptions
  readonly #waker: Waker
  #state: ProofState = { proven: false, message: 'The pod network is being looked at.' }

  constructor(options: NetworkProofOptions) {
    this.#options = options
    this.#waker = new Waker(options.env.clock)
  }

  get state(): ProofState {
    return this.#state
  }

  /** The pod network, or what is known of other nodes, changed. */
  changed(): void {
    this.#waker.wake()
  }

  /** Looks until everything was reached once. */
  async run(signal: AbortSignal): Promise<void> {
    for (let waitMs = retry.firstMs; !signal.aborted && !this.#state.proven; waitMs = Math.min(retry.maxMs, waitMs * 2)) {
      const next = await this.#look().catch((fault: unknown) => ({ proven: false, message: fault instanceof Error ? fault.message : String(fault) }))
      const isNews = next.message !== this.#state.message || next.proven
      this.#state = next
      if (isNews) {
        this.#options.env.log.log(next.proven ? 'info' : 'warn', next.proven ? 'pod network proven' : 'pod network not proven', { detail: next.message })
        this.#options.onChange()
      }
      if (!next.proven) await this.#waker.pause(waitMs, signal)
    }
  }

  async #look(): Promise<ProofState> {
    const { config, probe } = this.#options
    const targets = [...proofTargets(config, this.#options.nodes()), ...(await this.#outside())]
    return judgeProof(await probe(targets))
  }

  /** The host's own name servers that answer the host: pods must reach them too. */
  async #outside(): Promise<ProbeTarget[]> {
    const upstreams = this.#options.upstreams ?? (async () => (await hostResolver()).nameservers)
    const own = Object.values(networkInterfaces()).flatMap(addresses => (addresses ?? []).map(({ address }) => address))
    const servers = outsideServers(await upstreams(), new Set(own))
    const answering = await Promise.all(servers.map(async server => ((await answers(server)) ? server : undefined)))
    const server = answering.find(one => one !== undefined)
    return server === undefined ? [] : [{ title: `egress to ${server}`, address: server, port: dnsPort, name: outsideName }]
  }
}

/** Name servers that show the way out: one on this host itself shows nothing, and may not listen to pods. Pure. */
export function outsideServers(servers: readonly string[], own: ReadonlySet<string>): string[] {
  return servers.filter(server => /^\d+(\.\d+){3}$/.test(server) && !server.startsWith('127.') && !own.has(server))
}

/** What a pod of this node has to reach inside the cluster. Pure. */
export function proofTargets(config: AgentConfig, nodes: Iterable<Node>): ProbeTarget[] {
  const api = addressText(addressNumber(config.serviceCIDR.split('/')[0] ?? '') + 1)
  const alive = [...nodes].filter(isOnPodNetwork)
  return [
    ...peersOf(alive, config.nodeName)
      .slice(0, maxPeers)
      .map(peer => ({ title: `${podToPod} on ${peer.name}`, address: probeIP(peer.podCIDR), port: agentPorts.probe, greeting: peer.name })),
    { title: 'pod to service', address: api, port: httpsPort },
    { title: 'DNS', address: config.clusterDNS, port: dnsPort, name: `kubernetes.default.svc.${config.clusterDomain}`, answer: api },
  ]
}

/** Everything must be reached; of the other nodes, one: that another one is silent may be that one's fault. Pure. */
export function judgeProof(results: readonly ProbeResult[]): ProofState {
  const isPeer = (result: ProbeResult): boolean => result.title.startsWith(podToPod)
  const peerReached = results.some(result => isPeer(result) && result.fault === undefined)
  const failed = results.filter(result => result.fault !== undefined)
  const text = failed.map(result => `${result.title}: ${result.fault ?? ''}`).join('; ')
  if (failed.some(result => !isPeer(result) || !peerReached)) return { proven: false, message: `Not reached from a pod of this node: ${text}.` }
  const reached = results.filter(result => result.fault === undefined).map(result => result.title)
  return { proven: true, message: `Reached from a pod of this node: ${reached.join(', ')}.${text === '' ? '' : ` Not reached: ${text}.`}` }
}

/** A node of ours whose own part of the pod network stands, and that is not given up. Agents of before the proof answer no probe. */
function isOnPodNetwork(node: Node): boolean {
  const status = (type: string): string | undefined => node.status?.conditions?.find(condition => condition.type === type)?.status
  const isAnswering = node.metadata.annotations?.[agentAnnotation] !== undefined && status(networkProvenCondition) !== undefined
  return isAnswering && status('NetworkUnavailable') === 'False' && status('Ready') !== 'Unknown'
}

async function answers(server: string): Promise<boolean> {
  const resolver = new dns.Resolver({ timeout: upstreamTimeoutMs, tries: 1 })
  resolver.setServers([server])
  try {
    await resolver.resolve4(outsideName)
    return true
  } catch (fault) {
    return ['ENOTFOUND', 'ENODATA', 'ESERVFAIL', 'EREFUSED', 'ENOTIMP'].includes((fault as { code?: string }).code ?? '')
  }
}
