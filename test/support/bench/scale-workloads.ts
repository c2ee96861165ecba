/**
 * What the scheduler is measured with, as data: workloads of upstream's scheduler_perf, with upstream's thresholds in pods
 * a second (which are of upstream's machine). Nodes have 4 CPU, 32 GiB and room for 110 pods; pods ask for 100m and 500 MiB.
 */
export interface Workload {
  readonly name: string
  readonly nodes: number
  readonly zones: number
  /** Stand there before, unmeasured. */
  readonly initPods: number
  readonly pods: number
  /** Pods a second. */
  readonly threshold: number
  /** Merged into spec and labels of all its pods. */
  readonly labels?: Readonly<Record<string, string>>
  readonly spec?: object
}

const near = (app: string, topologyKey: string): object => ({ labelSelector: { matchLabels: { app } }, topologyKey })
const zone = 'topology.kubernetes.io/zone'
const hostname = 'kubernetes.io/hostname'
const spread = (whenUnsatisfiable: string): object => ({
  topologySpreadConstraints: [{ maxSkew: 5, topologyKey: zone, whenUnsatisfiable, labelSelector: { matchLabels: { app: 'bench' } } }],
})

export const workloads: readonly Workload[] = [
  { name: 'basic, 1,000 nodes', nodes: 1_000, zones: 3, initPods: 0, pods: 2_000, threshold: 680 },
  { name: 'basic, 5,000 nodes', nodes: 5_000, zones: 3, initPods: 1_000, pods: 10_000, threshold: 680 },
  {
    name: 'node affinity',
    nodes: 5_000,
    zones: 3,
    initPods: 5_000,
    pods: 10_000,
    threshold: 220,
    spec: {
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: zone, operator: 'In', values: ['zone-1', 'zone-2'] }] }] },
        },
      },
    },
  },
  { name: 'topology spreading', nodes: 5_000, zones: 3, initPods: 5_000, pods: 5_000, threshold: 460, spec: spread('DoNotSchedule') },
  { name: 'preferred topology spreading', nodes: 5_000, zones: 3, initPods: 5_000, pods: 5_000, threshold: 340, spec: spread('ScheduleAnyway') },
  {
    name: 'pod affinity',
    nodes: 5_000,
    zones: 3,
    initPods: 5_000,
    pods: 5_000,
    threshold: 35,
    spec: { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [near('bench', zone)] } } },
  },
  {
    name: 'pod anti-affinity',
    nodes: 5_000,
    zones: 3,
    initPods: 1_000,
    pods: 2_000,
    threshold: 60,
    spec: { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [near('bench', hostname)] } } },
  },
  {
    name: 'preferred pod affinity',
    nodes: 5_000,
    zones: 3,
    initPods: 5_000,
    pods: 5_000,
    threshold: 90,
    spec: { affinity: { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: near('bench', hostname) }] } } },
  },
  {
    name: 'preferred pod anti-affinity',
    nodes: 5_000,
    zones: 3,
    initPods: 5_000,
    pods: 5_000,
    threshold: 90,
    spec: { affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: near('bench', hostname) }] } } },
  },
]

export function podOf(workload: Workload, name: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'scale', labels: { app: 'bench', ...workload.labels } },
    spec: {
      automountServiceAccountToken: false,
      containers: [{ name: 'app', image: 'registry.example/app:1', resources: { requests: { cpu: '100m', memory: '500Mi' }, limits: { cpu: '100m', memory: '500Mi' } } }],
      ...workload.spec,
    },
  }
}
