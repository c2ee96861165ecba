/** Labels that clients choose make no series without end. */
import { expect, test } from 'vitest'
import { createRequestMetrics, type RequestLabels } from '../../../src-main/apiserver/endpoints/request-metrics.ts'
import { testServer } from '../apiserver/cluster.ts'

test('methods and subresources that nothing knows are counted as others', async () => {
  const { server } = testServer()
  const user = { name: 'root', groups: ['system:masters'] }
  for (const method of ['BREW', 'STIR']) await server.handle({ method, url: '/nothing', headers: {}, user })
  for (const part of ['x1', 'x2', 'status']) await server.handle({ method: 'GET', url: `/api/v1/namespaces/a/pods/p/${part}`, headers: {}, user })
  const lines = server.metrics.print().filter(line => line.startsWith('apiserver_request_total{'))
  expect(lines.join('\n')).not.toMatch(/BREW|STIR|x1|x2/)
  expect(lines.filter(line => line.includes('verb="OTHER"'))).toHaveLength(1)
  expect(lines.map(line => /subresource="(\w+)"/.exec(line)?.[1]).filter(Boolean)).toEqual(['other', 'status'])
})

test('beyond the bound there is one more series, whatever is asked', () => {
  const metrics = createRequestMetrics()
  const labels: RequestLabels = { verb: 'GET', group: '', version: 'v1', resource: 'other', subresource: '', scope: '', code: 200, dryRun: false }
  for (let i = 0; i < 3_000; i++) metrics.observe({ ...labels, version: `v${i}` }, 0.1, undefined)
  const lines = metrics.print().filter(line => line.startsWith('apiserver_request_total{'))
  expect(lines).toHaveLength(2_001)
  expect(lines.at(-1)).toMatch(/verb="OTHER".* 1000$/)
})
