/** Questions about pods, by table. */
import { describe, expect, it } from 'vitest'
import type { Container, ContainerStatus, Pod } from '../../../src-main/api/generated/core-v1.ts'
import { podLimits, podQosClass, podRequests, podStatusReason, tolerationTolerates } from '../../../src-main/api/core/v1/pod.ts'

const container = (requests?: Record<string, string>, limits?: Record<string, string>, more: Partial<Container> = {}): Container => ({
  name: 'c',
  image: 'i',
  resources: { ...(requests ? { requests } : {}), ...(limits ? { limits } : {}) },
  ...more,
})

const pod = (spec: Partial<NonNullable<Pod['spec']>>, status?: Pod['status'], metadata: Partial<Pod['metadata']> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', ...metadata },
  spec: { containers: [], ...spec },
  ...(status ? { status } : {}),
})

describe('requests', () => {
  it('adds containers', () => {
    expect(Object.fromEntries(podRequests(pod({ containers: [container({ cpu: '250m', memory: '1Gi' }), container({ cpu: '1' })] })))).toEqual({ cpu: 1250, memory: 2 ** 30 })
  })
  it('takes the largest init container when it needs more than all containers', () => {
    expect(podRequests(pod({ containers: [container({ cpu: '1' })], initContainers: [container({ cpu: '2' }), container({ cpu: '3' })] })).get('cpu')).toBe(3000)
  })
  it('counts sidecars beside the containers, and beside the init containers after them', () => {
    const sidecar = container({ cpu: '1' }, undefined, { restartPolicy: 'Always' })
    expect(podRequests(pod({ containers: [container({ cpu: '1' })], initContainers: [sidecar, container({ cpu: '3' })] })).get('cpu')).toBe(4000)
  })
  it('adds overhead to requests, and to limits only where there is one', () => {
    const subject = pod({ containers: [container({ cpu: '1' }, { cpu: '1' })], overhead: { cpu: '100m', memory: '10Mi' } })
    expect({ requests: Object.fromEntries(podRequests(subject)), limits: Object.fromEntries(podLimits(subject)) }).toEqual({
      requests: { cpu: 1100, memory: 10 * 2 ** 20 },
      limits: { cpu: 1100 },
    })
  })
  it('lets pod-level requests stand for the containers', () => {
    expect(podRequests(pod({ containers: [container({ cpu: '1' })], resources: { requests: { cpu: '3' } } })).get('cpu')).toBe(3000)
  })
})

describe('quality of service', () => {
  it.each([
    ['BestEffort', [container()]],
    ['Burstable', [container({ cpu: '1' })]],
    ['Burstable', [container({ cpu: '1', memory: '1Gi' }, { cpu: '1', memory: '1Gi' }), container()]],
    ['Burstable', [container({ cpu: '500m', memory: '1Gi' }, { cpu: '1', memory: '1Gi' })]],
    ['Guaranteed', [container({ cpu: '1', memory: '1Gi' }, { cpu: '1000m', memory: '1024Mi' })]],
    ['BestEffort', [container({ 'example.com/gpu': '1' }, { 'example.com/gpu': '1' })]],
  ] as const)('is %s', (expected, containers) => {
    expect(podQosClass(pod({ containers: [...containers] }))).toBe(expected)
  })
})

const status = (name: string, state: ContainerStatus['state'], more: Partial<ContainerStatus> = {}): ContainerStatus => ({
  name,
  image: 'i',
  imageID: '',
  ready: false,
  restartCount: 0,
  ...(state ? { state } : {}),
  ...more,
})

describe('the STATUS text', () => {
  const spec = { containers: [container()], initContainers: [container(), container()] }
  it.each<[string, Pod]>([
    ['Pending', pod(spec, { phase: 'Pending' })],
    ['Evicted', pod(spec, { phase: 'Failed', reason: 'Evicted' })],
    ['Init:0/2', pod(spec, { phase: 'Pending', initContainerStatuses: [status('c', { running: {} })] })],
    ['Init:CrashLoopBackOff', pod(spec, { phase: 'Pending', initContainerStatuses: [status('c', { waiting: { reason: 'CrashLoopBackOff' } })] })],
    ['Init:ExitCode:3', pod(spec, { phase: 'Pending', initContainerStatuses: [status('c', { terminated: { exitCode: 3 } })] })],
    ['Signal:9', pod({}, { phase: 'Failed', containerStatuses: [status('c', { terminated: { exitCode: 137, signal: 9 } })] })],
    ['ContainerCreating', pod({}, { phase: 'Pending', containerStatuses: [status('c', { waiting: { reason: 'ContainerCreating' } })] })],
    ['Completed', pod({}, { phase: 'Succeeded', containerStatuses: [status('c', { terminated: { exitCode: 0, reason: 'Completed' } })] })],
    ['Terminating', pod({}, { phase: 'Running' }, { deletionTimestamp: '2026-01-01T00:00:00Z' })],
    ['Unknown', pod({}, { phase: 'Running', reason: 'NodeLost' }, { deletionTimestamp: '2026-01-01T00:00:00Z' })],
    ['Succeeded', pod({}, { phase: 'Succeeded' }, { deletionTimestamp: '2026-01-01T00:00:00Z' })],
  ])('is %s', (expected, subject) => {
    expect(podStatusReason(subject)).toBe(expected)
  })
})

describe('tolerations', () => {
  const taint = { key: 'k', value: 'v', effect: 'NoSchedule' }
  it.each([
    [true, { key: 'k', operator: 'Equal', value: 'v', effect: 'NoSchedule' }],
    [true, { key: 'k', value: 'v' }],
    [false, { key: 'k', value: 'w' }],
    [false, { key: 'k', operator: 'Equal', value: 'v', effect: 'NoExecute' }],
    [true, { operator: 'Exists' }],
    [true, { key: 'k', operator: 'Exists', effect: 'NoSchedule' }],
    [false, { key: 'other', operator: 'Exists' }],
  ])('tolerate: %s %o', (expected, toleration) => {
    expect(tolerationTolerates(toleration, taint)).toBe(expected)
  })
})
