import { afterEach, expect, test } from 'vitest'
import type { Deployment } from '../../../src-main/api/generated/apps-v1.ts'
import type { Job } from '../../../src-main/api/generated/batch-v1.ts'
import type { Node, Pod } from '../../../src-main/api/generated/core-v1.ts'
import { deployments, jobs, leases, nodes, pods } from '../../../src-main/api/resources.ts'
import { createInformerFactory } from '../../../src-main/client/informers.ts'
import { nextStage, statusAt } from '../../../src-main/simulated-nodes/pod-stage.ts'
import { defaultSettings, readSettings } from '../../../src-main/simulated-nodes/settings.ts'
import { createSimulatedNodes } from '../../../src-main/simulated-nodes/simulated-nodes.ts'
import type { SimulationSettings } from '../../../src-main/simulated-nodes/settings.ts'
import { testCluster } from '../../support/cluster.ts'
import type { TestCluster } from '../../support/cluster.ts'

let cluster: TestCluster | undefined
let end: () => Promise<void> = () => Promise.resolve()
afterEach(async () => {
  await end()
  await cluster?.stop()
})

async function simulated(count: number, settings?: SimulationSettings): Promise<TestCluster> {
  const made = await testCluster()
  cluster = made
  const informers = createInformerFactory({ client: made.client, env: made.env })
  const simulation = createSimulatedNodes({
    env: made.env,
    client: made.client,
    informers,
    clientOf: () => made.client,
    count,
    kubernetesVersion: 'v1.37.2',
    ...(settings ? { settings } : {}),
  })
  await simulation.start()
  end = async () => {
    await simulation.stop()
    informers.stop()
  }
  return made
}

const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'i' }] } }
const podsOf = async (on: TestCluster): Promise<Pod[]> => on.list<Pod>(pods, 'default')

test('a deployment runs on simulated nodes and goes away again', async () => {
  const on = await simulated(4)
  const web: Deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'default' },
    spec: { replicas: 8, selector: { matchLabels: { app: 'web' } }, template },
  }
  await on.client.resource(deployments).create(web)
  await on.until('ready', async () => (await on.client.resource(deployments).get('web', { namespace: 'default' })).status?.readyReplicas === 8)
  const running = await podsOf(on)
  const addresses = new Set(running.map(pod => pod.status?.podIP))
  const homes = new Set(running.map(pod => pod.spec?.nodeName))
  await on.client.resource(deployments).patch('web', 'merge', { spec: { replicas: 0 } }, { namespace: 'default' })
  await on.until('gone', async () => (await podsOf(on)).length === 0)
  expect({ addresses: addresses.size, homes: homes.size }).toEqual({ addresses: 8, homes: 4 })
})

test('pods of jobs complete by themselves', async () => {
  const on = await simulated(1)
  const job: Job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'sum', namespace: 'default' },
    spec: { completions: 3, parallelism: 3, template: { spec: { ...template.spec, restartPolicy: 'Never' } } },
  }
  await on.client.resource(jobs).create(job)
  await on.until('complete', async () => (await on.client.resource(jobs).get('sum', { namespace: 'default' })).status?.succeeded === 3)
})

test('nodes stay ready for as long as their leases are renewed', async () => {
  const on = await simulated(3)
  for (let minute = 0; minute < 3; minute++) await on.env.advance(60_000)
  const ready = (await on.list<Node>(nodes, '')).map(node => node.status?.conditions?.find(condition => condition.type === 'Ready')?.status)
  const renewed = (await on.client.resource(leases).list({ namespace: 'kube-node-lease' })).items.map(
    lease => on.env.clock.now() - Date.parse(lease.spec?.renewTime ?? '') <= 11_000,
  )
  expect({ ready, renewed }).toEqual({ ready: ['True', 'True', 'True'], renewed: [true, true, true] })
})

test('a stage comes after its delay, the first one that fits', () => {
  const { stages } = readSettings(`
stages:
  - { name: remove, when: { deleted: true }, delayMs: 5, then: { gone: true } }
  - { name: crash, when: { phase: Running, labels: { app: flaky } }, delayMs: 10, then: { phase: Failed, reason: OOMKilled, exitCode: 137 } }
  - { name: start, when: { phase: Pending }, delayMs: 1, then: { phase: Running } }
`)
  const pod = (phase: string, app: string, deletionTimestamp?: string): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', uid: 'u', labels: { app }, ...(deletionTimestamp ? { deletionTimestamp } : {}) },
    spec: { containers: [{ name: 'c', image: 'i' }] },
    status: { phase },
  })
  const names = [pod('Pending', 'flaky'), pod('Running', 'flaky'), pod('Running', 'calm'), pod('Running', 'calm', '2026-01-01T00:00:00Z')].map(
    each => nextStage(each, stages)?.name,
  )
  const crashed = statusAt(pod('Running', 'flaky'), { phase: 'Failed', reason: 'OOMKilled', exitCode: 137 }, { now: 0, podIP: '1.2.3.4', hostIP: '5.6.7.8' })
  expect({
    names,
    phase: crashed.phase,
    ended: crashed.containerStatuses?.[0]?.state?.terminated?.exitCode,
    ready: crashed.conditions?.find(each => each.type === 'Ready')?.status,
  }).toEqual({
    names: ['start', 'crash', undefined, 'remove'],
    phase: 'Failed',
    ended: 137,
    ready: 'False',
  })
})

test.each([
  ['nodes: { cpus: 4 }', 'nodes has no field "cpus"; it may have cpu, memory, pods, zones, labels'],
  ['nodes: { pods: -1 }', 'nodes.pods must be a whole number from 0'],
  ['stages: {}', 'stages must be a list'],
  ['stages: [{ name: a, when: {}, then: { phase: Sleeping } }]', 'stages[0].then.phase must be one of Running, Succeeded, Failed'],
  ['[]', 'the file must be an object'],
])('%s is refused with its place', (text, message) => {
  expect(() => readSettings(text)).toThrow(message)
})

test('an empty file is the default', () => {
  expect(readSettings('')).toEqual(defaultSettings)
})
