import { expect, test } from 'vitest'
import type { Deployment, ReplicaSet } from '../../../src-main/api/generated/apps-v1.ts'
import { maxSurge, maxUnavailable } from '../../../src-main/controllers/deployment/replica-sets.ts'
import { resizeNew, scaleAll, shrinkOld } from '../../../src-main/controllers/deployment/scale.ts'
import { safeEncode, templateHash } from '../../../src-main/controller-runtime/pod-template.ts'

const deployment = (replicas: number, surge: number | string, unavailable: number | string): Deployment => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'd', namespace: 'n' },
  spec: { replicas, selector: { matchLabels: { a: 'b' } }, template: {}, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: surge, maxUnavailable: unavailable } } },
})
const set = (name: string, size: number, available = size, max = 0, created = '2026-01-01T00:00:00Z'): ReplicaSet => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: {
    name,
    uid: name,
    creationTimestamp: created,
    annotations: { 'deployment.kubernetes.io/desired-replicas': '10', 'deployment.kubernetes.io/max-replicas': String(max) },
  },
  spec: { replicas: size, selector: {} },
  status: { replicas: size, availableReplicas: available },
})
const sizes = (resizes: readonly { replicaSet: ReplicaSet; size: number }[]): Record<string, number> =>
  Object.fromEntries(resizes.map(r => [r.replicaSet.metadata.name ?? '', r.size]))

test.each([
  [10, '25%', '25%', 3, 2],
  [1, '25%', '25%', 1, 0],
  [4, 0, 0, 0, 1],
  [3, 5, 10, 5, 3],
  [0, '25%', '25%', 0, 0],
  [10, '100%', 0, 10, 0],
] as const)('%i replicas with surge %s and unavailable %s allow %i more and %i less', (replicas, surge, unavailable, more, less) => {
  const d = deployment(replicas, surge, unavailable)
  expect([maxSurge(d), maxUnavailable(d)]).toEqual([more, less])
})

test.each([
  ['grows up to the surge', deployment(10, 2, 0), set('new', 0), [set('old', 10)], { new: 2 }],
  ['waits without room', deployment(10, 2, 0), set('new', 2), [set('old', 10)], {}],
  ['shrinks when the deployment did', deployment(3, 2, 0), set('new', 5), [], { new: 3 }],
] as const)('the new replica set %s', (_name, d, current, old, expected) => {
  expect(sizes(resizeNew(d, current, old))).toEqual(expected)
})

test.each([
  ['by what may be unavailable', deployment(10, 0, 3), set('new', 0), [set('old', 10)], { old: 7 }],
  ['not below what must be available', deployment(10, 2, 0), set('new', 2, 0), [set('old', 10)], {}],
  ['broken pods first', deployment(10, 2, 2), set('new', 4, 4), [set('bad', 4, 0, 0, '2026-01-01T00:00:00Z'), set('old', 4, 4, 0, '2026-01-01T00:00:01Z')], { bad: 0 }],
] as const)('old replica sets shrink %s', (_name, d, current, old, expected) => {
  expect(sizes(shrinkOld(d, current, old))).toEqual(expected)
})

test('scaling in the middle of a rollout shares the change in proportion', () => {
  expect(sizes(scaleAll(deployment(20, 4, 0), set('new', 6, 6, 12), [set('old', 6, 6, 12)]))).toEqual({ new: 12, old: 12 })
})

test('scaling one replica set goes straight to the size', () => {
  expect(sizes(scaleAll(deployment(7, 1, 0), set('new', 3), [set('old', 0)]))).toEqual({ new: 7 })
})

test('the template hash is ten safe letters at most, the same for the same content in any order, and differs by the collision count', () => {
  const one = templateHash({ a: 1, b: { c: [1, 2] } })
  expect({
    same: one === templateHash({ b: { c: [1, 2] }, a: 1 }),
    collided: one !== templateHash({ a: 1, b: { c: [1, 2] } }, 1),
    safe: /^[bcdfghjklmnpqrstvwxz2456789]{1,10}$/.test(one),
    encoded: safeEncode('0123456789'),
  }).toEqual({ same: true, collided: true, safe: true, encoded: '456789bcdf' })
})
