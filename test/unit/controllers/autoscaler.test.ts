import { afterEach, describe, expect, test } from 'vitest'
import type { Deployment } from '../../../src-main/api/generated/apps-v1.ts'
import type { HorizontalPodAutoscaler, HorizontalPodAutoscalerBehavior } from '../../../src-main/api/generated/autoscaling-v2.ts'
import type { Event, Pod } from '../../../src-main/api/generated/core-v1.ts'
import type { KubernetesObject } from '../../../src-main/api/meta.ts'
import { podMetrics } from '../../../src-main/api/metrics/v1beta1/pod-metrics.ts'
import { resourceKey } from '../../../src-main/api/resource.ts'
import { deployments, events, horizontalPodAutoscalers, pods } from '../../../src-main/api/resources.ts'
import { parseLabelSelector } from '../../../src-main/api/selectors.ts'
import { formatTime } from '../../../src-main/api/time.ts'
import { byAverage, byShare, byUtilization, byValue, groupPods } from '../../../src-main/controllers/horizontal-pod-autoscaler/calculator.ts'
import type { PodMetric } from '../../../src-main/controllers/horizontal-pod-autoscaler/calculator.ts'
import { newMemory, normalize, rememberChange } from '../../../src-main/controllers/horizontal-pod-autoscaler/stabilize.ts'
import { testCluster } from '../../support/cluster.ts'
import type { TestCluster } from '../../support/cluster.ts'

const nowMs = Date.UTC(2026, 0, 1, 1)
const earlier = (seconds: number): string => formatTime(nowMs - seconds * 1000)

interface PodFacts {
  readonly phase?: string
  readonly ready?: boolean
  readonly startedS?: number
  readonly changedS?: number
  readonly request?: string
  readonly deleting?: boolean
}
const podOf = (name: string, { phase = 'Running', ready = true, startedS = 3000, changedS = 3000, request = '1', deleting }: PodFacts = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'n', ...(deleting ? { deletionTimestamp: earlier(1) } : {}) },
  spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: request } } }] },
  status: { phase, startTime: earlier(startedS), conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: earlier(changedS) }] },
})
const measured = (values: readonly number[]): Map<string, PodMetric> => new Map(values.map((value, i) => [`p${i}`, { value, atMs: nowMs, windowMs: 60_000 }]))
const podsOf = (count: number, facts: readonly (PodFacts | undefined)[] = []): Pod[] => Array.from({ length: count }, (_, i) => podOf(`p${i}`, facts[i]))
const tolerances = { down: 0.1, up: 0.1 }

describe('what a metric asks for', () => {
  const ask = (list: readonly Pod[], values: readonly number[]) => ({ pods: list, metrics: measured(values), resource: 'cpu', current: list.length, tolerances, nowMs })

  test.each<[string, readonly Pod[], readonly number[], number, number, number]>([
    ['scale up', podsOf(3), [300, 500, 700], 30, 5, 50],
    ['scale up, one unready', podsOf(3, [{ ready: false, changedS: 2999 }]), [300, 500, 700], 30, 4, 60],
    ['scale up, one hot unready', podsOf(3, [{ startedS: 60, changedS: 10, ready: false }]), [700, 500, 700], 30, 4, 60],
    ['scale up, one pending', podsOf(3, [{ phase: 'Pending' }]), [0, 500, 700], 30, 4, 60],
    ['scale up, one failed', podsOf(3, [undefined, undefined, { phase: 'Failed' }]), [500, 700], 30, 4, 60],
    ['scale down', podsOf(5), [100, 300, 500, 250, 250], 50, 3, 28],
    ['scale down, one unready', podsOf(5, [{ ready: false, changedS: 2999 }]), [100, 300, 500, 250, 250], 50, 3, 32],
    ['within the tolerance', podsOf(3), [1010, 1030, 1020], 100, 3, 102],
    ['missing: up', podsOf(3), [300, 500], 30, 3, 40],
    ['missing: down stays', podsOf(4), [400, 950], 100, 4, 67],
    ['missing and unready', podsOf(4, [undefined, undefined, { ready: false, changedS: 2999 }]), [100, 450, 500], 30, 4, 27],
    ['deleted pods are left out', podsOf(2, [undefined, { deleting: true }]), [600, 900], 30, 2, 60],
  ])('%s', (_name, list, values, target, replicas, utilization) => {
    expect(byUtilization(ask(list, values), target, '')).toMatchObject({ replicas, utilization })
  })

  test('averages, values and shares', () => {
    expect(byAverage(ask(podsOf(3), [20_000, 10_000, 30_000]), 15_000)).toEqual({ replicas: 4, usage: 20_000 })
    expect(byAverage(ask(podsOf(3), [20_000]), 15_000).replicas).toBe(3)
    expect(byValue(20_000, 15_000, 3, podsOf(3), tolerances).replicas).toBe(4)
    expect(byValue(30_000, 15_000, 0, [], tolerances).replicas).toBe(2)
    expect(byValue(0, 15_000, 0, [], tolerances).replicas).toBe(0)
    expect(byShare(8_600, 2_150, 3, tolerances)).toEqual({ replicas: 4, usage: 2_867 })
    expect(byShare(6_600, 2_150, 3, tolerances).replicas).toBe(3)
    expect(byShare(6_600, 2_150, 0, tolerances).replicas).toBe(4)
  })

  test('says what is missing', () => {
    const noRequest = [{ ...podOf('p0'), spec: { containers: [{ name: 'c', image: 'i' }] } }]
    expect(() => byUtilization(ask(noRequest, [5]), 30, '')).toThrow('missing request for cpu in container c of Pod p0')
    expect(() => byUtilization(ask(podsOf(1), [5]), 30, 'other')).toThrow('container other not found in Pod p0')
    expect(() => byUtilization(ask([], []), 30, '')).toThrow('no pods returned by selector')
    expect(() => byUtilization(ask(podsOf(1), []), 30, '')).toThrow('did not receive metrics for targeted pods')
  })

  test('pods that start say nothing about processors', () => {
    const list = [
      podOf('p0', { startedS: 10, changedS: 5 }),
      podOf('p1', { startedS: 200, changedS: 100 }),
      podOf('p2', { startedS: 1000, changedS: 990, ready: false }),
      podOf('p3', { startedS: 1000, changedS: 10, ready: false }),
    ]
    expect(groupPods(list, measured([1, 1, 1, 1]), 'cpu', nowMs)).toEqual({ ready: 2, unready: ['p0', 'p2'], missing: [], ignored: [] })
    expect(groupPods(list, measured([1, 1, 1, 1]), 'memory', nowMs).ready).toBe(4)
  })
})

describe('what is done', () => {
  const autoscaler = (behavior?: HorizontalPodAutoscalerBehavior, max = 100): HorizontalPodAutoscaler => ({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'h' },
    spec: { scaleTargetRef: { kind: 'Deployment', name: 'd' }, minReplicas: 2, maxReplicas: max, ...(behavior ? { behavior } : {}) },
  })

  test.each<[string, number, number, number, string, boolean]>([
    ['as asked', 5, 8, 8, 'DesiredWithinRange', false],
    ['too few', 5, 1, 2, 'TooFewReplicas', true],
    ['too many', 90, 120, 100, 'TooManyReplicas', true],
    ['at most twice as many', 5, 30, 10, 'ScaleUpLimit', true],
    ['four at least', 1, 30, 4, 'ScaleUpLimit', true],
  ])('without a behaviour: %s', (_name, current, wanted, replicas, reason, isLimited) => {
    const verdict = normalize(autoscaler(), { recommendations: [], ups: [], downs: [] }, current, wanted, 0)
    expect([verdict.replicas, verdict.limited.reason, verdict.limited.status]).toEqual([replicas, reason, isLimited])
  })

  test('goes down by the highest wish of the last five minutes, also after a start', () => {
    const memory = newMemory(10, 0)
    const at = (seconds: number, wanted: number) => normalize(autoscaler(), memory, 10, wanted, seconds * 1000)
    expect([at(15, 3).replicas, at(15, 3).able.reason]).toEqual([10, 'ScaleDownStabilized'])
    expect(at(299, 4).replicas).toBe(10)
    expect(at(301, 3).replicas).toBe(4)
    expect(at(600, 3)).toMatchObject({ replicas: 3, able: { reason: 'ReadyForNewScale' } })
  })

  test('policies bound what changes within their period', () => {
    const behavior: HorizontalPodAutoscalerBehavior = {
      scaleUp: {
        stabilizationWindowSeconds: 0,
        selectPolicy: 'Max',
        policies: [
          { type: 'Pods', value: 4, periodSeconds: 60 },
          { type: 'Percent', value: 50, periodSeconds: 60 },
        ],
      },
      scaleDown: {
        stabilizationWindowSeconds: 0,
        selectPolicy: 'Min',
        policies: [
          { type: 'Pods', value: 1, periodSeconds: 60 },
          { type: 'Percent', value: 50, periodSeconds: 60 },
        ],
      },
    }
    const memory = newMemory(10, -1_000_000)
    const at = (seconds: number, current: number, wanted: number): [number, string] => {
      const { replicas, limited } = normalize(autoscaler(behavior), memory, current, wanted, seconds * 1000)
      if (replicas !== current) rememberChange(memory, current, replicas, seconds * 1000)
      return [replicas, limited.reason]
    }
    expect(at(0, 10, 50)).toEqual([15, 'ScaleUpLimit'])
    expect(at(30, 15, 50)).toEqual([15, 'ScaleUpLimit'])
    expect(at(61, 15, 50)).toEqual([23, 'ScaleUpLimit'])
    expect(at(200, 23, 5)).toEqual([22, 'ScaleDownLimit'])
    expect(at(230, 22, 5)).toEqual([22, 'ScaleDownLimit'])
    expect(at(261, 22, 5)).toEqual([21, 'ScaleDownLimit'])
    const never = normalize(autoscaler({ ...behavior, scaleDown: { ...behavior.scaleDown, selectPolicy: 'Disabled' } }), memory, 21, 5, 1_000_000)
    expect(never.replicas).toBe(21)
  })

  test('a behaviour may hold the way up as well', () => {
    const rules = { selectPolicy: 'Max', policies: [{ type: 'Percent', value: 1000, periodSeconds: 15 }] }
    const behavior: HorizontalPodAutoscalerBehavior = { scaleUp: { ...rules, stabilizationWindowSeconds: 60 }, scaleDown: { ...rules, stabilizationWindowSeconds: 60 } }
    const memory = newMemory(5, 0)
    expect(normalize(autoscaler(behavior), memory, 5, 20, 10_000)).toMatchObject({ replicas: 5, able: { reason: 'ScaleUpStabilized' } })
    expect(normalize(autoscaler(behavior), memory, 5, 12, 61_000).replicas).toBe(12)
  })
})

describe('the controller', () => {
  let cluster: TestCluster
  afterEach(async () => {
    await cluster.stop()
  })
  const namespace = 'default'
  /** Thousandths of a processor that every running pod uses; undefined: nothing is measured. */
  let use: number | undefined

  async function start(): Promise<void> {
    const list = async (ns: string, labelSelector: string): Promise<KubernetesObject[]> => {
      const matches = parseLabelSelector(labelSelector)
      const all = (await cluster.list<Pod>(pods, ns)).filter(p => p.status?.phase === 'Running' && matches(p.metadata.labels))
      if (use === undefined) return []
      const { env } = cluster
      return all.map(p => ({
        apiVersion: 'metrics.k8s.io/v1beta1',
        kind: 'PodMetrics',
        metadata: { name: p.metadata.name ?? '', namespace: ns, labels: p.metadata.labels ?? {} },
        timestamp: formatTime(env.clock.now()),
        window: '15s',
        containers: [{ name: 'c', usage: { cpu: `${use ?? 0}m`, memory: '10Mi' } }],
      }))
    }
    cluster = await testCluster({ nodes: 3, virtual: new Map([[resourceKey(podMetrics), { list }]]) })
    const deployment: Deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace },
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: 'web' } },
        template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'app', resources: { requests: { cpu: '100m' } } }] } },
      },
    }
    await cluster.client.resource(deployments).create(deployment)
  }
  const hpa = (name: string, spec: Partial<HorizontalPodAutoscaler['spec']> = {}): HorizontalPodAutoscaler => ({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name, namespace },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      minReplicas: 2,
      maxReplicas: 6,
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } }],
      ...spec,
    },
  })
  const make = (object: HorizontalPodAutoscaler): Promise<HorizontalPodAutoscaler> => cluster.client.resource(horizontalPodAutoscalers).create(object)
  const get = (name = 'web'): Promise<HorizontalPodAutoscaler> => cluster.client.resource(horizontalPodAutoscalers).get(name, { namespace })
  const conditions = async (name = 'web'): Promise<string[]> => ((await get(name)).status?.conditions ?? []).map(c => `${c.type}=${c.status} ${c.reason ?? ''}`)
  const replicas = async (): Promise<number> => (await cluster.client.resource(deployments).get('web', { namespace })).spec.replicas ?? 0
  const told = async (): Promise<string[]> =>
    (await cluster.list<Event>(events)).filter(e => e.involvedObject.kind === 'HorizontalPodAutoscaler').map(e => `${e.reason ?? ''}: ${e.message ?? ''}`)

  test('grows with the load, shrinks five minutes later, and tells why', async () => {
    use = 100
    await start()
    await make(hpa('web'))
    await cluster.until('at least two', async () => (await replicas()) === 2)
    await cluster.until('all that it may', async () => (await replicas()) === 6, 900_000)
    await cluster.until('told', async () => (await get()).status?.currentReplicas === 6)
    expect(await conditions()).toEqual([
      'AbleToScale=True ReadyForNewScale',
      'ScaledToZero=False NotScaledToZero',
      'ScalingActive=True ValidMetricFound',
      'ScalingLimited=True TooManyReplicas',
    ])
    expect((await get()).status?.currentMetrics).toEqual([{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 100, averageValue: '100m' } } }])
    use = 10
    const began = cluster.env.clock.awakeMs()
    await cluster.until('shrunk', async () => (await replicas()) === 2, 900_000)
    expect(cluster.env.clock.awakeMs() - began).toBeGreaterThan(280_000)
    const all = await told()
    expect(all).toContain('SuccessfulRescale: New size: 2; reason: Current number of replicas below Spec.MinReplicas')
    expect(all).toContain('SuccessfulRescale: New size: 4; reason: cpu resource utilization (percentage of request) above target')
    expect(all).toContain('SuccessfulRescale: New size: 2; reason: All metrics below target')
    expect((await get()).status?.lastScaleTime).toBeDefined()
  }, 60_000)

  test('does nothing without measurements, with a rival, without a target, or when scaled to zero by hand', async () => {
    use = undefined
    await start()
    await make(hpa('web', { minReplicas: 1 }))
    await cluster.until('not measured', async () => (await conditions()).includes('ScalingActive=False FailedGetResourceMetric'))
    expect((await get()).status?.conditions?.find(c => c.type === 'ScalingActive')?.message).toBe(
      'the HPA was unable to compute the replica count: failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API',
    )
    await make(hpa('lost', { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'nothing' } }))
    await cluster.until('no target', async () => (await conditions('lost')).includes('AbleToScale=False FailedGetScale'))
    await make(hpa('rival', { minReplicas: 1 }))
    await cluster.until('rivals', async () => (await conditions('rival')).includes('ScalingActive=False AmbiguousSelector'))
    await cluster.client.resource(horizontalPodAutoscalers).delete('rival', { namespace })
    await cluster.client.resource(deployments).patch('web', 'merge', { spec: { replicas: 0 } }, { namespace })
    use = 100
    await cluster.until('off', async () => (await conditions()).includes('ScalingActive=False ScalingDisabled'))
    expect(await replicas()).toBe(0)
  }, 60_000)

  test('reads what adapters serve', async () => {
    use = 10
    await start()
    await make(
      hpa('web', {
        minReplicas: 1,
        metrics: [
          { type: 'External', external: { metric: { name: 'queue' }, target: { type: 'AverageValue', averageValue: '5' } } },
          {
            type: 'Object',
            object: { metric: { name: 'hits' }, describedObject: { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: 'front' }, target: { type: 'Value', value: '10' } },
          },
        ],
      }),
    )
    // Nobody serves these here: the words say which API is missing.
    await cluster.until('asked', async () =>
      (await told()).some(text =>
        text.startsWith(
          'FailedGetExternalMetric: failed to get queue external metric: unable to get external metric default/queue/nil: unable to fetch metrics from external metrics API:',
        ),
      ),
    )
    await cluster.until('asked', async () =>
      (await told()).some(text => text.startsWith('FailedGetObjectMetric: unable to get metric hits on Ingress default/front: unable to fetch metrics from custom metrics API:')),
    )
  })
})
