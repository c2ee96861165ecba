/** Which pods a node turns away, with the reasons and messages that Kubernetes gives. */
import { describe, expect, it } from 'vitest'
import type { Node, Pod, PodSpec } from '../../../src-main/api/generated/core-v1.ts'
import { admissionFault } from '../../../src-main/node-agent/kubelet/admission.ts'

const node = (more: Partial<Node['spec']> = {}): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n', labels: { disk: 'ssd' } },
  spec: { ...more },
  status: { allocatable: { cpu: '2', memory: '1Gi', pods: '3', 'ephemeral-storage': '10Gi' } },
})
const pod = (name: string, spec: Partial<PodSpec> = {}, phase = 'Running'): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, uid: name },
  spec: { containers: [], ...spec },
  status: { phase },
})
const asks = (requests: Record<string, string>): Partial<PodSpec> => ({ containers: [{ name: 'c', resources: { requests } }] })
const port = (hostPort: number, hostIP?: string): Partial<PodSpec> => ({
  containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort, ...(hostIP === undefined ? {} : { hostIP }) }] }],
})

const cases: readonly [name: string, pod: Pod, node: Node, others: Pod[], expected: unknown][] = [
  ['lets in what fits', pod('a', asks({ cpu: '1' })), node(), [pod('b', asks({ cpu: '1' }))], undefined],
  [
    'has too little CPU',
    pod('a', asks({ cpu: '1500m' })),
    node(),
    [pod('b', asks({ cpu: '1' }))],
    { reason: 'OutOfcpu', message: "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000" },
  ],
  [
    'has too little memory',
    pod('a', asks({ memory: '2Gi' })),
    node(),
    [],
    { reason: 'OutOfmemory', message: "Node didn't have enough resource: memory, requested: 2147483648, used: 0, capacity: 1073741824" },
  ],
  [
    'has pods enough',
    pod('a'),
    node(),
    ['b', 'c', 'd'].map(name => pod(name)),
    { reason: 'OutOfpods', message: "Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3" },
  ],
  ['does not count pods that have ended', pod('a', asks({ cpu: '2' })), node(), [pod('b', asks({ cpu: '2' }), 'Succeeded')], undefined],
  ['leaves resources to the cluster that it does not know', pod('a', asks({ 'example.com/gpu': '1' })), node(), [], undefined],
  [
    'is not the node that the pod selects',
    pod('a', { nodeSelector: { disk: 'hdd' } }),
    node(),
    [],
    { reason: 'NodeAffinity', message: "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector" },
  ],
  [
    'has the port in use',
    pod('a', port(80)),
    node(),
    [pod('b', port(80, '10.0.0.1'))],
    { reason: 'NodePorts', message: "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports" },
  ],
  ['has the port free on another address', pod('a', port(80, '10.0.0.2')), node(), [pod('b', port(80, '10.0.0.1'))], undefined],
  [
    'is tainted against running',
    pod('a'),
    node({ taints: [{ key: 'k', effect: 'NoExecute' }] }),
    [],
    { reason: 'TaintToleration', message: "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate" },
  ],
  ['does not mind taints against scheduling', pod('a'), node({ taints: [{ key: 'k', effect: 'NoSchedule' }] }), [], undefined],
  ['is no Windows', pod('a', { os: { name: 'windows' } }), node(), [], { reason: 'PodOSNotSupported', message: "Failed to admit pod as the OS field doesn't match node OS" }],
]

describe('a node', () => {
  it.each(cases)('%s', (_name, asked, on, others, expected) => {
    expect(admissionFault(asked, on, others)).toEqual(expected)
  })
})
