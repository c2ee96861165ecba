import { expect, test } from 'vitest'
import { testServer } from './cluster.ts'

test('a request that meets a closed store is told that the server ends, and no error is logged', async () => {
  const server = testServer()
  await server.create('/api/v1/namespaces/n/configmaps', { metadata: { name: 'a' } })
  await server.store.close()
  const read = await server.call('GET', '/api/v1/namespaces/n/configmaps/a')
  const write = await server.call('PUT', '/api/v1/namespaces/n/configmaps/a', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'n' } })
  expect([read.status, read.body.reason, write.status, server.env.lines.filter(line => line.level === 'error')]).toEqual([503, 'ServiceUnavailable', 503, []])
})
