import { afterEach, expect, test } from 'vitest'
import type { ConfigMap, Endpoints, Namespace, Pod, Service, ServiceAccount } from '../../../src-main/api/generated/core-v1.ts'
import type { EndpointSlice } from '../../../src-main/api/generated/discovery-v1.ts'
import { configMaps, deployments, endpointSlices, endpoints, namespaces, pods, serviceAccounts, services } from '../../../src-main/api/resources.ts'
import { testCluster } from '../../support/cluster.ts'
import type { TestCluster } from '../../support/cluster.ts'

let cluster: TestCluster
afterEach(async () => {
  await cluster.stop()
})

async function web(replicas: number, namespace = 'default'): Promise<void> {
  await cluster.client.resource(deployments).create({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'web:1', ports: [{ name: 'http', containerPort: 8080 }] }] } },
    },
  })
}
const service = (more: Partial<Service['spec']> = {}, namespace = 'default'): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace },
  spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }], ...more },
})
const slices = (): Promise<EndpointSlice[]> => cluster.list<EndpointSlice>(endpointSlices, 'default')
const ready = async (): Promise<string[]> =>
  (await slices())
    .filter(s => s.metadata.labels?.['kubernetes.io/service-name'] === 'web')
    .flatMap(s => s.endpoints ?? [])
    .filter(e => e.conditions?.ready)
    .flatMap(e => e.addresses)
    .sort()

test('a service publishes the addresses and named ports of its ready pods, in slices and in Endpoints', async () => {
  cluster = await testCluster({ nodes: 2 })
  await cluster.client.resource(services).create(service())
  await web(3)
  await cluster.until('published', async () => (await ready()).length === 3)
  const slice = (await slices()).find(s => s.metadata.labels?.['kubernetes.io/service-name'] === 'web')
  const old = (await cluster.list<Endpoints>(endpoints, 'default')).find(e => e.metadata.name === 'web')
  const addresses = (await cluster.list<Pod>(pods, 'default')).map(p => p.status?.podIP ?? '').sort()
  expect({
    ready: await ready(),
    ports: slice?.ports,
    old: (old?.subsets ?? []).map(s => [(s.addresses ?? []).map(a => a.ip).sort(), s.ports]),
    owner: slice?.metadata.ownerReferences?.[0]?.kind,
  }).toEqual({ ready: addresses, ports: [{ name: 'http', port: 8080, protocol: 'TCP' }], old: [[addresses, [{ name: 'http', port: 8080, protocol: 'TCP' }]]], owner: 'Service' })
})

test('a scaled-down pod leaves the ready endpoints', async () => {
  cluster = await testCluster({ nodes: 1 })
  await cluster.client.resource(services).create(service())
  await web(3)
  await cluster.until('published', async () => (await ready()).length === 3)
  await cluster.client.resource(deployments).patch('web', 'merge', { spec: { replicas: 1 } }, { namespace: 'default' })
  await cluster.until('withdrawn', async () => (await ready()).length === 1 && (await slices()).flatMap(s => s.endpoints ?? []).length <= 2)
})

test('pods that are not ready are listed as such, and as ready where the service publishes them', async () => {
  cluster = await testCluster()
  await cluster.addNode('n', { badImage: 'web' })
  await cluster.client.resource(services).create(service())
  await cluster.client.resource(services).create({ ...service({ clusterIP: 'None', publishNotReadyAddresses: true }), metadata: { name: 'all', namespace: 'default' } })
  await web(1)
  const conditions = async (name: string) =>
    (await slices())
      .filter(s => s.metadata.labels?.['kubernetes.io/service-name'] === name)
      .flatMap(s => s.endpoints ?? [])
      .map(e => e.conditions)
  await cluster.until('published', async () => (await conditions('web')).length === 1 && (await conditions('all')).length === 1)
  expect({ web: await conditions('web'), all: await conditions('all') }).toEqual({
    web: [{ ready: false, serving: false, terminating: false }],
    all: [{ ready: true, serving: false, terminating: false }],
  })
})

test('deleting a service takes its slices and Endpoints', async () => {
  cluster = await testCluster({ nodes: 1 })
  await cluster.client.resource(services).create(service())
  await web(1)
  await cluster.until('published', async () => (await ready()).length === 1)
  await cluster.client.resource(services).delete('web', { namespace: 'default' })
  await cluster.until('gone', async () => (await slices()).length === 0 && (await cluster.list(endpoints, 'default')).every(e => e.metadata.name !== 'web'))
})

test('a new namespace gets its default account and the CA; a deleted one empties and goes', async () => {
  cluster = await testCluster({ nodes: 1 })
  await cluster.client.resource(namespaces).create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } })
  await cluster.until(
    'furnished',
    async () => (await cluster.list<ServiceAccount>(serviceAccounts, 'team')).length === 1 && (await cluster.list<ConfigMap>(configMaps, 'team')).length === 1,
  )
  await web(2, 'team')
  await cluster.client.resource(services).create(service({}, 'team'))
  await cluster.until('running', async () => (await cluster.list<Pod>(pods, 'team')).filter(p => p.status?.phase === 'Running').length === 2)
  await cluster.client.resource(namespaces).delete('team')
  await cluster.until('gone', async () => (await cluster.list<Namespace>(namespaces)).every(n => n.metadata.name !== 'team'))
  expect([
    ...(await cluster.list(pods, 'team')),
    ...(await cluster.list(deployments, 'team')),
    ...(await cluster.list(services, 'team')),
    ...(await cluster.list(configMaps, 'team')),
  ]).toEqual([])
})

test('a finalizer holds its namespace, which says why, and lets it go when it is removed', async () => {
  cluster = await testCluster()
  await cluster.client.resource(namespaces).create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'held' } })
  await cluster.client.resource(configMaps).create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'stuck', namespace: 'held', finalizers: ['example.com/hold'] } })
  await cluster.client.resource(namespaces).delete('held')
  await cluster.until(
    'told',
    async () => (await cluster.client.resource(namespaces).get('held')).status?.conditions?.some(c => c.type === 'NamespaceFinalizersRemaining' && c.status === 'True') === true,
  )
  const conditions = (await cluster.client.resource(namespaces).get('held')).status?.conditions ?? []
  await cluster.client.resource(configMaps).patch('stuck', 'merge', { metadata: { finalizers: null } }, { namespace: 'held' })
  await cluster.until('gone', async () => (await cluster.list<Namespace>(namespaces)).every(n => n.metadata.name !== 'held'))
  expect(conditions.filter(c => c.status === 'True').map(c => c.message)).toEqual([
    'Some resources are remaining: configmaps. has 1 resource instances',
    'Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances',
  ])
})
