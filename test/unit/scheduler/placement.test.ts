import { expect, test } from 'vitest'
import type { Node, Pod, PodSpec, Taint } from '../../../src-main/api/generated/core-v1.ts'
import { simulate } from '../../../src-main/scheduler/simulate.ts'

const node = (name: string, options: { labels?: Record<string, string>; taints?: Taint[]; cpu?: string; pods?: string } = {}): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { 'kubernetes.io/hostname': name, ...options.labels } },
  spec: options.taints ? { taints: options.taints } : {},
  status: { allocatable: { cpu: options.cpu ?? '4', memory: '8Gi', pods: options.pods ?? '110' } },
})
const pod = (name: string, spec: Partial<PodSpec> = {}, labels: Record<string, string> = {}, on?: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', uid: name, labels },
  spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '1', memory: '1Gi' } } }], ...spec, ...(on ? { nodeName: on } : {}) },
})
const zones = [node('a', { labels: { zone: 'x' } }), node('b', { labels: { zone: 'x' } }), node('c', { labels: { zone: 'y' } })]
const near = (app: string, topologyKey: string) => ({ labelSelector: { matchLabels: { app } }, topologyKey })
const outcome = (input: { nodes: Node[]; running?: Pod[] }, wanted: Pod[]): unknown => {
  const result = simulate({ nodes: input.nodes, running: input.running ?? [] }, wanted)
  return { placed: result.placed.map(p => `${p.pod.metadata.name ?? ''}@${p.node}`), unplaced: result.unplaced.map(p => p.message) }
}
const spread = { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: { app: 'w' } } }

test.each([
  ['node selector', { nodes: zones }, [pod('p', { nodeSelector: { zone: 'y' } })], { placed: ['p@c'], unplaced: [] }],
  [
    'node affinity that nothing meets',
    { nodes: zones },
    [
      pod('p', {
        affinity: {
          nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['z'] }] }] } },
        },
      }),
    ],
    { placed: [], unplaced: ["0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."] },
  ],
  [
    'preferred node affinity',
    { nodes: zones },
    [
      pod('p', {
        affinity: {
          nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: { matchExpressions: [{ key: 'zone', operator: 'In', values: ['y'] }] } }] },
        },
      }),
    ],
    { placed: ['p@c'], unplaced: [] },
  ],
  [
    'a taint that is not tolerated',
    { nodes: [node('t', { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] })] },
    [pod('p')],
    { placed: [], unplaced: ['0/1 nodes are available: 1 node(s) had untolerated taint(s).'] },
  ],
  [
    'a taint that is tolerated',
    { nodes: [node('t', { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] })] },
    [pod('p', { tolerations: [{ key: 'k', operator: 'Exists' }] })],
    { placed: ['p@t'], unplaced: [] },
  ],
  [
    'a node that is full of pods',
    { nodes: [node('f', { pods: '1' })], running: [pod('r', {}, {}, 'f')] },
    [pod('p')],
    { placed: [], unplaced: ['0/1 nodes are available: 1 Too many pods.'] },
  ],
  [
    'several lacks on one node',
    { nodes: [node('f', { pods: '1', cpu: '1' })], running: [pod('r', {}, {}, 'f')] },
    [pod('p')],
    { placed: [], unplaced: ['0/1 nodes are available: 1 Insufficient cpu, 1 Too many pods.'] },
  ],
  [
    'a host port in use',
    { nodes: [node('n')], running: [pod('r', { containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80 }] }] }, {}, 'n')] },
    [pod('p', { containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80 }] }] })],
    { placed: [], unplaced: ["0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."] },
  ],
  [
    'pod affinity',
    { nodes: zones, running: [pod('db', {}, { app: 'db' }, 'c')] },
    [pod('p', { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [near('db', 'zone')] } } })],
    { placed: ['p@c'], unplaced: [] },
  ],
  [
    'pod affinity to itself for the first of a group',
    { nodes: [node('n', { labels: { zone: 'x' } })] },
    [pod('p', { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [near('w', 'zone')] } } }, { app: 'w' })],
    { placed: ['p@n'], unplaced: [] },
  ],
  [
    'pod anti-affinity',
    { nodes: [node('n')], running: [pod('r', {}, { app: 'w' }, 'n')] },
    [pod('p', { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [near('w', 'kubernetes.io/hostname')] } } })],
    { placed: [], unplaced: ["0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules."] },
  ],
  [
    'anti-affinity of a running pod',
    {
      nodes: [node('n')],
      running: [pod('r', { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [near('w', 'kubernetes.io/hostname')] } } }, {}, 'n')],
    },
    [pod('p', {}, { app: 'w' })],
    { placed: [], unplaced: ["0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules."] },
  ],
  [
    'a hard spread over zones',
    { nodes: zones, running: [pod('r', {}, { app: 'w' }, 'a')] },
    [pod('p', { topologySpreadConstraints: [spread] }, { app: 'w' })],
    { placed: ['p@c'], unplaced: [] },
  ],
  [
    'a hard spread that cannot be kept',
    { nodes: [zones[0] as Node, node('y', { labels: { zone: 'y' }, cpu: '0' })], running: [pod('r', {}, { app: 'w' }, 'a')] },
    [pod('p', { topologySpreadConstraints: [spread] }, { app: 'w' })],
    { placed: [], unplaced: ["0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match pod topology spread constraints."] },
  ],
  [
    'the more important first',
    { nodes: [node('n', { cpu: '1' })] },
    [pod('low'), pod('high', { priority: 10 })],
    { placed: ['high@n'], unplaced: ['0/1 nodes are available: 1 Insufficient cpu.'] },
  ],
  ['the emptier node', { nodes: [node('n'), node('m')], running: [pod('r', {}, {}, 'n')] }, [pod('p')], { placed: ['p@m'], unplaced: [] }],
  [
    'the node of a lost node',
    { nodes: [node('n', { cpu: '2' })] },
    [pod('one', {}, {}, 'lost'), pod('two', {}, {}, 'lost'), pod('three', {}, {}, 'lost')],
    { placed: ['one@n', 'two@n'], unplaced: ['0/1 nodes are available: 1 Insufficient cpu.'] },
  ],
] as const)('placement: %s', (_name, input, wanted, expected) => {
  expect(outcome(input as { nodes: Node[]; running?: Pod[] }, [...wanted])).toEqual(expected)
})
