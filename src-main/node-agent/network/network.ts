/**
 * The node's part of the pod network: kernel switches, the bridge (a Docker network), the VXLAN device with its peers and
 * the passage through Docker's firewall. Level-triggered and repeated, so that whatever is flushed or lost comes back.
 */
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import type { Node } from '../../api/generated/core-v1.ts'
import { agentNames, agentPorts } from '../../api/agent.ts'
import type { AgentConfig } from '../../api/agent.ts'
import type { Env } from '../../base/env.ts'
import { readTextFile } from '../checkpoint.ts'
import { runOrThrow } from '../commands.ts'
import type { RunCommand } from '../commands.ts'
import { Waker } from '../waker.ts'
import type { ContainerRuntime } from '../container-runtime/runtime.ts'
import { gatewayIP, overlayChanges, peersOf, probeIP, tunnelIP, tunnelMac } from './overlay.ts'
import type { OverlayState } from './overlay.ts'

const repeatMs = 20_000
const settleMs = 200
/** VXLAN's own headers: outer Ethernet 14, IPv4 20, UDP 8, VXLAN 8. */
const overlayOverhead = 50
const networkID = 8473

export interface NetworkOptions {
  readonly env: Env
  readonly config: AgentConfig
  readonly run: RunCommand
  readonly runtime: ContainerRuntime
  readonly podCIDR: () => string | undefined
  readonly nodes: () => Iterable<Node>
  /** The network became ready, or its range changed. */
  readonly onReady: () => void
  /** Joins the probe to the bridge (probe-namespace.ts). */
  readonly joinProbe: (podCIDR: string, mtu: number) => Promise<void>
}

export class PodNetwork {
  readonly #options: NetworkOptions
  #ready = false
  #probeJoined = false
  #bridgeNetfilter = false
  readonly #waker: Waker
  constructor(options: NetworkOptions) {
    this.#options = options
    this.#waker = new Waker(options.env.clock)
  }

  get ready(): boolean {
    return this.#ready
  }
  get bridgeNetfilter(): boolean {
    return this.#bridgeNetfilter
  }
  changed(): void {
    this.#waker.wake()
  }

  async run(signal: AbortSignal): Promise<void> {
    const { env } = this.#options
    while (!signal.aborted) {
      try {
        await this.#apply()
      } catch (fault) {
        env.log.log('warn', 'pod network not set up', { fault: fault instanceof Error ? fault.message : String(fault) })
      }
      await this.#waker.pause(this.#ready && this.#probeJoined ? repeatMs : 2_000, signal)
      await env.clock.sleep(settleMs, signal).catch(() => {})
    }
  }

  async #apply(): Promise<void> {
    const { runtime, config } = this.#options
    const podCIDR = this.#options.podCIDR()
    if (podCIDR === undefined) return
    const uplink = uplinkOf(config.nodeAddress)
    const mtu = Math.max(576, Number((await readTextFile(`/sys/class/net/${uplink}/mtu`)) ?? 1500) - overlayOverhead)
    await this.#switches()
    await runtime.ensurePodNetwork({ subnet: podCIDR, gateway: gatewayIP(podCIDR), reserved: probeIP(podCIDR), bridge: agentNames.bridge, mtu })
    await this.#device(podCIDR, uplink, mtu)
    await this.#peers()
    await this.#passage()
    await this.hairpin()
    await setSwitch(`net/ipv4/conf/${agentNames.overlay}/rp_filter`, '2')
    await setSwitch(`net/ipv4/conf/${agentNames.bridge}/rp_filter`, '2')
    if (!this.#ready) {
      this.#ready = true
      this.#options.onReady()
    }
    this.#probeJoined = false
    await this.#options.joinProbe(podCIDR, mtu)
    this.#probeJoined = true
  }

  async #switches(): Promise<void> {
    await this.#options.run('modprobe', ['-qa', 'br_netfilter', 'vxlan', 'nf_conntrack'])
    if (!(await setSwitch('net/ipv4/ip_forward', '1'))) throw new Error('cannot set net.ipv4.ip_forward')
    this.#bridgeNetfilter = await setSwitch('net/bridge/bridge-nf-call-iptables', '1')
  }

  async #device(podCIDR: string, uplink: string, mtu: number): Promise<void> {
    const { run, config } = this.#options
    const mac = tunnelMac(config.nodeAddress)
    const shown = await run('ip', ['-j', '-d', 'link', 'show', 'dev', agentNames.overlay])
    const [link] =
      shown.status === 0
        ? (JSON.parse(shown.stdout) as { address?: string; mtu?: number; operstate?: string; linkinfo?: { info_data?: { local?: string; port?: number; id?: number } } }[])
        : []
    const data = link?.linkinfo?.info_data
    if (link && (link.address !== mac || data?.local !== config.nodeAddress || data.port !== agentPorts.overlay || data.id !== networkID)) {
      await runOrThrow(run, 'ip', ['link', 'del', agentNames.overlay])
    }
    if (!link || link.address !== mac || data?.local !== config.nodeAddress || data.port !== agentPorts.overlay || data.id !== networkID) {
      await runOrThrow(run, 'ip', [
        'link',
        'add',
        agentNames.overlay,
        'address',
        mac,
        'type',
        'vxlan',
        'id',
        String(networkID),
        'dev',
        uplink,
        'local',
        config.nodeAddress,
        'dstport',
        String(agentPorts.overlay),
        'nolearning',
      ])
    }
    await runOrThrow(
      run,
      'ip',
      ['-batch', '-'],
      [`link set dev ${agentNames.overlay} mtu ${mtu} up`, `address replace ${tunnelIP(podCIDR)}/32 dev ${agentNames.overlay}`, ''].join('\n'),
    )
  }

  async #peers(): Promise<void> {
    const { run, config } = this.#options
    const peers = peersOf(this.#options.nodes(), config.nodeName)
    const changes = overlayChanges(peers, await this.#state(), agentNames.overlay)
    if (changes.bridge.length > 0) await runOrThrow(run, 'bridge', ['-force', '-batch', '-'], `${changes.bridge.join('\n')}\n`)
    if (changes.ip.length > 0) await runOrThrow(run, 'ip', ['-force', '-batch', '-'], `${changes.ip.join('\n')}\n`)
  }

  async #state(): Promise<OverlayState> {
    const { run } = this.#options
    const json = async <T>(program: string, args: readonly string[]): Promise<T[]> => {
      const text = await runOrThrow(run, program, args)
      return text.trim() === '' ? [] : (JSON.parse(text) as T[])
    }
    const routes = await json<{ dst: string; gateway?: string }>('ip', ['-j', 'route', 'show', 'dev', agentNames.overlay])
    const neighbours = await json<{ dst: string; lladdr?: string }>('ip', ['-j', 'neigh', 'show', 'dev', agentNames.overlay])
    const forwarding = await json<{ mac: string; dst?: string }>('bridge', ['-j', 'fdb', 'show', 'dev', agentNames.overlay])
    return {
      routes: new Set(routes.filter(r => r.gateway !== undefined).map(r => `${r.dst} ${r.gateway ?? ''}`)),
      neighbours: new Set(neighbours.filter(n => n.lladdr !== undefined).map(n => `${n.dst} ${n.lladdr ?? ''}`)),
      forwarding: new Set(forwarding.filter(f => f.dst !== undefined && f.mac !== '00:00:00:00:00:00').map(f => `${f.mac} ${f.dst ?? ''}`)),
    }
  }

  /**
   * Lets a pod reach itself through a service: where the kernel translates bridged packets, such a packet leaves by the
   * port it came from, which a bridge refuses unless told otherwise.
   */
  async hairpin(): Promise<void> {
    const ports = await readdir(`/sys/class/net/${agentNames.bridge}/brif`).catch(() => [])
    const lines: string[] = []
    for (const port of ports) {
      if ((await readTextFile(`/sys/class/net/${port}/brport/hairpin_mode`))?.trim() === '0') lines.push(`link set dev ${port} hairpin on`)
    }
    if (lines.length > 0) await runOrThrow(this.#options.run, 'bridge', ['-force', '-batch', '-'], `${lines.join('\n')}\n`)
  }

  /** Docker drops what it does not know in FORWARD; DOCKER-USER is the place it leaves to others. */
  async #passage(): Promise<void> {
    const { run, config } = this.#options
    const chain = (await run('iptables', ['-w', '5', '-n', '-L', 'DOCKER-USER'])).status === 0 ? 'DOCKER-USER' : 'FORWARD'
    for (const rule of passageRules(config.clusterCIDR)) {
      if ((await run('iptables', ['-w', '5', '-C', chain, ...rule])).status !== 0) await runOrThrow(run, 'iptables', ['-w', '5', '-I', chain, ...rule])
    }
  }
}

export function passageRules(clusterCIDR: string): string[][] {
  const comment = ['-m', 'comment', '--comment', 'quarterdeck']
  return [
    ['-s', clusterCIDR, ...comment, '-j', 'ACCEPT'],
    ['-d', clusterCIDR, ...comment, '-j', 'ACCEPT'],
  ]
}

/** Interface that has the node's address. */
export function uplinkOf(nodeAddress: string): string {
  for (const [name, addresses] of Object.entries(networkInterfaces())) if (addresses?.some(address => address.address === nodeAddress)) return name
  throw new Error(`no network interface has the node's address ${nodeAddress}`)
}

async function setSwitch(path: string, value: string): Promise<boolean> {
  const file = `/proc/sys/${path}`
  try {
    if ((await readFile(file, 'utf8')).trim() === value) return true
    await writeFile(file, value)
    return true
  } catch {
    return false
  }
}
