import { expect, test } from 'vitest'
import type { Node, Pod } from '../../../src-main/api/generated/core-v1.ts'
import { keyOf } from '../../../src-main/api/meta.ts'
import { SchedulerCache } from '../../../src-main/scheduler/cache.ts'
import { Heap } from '../../../src-main/scheduler/heap.ts'
import type { PodQuery } from '../../../src-main/scheduler/placement-index.ts'
import { withoutPlaced } from '../../../src-main/scheduler/placement-index.ts'

/** Small and the same everywhere. */
function seeded(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const node = (name: string, zone: string | undefined): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { host: name, ...(zone === undefined ? {} : { zone }) } },
  status: { allocatable: { cpu: '4' }, images: [{ names: [`image-of-${zone ?? 'none'}`] }] },
})

const term = (app: string, topologyKey: string) => ({ labelSelector: { matchLabels: { app } }, topologyKey })

function pod(name: string, app: string, wants: number, nodeName?: string, dying = false): Pod {
  const affinity = [
    undefined,
    { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term(app, 'host')] } },
    { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 7, podAffinityTerm: term('a', 'zone') }] } },
  ][wants]
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: `n${name.length % 2}`, uid: name, labels: { app }, ...(dying ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}) },
    spec: { containers: [{ name: 'c', resources: { requests: { cpu: '100m' } } }], ...(affinity ? { affinity } : {}), ...(nodeName ? { nodeName } : {}) },
  }
}

const queries: PodQuery[] = [
  { namespaces: undefined, selector: { matchLabels: { app: 'a' } }, topologyKey: 'zone' },
  { namespaces: ['n0'], selector: {}, topologyKey: 'host' },
  { namespaces: ['n1'], selector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['b'] }] }, topologyKey: '', livingOnly: true },
]

/** All answers of a cache, in one order. */
function answers(cache: SchedulerCache, placed: Pick<SchedulerCache['index'], 'count' | 'domains' | 'terms'> = cache.index): unknown {
  const sorted = (counts: ReadonlyMap<string, number>): [string, number][] => [...counts].sort(([a], [b]) => (a < b ? -1 : 1))
  const terms = [...placed.terms].map(({ topologies, ...rest }) => JSON.stringify([rest, sorted(topologies)])).sort()
  const requested = cache.nodes().map(info => [info.name, info.pods.map(keyOf).sort(), info.requested.get('cpu') ?? 0, info.requestedNonZero])
  return {
    counts: queries.map(query => sorted(placed.count(query))),
    domains: ['zone', 'host'].map(key => sorted(placed.domains(key))),
    terms,
    requested,
    images: ['x', 'y', 'none'].map(zone => cache.imageHolders(`image-of-${zone}`)),
  }
}

test.each([1, 2, 3, 4, 5, 6, 7, 8])('what is kept up to date is what counting anew gives, whatever happened (seed %i)', seed => {
  const random = seeded(seed)
  const cache = new SchedulerCache()
  const nodes = new Map<string, Node>()
  const pods = new Map<string, Pod>()
  answers(cache) // asked at the start, so that every question is followed from there
  for (let step = 0; step < 400; step++) {
    const name = `node-${random(6)}`
    const key = `pod-${random(30)}`
    const act = random(10)
    if (act === 0) {
      cache.removeNode(name)
      nodes.delete(name)
    } else if (act < 3) {
      const next = node(name, [undefined, 'x', 'y'][random(3)])
      cache.setNode(next)
      nodes.set(name, next)
    } else if (act < 5) {
      const gone = pod(key, 'a', 0)
      cache.removePod(keyOf(gone))
      pods.delete(keyOf(gone))
    } else {
      const next = pod(key, ['a', 'b'][random(2)] ?? '', random(3), name, random(5) === 0)
      cache.setPod(next)
      pods.set(keyOf(next), next)
    }
    if (step % 40 === 0) answers(cache)
  }
  const fresh = new SchedulerCache()
  for (const one of nodes.values()) fresh.setNode(one)
  for (const one of pods.values()) fresh.setPod(one)
  expect(answers(cache)).toEqual(answers(fresh))
})

test('an index without some pods of a node answers as if they had never been there', () => {
  const build = (all: Pod[]): SchedulerCache => {
    const cache = new SchedulerCache()
    for (const one of [node('p', 'x'), node('q', 'x'), node('r', 'y')]) cache.setNode(one)
    for (const one of all) cache.setPod(one)
    return cache
  }
  const all = Array.from({ length: 12 }, (_, i) => pod(`pod-${i}`, i % 2 === 0 ? 'a' : 'b', i % 3, ['p', 'q', 'r'][i % 3]))
  const whole = build(all)
  const info = whole.nodes()[0]
  const gone = new Set((info?.pods ?? []).slice(0, 2))
  const fewer = build(all.filter(one => !gone.has(one)))
  const { requested: _ours, ...seen } = answers(whole, info && withoutPlaced(whole.index, info.node, gone)) as Record<string, unknown>
  const { requested: _theirs, ...expected } = answers(fewer) as Record<string, unknown>
  expect(seen).toEqual(expected)
})

test('a heap gives what was put in, in order', () => {
  const random = seeded(9)
  const values = Array.from({ length: 500 }, () => random(1000))
  const heap = new Heap<number>((a, b) => a < b)
  for (const value of values) heap.push(value)
  const out: number[] = []
  for (let value = heap.pop(); value !== undefined; value = heap.pop()) out.push(value)
  expect(out).toEqual([...values].sort((a, b) => a - b))
})
