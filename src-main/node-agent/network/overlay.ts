/** The overlay between nodes as data: which neighbours, forwarding entries and routes there must be. Pure. */
import type { Node } from '../../api/generated/core-v1.ts'

export interface Peer {
  readonly name: string
  readonly address: string
  readonly podCIDR: string
  readonly mac: string
  readonly tunnelIP: string
}

/** Same on every node, from the node's address alone: no exchange of MAC addresses is needed. */
export function tunnelMac(nodeAddress: string): string {
  return ['0a', '71', ...nodeAddress.split('.').map(part => Number(part).toString(16).padStart(2, '0'))].join(':')
}

/** First address of the pod range: the tunnel's end on that node. The second is the bridge. */
export function tunnelIP(podCIDR: string): string {
  return podCIDR.split('/')[0] ?? ''
}

export function gatewayIP(podCIDR: string): string {
  const parts = tunnelIP(podCIDR).split('.').map(Number)
  return [...parts.slice(0, 3), (parts[3] ?? 0) + 1].join('.')
}

/** Last address of the pod range before the broadcast address: the probe's (probe-namespace.ts). */
export function probeIP(podCIDR: string): string {
  const [address = '', bits = '24'] = podCIDR.split('/')
  const first = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  const last = first + 2 ** (32 - Number(bits)) - 2
  return [24, 16, 8, 0].map(shift => Math.floor(last / 2 ** shift) % 256).join('.')
}

export function internalIP(node: Node): string | undefined {
  return node.status?.addresses?.find(address => address.type === 'InternalIP')?.address
}

export function peersOf(nodes: Iterable<Node>, ownName: string): Peer[] {
  const peers: Peer[] = []
  for (const node of nodes) {
    const address = internalIP(node)
    const podCIDR = node.spec?.podCIDR
    if (node.metadata.name === ownName || !address || !podCIDR || !/^[\d.]+$/.test(address) || !/^[\d./]+$/.test(podCIDR)) continue
    peers.push({ name: node.metadata.name ?? '', address, podCIDR, mac: tunnelMac(address), tunnelIP: tunnelIP(podCIDR) })
  }
  return peers.sort((a, b) => (a.name < b.name ? -1 : 1))
}

export interface OverlayState {
  /** `podCIDR via`, e.g. `10.244.1.0/24 10.244.1.0`. */
  readonly routes: ReadonlySet<string>
  /** `ip mac` */
  readonly neighbours: ReadonlySet<string>
  /** `mac address` */
  readonly forwarding: ReadonlySet<string>
}

/** Lines for `ip -batch` and `bridge -batch` that turn the present state into the wanted one. */
export function overlayChanges(peers: readonly Peer[], present: OverlayState, device: string): { ip: string[]; bridge: string[] } {
  const routes = new Set(peers.map(peer => `${peer.podCIDR} ${peer.tunnelIP}`))
  const neighbours = new Set(peers.map(peer => `${peer.tunnelIP} ${peer.mac}`))
  const forwarding = new Set(peers.map(peer => `${peer.mac} ${peer.address}`))
  const ip: string[] = []
  const bridge: string[] = []
  for (const entry of present.routes) if (!routes.has(entry)) ip.push(`route del ${entry.split(' ')[0] ?? ''} dev ${device}`)
  for (const entry of present.neighbours) if (!neighbours.has(entry)) ip.push(`neigh del ${entry.split(' ')[0] ?? ''} dev ${device}`)
  for (const entry of present.forwarding)
    if (!forwarding.has(entry)) {
      const [mac = '', to = ''] = entry.split(' ')
      bridge.push(`fdb del ${mac} dev ${device} dst ${to}`)
    }
  for (const peer of peers) {
    if (!present.forwarding.has(`${peer.mac} ${peer.address}`)) bridge.push(`fdb append ${peer.mac} dev ${device} dst ${peer.address} self permanent`)
    if (!present.neighbours.has(`${peer.tunnelIP} ${peer.mac}`)) ip.push(`neigh replace ${peer.tunnelIP} lladdr ${peer.mac} dev ${device} nud permanent`)
    if (!present.routes.has(`${peer.podCIDR} ${peer.tunnelIP}`)) ip.push(`route replace ${peer.podCIDR} via ${peer.tunnelIP} dev ${device} onlink`)
  }
  return { ip, bridge }
}
