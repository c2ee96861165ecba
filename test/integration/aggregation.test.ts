/** API servers behind APIServices: who they are told asks, what they serve, and what happens when they are gone. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { availableCondition } from '../../src-main/api/apiregistration/v1/api-service.ts'
import { apiServices, services } from '../../src-main/api/resources.ts'
import type { Client } from '../../src-main/client/client.ts'
import { startHttpsServer, type HttpsServer } from '../support/https-server.ts'
import { eventually, startControlPlane, type RunningControlPlane } from '../support/running-control-plane.ts'

let running: RunningControlPlane
let server: HttpsServer
let admin: Client
const seen: { method: string; url: string; headers: IncomingMessage['headers']; rawHeaders: string[]; body: string }[] = []
const root = '/apis/wardle.example.com/v1alpha1'

const resourceList = {
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion: 'wardle.example.com/v1alpha1',
  resources: [
    { name: 'flunders', singularName: 'flunder', namespaced: true, kind: 'Flunder', verbs: ['get', 'list'], shortNames: ['fl'] },
    { name: 'flunders/status', singularName: '', namespaced: true, kind: 'Flunder', verbs: ['get'] },
  ],
}

function answer(request: IncomingMessage, body: string, response: ServerResponse): void {
  seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, rawHeaders: request.rawHeaders, body })
  response.setHeader('content-type', 'application/json')
  if (request.url === root) response.end(JSON.stringify(resourceList))
  else if (request.url?.startsWith('/openapi/v3')) response.end('{"openapi":"3.0.0","info":{"title":"wardle"}}')
  else if (request.method === 'POST') response.writeHead(201).end(body)
  else response.end(JSON.stringify({ kind: 'FlunderList', apiVersion: 'wardle.example.com/v1alpha1', metadata: {}, items: [] }))
}

beforeAll(async () => {
  running = await startControlPlane({ runControllers: false })
  admin = running.controlPlane.client(running.controlPlane.admin)
  server = await startHttpsServer(answer, {
    dnsNames: ['wardle.default.svc'],
    clientAuthority: running.controlPlane.keys.frontProxy.authority.certificate,
    upgrade: (_request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n')
      socket.pipe(socket)
    },
  })
  await admin
    .resource(services)
    .create({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'wardle', namespace: 'default' }, spec: { type: 'ExternalName', externalName: 'localhost' } })
  await admin.resource(apiServices).create({
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: 'v1alpha1.wardle.example.com' },
    spec: {
      group: 'wardle.example.com',
      version: 'v1alpha1',
      groupPriorityMinimum: 2000,
      versionPriority: 200,
      caBundle: server.caBundle,
      service: { name: 'wardle', namespace: 'default', port: server.port },
    },
  })
  await eventually(async () => (await condition()) === 'True' || undefined, 'the API service becomes available')
})

afterAll(async () => {
  await server.stop()
  await running.stop()
})

async function condition(): Promise<string | undefined> {
  return availableCondition(await admin.resource(apiServices).get('v1alpha1.wardle.example.com'))?.status
}

/** A request over TLS as the administrator. */
function call(method: string, path: string, headers: Record<string, string> = {}, body?: string): Promise<{ status: number; body: string; headers: IncomingMessage['headers'] }> {
  const { controlPlane } = running
  return new Promise((resolve, reject) => {
    const outgoing = httpsRequest(
      {
        host: '127.0.0.1',
        port: controlPlane.port,
        path,
        method,
        headers,
        ca: controlPlane.certificateAuthority,
        cert: controlPlane.keys.admin.certificate,
        key: controlPlane.keys.admin.privateKey,
        agent: false,
      },
      response => {
        const chunks: Buffer[] = []
        response.on('data', chunk => chunks.push(chunk as Buffer))
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString(), headers: response.headers })
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

describe('an aggregated API server', () => {
  test('gets requests with the identity of the user, and never with claims or credentials of the caller', async () => {
    seen.length = 0
    const { status, body } = await call('GET', `${root}/namespaces/default/flunders?limit=5`, {
      'x-remote-user': 'root',
      'x-remote-group': 'system:masters',
      cookie: 'secret',
      'impersonate-user': 'jane',
      'impersonate-group': 'system:masters',
      'impersonate-extra-acme.com%2Fscope': 'dev',
    })
    expect([status, JSON.parse(body)]).toEqual([200, expect.objectContaining({ kind: 'FlunderList' })])
    const [request] = seen
    expect(request?.url).toBe(`${root}/namespaces/default/flunders?limit=5`)
    expect(request?.headers).toMatchObject({ 'x-remote-user': 'jane', 'x-remote-extra-acme.com%2fscope': 'dev' })
    expect(request?.rawHeaders.filter((_, i, all) => all[i - 1]?.toLowerCase() === 'x-remote-group')).toEqual(['system:masters', 'system:authenticated'])
    expect(Object.keys(request?.headers ?? {}).filter(name => /^(cookie|authorization|impersonate)/.test(name))).toEqual([])
  })

  test('gets bodies as they came', async () => {
    const { status, body } = await call('POST', `${root}/namespaces/default/flunders`, { 'content-type': 'application/json' }, '{"kind":"Flunder", "odd":  1}')
    expect([status, body]).toEqual([201, '{"kind":"Flunder", "odd":  1}'])
  })

  test('is asked only for what the user may', async () => {
    seen.length = 0
    const { status } = await call('GET', `${root}/namespaces/default/flunders`, { 'impersonate-user': 'nobody' })
    expect([status, seen.length]).toEqual([403, 0])
  })

  test('stands in discovery of every form', async () => {
    const groups = JSON.parse((await call('GET', '/apis')).body) as { groups: { name: string; preferredVersion: { version: string } }[] }
    expect(groups.groups.find(group => group.name === 'wardle.example.com')?.preferredVersion.version).toBe('v1alpha1')
    expect(JSON.parse((await call('GET', '/apis/wardle.example.com')).body)).toMatchObject({ kind: 'APIGroup', name: 'wardle.example.com', versions: [{ version: 'v1alpha1' }] })
    expect(JSON.parse((await call('GET', root)).body)).toEqual(resourceList)
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json'
    const { items } = JSON.parse((await call('GET', '/apis', { accept })).body) as { items: { metadata: { name: string }; versions: object[] }[] }
    expect(items.find(item => item.metadata.name === 'wardle.example.com')?.versions).toEqual([
      {
        version: 'v1alpha1',
        freshness: 'Current',
        resources: [
          {
            resource: 'flunders',
            responseKind: { group: 'wardle.example.com', version: 'v1alpha1', kind: 'Flunder' },
            scope: 'Namespaced',
            singularResource: 'flunder',
            verbs: ['get', 'list'],
            shortNames: ['fl'],
            subresources: [{ subresource: 'status', responseKind: { group: 'wardle.example.com', version: 'v1alpha1', kind: 'Flunder' }, verbs: ['get'] }],
          },
        ],
      },
    ])
  })

  test('gives its own OpenAPI document, which the index names', async () => {
    const { paths } = JSON.parse((await call('GET', '/openapi/v3')).body) as { paths: Record<string, { serverRelativeURL: string }> }
    const url = paths['apis/wardle.example.com/v1alpha1']?.serverRelativeURL ?? ''
    expect(url).toMatch(/^\/openapi\/v3\/apis\/wardle.example.com\/v1alpha1\?hash=/)
    expect(JSON.parse((await call('GET', url)).body)).toMatchObject({ info: { title: 'wardle' } })
  })

  test('may switch protocols', async () => {
    const { controlPlane } = running
    const socket = connectTls({
      host: '127.0.0.1',
      port: controlPlane.port,
      ca: controlPlane.certificateAuthority,
      cert: controlPlane.keys.admin.certificate,
      key: controlPlane.keys.admin.privateKey,
    })
    const text = await new Promise<string>((resolve, reject) => {
      let got = ''
      socket.on('error', reject)
      socket.on('data', chunk => {
        got += String(chunk)
        if (got.includes('\r\n\r\n') && !got.includes('ping')) socket.write('ping')
        if (got.includes('ping')) resolve(got)
      })
      socket.write(`GET ${root}/namespaces/default/flunders/x/connect HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n`)
    })
    socket.destroy()
    expect(text).toMatch(/^HTTP\/1.1 101/)
  })

  test('is reported when it goes away, and its group answers 503', async () => {
    await server.stop()
    await admin.resource(apiServices).patch('v1alpha1.wardle.example.com', 'merge', { metadata: { labels: { poke: '1' } } })
    await eventually(async () => (await condition()) === 'False' || undefined, 'the API service becomes unavailable', 30_000)
    const service = await admin.resource(apiServices).get('v1alpha1.wardle.example.com')
    expect(availableCondition(service)).toMatchObject({ reason: 'FailedDiscoveryCheck' })
    expect((await call('GET', `${root}/namespaces/default/flunders`)).status).toBe(503)
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
    expect((await call('GET', '/apis', { accept })).body).toContain('"freshness":"Stale"')
    expect((await call('GET', '/apis/apps/v1')).status).toBe(200)
  })
})
