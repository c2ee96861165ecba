/** /metrics: upstream's names, labels as they are upstream, a text that every scraper reads. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createControlPlane, type ControlPlane } from '../../../src-main/control-plane/control-plane.ts'
import { nodeEnv } from '../../../src-main/base/node/node-env.ts'
import { memoryStore } from '../../../src-main/store/memory/memory-store.ts'
import { testServer, readEvents } from '../apiserver/cluster.ts'

let dataDir: string
let controlPlane: ControlPlane
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'quarterdeck-metrics-'))
  const env = nodeEnv({ level: 'error' })
  controlPlane = await createControlPlane({ env, dataDir, store: memoryStore(env), runControllers: false })
  await controlPlane.start()
})
afterEach(async () => {
  await controlPlane.stop()
  await rm(dataDir, { recursive: true, force: true })
})

const admin = { name: 'root', groups: ['system:masters', 'system:authenticated'] }
async function get(url: string): Promise<string> {
  const { body } = await controlPlane.handle({ method: 'GET', url, headers: {}, user: admin })
  return body.kind === 'bytes' ? Buffer.concat(body.chunks).toString() : ''
}

const line = /^[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_][a-zA-Z0-9_]*="(\\.|[^"\\\n])*"(,|(?=\})))*\})? -?[0-9.e+-]+$/

test('every line is of the text format, and no series comes twice', async () => {
  await get('/api/v1/namespaces?limit=1')
  const lines = (await get('/metrics')).trim().split('\n')
  const samples = lines.filter(one => !one.startsWith('#'))
  const names = samples.map(one => one.slice(0, one.lastIndexOf(' ')))
  const declared = lines.filter(one => one.startsWith('# TYPE')).map(one => one.split(' ')[2])
  expect({
    wrong: samples.filter(one => !line.test(one)),
    twice: names.filter((name, i) => names.indexOf(name) !== i),
    declaredTwice: declared.filter((name, i) => declared.indexOf(name) !== i),
  }).toEqual({
    wrong: [],
    twice: [],
    declaredTwice: [],
  })
})

test('requests, storage, flow control and the process have the names that dashboards ask for', async () => {
  await get('/api/v1/namespaces')
  await get('/api/v1/namespaces/none')
  const text = await get('/metrics')
  for (const wanted of [
    /^apiserver_request_total\{verb="LIST",group="",version="v1",resource="namespaces",subresource="",scope="cluster",component="apiserver",dry_run="",code="200"\} \d+$/m,
    /^apiserver_request_total\{verb="GET",group="",version="v1",resource="namespaces",subresource="",scope="resource",component="apiserver",dry_run="",code="404"\} 1$/m,
    /^apiserver_request_duration_seconds_bucket\{verb="LIST",.*le="\+Inf"\} \d+$/m,
    /^apiserver_response_sizes_count\{verb="LIST",.*resource="namespaces"/m,
    /^apiserver_current_inflight_requests\{request_kind="readOnly"\} 1$/m,
    /^apiserver_storage_objects\{resource="namespaces"\} 4$/m,
    /^apiserver_resource_objects\{group="rbac.authorization.k8s.io",resource="clusterroles"\} \d+$/m,
    /^apiserver_admission_step_admission_duration_seconds_count\{type="admit",operation="CREATE",rejected="false"\} \d+$/m,
    /^authentication_attempts\{result="success"\} \d+$/m,
    /^authorization_attempts_total\{result="allowed"\} \d+$/m,
    /^apiserver_flowcontrol_nominal_limit_seats\{priority_level="catch-all"\} \d+$/m,
    /^process_resident_memory_bytes \d+$/m,
    /^kubernetes_build_info\{major="1",minor="37",git_version="v1\.37/m,
  ])
    expect(text).toMatch(wanted)
})

test('health checks are levels of service too', async () => {
  await get('/metrics/slis')
  const text = await get('/metrics/slis')
  expect(text).toContain('kubernetes_healthcheck{name="ping",type="livez"} 1')
  expect(text).toContain('kubernetes_healthchecks_total{name="ping",status="success",type="readyz"} 2')
})

test('watches are counted while they are open, with what they are sent', async () => {
  const server = testServer()
  await server.create('/api/v1/namespaces', { metadata: { name: 'a' } })
  const answer = await server.call('GET', '/api/v1/namespaces?watch=true')
  const figures = server.server.metrics.watches({ group: '', version: 'v1', plural: 'namespaces' })
  const before = { ...figures }
  await readEvents(answer, 1)
  expect({ open: before.open, after: figures.open, events: figures.events, bytes: figures.bytes > 50 }).toEqual({ open: 1, after: 0, events: 1, bytes: true })
})

test('verbs are named as upstream names them', async () => {
  const server = testServer()
  await server.create('/api/v1/namespaces', { metadata: { name: 'a' } })
  await server.call(
    'PATCH',
    '/api/v1/namespaces/a?fieldManager=m',
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' } },
    { 'content-type': 'application/apply-patch+yaml' },
  )
  await server.merge('/api/v1/namespaces/a?dryRun=All', { metadata: { labels: { x: 'y' } } })
  const text = server.server.metrics.print().join('\n')
  expect(text).toMatch(/apiserver_request_total\{verb="POST",.*code="201"\} 1/)
  expect(text).toMatch(/apiserver_request_total\{verb="APPLY",.*code="200"\} 1/)
  expect(text).toMatch(/apiserver_request_total\{verb="PATCH",.*dry_run="All",code="200"\} 1/)
})
