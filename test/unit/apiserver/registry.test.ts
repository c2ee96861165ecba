import { beforeEach, describe, expect, it } from 'vitest'
import { testServer } from './cluster.ts'
import type { TestServer } from './cluster.ts'

const configMaps = '/api/v1/namespaces/n/configmaps'
const pods = '/api/v1/namespaces/n/pods'
const deployments = '/apis/apps/v1/namespaces/n/deployments'
const pod = (name: string, spec: object = {}): object => ({ metadata: { name }, spec: { containers: [{ name: 'c', image: 'i' }], ...spec } })
const deployment = {
  metadata: { name: 'd' },
  spec: { selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } } },
}

let server: TestServer
beforeEach(() => {
  server = testServer()
})

describe('create', () => {
  it('sets what the server decides and keeps the caller from deciding it', async () => {
    const { status, body } = await server.create(configMaps, { metadata: { name: 'a', uid: 'mine', deletionTimestamp: '2020-01-01T00:00:00Z' }, data: { k: 'v' } })
    expect([
      status,
      body.metadata.uid === 'mine',
      body.metadata.resourceVersion,
      body.metadata.deletionTimestamp,
      body.metadata.creationTimestamp,
      body.metadata.namespace,
    ]).toEqual([201, false, '2', undefined, '2026-01-01T00:00:00Z', 'n'])
  })

  it('refuses a resourceVersion and keeps a generation that it does not count', async () => {
    expect((await server.create(configMaps, { metadata: { name: 'a', resourceVersion: '7' } })).body).toMatchObject({
      code: 500,
      message: 'resourceVersion should not be set on objects to be created',
    })
    expect((await server.create(configMaps, { metadata: { name: 'a', generation: 5 } })).body.metadata.generation).toBe(5)
  })

  it('makes names', async () => {
    const { body } = await server.create(configMaps, { metadata: { generateName: 'a-' } })
    expect(body.metadata.name).toMatch(/^a-[bcdfghjklmnpqrstvwxz2456789]{5}$/)
  })

  it('answers in the words of Kubernetes', async () => {
    await server.create(configMaps, { metadata: { name: 'a' } })
    expect((await server.create(configMaps, { metadata: { name: 'a' } })).body).toMatchObject({
      kind: 'Status',
      code: 409,
      reason: 'AlreadyExists',
      message: 'configmaps "a" already exists',
      details: { name: 'a', kind: 'configmaps' },
    })
    expect((await server.create(configMaps, { metadata: { name: 'B_' } })).body).toMatchObject({ code: 422, reason: 'Invalid' })
    expect((await server.create(configMaps, { metadata: { name: 'b', namespace: 'other' } })).body.message).toBe(
      'the namespace of the provided object does not match the namespace sent on the request',
    )
    expect((await server.call('GET', `${configMaps}/z`)).body).toMatchObject({ code: 404, message: 'configmaps "z" not found' })
  })

  it('stores nothing on a dry run', async () => {
    expect((await server.create(`${configMaps}?dryRun=All`, { metadata: { name: 'a' } })).status).toBe(201)
    expect((await server.call('GET', `${configMaps}/a`)).status).toBe(404)
    expect(server.store.revision).toBe(1)
  })
})

describe('update', () => {
  it('refuses a stale version and a foreign uid with 409, and writes nothing where nothing changes', async () => {
    const first = (await server.create(configMaps, { metadata: { name: 'a' }, data: { k: '1' } })).body
    await server.call('PUT', `${configMaps}/a`, { ...first, data: { k: '2' } })
    expect((await server.call('PUT', `${configMaps}/a`, { ...first, data: { k: '3' } })).body).toMatchObject({
      code: 409,
      message: 'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
    })
    expect((await server.call('PUT', `${configMaps}/a`, { metadata: { name: 'a', uid: 'other' } })).status).toBe(409)
    const { revision } = server.store
    expect((await server.call('PUT', `${configMaps}/a`, { metadata: { name: 'a' }, data: { k: '2' } })).status).toBe(200)
    expect(server.store.revision).toBe(revision)
  })

  it('counts generations of what is declared alone, and keeps status and the rest apart', async () => {
    await server.create(deployments, deployment)
    const labelled = await server.merge(`${deployments}/d`, { metadata: { labels: { x: 'y' } }, status: { replicas: 5 } })
    const scaled = await server.merge(`${deployments}/d`, { spec: { replicas: 2 } })
    const reported = await server.merge(`${deployments}/d/status`, { spec: { replicas: 9 }, status: { replicas: 1 } })
    expect([labelled, scaled, reported].map(answer => [answer.body.metadata.generation, answer.body.spec.replicas, answer.body.status.replicas])).toEqual([
      [1, 1, undefined],
      [2, 2, undefined],
      [2, 2, 1],
    ])
  })

  it('lets many merge patches of one object through', async () => {
    await server.create(configMaps, { metadata: { name: 'a' } })
    const answers = await Promise.all(Array.from({ length: 15 }, (_, i) => server.merge(`${configMaps}/a`, { data: { [`k${i}`]: 'v' } })))
    expect(new Set(answers.map(answer => answer.status))).toEqual(new Set([200]))
    expect(Object.keys((await server.call('GET', `${configMaps}/a`)).body.data)).toHaveLength(15)
  })

  it('shows and changes scale', async () => {
    await server.create(deployments, deployment)
    const scale = await server.call('GET', `${deployments}/d/scale`)
    expect(scale.body).toMatchObject({ kind: 'Scale', apiVersion: 'autoscaling/v1', spec: { replicas: 1 }, status: { replicas: 0, selector: 'a=b' } })
    expect((await server.call('PUT', `${deployments}/d/scale`, { ...scale.body, spec: { replicas: 4 } })).body.spec).toEqual({ replicas: 4 })
    expect((await server.call('PUT', `${deployments}/d/scale`, { ...scale.body, spec: { replicas: 5 } })).status).toBe(409)
  })
})

describe('delete', () => {
  it('waits for finalizers and goes with the last one', async () => {
    await server.create(configMaps, { metadata: { name: 'a', finalizers: ['x.io/f'] } })
    const marked = await server.call('DELETE', `${configMaps}/a`)
    expect([marked.status, marked.body.metadata.deletionTimestamp, marked.body.metadata.deletionGracePeriodSeconds]).toEqual([200, '2026-01-01T00:00:00Z', 0])
    expect((await server.merge(`${configMaps}/a`, { metadata: { finalizers: null } })).status).toBe(200)
    expect((await server.call('GET', `${configMaps}/a`)).status).toBe(404)
  })

  it('adds the finalizer of the asked propagation and honours preconditions', async () => {
    await server.create(deployments, deployment)
    expect((await server.call('DELETE', `${deployments}/d`, { preconditions: { uid: 'other' } })).status).toBe(409)
    expect((await server.call('DELETE', `${deployments}/d`, { propagationPolicy: 'Foreground' })).body.metadata.finalizers).toEqual(['foregroundDeletion'])
    expect((await server.call('DELETE', `${deployments}/d`, { propagationPolicy: 'Orphan' })).body.metadata.finalizers).toEqual(['orphan'])
  })

  it('gives a bound pod its grace and a pod without node none', async () => {
    await server.create(pods, pod('free'))
    await server.create(pods, pod('bound', { nodeName: 'node' }))
    expect((await server.call('DELETE', `${pods}/free`)).status).toBe(200)
    expect((await server.call('GET', `${pods}/free`)).status).toBe(404)
    const marked = (await server.call('DELETE', `${pods}/bound`)).body
    expect([marked.metadata.deletionGracePeriodSeconds, marked.metadata.deletionTimestamp]).toEqual([30, '2026-01-01T00:00:30Z'])
    expect((await server.call('DELETE', `${pods}/bound`, { gracePeriodSeconds: 5 })).body.metadata.deletionGracePeriodSeconds).toBe(5)
    await server.call('DELETE', `${pods}/bound`, { gracePeriodSeconds: 0 })
    expect((await server.call('GET', `${pods}/bound`)).status).toBe(404)
  })

  it('deletes what a collection selects', async () => {
    for (const name of ['a', 'b', 'c']) await server.create(configMaps, { metadata: { name, labels: { x: name === 'c' ? '2' : '1' } } })
    const { body } = await server.call('DELETE', `${configMaps}?labelSelector=x%3D1`)
    expect([body.items.length, (await server.call('GET', configMaps)).body.items.map((item: { metadata: { name: string } }) => item.metadata.name)]).toEqual([2, ['c']])
  })

  it('keeps a namespace until it is finalized', async () => {
    await server.create('/api/v1/namespaces', { metadata: { name: 'gone' } })
    expect((await server.call('DELETE', '/api/v1/namespaces/gone')).body.status.phase).toBe('Terminating')
    expect((await server.call('GET', '/api/v1/namespaces/gone')).status).toBe(200)
    await server.call('PUT', '/api/v1/namespaces/gone/finalize', { metadata: { name: 'gone' }, spec: { finalizers: [] } })
    expect((await server.call('GET', '/api/v1/namespaces/gone')).status).toBe(404)
  })
})

describe('pods', () => {
  it('are bound once', async () => {
    await server.create(pods, pod('p'))
    const binding = { metadata: { name: 'p' }, target: { kind: 'Node', name: 'one' } }
    expect((await server.create(`${pods}/p/binding`, binding)).status).toBe(201)
    expect((await server.create(`${pods}/p/binding`, { ...binding, target: { kind: 'Node', name: 'two' } })).body).toMatchObject({
      code: 409,
      message: 'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "one"',
    })
    const bound = (await server.call('GET', `${pods}/p`)).body
    expect([bound.spec.nodeName, bound.status.conditions.find((condition: { type: string }) => condition.type === 'PodScheduled').status]).toEqual(['one', 'True'])
  })

  it('are evicted as long as their budget allows', async () => {
    for (const name of ['a', 'b']) {
      await server.create(pods, { ...pod(name, { nodeName: 'node' }), metadata: { name, labels: { app: 'x' } } })
      await server.merge(`${pods}/${name}/status`, { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } })
    }
    const budgets = '/apis/policy/v1/namespaces/n/poddisruptionbudgets'
    await server.create(budgets, { metadata: { name: 'budget' }, spec: { minAvailable: 1, selector: { matchLabels: { app: 'x' } } } })
    await server.merge(`${budgets}/budget/status`, { status: { observedGeneration: 1, disruptionsAllowed: 1, currentHealthy: 2, desiredHealthy: 1, expectedPods: 2 } })
    const evict = (name: string): ReturnType<TestServer['create']> => server.create(`${pods}/${name}/eviction`, { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } })
    expect((await evict('a')).status).toBe(201)
    expect((await server.call('GET', `${pods}/a`)).body.metadata.deletionTimestamp).toBeDefined()
    expect((await evict('b')).body).toMatchObject({ code: 429, reason: 'TooManyRequests', message: "Cannot evict pod as it would violate the pod's disruption budget." })
    expect((await server.call('GET', `${pods}/b`)).body.metadata.deletionTimestamp).toBeUndefined()
  })
})

describe('services', () => {
  const services = '/api/v1/namespaces/n/services'
  const service = (name: string, spec: object = {}): object => ({ metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } })

  it('get an address and ports of their own, give them back, and may ask for free ones', async () => {
    const first = (await server.create(services, service('a', { type: 'NodePort' }))).body.spec
    expect([first.clusterIP.startsWith('10.96.'), first.clusterIPs, first.ports[0].nodePort >= 30000]).toEqual([true, [first.clusterIP], true])
    const asked = { clusterIP: first.clusterIP }
    expect((await server.create(services, service('b', asked))).body.message).toBe(
      `Service "b" is invalid: spec.clusterIPs: Invalid value: ["${first.clusterIP}"]: failed to allocate IP ${first.clusterIP}: provided IP is already allocated`,
    )
    await server.call('DELETE', `${services}/a`)
    expect((await server.create(services, service('b', asked))).body.spec.clusterIP).toBe(first.clusterIP)
  })

  it('hold nothing after a dry run or a refused write', async () => {
    const ip = '10.96.9.9'
    expect((await server.create(`${services}?dryRun=All`, service('a', { clusterIP: ip }))).status).toBe(201)
    expect((await server.create(services, { ...service('Not_A_Name', { clusterIP: ip }) })).status).toBe(422)
    expect((await server.create(services, service('a', { clusterIP: ip }))).status).toBe(201)
  })
})
