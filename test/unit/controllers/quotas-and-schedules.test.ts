import { afterEach, expect, test } from 'vitest'
import type { CronJob, Job } from '../../../src-main/api/generated/batch-v1.ts'
import type { Endpoints, Pod, ReplicationController, ResourceQuota, Service } from '../../../src-main/api/generated/core-v1.ts'
import type { EndpointSlice } from '../../../src-main/api/generated/discovery-v1.ts'
import { cronJobs, endpointSlices, endpoints, jobs, pods, replicationControllers, resourceQuotas, services } from '../../../src-main/api/resources.ts'
import { dueTime, jobName } from '../../../src-main/controllers/cronjob/plan.ts'
import { testCluster } from '../../support/cluster.ts'
import type { TestCluster } from '../../support/cluster.ts'

let cluster: TestCluster | undefined
afterEach(async () => {
  await cluster?.stop()
  cluster = undefined
})

const namespace = 'default'
const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'c', image: 'runs' }] } }

test('a replication controller within a quota makes what fits, says what does not, and the quota shows its use', async () => {
  cluster = await testCluster({ nodes: 1 })
  const { client } = cluster
  const quota: ResourceQuota = {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'q', namespace },
    spec: { hard: { pods: '2', replicationcontrollers: '5', 'count/replicasets.apps': '1' } },
  }
  await client.resource(resourceQuotas).create(quota)
  const rc: ReplicationController = {
    apiVersion: 'v1',
    kind: 'ReplicationController',
    metadata: { name: 'rc', namespace },
    spec: { replicas: 3, selector: { app: 'a' }, template },
  }
  await client.resource(replicationControllers).create(rc)
  const read = (): Promise<ReplicationController> => client.resource(replicationControllers).get('rc', { namespace })
  await cluster.until('refused', async () => (await read()).status?.conditions?.some(c => c.type === 'ReplicaFailure' && c.reason === 'FailedCreate') ?? false)
  await cluster.until('used', async () => (await client.resource(resourceQuotas).get('q', { namespace })).status?.used?.['pods'] === '2')
  expect((await client.resource(resourceQuotas).get('q', { namespace })).status).toEqual({
    hard: quota.spec?.hard,
    used: { pods: '2', replicationcontrollers: '1', 'count/replicasets.apps': '0' },
  })
  expect((await cluster.list<Pod>(pods, namespace)).length).toBe(2)
  await client.resource(replicationControllers).update({ ...(await read()), spec: { ...rc.spec, replicas: 1 } })
  await cluster.until('scaled down', async () => (await read()).status?.replicas === 1 && !(await read()).status?.conditions?.length)
})

test('a cron job starts a job each minute and forbids a second one', async () => {
  cluster = await testCluster({ nodes: 1 })
  const { client } = cluster
  const cronJob: CronJob = {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'tick', namespace },
    spec: {
      schedule: '* * * * *',
      concurrencyPolicy: 'Forbid',
      jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'runs' }] } } } },
    },
  }
  await client.resource(cronJobs).create(cronJob)
  const made = (): Promise<Job[]> => cluster?.list<Job>(jobs, namespace) ?? Promise.resolve([])
  await cluster.until('first', async () => (await made()).length === 1, 90_000)
  await cluster.env.advance(150_000)
  const live = await client.resource(cronJobs).get('tick', { namespace })
  expect({ jobs: (await made()).length, active: live.status?.active?.map(reference => reference.kind) }).toEqual({ jobs: 1, active: ['Job'] })
})

test('the newest missed time of a schedule is due', () => {
  const at = (text: string): number => Date.parse(text)
  const cronJob: CronJob = {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'c', creationTimestamp: '2026-01-01T00:00:30Z' },
    spec: { schedule: '*/5 * * * *', jobTemplate: {} },
  }
  expect(dueTime(cronJob, at('2026-01-01T00:04:00Z'))).toEqual({ dueMs: undefined, nextMs: at('2026-01-01T00:05:00Z'), tooMany: false })
  expect(dueTime(cronJob, at('2026-01-01T00:16:00Z'))).toEqual({ dueMs: at('2026-01-01T00:15:00Z'), nextMs: at('2026-01-01T00:20:00Z'), tooMany: false })
  expect(dueTime(cronJob, at('2026-01-03T00:01:00Z'))).toMatchObject({ dueMs: at('2026-01-03T00:00:00Z'), tooMany: true })
  expect(jobName(cronJob, at('2026-01-01T00:15:00Z'))).toBe('c-29453775')
})

test('endpoints without a selector are mirrored, and the mirror follows', async () => {
  cluster = await testCluster({ nodes: 0 })
  const { client } = cluster
  const service: Service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'outside', namespace }, spec: { ports: [{ name: 'web', port: 80 }] } }
  await client.resource(services).create(service)
  const source: Endpoints = {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: 'outside', namespace },
    subsets: [{ addresses: [{ ip: '10.1.2.3' }], notReadyAddresses: [{ ip: '10.1.2.4' }], ports: [{ name: 'web', port: 80 }] }],
  }
  const made = await client.resource(endpoints).create(source)
  const slices = (): Promise<EndpointSlice[]> => cluster?.list<EndpointSlice>(endpointSlices, namespace) ?? Promise.resolve([])
  await cluster.until('mirrored', async () => (await slices()).length === 1)
  expect((await slices())[0]?.endpoints?.map(e => [e.addresses, e.conditions?.ready])).toEqual([
    [['10.1.2.3'], true],
    [['10.1.2.4'], false],
  ])
  await client.resource(endpoints).update({ ...made, subsets: [{ addresses: [{ ip: '10.1.2.9' }], ports: [{ name: 'web', port: 80 }] }] })
  await cluster.until('followed', async () => (await slices())[0]?.endpoints?.[0]?.addresses[0] === '10.1.2.9')
  await client.resource(endpoints).delete('outside', { namespace })
  await cluster.until('gone', async () => (await slices()).length === 0)
})
