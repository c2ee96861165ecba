/** T2: a node that was taken over has its real certificate, and may do with it what its own pods need, and no more. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { issueLeaf } from '../../../src-main/control-plane/pki/x509.ts'
import { apiPeer, expectUnharmed, type ApiPeer, type Answer } from '../../support/api-peer.ts'
import { startControlPlane, type RunningControlPlane } from '../../support/running-control-plane.ts'

let running: RunningControlPlane
let admin: ApiPeer
let a: ApiPeer
const space = '/api/v1/namespaces/default'
const uidOf = async (path: string): Promise<string> => (JSON.parse((await admin.ask(path)).text) as { metadata: { uid: string } }).metadata.uid
const patch = (path: string, body: object): Promise<Answer> => a.ask(path, { method: 'PATCH', type: 'application/merge-patch+json', body })

async function nodePeer(name: string): Promise<ApiPeer> {
  const now = Date.now()
  const leaf = await issueLeaf(running.controlPlane.keys.authority, {
    commonName: `system:node:${name}`,
    organizations: ['system:nodes'],
    usages: ['clientAuth'],
    notBeforeMs: now - 60_000,
    notAfterMs: now + 600_000,
  })
  return apiPeer(running.controlPlane, { cert: leaf.certificate, key: leaf.privateKey })
}

beforeAll(async () => {
  running = await startControlPlane({ runControllers: false })
  admin = apiPeer(running.controlPlane)
  a = await nodePeer('a')
  await admin.ask(`${space}/serviceaccounts`, { body: { metadata: { name: 'default' } } })
  for (const name of ['a', 'b']) {
    await admin.ask('/api/v1/nodes', { body: { metadata: { name }, spec: { taints: [{ key: 'keep', effect: 'NoSchedule' }] } } })
    await admin.ask(`${space}/serviceaccounts`, { body: { metadata: { name: `of-${name}` } } })
    await admin.ask(`${space}/secrets`, { body: { metadata: { name: `secret-${name}` }, stringData: { word: `canary-${name}` } } })
    await admin.ask(`${space}/configmaps`, { body: { metadata: { name: `config-${name}` }, data: { word: `canary-${name}` } } })
    const pod = await admin.ask(`${space}/pods`, {
      body: {
        metadata: { name: `pod-${name}` },
        spec: {
          nodeName: name,
          serviceAccountName: `of-${name}`,
          containers: [{ name: 'c', image: 'registry.test/c:1', envFrom: [{ secretRef: { name: `secret-${name}` } }, { configMapRef: { name: `config-${name}` } }] }],
        },
      },
    })
    expect(pod.status).toBe(201)
  }
})
afterAll(async () => {
  await expectUnharmed(running)
  admin.close()
  a.close()
  await running.stop()
})

describe('what it needs', () => {
  test('its own node, pods, and their secrets', async () => {
    const paths = [
      '/api/v1/nodes/a',
      `${space}/pods/pod-a`,
      `${space}/secrets/secret-a`,
      `${space}/configmaps/config-a`,
      '/api/v1/pods?fieldSelector=spec.nodeName=a',
      `${space}/secrets?fieldSelector=metadata.name=secret-a`,
    ]
    expect(await Promise.all(paths.map(async path => (await a.ask(path)).status))).toEqual(paths.map(() => 200))
  })
})

describe('secrets and pods of others', () => {
  test.each([
    `${space}/secrets/secret-b`,
    `${space}/configmaps/config-b`,
    `${space}/pods/pod-b`,
    `${space}/secrets`,
    '/api/v1/secrets',
    `${space}/configmaps`,
    '/api/v1/pods',
    `${space}/pods`,
    `${space}/secrets?fieldSelector=metadata.name=secret-b`,
    `${space}/secrets?fieldSelector=metadata.name!=x`,
    '/api/v1/pods?fieldSelector=spec.nodeName=b',
    '/api/v1/pods?fieldSelector=spec.nodeName!=a',
    '/api/v1/pods?fieldSelector=metadata.name!=x%5C,spec.nodeName=a',
    '/api/v1/pods?fieldSelector=spec.nodeName!=a&fieldSelector=spec.nodeName=a',
    '/api/v1/secrets?watch=true',
    `${space}/secrets?watch=true&fieldSelector=metadata.name=secret-b`,
    '/apis/infra.quarterdeck.app/v1alpha1/machines',
    '/apis/rbac.authorization.k8s.io/v1/clusterroles',
    `${space}/pods/pod-b/log`,
    `${space}/pods/pod-a/log`,
    '/api/v1/nodes/b/proxy/pods',
    '/api/v1/nodes/a/proxy/pods',
    `${space}/pods/pod-b/exec?command=id&stdout=1`,
  ])('GET %s is 403', async path => {
    const answer = await a.ask(path)
    expect([answer.status, answer.text.includes('canary-b')]).toEqual([403, false])
  })
  test.each([
    `/api/v1/watch/namespaces/default/secrets/secret-a?fieldSelector=metadata.name=secret-b&timeoutSeconds=1`,
    `/api/v1/watch/namespaces/default/secrets/secret-a?fieldSelector=metadata.name!=x%5C&timeoutSeconds=1`,
    `/api/v1/watch/namespaces/default/secrets/secret-a?fieldSelector=,metadata.name=secret-b&timeoutSeconds=1`,
    `${space}/secrets?fieldSelector=metadata.name=secret-a,metadata.name!=secret-a`,
    `${space}/secrets?fieldSelector=metadata.name=secret-a&fieldSelector=metadata.name=secret-b`,
    `${space}/secrets?fieldSelector=metadata.name=secret-b&fieldSelector=metadata.name=secret-a`,
    `${space}/secrets/secret-a%2f..%2fsecret-b`,
    `${space}/secrets/secret-a/../secret-b`,
    `${space}/secrets//secret-b`,
    `/api/v1/namespaces/default%2fsecrets%2fsecret-b/secrets/secret-a`,
  ])('GET %s shows nothing of b', async path => {
    const answer = await a.ask(path)
    expect([answer.text.includes(Buffer.from('canary-b').toString('base64')), answer.text.includes('"uid"') && answer.text.includes('"secret-b"')]).toEqual([false, false])
  })
})

describe('its own Node object', () => {
  test.each<[string, object]>([
    ['taints', { spec: { taints: [] } }],
    ['a protected label', { metadata: { labels: { 'node-restriction.kubernetes.io/tier': 'trusted' } } }],
    ['its role', { metadata: { labels: { 'node-role.kubernetes.io/control-plane': '' } } }],
    ['an owner', { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'b', uid: 'u' }] } }],
  ])('%s stays', async (_what, body) => {
    for (const path of ['/api/v1/nodes/a', '/api/v1/nodes/a/status']) {
      const before = (await admin.ask('/api/v1/nodes/a')).text
      const answer = await patch(path, body)
      const after = (await admin.ask('/api/v1/nodes/a')).text
      const facts = (text: string): unknown => {
        const node = JSON.parse(text) as { metadata: { labels?: object; ownerReferences?: object }; spec: { taints?: object } }
        return [node.metadata.labels, node.metadata.ownerReferences, node.spec.taints]
      }
      expect([answer.status === 403 || answer.status === 200, facts(after)]).toEqual([true, facts(before)])
      if (path === '/api/v1/nodes/a') expect(answer.status).toBe(403)
    }
  })
  test('no other node is made, changed or removed', async () => {
    expect((await a.ask('/api/v1/nodes', { body: { metadata: { name: 'c' } } })).status).toBe(403)
    expect((await a.ask('/api/v1/nodes/b', { method: 'DELETE' })).status).toBe(403)
    expect((await a.ask('/api/v1/nodes/a', { method: 'DELETE' })).status).toBe(403)
    expect((await patch('/api/v1/nodes/b', { metadata: { labels: { x: 'y' } } })).status).toBe(403)
    expect((await patch('/api/v1/nodes/b/status', { status: { phase: 'x' } })).status).toBe(403)
    expect((await a.ask('/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases', { body: { metadata: { name: 'b' }, spec: {} } })).status).toBe(403)
    expect((await a.ask('/apis/coordination.k8s.io/v1/namespaces/kube-system/leases', { body: { metadata: { name: 'a' }, spec: {} } })).status).toBe(403)
  })
})

describe('pods', () => {
  const mirror = (spec: object, metadata: object = {}): object => ({
    metadata: { name: 'mirror', annotations: { 'kubernetes.io/config.mirror': 'x' }, ...metadata },
    spec: { nodeName: 'a', containers: [{ name: 'c', image: 'i' }], ...spec },
  })
  test('only true mirror pods of its own are made', async () => {
    const owner = { apiVersion: 'v1', kind: 'Node', name: 'a', uid: await uidOf('/api/v1/nodes/a'), controller: true }
    const own = { ownerReferences: [owner] }
    const bad = [
      mirror({}),
      mirror({}, { ...own, annotations: {} }),
      mirror({ nodeName: 'b' }, own),
      mirror({ serviceAccountName: 'of-b' }, own),
      mirror({ volumes: [{ name: 'v', secret: { secretName: 'secret-b' } }] }, own),
      mirror({ containers: [{ name: 'c', image: 'i', env: [{ name: 'E', valueFrom: { secretKeyRef: { name: 'secret-b', key: 'word' } } }] }] }, own),
      mirror({ initContainers: [{ name: 'd', image: 'i', envFrom: [{ configMapRef: { name: 'config-b' } }] }] }, own),
      mirror({ volumes: [{ name: 'v', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }] }, { ownerReferences: [{ ...owner, uid: 'other' }] }),
      mirror({ imagePullSecrets: [{ name: 'secret-b' }] }, own),
      mirror({}, { ownerReferences: [{ ...owner, name: 'b' }] }),
    ]
    for (const body of bad) expect([JSON.stringify(body), (await a.ask(`${space}/pods`, { body })).status]).toEqual([JSON.stringify(body), 403])
    expect((await a.ask(`${space}/pods`, { body: mirror({}, own) })).status).toBe(201)
  })
  test('of others are neither changed, evicted nor removed; its own keep their labels', async () => {
    expect((await patch(`${space}/pods/pod-b/status`, { status: { phase: 'Failed' } })).status).toBe(403)
    expect((await a.ask(`${space}/pods/pod-b`, { method: 'DELETE' })).status).toBe(403)
    expect((await a.ask(`${space}/pods/pod-b/eviction`, { body: { metadata: { name: 'pod-b' } } })).status).toBe(403)
    expect((await a.ask(`${space}/pods/pod-a/binding`, { body: { target: { name: 'b' } } })).status).toBe(403)
    expect((await patch(`${space}/pods/pod-a`, { metadata: { labels: { app: 'trusted' } } })).status).toBe(403)
    expect((await patch(`${space}/pods/pod-a/status`, { metadata: { labels: { app: 'trusted' } } })).status).toBe(403)
    expect((await a.ask(`${space}/pods`, { method: 'DELETE' })).status).toBe(403)
  })
})

describe('tokens', () => {
  const token = async (account: string, spec: object): Promise<number> => (await a.ask(`${space}/serviceaccounts/${account}/token`, { body: { spec } })).status
  test('only for the accounts of its own pods, bound to them', async () => {
    const podA = { apiVersion: 'v1', kind: 'Pod', name: 'pod-a', uid: await uidOf(`${space}/pods/pod-a`) }
    const podB = { apiVersion: 'v1', kind: 'Pod', name: 'pod-b', uid: await uidOf(`${space}/pods/pod-b`) }
    expect(await token('of-a', { boundObjectRef: podA })).toBe(201)
    expect([
      await token('of-a', {}),
      await token('of-b', {}),
      await token('of-b', { boundObjectRef: podB }),
      await token('of-b', { boundObjectRef: podA }),
      await token('of-a', { boundObjectRef: podB }),
      await token('default', {}),
      await token('of-a', { boundObjectRef: { ...podA, uid: undefined } }),
      await token('of-a', { boundObjectRef: { ...podA, kind: 'Node', name: 'a' } }),
    ]).toEqual(Array(8).fill(403))
  })
  test('a certificate that only names a node is nobody: without the group, from another authority, or for serving', async () => {
    const { createAuthority } = await import('../../../src-main/control-plane/pki/x509.ts')
    const now = Date.now()
    const times = { notBeforeMs: now - 60_000, notAfterMs: now + 600_000 }
    const foreign = await createAuthority('kubernetes', times.notBeforeMs, times.notAfterMs)
    const { authority } = running.controlPlane.keys
    const leaves = [
      await issueLeaf(foreign, { commonName: 'system:node:a', organizations: ['system:nodes', 'system:masters'], usages: ['clientAuth'], ...times }),
      await issueLeaf(authority, { commonName: 'system:node:a', organizations: ['system:nodes'], usages: ['serverAuth'], ...times }),
      await issueLeaf(authority, { commonName: 'system:node:a', organizations: ['system:nodes'], usages: ['clientAuth'], notBeforeMs: now - 120_000, notAfterMs: now - 60_000 }),
      await issueLeaf(authority, { commonName: 'system:node:a', organizations: ['others'], usages: ['clientAuth'], ...times }),
    ]
    const found: number[] = []
    for (const leaf of leaves) {
      const peer = apiPeer(running.controlPlane, { cert: leaf.certificate, key: leaf.privateKey })
      found.push((await peer.ask('/api/v1/nodes/a')).status)
      peer.close()
    }
    expect(found).toEqual([401, 401, 401, 403])
  })
})
