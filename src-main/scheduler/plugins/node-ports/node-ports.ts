/** Host ports are free on the node. */
import { nodes } from '../../../api/core/v1/node.ts'
import { isSidecar, pods } from '../../../api/core/v1/pod.ts'
import type { Pod } from '../../../api/generated/core-v1.ts'
import { definePlugin } from '../../framework.ts'

interface HostPort {
  readonly ip: string
  readonly protocol: string
  readonly port: number
}

function hostPortsOf(pod: Pod): HostPort[] {
  const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? []).filter(isSidecar)]
  return containers
    .flatMap(c => c.ports ?? [])
    .filter(p => (p.hostPort ?? 0) > 0)
    .map(p => ({ ip: p.hostIP || '0.0.0.0', protocol: p.protocol ?? 'TCP', port: p.hostPort ?? 0 }))
}

function conflict(a: HostPort, b: HostPort): boolean {
  return a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || a.ip === '0.0.0.0' || b.ip === '0.0.0.0')
}

export const nodePorts = definePlugin<HostPort[]>({
  name: 'NodePorts',
  prepare: pod => hostPortsOf(pod),
  skips: (_pod, wanted) => ({ filter: wanted.length === 0 }),
  filter: (_pod, node, wanted) => {
    const used = node.pods.flatMap(hostPortsOf)
    return wanted.some(w => used.some(u => conflict(w, u))) ? { reasons: ["node(s) didn't have free ports for the requested pod ports"] } : undefined
  },
  wakesOn: [
    { kind: nodes, on: ['add', 'update'] },
    { kind: pods, on: ['delete'] },
  ],
})
