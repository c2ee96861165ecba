import { describe, expect, test } from 'vitest'
import { exitMeaning, whyPod, whyWorkload } from '../../../src-renderer/features/details/why.ts'
import type { WhyEvent, WhyPod } from '../../../src-renderer/features/details/why.ts'

const now = Date.parse('2026-01-01T00:10:00Z')
const pod = (more: Partial<WhyPod>, created = '2026-01-01T00:00:00Z'): WhyPod => ({ metadata: { creationTimestamp: created }, ...more })
const onNode = { nodeName: 'n', containers: [{ name: 'app', image: 'shop/app:2', resources: { limits: { memory: '64Mi' } } }] }
const withStatus = (status: object, more: Partial<WhyPod> = {}): WhyPod =>
  pod({ spec: onNode, status: { phase: 'Running', containerStatuses: [{ name: 'app', image: 'x', ...status }] }, ...more })
const titles = (p: WhyPod, events: readonly WhyEvent[] = []): string[] => whyPod(p, events, now).map(f => f.title)

describe('why a pod', () => {
  test.each<[string, WhyPod, readonly WhyEvent[], string[]]>([
    ['runs', withStatus({ ready: true, state: { running: {} } }), [], []],
    ['has done its work', pod({ spec: onNode, status: { phase: 'Succeeded' } }), [], []],
    [
      'fits no node',
      pod({ spec: {}, status: { conditions: [{ type: 'PodScheduled', status: 'False', message: '0/2 nodes are available: 2 Insufficient cpu.' }] } }),
      [],
      ['No node can take it'],
    ],
    ['is gated', pod({ spec: { schedulingGates: [{ name: 'a/b' }] } }), [], ['It is held back from scheduling']],
    ['was just made', pod({ spec: {} }, '2026-01-01T00:09:55Z'), [], []],
    ['was not looked at', pod({ spec: {} }), [], ['The scheduler has not looked at it yet']],
    ['has no image', withStatus({ state: { waiting: { reason: 'ImagePullBackOff', message: 'Back-off' } } }), [], ['The image shop/app:2 cannot be had']],
    ['has a wrong image name', withStatus({ state: { waiting: { reason: 'InvalidImageName' } } }), [], ['shop/app:2 is not the name of an image']],
    ['lacks a secret', withStatus({ state: { waiting: { reason: 'CreateContainerConfigError', message: 'secret "x" not found' } } }), [], ['Container app cannot be made']],
    [
      'runs out of memory',
      withStatus({ restartCount: 3, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } } }),
      [],
      ['Container app used more memory than it may'],
    ],
    [
      'crashes',
      withStatus({ restartCount: 3, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: { exitCode: 1, reason: 'Error' } } }),
      [],
      ['Container app ends with exit code 1'],
    ],
    [
      'fails its liveness probe',
      withStatus({ restartCount: 3, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: { exitCode: 137, reason: 'Error' } } }),
      [{ reason: 'Unhealthy', message: 'Liveness probe failed: connection refused' }],
      ['Container app is restarted because its probe fails'],
    ],
    [
      'is not ready',
      withStatus({ ready: false, started: true, state: { running: {} } }),
      [{ reason: 'Unhealthy', message: 'Readiness probe failed: HTTP 503' }],
      ['Container app runs, but is not ready'],
    ],
    [
      'waits for an init container',
      pod({ spec: { ...onNode, initContainers: [{ name: 'wait' }] }, status: { phase: 'Pending', initContainerStatuses: [{ name: 'wait', state: { running: {} } }] } }),
      [],
      ['Its init container wait is still running'],
    ],
    ['lacks a volume', pod({ spec: onNode, status: { phase: 'Pending' } }), [{ reason: 'FailedMount', message: 'configmap "x" not found' }], ['A volume cannot be had']],
    ['was evicted', pod({ spec: onNode, status: { phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' } }), [], ['The node put it out']],
    [
      'is stuck in deletion',
      pod({ metadata: { deletionTimestamp: '2026-01-01T00:08:00Z', finalizers: ['a/b'] }, spec: onNode }),
      [],
      ['It is being deleted, longer than it should take'],
    ],
    ['is being deleted', pod({ metadata: { deletionTimestamp: '2026-01-01T00:10:05Z' }, spec: onNode }), [], []],
  ])('%s', (_what, given, events, wanted) => {
    expect(titles(given, events)).toEqual(wanted)
  })
  test('cannot have its image is told by the failed pull, not by the back-off', () => {
    const events = [
      { reason: 'BackOff', message: 'Back-off pulling image "shop/app:2"' },
      { reason: 'Failed', message: 'Error: ImagePullBackOff' },
      { reason: 'Failed', message: 'Failed to pull image "shop/app:2": manifest unknown' },
    ]
    expect(whyPod(withStatus({ state: { waiting: { reason: 'ImagePullBackOff', message: 'Back-off' } } }), events, now)[0]?.cause).toBe(
      'Failed to pull image "shop/app:2": manifest unknown',
    )
  })
  test('crashes with its limit and its restarts', () => {
    const given = withStatus({ restartCount: 3, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } } })
    expect(whyPod(given, [], now)[0]).toMatchObject({ cause: 'The kernel killed it (exit code 137); its limit is 64Mi, 3 restarts so far.', container: 'app', previous: true })
  })
})

test.each<[number, string]>([
  [0, 'It ended by itself, without an error'],
  [1, 'It ended with an error of its own'],
  [126, 'Its command is not executable'],
  [127, 'Its command is not in the image'],
  [137, 'It was ended by SIGKILL'],
  [139, 'It was ended by SIGSEGV'],
  [255, 'It ended with an error of its own'],
])('exit code %d: %s', (exitCode, wanted) => {
  expect(exitMeaning({ exitCode })).toBe(wanted)
})

describe('why a workload', () => {
  const of = (spec: object, status: object, kind = 'Deployment'): string[] => whyWorkload({ kind, metadata: {}, spec, status }).map(f => f.title)
  test.each<[string, string[], string[]]>([
    ['is complete', of({ replicas: 2 }, { readyReplicas: 2, updatedReplicas: 2 }), []],
    ['has nothing to do', of({ replicas: 0 }, {}), []],
    ['is not complete', of({ replicas: 2 }, { readyReplicas: 1 }), ['1 of 2 pods are ready']],
    ['is refused', of({ replicas: 2 }, { conditions: [{ type: 'ReplicaFailure', status: 'True', message: 'exceeded quota' }] }), ['Its pods cannot be made']],
    [
      'stands still',
      of({ replicas: 2 }, { readyReplicas: 2, conditions: [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }] }),
      ['The rollout stands still'],
    ],
    ['is paused', of({ replicas: 2, paused: true }, { readyReplicas: 2, updatedReplicas: 1 }), ['The rollout is paused']],
    ['of a daemon set', of({}, { desiredNumberScheduled: 3, numberReady: 2 }, 'DaemonSet'), ['2 of 3 pods are ready']],
  ])('%s', (_what, found, wanted) => {
    expect(found).toEqual(wanted)
  })
})
