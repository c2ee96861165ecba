import { afterEach, expect, test } from 'vitest'
import type { Job, JobSpec } from '../../../src-main/api/generated/batch-v1.ts'
import type { Pod } from '../../../src-main/api/generated/core-v1.ts'
import { jobs, pods } from '../../../src-main/api/resources.ts'
import { completedIndexes, formatIndexes } from '../../../src-main/controllers/job/plan.ts'
import { testCluster } from '../../support/cluster.ts'
import type { TestCluster } from '../../support/cluster.ts'

let cluster: TestCluster | undefined
afterEach(async () => {
  await cluster?.stop()
  cluster = undefined
})

async function start(spec: Partial<JobSpec>, image = 'exit-0'): Promise<TestCluster> {
  const made = await testCluster({ nodes: 1 })
  cluster = made
  await made.client.resource(jobs).create({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'work', namespace: 'default' },
    spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image }] } }, ...spec },
  })
  return made
}
const get = (c: TestCluster): Promise<Job> => c.client.resource(jobs).get('work', { namespace: 'default' })
const truths = (job: Job): string[] =>
  (job.status?.conditions ?? [])
    .filter(c => c.status === 'True')
    .map(c => `${c.type} ${c.reason ?? ''}`)
    .sort()

test('a job runs as many pods at once as it may and completes', async () => {
  const c = await start({ completions: 5, parallelism: 2 })
  let most = 0
  await c.until('complete', async () => {
    most = Math.max(most, (await c.list<Pod>(pods, 'default')).filter(p => p.status?.phase !== 'Succeeded').length)
    return truths(await get(c)).includes('Complete CompletionsReached')
  })
  const job = await get(c)
  await c.env.advance(2000)
  expect({
    most,
    succeeded: job.status?.succeeded,
    active: job.status?.active,
    tracked: (await c.list<Pod>(pods, 'default')).filter(p => p.metadata.finalizers).length,
    conditions: truths(job),
  }).toEqual({ most: 2, succeeded: 5, active: undefined, tracked: 0, conditions: ['Complete CompletionsReached', 'SuccessCriteriaMet CompletionsReached'] })
})

test('a job that keeps failing gives up at its limit', async () => {
  const c = await start({ backoffLimit: 2 }, 'exit-1')
  await c.until('failed', async () => truths(await get(c)).includes('Failed BackoffLimitExceeded'), 300_000)
  expect({ failed: (await get(c)).status?.failed, conditions: truths(await get(c)) }).toEqual({
    failed: 3,
    conditions: ['Failed BackoffLimitExceeded', 'FailureTarget BackoffLimitExceeded'],
  })
})

test('each index of an indexed job succeeds once', async () => {
  const c = await start({ completions: 4, parallelism: 3, completionMode: 'Indexed' })
  await c.until('complete', async () => truths(await get(c)).includes('Complete CompletionsReached'))
  const names = (await c.list<Pod>(pods, 'default')).map(p => p.metadata.name?.replace(/-[a-z0-9]{5}$/, '')).sort()
  expect({ completed: (await get(c)).status?.completedIndexes, names }).toEqual({ completed: '0-3', names: ['work-0', 'work-1', 'work-2', 'work-3'] })
})

test('a finished job goes with its pods after its time to live', async () => {
  const c = await start({ ttlSecondsAfterFinished: 30 })
  await c.until('complete', async () => truths(await get(c)).includes('Complete CompletionsReached'))
  await c.until('gone', async () => (await c.list(jobs, 'default')).length === 0 && (await c.list(pods, 'default')).length === 0)
})

test('a deadline ends a job that runs too long', async () => {
  const c = await start({ activeDeadlineSeconds: 20 }, 'forever')
  await c.until('failed', async () => truths(await get(c)).includes('Failed DeadlineExceeded'))
})

test.each([['0-3,5'], ['0'], [''], ['1,2'], ['0,1,4-7']])('completed indexes %s are read and written', text => {
  const job: Job = { apiVersion: 'batch/v1', kind: 'Job', metadata: {}, status: { completedIndexes: text } }
  expect(formatIndexes(completedIndexes(job))).toBe(text)
})

test('an indexed job is done as soon as its success policy is met', async () => {
  const c = await start({ completionMode: 'Indexed', completions: 4, parallelism: 1, successPolicy: { rules: [{ succeededIndexes: '0-2', succeededCount: 2 }] } })
  await c.until('complete', async () => truths(await get(c)).includes('Complete SuccessPolicy'))
  expect({ done: (await get(c)).status?.completedIndexes, conditions: truths(await get(c)) }).toEqual({
    done: '0,1',
    conditions: ['Complete SuccessPolicy', 'SuccessCriteriaMet SuccessPolicy'],
  })
})

test('indexes fail one by one within their own limit', async () => {
  const c = await start({ completionMode: 'Indexed', completions: 2, parallelism: 2, backoffLimit: 100, backoffLimitPerIndex: 1 }, 'exit-1')
  await c.until('failed', async () => truths(await get(c)).includes('Failed FailedIndexes'), 300_000)
  expect({ failed: (await get(c)).status?.failed, indexes: (await get(c)).status?.failedIndexes }).toEqual({ failed: 4, indexes: '0,1' })
})

test('an exit code may fail the whole job at once', async () => {
  const rules = [{ action: 'FailJob', onExitCodes: { operator: 'In', values: [1] } }]
  const c = await start({ backoffLimit: 6, podFailurePolicy: { rules } }, 'exit-1')
  await c.until('failed', async () => truths(await get(c)).includes('Failed PodFailurePolicy'))
  expect((await get(c)).status?.failed).toBe(1)
})

test('a job ends although the clock was set back before its start', async () => {
  const c = await start({})
  await c.until('started', async () => (await get(c)).status?.startTime !== undefined)
  c.env.jump(-24 * 3_600_000)
  await c.until('complete', async () => truths(await get(c)).includes('Complete CompletionsReached'))
  const { startTime, completionTime } = (await get(c)).status ?? {}
  expect(completionTime).toBe(startTime)
})

test('a failed pod is replaced after its back-off although the clock was set back', async () => {
  const c = await start({ backoffLimit: 1 }, 'exit-1')
  await c.until('failed once', async () => (await get(c)).status?.failed === 1)
  c.env.jump(-24 * 3_600_000)
  await c.until('gave up', async () => truths(await get(c)).includes('Failed BackoffLimitExceeded'), 120_000)
})

test('a job that others manage is left alone', async () => {
  const c = await start({ managedBy: 'example.com/queue' })
  await c.env.advance(20_000)
  expect([(await get(c)).status ?? {}, (await c.list<Pod>(pods, 'default')).length]).toEqual([{}, 0])
})

test('a pod that its deleted job left behind can be deleted', async () => {
  const c = await start({}, 'app:1')
  await c.until('runs', async () => (await c.list<Pod>(pods, 'default'))[0]?.status?.phase === 'Running')
  await c.client.resource(jobs).delete('work', { namespace: 'default', propagationPolicy: 'Orphan' })
  await c.until('left behind', async () => (await c.list(jobs, 'default')).length === 0)
  const [left] = await c.list<Pod>(pods, 'default')
  expect(left?.metadata.ownerReferences ?? []).toEqual([])
  await c.client.resource(pods).delete(left?.metadata.name ?? '', { namespace: 'default' })
  await c.until('gone', async () => (await c.list(pods, 'default')).length === 0)
})
