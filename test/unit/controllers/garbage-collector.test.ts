import { expect, test } from 'vitest'
import { configMaps } from '../../../src-main/api/resources.ts'
import type { KubernetesObject } from '../../../src-main/api/meta.ts'
import { DependencyGraph, decide } from '../../../src-main/controllers/garbage-collector/graph.ts'
import type { OwnerState } from '../../../src-main/controllers/garbage-collector/graph.ts'

const object = (uid: string, owners: string[] = [], more: Partial<KubernetesObject['metadata']> = {}): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    uid,
    name: uid,
    namespace: 'n',
    ...(owners.length > 0 ? { ownerReferences: owners.map(o => ({ apiVersion: 'v1', kind: 'ConfigMap', name: o, uid: o, blockOwnerDeletion: true })) } : {}),
    ...more,
  },
})
const deleting = { deletionTimestamp: '2026-01-01T00:00:00Z' }

test.each<[string, KubernetesObject, Record<string, OwnerState>, unknown]>([
  ['without owners', object('a'), {}, { kind: 'none' }],
  ['with a living owner', object('a', ['o']), { o: 'solid' }, { kind: 'none' }],
  ['with a living and a missing owner', object('a', ['o', 'p']), { o: 'solid', p: 'dangling' }, { kind: 'unown', uids: ['p'] }],
  ['with missing owners only', object('a', ['o']), { o: 'dangling' }, { kind: 'delete', policy: 'Background', unblock: false }],
  ['whose owner waits for it', object('a', ['o']), { o: 'waiting' }, { kind: 'delete', policy: 'Background', unblock: false }],
  ['that orphans its own', object('a', ['o'], { finalizers: ['orphan'] }), { o: 'dangling' }, { kind: 'delete', policy: 'Orphan', unblock: false }],
])('an object %s', (_name, what, states, expected) => {
  expect(decide(what, new Map(Object.entries(states)), [])).toEqual(expected)
})

test('an object with dependents whose owner waits goes in the foreground', () => {
  const graph = new DependencyGraph()
  graph.put(configMaps, object('a', ['o']))
  graph.put(configMaps, object('b', ['a']))
  expect(decide(object('a', ['o']), new Map([['o', 'waiting']]), graph.dependents('a'))).toEqual({ kind: 'delete', policy: 'Foreground', unblock: false })
})

test('dependents are looked at when their owner goes, also when they were seen before it', () => {
  const graph = new DependencyGraph()
  const early = graph.put(configMaps, object('child', ['owner']))
  const present = graph.put(configMaps, object('owner'))
  expect({ early, present, gone: graph.remove(object('owner')) }).toEqual({ early: ['child'], present: [], gone: ['child'] })
})

test('an owner in foreground deletion wakes its dependents, and is woken by the last that goes', () => {
  const graph = new DependencyGraph()
  graph.put(configMaps, object('owner'))
  graph.put(configMaps, object('child', ['owner']))
  const started = graph.put(configMaps, object('owner', [], { ...deleting, finalizers: ['foregroundDeletion'] }))
  expect({ started: started.sort(), ended: graph.remove(object('child', ['owner'])) }).toEqual({ started: ['child', 'owner'], ended: ['owner'] })
})

test('an owner that waits is woken when a dependent drops it', () => {
  const graph = new DependencyGraph()
  graph.put(configMaps, object('owner', [], { ...deleting, finalizers: ['foregroundDeletion'] }))
  graph.put(configMaps, object('child', ['owner']))
  expect(graph.put(configMaps, object('child'))).toContain('owner')
})
