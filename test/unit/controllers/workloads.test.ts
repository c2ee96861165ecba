import { afterEach, expect, test } from 'vitest'
import type { Deployment, ReplicaSet } from '../../../src-main/api/generated/apps-v1.ts'
import type { Event, Pod } from '../../../src-main/api/generated/core-v1.ts'
import { deployments, events, pods, replicaSets } from '../../../src-main/api/resources.ts'
import { testCluster } from '../../support/cluster.ts'
import type { TestCluster } from '../../support/cluster.ts'

let cluster: TestCluster
afterEach(async () => {
  await cluster.stop()
})

function deployment(name: string, spec: Partial<Deployment['spec']> = {}, image = 'web:1'): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'web', image, resources: { requests: { cpu: '100m' } } }] } },
      ...spec,
    },
  }
}

const get = (name: string): Promise<Deployment> => cluster.client.resource(deployments).get(name, { namespace: 'default' })
const isRolledOut = async (name: string): Promise<boolean> => {
  const d = await get(name)
  const s = d.status ?? {}
  return s.observedGeneration === d.metadata.generation && s.updatedReplicas === d.spec.replicas && s.replicas === d.spec.replicas && s.availableReplicas === d.spec.replicas
}
const setImage = (name: string, image: string) =>
  cluster.client.resource(deployments).patch(name, 'strategic', { spec: { template: { spec: { containers: [{ name: 'web', image }] } } } }, { namespace: 'default' })

test('a deployment gets its pods, spread over both nodes, and says that it is available', async () => {
  cluster = await testCluster({ nodes: 2 })
  await cluster.client.resource(deployments).create(deployment('web', { replicas: 4 }))
  await cluster.until('rolled out', () => isRolledOut('web'))
  const d = await get('web')
  const all = await cluster.list<Pod>(pods, 'default')
  expect({
    nodes: [...new Set(all.map(p => p.spec?.nodeName))].sort(),
    pods: all.length,
    conditions: (d.status?.conditions ?? []).map(c => [c.type, c.status, c.reason]).sort(),
    revision: d.metadata.annotations?.['deployment.kubernetes.io/revision'],
  }).toEqual({
    nodes: ['node-1', 'node-2'],
    pods: 4,
    conditions: [
      ['Available', 'True', 'MinimumReplicasAvailable'],
      ['Progressing', 'True', 'NewReplicaSetAvailable'],
    ],
    revision: '1',
  })
})

test('a rolling update never goes below or above its bounds', async () => {
  cluster = await testCluster({ nodes: 2 })
  await cluster.client.resource(deployments).create(deployment('web', { replicas: 4, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } } }))
  await cluster.until('first rollout', () => isRolledOut('web'))
  await setImage('web', 'web:2')
  let fewest = Infinity
  let most = 0
  await cluster.until('second rollout', async () => {
    const all = (await cluster.list<Pod>(pods, 'default')).filter(p => !p.metadata.deletionTimestamp)
    fewest = Math.min(fewest, all.filter(p => p.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True')).length)
    most = Math.max(most, all.length)
    return isRolledOut('web')
  })
  expect({ fewest: fewest >= 3, most: most <= 5, images: [...new Set((await cluster.list<Pod>(pods, 'default')).map(p => p.spec?.containers[0]?.image))] }).toEqual({
    fewest: true,
    most: true,
    images: ['web:2'],
  })
})

test('undoing a rollout takes the old replica set again and counts a new revision', async () => {
  cluster = await testCluster({ nodes: 1 })
  await cluster.client.resource(deployments).create(deployment('web'))
  await cluster.until('first rollout', () => isRolledOut('web'))
  const before = (await cluster.list<Pod>(pods, 'default'))[0]?.metadata.labels?.['pod-template-hash']
  await setImage('web', 'web:2')
  await cluster.until('second rollout', () => isRolledOut('web'))
  await setImage('web', 'web:1')
  await cluster.until('rollback', () => isRolledOut('web'))
  const sets = await cluster.list<ReplicaSet>(replicaSets, 'default')
  const active = sets.filter(rs => rs.spec.replicas === 3)
  expect({
    sets: sets.length,
    hash: active[0]?.metadata.labels?.['pod-template-hash'],
    revision: active[0]?.metadata.annotations?.['deployment.kubernetes.io/revision'],
    history: active[0]?.metadata.annotations?.['deployment.kubernetes.io/revision-history'],
  }).toEqual({ sets: 2, hash: before, revision: '3', history: '1' })
})

test('a bad image stops the rollout, keeps the old pods and exceeds the progress deadline', async () => {
  cluster = await testCluster()
  await cluster.addNode('n', { badImage: 'broken' })
  await cluster.client.resource(deployments).create(deployment('web', { replicas: 4, progressDeadlineSeconds: 30 }))
  await cluster.until('first rollout', () => isRolledOut('web'))
  await setImage('web', 'broken:1')
  await cluster.until('deadline', async () => (await get('web')).status?.conditions?.find(c => c.type === 'Progressing')?.reason === 'ProgressDeadlineExceeded', 90_000)
  const d = await get('web')
  const progressing = d.status?.conditions?.find(c => c.type === 'Progressing')
  expect({ available: d.status?.availableReplicas, status: progressing?.status, message: progressing?.message?.replace(/"web-[a-z0-9]+"/, '"RS"') }).toEqual({
    available: 3,
    status: 'False',
    message: 'ReplicaSet "RS" has timed out progressing.',
  })
})

test('scaling changes the pods and writes the events of Kubernetes', async () => {
  cluster = await testCluster({ nodes: 1 })
  await cluster.client.resource(deployments).create(deployment('web', { replicas: 2 }))
  await cluster.until('rolled out', () => isRolledOut('web'))
  for (const replicas of [5, 1]) {
    await cluster.client.resource(deployments).patch('web', 'merge', { spec: { replicas } }, { namespace: 'default' })
    await cluster.until(`scaled to ${replicas}`, () => isRolledOut('web'))
  }
  await cluster.until('pods gone', async () => (await cluster.list<Pod>(pods, 'default')).length === 1)
  const scaling = (await cluster.list<Event>(events, 'default')).filter(e => e.reason === 'ScalingReplicaSet').map(e => e.message?.replace(/web-[a-z0-9]+/, 'RS'))
  expect(scaling.sort()).toEqual(['Scaled down replica set RS from 5 to 1', 'Scaled up replica set RS from 0 to 2', 'Scaled up replica set RS from 2 to 5'])
})

test('Recreate removes all old pods before the first new one starts', async () => {
  cluster = await testCluster({ nodes: 1 })
  await cluster.client.resource(deployments).create(deployment('web', { strategy: { type: 'Recreate' } }))
  await cluster.until('first rollout', () => isRolledOut('web'))
  await setImage('web', 'web:2')
  let mixed = false
  await cluster.until('second rollout', async () => {
    const images = new Set((await cluster.list<Pod>(pods, 'default')).map(p => p.spec?.containers[0]?.image))
    mixed ||= images.size > 1
    return isRolledOut('web')
  })
  expect(mixed).toBe(false)
})

test('a paused deployment holds its rollout and says so; old replica sets beyond the limit go', async () => {
  cluster = await testCluster({ nodes: 1 })
  await cluster.client.resource(deployments).create(deployment('web', { revisionHistoryLimit: 1, progressDeadlineSeconds: 600 }))
  for (const n of [1, 2, 3, 4]) {
    await setImage('web', `web:${n}`)
    await cluster.until(`rollout ${n}`, () => isRolledOut('web'))
  }
  await cluster.until('history cut', async () => (await cluster.list(replicaSets, 'default')).length === 2)
  await cluster.client.resource(deployments).patch('web', 'merge', { spec: { paused: true } }, { namespace: 'default' })
  await setImage('web', 'web:5')
  await cluster.until('paused', async () => (await get('web')).status?.conditions?.some(c => c.reason === 'DeploymentPaused') === true)
  await cluster.env.advance(10_000)
  expect({ images: [...new Set((await cluster.list<Pod>(pods, 'default')).map(p => p.spec?.containers[0]?.image))] }).toEqual({ images: ['web:4'] })
})

test('deleting a deployment takes its replica sets and pods; orphaning keeps them', async () => {
  cluster = await testCluster({ nodes: 1 })
  for (const name of ['gone', 'kept']) await cluster.client.resource(deployments).create(deployment(name, { replicas: 2 }))
  await cluster.until('rolled out', async () => (await isRolledOut('gone')) && (await isRolledOut('kept')))
  await cluster.client.resource(deployments).delete('gone', { namespace: 'default', propagationPolicy: 'Foreground' })
  await cluster.client.resource(deployments).delete('kept', { namespace: 'default', propagationPolicy: 'Orphan' })
  await cluster.until(
    'collected',
    async () => (await cluster.list(deployments, 'default')).length === 0 && (await cluster.list<Pod>(pods, 'default')).every(p => p.metadata.labels?.['app'] === 'kept'),
  )
  await cluster.env.advance(5000)
  const sets = await cluster.list<ReplicaSet>(replicaSets, 'default')
  expect({ pods: (await cluster.list(pods, 'default')).length, sets: sets.map(rs => rs.metadata.ownerReferences ?? []) }).toEqual({ pods: 2, sets: [[]] })
})
