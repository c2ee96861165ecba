/** What must be reached from a pod before a node is Ready. The way through a real namespace is in test/e2e/agent. */
import { describe, expect, it } from 'vitest'
import type { AgentConfig } from '../../../src-main/api/agent.ts'
import type { Node } from '../../../src-main/api/generated/core-v1.ts'
import { virtualEnv } from '../../../src-main/base/virtual-env.ts'
import { judgeProof, NetworkProof, outsideServers, proofTargets } from '../../../src-main/node-agent/network/network-proof.ts'
import { nodeStatus } from '../../../src-main/node-agent/kubelet/node-status.ts'
import { probeIP } from '../../../src-main/node-agent/network/overlay.ts'

const config = { nodeName: 'me', serviceCIDR: '10.96.0.0/16', clusterDNS: '10.96.0.10', clusterDomain: 'cluster.local' } as AgentConfig
function node(name: string, at: number, conditions: Record<string, string>, ours = true): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, annotations: ours ? { 'infra.quarterdeck.app/agent-version': 'x' } : {} },
    spec: { podCIDR: `10.244.${at}.0/24` },
    status: { addresses: [{ type: 'InternalIP', address: `192.0.2.${at}` }], conditions: Object.entries(conditions).map(([type, status]) => ({ type, status })) },
  }
}
const up = { NetworkUnavailable: 'False', NetworkProven: 'True', Ready: 'True' }

describe('the proof of the pod network', () => {
  it('takes the last address of the range', () => {
    expect([probeIP('10.244.3.0/24'), probeIP('10.244.0.0/22'), probeIP('172.31.255.128/25')]).toEqual(['10.244.3.254', '10.244.3.254', '172.31.255.254'])
  })

  it('looks at nodes of this cluster that have their network, also before they are Ready, and not at lost or foreign ones', () => {
    const nodes = [
      node('me', 0, up),
      node('a', 1, up),
      node('joining', 2, { NetworkUnavailable: 'False', NetworkProven: 'False', Ready: 'False' }),
      node('lost', 3, { NetworkUnavailable: 'False', NetworkProven: 'Unknown', Ready: 'Unknown' }),
      node('new', 4, { NetworkUnavailable: 'True', NetworkProven: 'False', Ready: 'False' }),
      node('foreign', 5, up, false),
      node('older', 6, { NetworkUnavailable: 'False', Ready: 'True' }),
    ]
    expect(proofTargets(config, nodes)).toEqual([
      { title: 'pod to pod on a', address: '10.244.1.254', port: 8474, greeting: 'a' },
      { title: 'pod to pod on joining', address: '10.244.2.254', port: 8474, greeting: 'joining' },
      { title: 'pod to service', address: '10.96.0.1', port: 443 },
      { title: 'DNS', address: '10.96.0.10', port: 53, name: 'kubernetes.default.svc.cluster.local', answer: '10.96.0.1' },
    ])
  })

  it('takes no name server of the host itself for the outside', () => {
    expect(outsideServers(['127.0.0.53', '192.0.2.7', '2001:db8::1', '192.0.2.53'], new Set(['192.0.2.7']))).toEqual(['192.0.2.53'])
  })

  it('wants everything, and of other nodes at least one', () => {
    const rest = [{ title: 'pod to service' }, { title: 'DNS' }]
    expect(judgeProof(rest)).toEqual({ proven: true, message: 'Reached from a pod of this node: pod to service, DNS.' })
    expect(judgeProof([{ title: 'pod to pod on a', fault: 'no answer' }, ...rest])).toEqual({
      proven: false,
      message: 'Not reached from a pod of this node: pod to pod on a: no answer.',
    })
    expect(judgeProof([{ title: 'pod to pod on a', fault: 'no answer' }, { title: 'pod to pod on b' }, ...rest])).toEqual({
      proven: true,
      message: 'Reached from a pod of this node: pod to pod on b, pod to service, DNS. Not reached: pod to pod on a: no answer.',
    })
    expect(judgeProof([{ title: 'pod to service' }, { title: 'DNS', fault: 'no answer' }]).proven).toBe(false)
    expect(judgeProof([...rest, { title: 'egress to 192.0.2.53', fault: 'no answer' }]).message).toContain('egress to 192.0.2.53: no answer')
  })

  it('is tried again until it holds, says each change once, and then rests', async () => {
    const env = virtualEnv({ seed: 1 })
    let tries = 0
    const told: string[] = []
    const proof = new NetworkProof({
      env,
      config,
      nodes: () => [],
      upstreams: async () => [],
      probe: async targets => targets.map(({ title }) => ({ title, ...(++tries <= 4 && title === 'DNS' ? { fault: 'no answer' } : {}) })),
      onChange: () => {
        told.push(proof.state.message)
      },
    })
    const over = proof.run(new AbortController().signal)
    await env.advance(60_000)
    await over
    expect(told).toEqual(['Not reached from a pod of this node: DNS: no answer.', 'Reached from a pod of this node: pod to service, DNS.'])
    expect(tries).toBe(6)
  })
})

describe('the status of a node', () => {
  const gib = 2 ** 30
  const disk = { bytes: 100 * gib, freeBytes: 50 * gib, inodes: 1000, inodesFree: 900 }
  const conditions = (change: { proven?: boolean; wasReady?: boolean; disks?: (typeof disk)[] }): Record<string, string> => {
    const status = nodeStatus({
      now: 0,
      facts: {
        machineID: '',
        systemUUID: '',
        bootID: '',
        memoryBytes: 8 * gib,
        availableMemoryBytes: 4 * gib,
        cpus: 2,
        diskBytes: disk.bytes,
        diskFreeBytes: disk.freeBytes,
        disks: change.disks ?? [disk, disk],
        processes: 100,
        maxProcesses: 32768,
      },
      runtime: { version: '20', apiVersion: '1.41', operatingSystem: '', kernelVersion: '', architecture: '', cgroupVersion: 2, cpus: 2, memoryBytes: 8 * gib, rootDir: '/' },
      runtimeFault: '',
      networkReady: true,
      networkProof: { proven: change.proven ?? true, message: 'Not reached from a pod of this node: DNS: no answer.' },
      wasReady: change.wasReady ?? false,
      images: [],
      nodeName: 'me',
      nodeAddress: '192.0.2.1',
      agentVersion: 'x',
      previous: undefined,
    })
    return Object.fromEntries((status.conditions ?? []).map(one => [one.type, `${one.status} ${one.message ?? ''}`]))
  }

  it('is not Ready before the pod network was proven, and stays Ready when it was', () => {
    expect(conditions({})['Ready']).toBe('True kubelet is posting ready status')
    expect(conditions({ proven: false })['Ready']).toContain('False container runtime network not ready')
    expect(conditions({ proven: false })['Ready']).toContain('DNS: no answer')
    expect(conditions({ proven: false, wasReady: true })['Ready']).toBe('True kubelet is posting ready status')
    expect(conditions({ proven: false })['NetworkProven']).toContain('False Not reached')
  })

  it('has disk pressure when any of its disks is short of room or inodes', () => {
    expect(conditions({})['DiskPressure']).toMatch(/^False/)
    expect(conditions({ disks: [disk, { ...disk, freeBytes: 9 * gib }] })['DiskPressure']).toMatch(/^True/)
    expect(conditions({ disks: [{ ...disk, inodesFree: 40 }, disk] })['DiskPressure']).toMatch(/^True/)
    expect(conditions({ disks: [disk, { ...disk, inodes: 0, inodesFree: 0 }] })['DiskPressure']).toMatch(/^False/)
  })
})
