import { beforeEach, expect, test } from 'vitest'
import { createAuthorizer, type AuthorizerParts } from '../../../src-main/apiserver/authz/authorizer.ts'
import { places } from '../../../src-main/apiserver/live-copy.ts'
import { ask, user, world } from './support.ts'

let parts: AuthorizerParts
const nodeA = user('system:node:a', 'system:nodes')
const nodeB = user('system:node:b', 'system:nodes')

beforeEach(async () => {
  const w = await world()
  parts = createAuthorizer(w.copies)
  await w.put(places.pods, {
    metadata: { name: 'p', namespace: 'shop' },
    spec: {
      nodeName: 'a',
      serviceAccountName: 'runner',
      containers: [{ name: 'c', envFrom: [{ secretRef: { name: 'env' } }] }],
      volumes: [
        { name: 'v', secret: { secretName: 'vol' } },
        { name: 'm', configMap: { name: 'map' } },
        { name: 'd', persistentVolumeClaim: { claimName: 'disk' } },
      ],
    },
  })
  await w.put(places.persistentVolumeClaims, { metadata: { name: 'disk', namespace: 'shop' }, spec: { volumeName: 'pv1' } })
})

const allowed = async (...args: Parameters<typeof ask>): Promise<boolean> => (await parts.authorizer.authorize(ask(...args))).allowed
const shop = (name: string): { namespace: string; name: string } => ({ namespace: 'shop', name })

test('a node reads what its pods use and another node does not', async () => {
  const questions = [
    ['get', 'secrets', shop('env')],
    ['get', 'secrets', shop('vol')],
    ['get', 'configmaps', shop('map')],
    ['get', 'persistentvolumeclaims', shop('disk')],
    ['get', 'persistentvolumes', { name: 'pv1' }],
    ['create', 'serviceaccounts/token', shop('runner')],
    ['get', 'pods', shop('p')],
  ] as const
  expect(await Promise.all(questions.map(([verb, resource, rest]) => allowed(nodeA, verb, resource, rest)))).toEqual(questions.map(() => true))
  expect(await Promise.all(questions.map(([verb, resource, rest]) => allowed(nodeB, verb, resource, rest)))).toEqual(questions.map(() => false))
})

test('a node reads no other secret, and no list of them', async () => {
  expect([await allowed(nodeA, 'get', 'secrets', shop('other')), await allowed(nodeA, 'list', 'secrets', { namespace: 'shop' }), await allowed(nodeA, 'list', 'secrets')]).toEqual([
    false,
    false,
    false,
  ])
})

test('a node writes only its own Node and Lease', async () => {
  const lease = (name: string): object => ({ group: 'coordination.k8s.io', namespace: 'kube-node-lease', name })
  expect([
    await allowed(nodeA, 'patch', 'nodes/status', { name: 'a' }),
    await allowed(nodeA, 'patch', 'nodes/status', { name: 'b' }),
    await allowed(nodeA, 'delete', 'nodes', { name: 'a' }),
  ]).toEqual([true, false, false])
  expect([await allowed(nodeA, 'update', 'leases', lease('a')), await allowed(nodeA, 'update', 'leases', lease('b'))]).toEqual([true, false])
})

test('a node lists pods only of itself', async () => {
  expect([
    await allowed(nodeA, 'list', 'pods', { fieldSelector: 'spec.nodeName=a' }),
    await allowed(nodeA, 'list', 'pods', { fieldSelector: 'spec.nodeName=b' }),
    await allowed(nodeA, 'list', 'pods'),
  ]).toEqual([true, false, false])
})

test('the name alone makes no node: the group is needed', async () => {
  expect(await allowed(user('system:node:a'), 'get', 'secrets', shop('env'))).toBe(false)
})

test('says why not', async () => {
  expect(await parts.authorizer.authorize(ask(nodeB, 'get', 'secrets', shop('env')))).toEqual({ allowed: false, reason: "no relationship found between node 'b' and this object" })
})
