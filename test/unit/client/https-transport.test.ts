import { afterEach, expect, test } from 'vitest'
import type { ConfigMap } from '../../../src-main/api/generated/core-v1.ts'
import type { WatchEvent } from '../../../src-main/api/meta.ts'
import { configMaps } from '../../../src-main/api/resources.ts'
import { isAlreadyExists } from '../../../src-main/api/status-error.ts'
import { serveHttps } from '../../../src-main/apiserver/serve.ts'
import { nodeEnv } from '../../../src-main/base/node/node-env.ts'
import { httpsTransport } from '../../../src-main/client/node/https-transport.ts'
import { createClient } from '../../../src-main/client/typed-client.ts'
import { createAuthority, issueLeaf } from '../../../src-main/control-plane/pki/x509.ts'
import { testCluster } from '../../support/cluster.ts'
import type { TestCluster } from '../../support/cluster.ts'

let cluster: TestCluster
const stops: (() => unknown)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
  await cluster.stop()
})

const map = (name: string): ConfigMap => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data: { text: 'käse €' } })

async function served(): Promise<{ server: string; ca: string; tokens: string[] }> {
  cluster = await testCluster({ controllers: false })
  const day = 24 * 3_600_000
  const authority = await createAuthority('test', Date.now() - day, Date.now() + day)
  const leaf = await issueLeaf(authority, { commonName: 'server', ipAddresses: ['127.0.0.1'], usages: ['serverAuth'], notBeforeMs: Date.now() - day, notAfterMs: Date.now() + day })
  const tokens: string[] = []
  const handle: Parameters<typeof serveHttps>[0]['handle'] = request => {
    tokens.push(request.headers['authorization'] ?? '')
    return cluster.client.raw({ ...request, answer: 'bytes' })
  }
  const port = await serveHttps({ env: nodeEnv({ level: 'error' }), handle, upgrade: () => Promise.resolve(), certificate: leaf.certificate, privateKey: leaf.privateKey, port: 0 })
  stops.push(() => port.stop(10))
  return { server: `https://127.0.0.1:${port.port}`, ca: authority.certificate, tokens }
}

test('the client works over TLS: writes, errors, and a watch that streams', async () => {
  const { server, ca, tokens } = await served()
  const transport = httpsTransport({ server, ca, token: () => 'secret' })
  stops.push(() => {
    transport.close()
  })
  const client = createClient(transport).resource(configMaps)
  const list = await client.list({ namespace: 'default' })
  const stopping = new AbortController()
  const seen: WatchEvent<ConfigMap>[] = []
  const watching = (async () => {
    for await (const event of client.watch({ namespace: 'default', resourceVersion: list.metadata.resourceVersion ?? '', signal: stopping.signal })) {
      seen.push(event)
      if (seen.length === 2) return
    }
  })()
  const made = await client.create(map('a'))
  const again = await client.create(map('a')).catch((fault: unknown) => fault)
  await client.delete('a', { namespace: 'default' })
  await watching
  stopping.abort()
  expect({ text: made.data, again: isAlreadyExists(again), seen: seen.map(e => [e.type, e.object.metadata.name]), token: tokens.every(t => t === 'Bearer secret') }).toEqual({
    text: { text: 'käse €' },
    again: true,
    seen: [
      ['ADDED', 'a'],
      ['DELETED', 'a'],
    ],
    token: true,
  })
})

test('a server of another authority is refused, and so is one that is not there', async () => {
  const { server } = await served()
  const other = await createAuthority('other', Date.now() - 1000, Date.now() + 60_000)
  const faults = await Promise.all(
    [
      { server, ca: other.certificate },
      { server: 'https://127.0.0.1:1', ca: other.certificate },
    ].map(async options => {
      const transport = httpsTransport(options)
      stops.push(() => {
        transport.close()
      })
      return createClient(transport)
        .resource(configMaps)
        .list()
        .then(
          () => 'answered',
          () => 'refused',
        )
    }),
  )
  expect(faults).toEqual(['refused', 'refused'])
})

test('an aborted watch ends at once', async () => {
  const { server, ca } = await served()
  const transport = httpsTransport({ server, ca })
  stops.push(() => {
    transport.close()
  })
  const stopping = new AbortController()
  const watching = (async () => {
    for await (const event of createClient(transport).resource(configMaps).watch({ namespace: 'default', signal: stopping.signal })) void event
  })().then(
    () => 'ended',
    () => 'ended',
  )
  await new Promise(resolve => {
    setTimeout(resolve, 100)
  })
  stopping.abort()
  expect(await watching).toBe('ended')
})
