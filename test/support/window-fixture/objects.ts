/** A believable cluster for looking at the window: objects as the API server takes them, made from a seed. */
import type { KubernetesObject } from '../../../src-main/api/meta.ts'
import { seededRandom } from '../../../src-main/base/virtual-env.ts'

export interface Seeded {
  object: Record<string, unknown> & KubernetesObject
  status?: Record<string, unknown>
}

export interface SeedOptions {
  nodes: number
  podsPerNode: number
  now: number
}

interface Workload {
  namespace: string
  name: string
  replicas: number
  image: string
  cpu: string
  memory: string
  fault?: 'crash' | 'pending' | 'image'
}

const workloads: readonly Workload[] = [
  { namespace: 'shop', name: 'storefront', replicas: 6, image: 'registry.example.net/shop/storefront:4.18.2', cpu: '250m', memory: '256Mi' },
  {
    namespace: 'shop',
    name: 'checkout-payments-reconciliation-worker-europe-west',
    replicas: 3,
    image: 'registry.example.net/shop/checkout-payments-reconciliation-worker:2026.11.3-build.4471',
    cpu: '500m',
    memory: '1Gi',
  },
  { namespace: 'shop', name: 'recommendations', replicas: 2, image: 'registry.example.net/shop/recommendations:0.9', cpu: '1', memory: '3Gi', fault: 'crash' },
  { namespace: 'data', name: 'ingest', replicas: 4, image: 'registry.example.net/data/ingest:7', cpu: '300m', memory: '512Mi' },
  { namespace: 'data', name: 'warehouse', replicas: 2, image: 'registry.example.net/data/warehouse:16.2', cpu: '2', memory: '48Gi', fault: 'pending' },
  { namespace: 'monitoring', name: 'grafana', replicas: 1, image: 'grafana:11', cpu: '100m', memory: '128Mi' },
  { namespace: 'kube-system', name: 'dns-forwarder', replicas: 2, image: 'dns-forwarder:1', cpu: '50m', memory: '64Mi' },
  { namespace: 'staging', name: 'storefront', replicas: 1, image: 'registry.example.net/shop/storefront:5.0.0-rc1', cpu: '100m', memory: '128Mi', fault: 'image' },
]

const iso = (ms: number): string => new Date(Math.floor(ms / 1000) * 1000).toISOString().replace('.000Z', 'Z')

export function seedObjects(options: SeedOptions): Seeded[] {
  const random = seededRandom(7)
  const out: Seeded[] = []
  for (const name of ['default', 'kube-system', 'shop', 'data', 'monitoring', 'staging', 'team-with-a-rather-long-name-for-its-namespace'])
    out.push({ object: { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, status: { phase: 'Active' } })
  for (let n = 1; n <= options.nodes; n++) out.push(seedNode(n, options, random.next))
  for (const workload of workloads) out.push(...seedWorkload(workload, options, random.next))
  const extra = Math.max(0, options.nodes * options.podsPerNode - 21)
  for (let i = 0; i < extra; i++)
    out.push(
      seedPod(
        { namespace: i % 3 === 0 ? 'data' : 'shop', name: `batch-${String(i).padStart(5, '0')}`, replicas: 1, image: 'batch:1', cpu: '20m', memory: '32Mi' },
        `batch-${String(i).padStart(5, '0')}-${word(random.next)}`,
        'batch',
        i,
        options,
        random.next,
      ),
    )
  out.push(...seedRest())
  return out
}

function word(next: () => number): string {
  return Array.from({ length: 5 }, () => 'bcdfghjklmnpqrstvwxz2456789'[Math.floor(next() * 27)] ?? 'b').join('')
}

function nodeName(n: number): string {
  return n === 4 ? 'rack-b-long-hostname-of-the-third-bare-metal-machine-04' : `node-${n}`
}

function seedNode(n: number, options: SeedOptions, next: () => number): Seeded {
  const name = nodeName(n)
  const ready = n !== 5
  const capacity = { cpu: n % 2 ? '8' : '4', memory: n % 2 ? '32Gi' : '16Gi', pods: '110', 'ephemeral-storage': '200Gi' }
  const condition = (type: string, status: string, reason: string, message: string): unknown => ({
    type,
    status,
    reason,
    message,
    lastHeartbeatTime: iso(options.now),
    lastTransitionTime: iso(options.now - 86_400_000 * n),
  })
  return {
    object: {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64', 'topology.kubernetes.io/zone': n % 2 ? 'a' : 'b' } },
      spec: { podCIDR: `10.244.${n}.0/24`, ...(n === 3 ? { unschedulable: true } : {}) },
    },
    status: {
      capacity,
      allocatable: capacity,
      addresses: [
        { type: 'InternalIP', address: `192.168.1.${20 + n}` },
        { type: 'Hostname', address: name },
      ],
      nodeInfo: {
        kubeletVersion: 'v1.37.2+quarterdeck',
        osImage: 'Debian GNU/Linux 12 (bookworm)',
        kernelVersion: '6.18.2',
        containerRuntimeVersion: 'docker://20.10.24',
        architecture: 'amd64',
        operatingSystem: 'linux',
        machineID: word(next),
        systemUUID: '',
        bootID: '',
        kubeProxyVersion: '',
      },
      conditions: [
        condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
        condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
        condition(
          'Ready',
          ready ? 'True' : 'Unknown',
          ready ? 'KubeletReady' : 'NodeStatusUnknown',
          ready ? 'kubelet is posting ready status' : 'Kubelet stopped posting node status.',
        ),
      ],
    },
  }
}

function template(workload: Workload): Record<string, unknown> {
  return {
    metadata: { labels: { app: workload.name } },
    spec: {
      containers: [
        {
          name: 'app',
          image: workload.image,
          ports: [{ containerPort: 8080 }],
          resources: { requests: { cpu: workload.cpu, memory: workload.memory }, limits: { memory: workload.memory } },
        },
        ...(workload.name === 'storefront' ? [{ name: 'envoy', image: 'envoy:1.33', resources: { requests: { cpu: '20m', memory: '32Mi' } } }] : []),
      ],
    },
  }
}

function seedWorkload(workload: Workload, options: SeedOptions, next: () => number): Seeded[] {
  const { namespace, name, replicas } = workload
  const hash = word(next) + word(next)
  const ready = workload.fault === undefined ? replicas : 0
  const status = { replicas, readyReplicas: ready, availableReplicas: ready, updatedReplicas: replicas, observedGeneration: 1 }
  const selector = { matchLabels: { app: name } }
  return [
    {
      object: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { namespace, name, labels: { app: name } }, spec: { replicas, selector, template: template(workload) } },
      status: {
        ...status,
        conditions: [
          {
            type: 'Available',
            status: ready === replicas ? 'True' : 'False',
            reason: ready === replicas ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
            message: ready === replicas ? 'Deployment has minimum availability.' : 'Deployment does not have minimum availability.',
            lastTransitionTime: iso(options.now - 3_600_000),
            lastUpdateTime: iso(options.now - 3_600_000),
          },
        ],
      },
    },
    {
      object: {
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        metadata: {
          namespace,
          name: `${name}-${hash}`,
          labels: { app: name },
          ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name, uid: 'placeholder', controller: true }],
        },
        spec: { replicas, selector, template: template(workload) },
      },
      status: { replicas, readyReplicas: ready, availableReplicas: ready },
    },
    ...Array.from({ length: replicas }, (_, i) => seedPod(workload, `${name}-${hash}-${word(next)}`, `${name}-${hash}`, i + name.length, options, next)),
    { object: { apiVersion: 'v1', kind: 'Service', metadata: { namespace, name }, spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }] } } },
  ]
}

function seedPod(workload: Workload, name: string, owner: string, index: number, options: SeedOptions, next: () => number): Seeded {
  const pending = workload.fault === 'pending'
  const node = nodeName((index % options.nodes) + 1)
  const startedAt = iso(options.now - Math.floor(next() * 9 * 86_400_000))
  const spec = template(workload)['spec'] as { containers: { name: string; image: string }[] }
  const state =
    workload.fault === 'crash'
      ? { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 5m0s restarting failed container=app' } }
      : workload.fault === 'image'
        ? { waiting: { reason: 'ImagePullBackOff', message: `Back-off pulling image "${workload.image}"` } }
        : { running: { startedAt } }
  const statuses = spec.containers.map(c => ({
    name: c.name,
    image: c.image,
    imageID: '',
    ready: workload.fault === undefined,
    restartCount: workload.fault === 'crash' ? 14 : 0,
    started: workload.fault === undefined,
    state: c.name === 'app' ? state : { running: { startedAt } },
    ...(workload.fault === 'crash' ? { lastState: { terminated: { exitCode: 137, reason: 'OOMKilled', finishedAt: iso(options.now - 240_000), startedAt } } } : {}),
  }))
  return {
    object: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        namespace: workload.namespace,
        name,
        labels: { app: workload.name, 'pod-template-hash': owner.split('-').at(-1) ?? '' },
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: 'placeholder', controller: true }],
      },
      spec: { ...spec, ...(pending ? {} : { nodeName: node }) },
    },
    status: pending
      ? {
          phase: 'Pending',
          conditions: [
            {
              type: 'PodScheduled',
              status: 'False',
              reason: 'Unschedulable',
              message: '0/6 nodes are available: 1 node(s) were unschedulable, 5 Insufficient memory.',
              lastTransitionTime: startedAt,
            },
          ],
        }
      : {
          phase: workload.fault === 'image' ? 'Pending' : 'Running',
          startTime: startedAt,
          hostIP: '192.168.1.21',
          podIP: `10.244.${(index % options.nodes) + 1}.${((index * 7) % 250) + 2}`,
          podIPs: [{ ip: `10.244.${(index % options.nodes) + 1}.${((index * 7) % 250) + 2}` }],
          containerStatuses: statuses,
          conditions: ['Initialized', 'PodScheduled', 'ContainersReady', 'Ready'].map(type => ({
            type,
            status: workload.fault && type.endsWith('eady') ? 'False' : 'True',
            lastTransitionTime: startedAt,
          })),
        },
  }
}

function seedRest(): Seeded[] {
  const step = (name: string, title: string, state: string, changes: string[] = []): unknown => ({
    name,
    title,
    state,
    changes,
    startedAt: '2026-11-23T00:40:00Z',
    ...(state === 'done' ? { finishedAt: '2026-11-23T00:40:07Z' } : {}),
  })
  const steps = (upTo: number, failed = false): unknown[] =>
    ['Check the host', 'Install Docker', 'Send the runtime', 'Install node agent', 'Join the cluster', 'Prove the network'].map((title, i) =>
      step(`step-${i}`, title, i < upTo ? 'done' : i === upTo ? (failed ? 'failed' : 'running') : 'pending', [`${title}: one change`]),
    )
  const machine = (n: number, phase: string, more: Record<string, unknown>): Seeded => ({
    object: {
      apiVersion: 'infra.quarterdeck.app/v1alpha1',
      kind: 'Machine',
      metadata: { name: nodeName(n) },
      spec: { address: `192.168.1.${20 + n}`, port: 22, user: 'root', secretName: `machine-${n}`, hostKeyFingerprint: 'SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDRzYQhKqLmPD3mEkw' },
    },
    status: { phase, facts: { prettyName: 'Debian GNU/Linux 12 (bookworm)', cpus: 8, memoryBytes: 34_359_738_368, dockerVersion: '20.10.24' }, ...more },
  })
  const event = (n: number, type: string, reason: string, kind: string, namespace: string, name: string, message: string): Seeded => ({
    object: {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { namespace: namespace || 'default', name: `event-${n}` },
      involvedObject: { apiVersion: 'v1', kind, namespace, name },
      type,
      reason,
      message,
      count: n + 1,
      firstTimestamp: iso(Date.now() - 600_000),
      lastTimestamp: iso(Date.now() - n * 47_000),
      source: { component: 'kubelet' },
      reportingComponent: 'kubelet',
    } as unknown as Seeded['object'],
  })
  return [
    machine(1, 'Ready', { steps: steps(6) }),
    machine(2, 'Ready', { steps: steps(6) }),
    machine(3, 'Provisioning', { steps: steps(3) }),
    machine(4, 'Failed', {
      reason: 'DiskFull',
      message: 'There are 212 MB free below /opt; the agent needs 400 MB. Free some space there and press Retry.',
      steps: steps(2, true),
    }),
    event(
      1,
      'Warning',
      'FailedScheduling',
      'Pod',
      'data',
      'warehouse-0',
      '0/6 nodes are available: 1 node(s) were unschedulable, 5 Insufficient memory. preemption: 0/6 nodes are available.',
    ),
    event(2, 'Warning', 'BackOff', 'Pod', 'shop', 'recommendations-x', 'Back-off restarting failed container app in pod recommendations'),
    event(3, 'Warning', 'NodeNotReady', 'Node', '', 'node-5', 'Node is not ready'),
    event(4, 'Normal', 'Pulled', 'Pod', 'shop', 'storefront-a', 'Successfully pulled image'),
    event(5, 'Normal', 'ScalingReplicaSet', 'Deployment', 'shop', 'storefront', 'Scaled up replica set storefront from 4 to 6'),
    {
      object: {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { namespace: 'shop', name: 'storefront-config' },
        data: { 'application.yaml': 'server:\n  port: 8080\nfeatures:\n  newCheckout: true\n', LOG_LEVEL: 'info' },
      },
    },
    { object: { apiVersion: 'v1', kind: 'Secret', metadata: { namespace: 'shop', name: 'payments-key' }, type: 'Opaque', data: { token: 'czNjcjN0LXQwa2Vu' } } },
  ]
}
