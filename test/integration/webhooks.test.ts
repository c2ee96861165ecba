/** Admission webhooks by URL: what they may do, and that a broken or hostile one does no harm. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { MutatingWebhook, ValidatingWebhook } from '../../src-main/api/generated/admissionregistration-v1.ts'
import { isObject } from '../../src-main/api/json.ts'
import type { JsonObject } from '../../src-main/api/json.ts'
import { StatusError } from '../../src-main/api/status-error.ts'
import { configMaps, endpointSlices, mutatingWebhookConfigurations, services, validatingWebhookConfigurations } from '../../src-main/api/resources.ts'
import type { Client } from '../../src-main/client/client.ts'
import { openAddress } from '../../src-main/apiserver/subresources/service-connection.ts'
import type { ClusterKeys } from '../../src-main/control-plane/pki/pki.ts'
import { issueLeaf } from '../../src-main/control-plane/pki/x509.ts'
import { podProxyUpgrade } from '../../src-main/node-agent/server/pod-proxy.ts'
import type { RequestScope } from '../../src-main/node-agent/server/request-scope.ts'
import { startHttpsServer, type HttpsServer } from '../support/https-server.ts'
import { startControlPlane, type RunningControlPlane } from '../support/running-control-plane.ts'

let running: RunningControlPlane
let server: HttpsServer
let admin: Client
/** What the webhook was asked, path and request. */
const asked: { path: string; request: JsonObject }[] = []
let secret = 0

type Behaviour = (request: JsonObject, response: ServerResponse) => void

function review(request: JsonObject, response: object): string {
  return JSON.stringify({ kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', response: { uid: request['uid'], ...response } })
}
function patchOf(operations: readonly object[]): object {
  return { allowed: true, patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(operations)).toString('base64') }
}

const behaviours: Readonly<Record<string, Behaviour>> = {
  '/allow': (request, response) => response.end(review(request, { allowed: true, warnings: ['mind the gap'] })),
  '/deny': (request, response) => response.end(review(request, { allowed: false, status: { code: 418, message: 'no tea' } })),
  '/label': (request, response) => response.end(review(request, patchOf([{ op: 'add', path: '/metadata/labels', value: { seen: 'yes' } }]))),
  '/count': (request, response) => {
    const object = isObject(request['object']) ? request['object'] : {}
    const data = isObject(object['data']) ? object['data'] : {}
    response.end(review(request, patchOf([{ op: 'add', path: '/data', value: { ...data, count: String(Number(data['count'] ?? 0) + 1) } }])))
  },
  '/hang': () => {},
  '/drip': (_request, response) => {
    response.write('{')
  },
  '/garbage': (_request, response) => response.end('this is no JSON'),
  '/wrong-uid': (_request, response) => response.end(review({ uid: 'other' }, { allowed: true })),
  '/empty': (_request, response) => response.end('{}'),
  '/bad-patch': (request, response) => response.end(review(request, patchOf([{ op: 'remove', path: '/nothing/here' }]))),
  '/proto': (request, response) =>
    response.end(review(request, { allowed: true, patchType: 'JSONPatch', patch: Buffer.from('[{"op":"add","path":"/data/__proto__","value":"x"}]').toString('base64') })),
  '/error': (_request, response) => {
    response.statusCode = 500
    response.end('broken')
  },
  '/redirect': (_request, response) => {
    response.statusCode = 307
    response.setHeader('location', '/secret')
    response.end()
  },
  '/reset': (_request, response) => {
    response.socket?.destroy()
  },
}

function answer(incoming: IncomingMessage, body: string, response: ServerResponse): void {
  const path = (incoming.url ?? '').split('?')[0] ?? ''
  if (path === '/secret') secret++
  const parsed: unknown = JSON.parse(body)
  const request = isObject(parsed) && isObject(parsed['request']) ? parsed['request'] : {}
  asked.push({ path, request })
  response.setHeader('content-type', 'application/json')
  behaviours[path]?.(request, response)
}

beforeAll(async () => {
  running = await startControlPlane({ runControllers: false })
  admin = running.controlPlane.client(running.controlPlane.admin)
  server = await startHttpsServer(answer, { dnsNames: ['localhost'] })
})

afterEach(async () => {
  await admin.resource(validatingWebhookConfigurations).deleteCollection()
  await admin.resource(mutatingWebhookConfigurations).deleteCollection()
  asked.length = 0
})

afterAll(async () => {
  await server.stop()
  await running.stop()
})

/** The agent's server, with the real way to pods; every pod's address is loopback here. */
async function startAgent(keys: ClusterKeys): Promise<{ port: number; paths: string[]; stop(): Promise<void> }> {
  const now = Date.now()
  const leaf = await issueLeaf(keys.authority, {
    commonName: 'system:node:a',
    organizations: ['system:nodes'],
    usages: ['serverAuth'],
    notBeforeMs: now - 60_000,
    notAfterMs: now + 600_000,
  })
  const paths: string[] = []
  const scope = { kubelet: { worker: () => ({ status: { podIP: '127.0.0.1' } }) } } as unknown as RequestScope
  const agent = createServer({ cert: leaf.certificate, key: leaf.privateKey, ca: keys.authority.certificate, requestCert: true, rejectUnauthorized: true })
  agent.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    paths.push(request.url ?? '')
    podProxyUpgrade(scope, new URL(request.url ?? '', 'https://agent'), request, socket, head)
  })
  await new Promise<void>(resolve => {
    agent.listen(0, '127.0.0.1', resolve)
  })
  return {
    port: (agent.address() as AddressInfo).port,
    paths,
    stop: () =>
      new Promise(resolve => {
        agent.close(() => {
          resolve()
        })
      }),
  }
}

function webhook(path: string, more: Partial<ValidatingWebhook> = {}): ValidatingWebhook {
  return {
    name: `w${path.slice(1)}.example.com`,
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    timeoutSeconds: 2,
    clientConfig: { url: `https://127.0.0.1:${server.port}${path}`, caBundle: server.caBundle },
    rules: [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['CREATE', 'UPDATE'], resources: ['configmaps', 'validatingwebhookconfigurations'] }],
    ...more,
  }
}

async function validating(...webhooks: ValidatingWebhook[]): Promise<void> {
  await admin
    .resource(validatingWebhookConfigurations)
    .create({ apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingWebhookConfiguration', metadata: { generateName: 'v-' }, webhooks })
}
async function mutating(...webhooks: MutatingWebhook[]): Promise<void> {
  await admin
    .resource(mutatingWebhookConfigurations)
    .create({ apiVersion: 'admissionregistration.k8s.io/v1', kind: 'MutatingWebhookConfiguration', metadata: { generateName: 'm-' }, webhooks })
}

let names = 0
function create(options: { dryRun?: boolean } = {}): Promise<JsonObject> {
  return admin
    .resource(configMaps)
    .create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `c${++names}`, namespace: 'default' }, data: { a: 'b' } }, options) as Promise<unknown> as Promise<JsonObject>
}
async function refusalOf(run: () => Promise<unknown>): Promise<{ code: number; message: string }> {
  try {
    await run()
  } catch (fault) {
    if (fault instanceof StatusError) return { code: fault.code, message: fault.message }
    throw fault
  }
  return { code: 0, message: 'not refused' }
}

describe('webhooks that work', () => {
  test('one that denies refuses the request with its own code', async () => {
    await validating(webhook('/deny'))
    expect(await refusalOf(create)).toEqual({ code: 418, message: 'admission webhook "wdeny.example.com" denied the request: no tea' })
    expect(asked[0]?.request).toMatchObject({
      kind: { group: '', version: 'v1', kind: 'ConfigMap' },
      resource: { group: '', version: 'v1', resource: 'configmaps' },
      operation: 'CREATE',
      namespace: 'default',
      userInfo: { username: 'system:apiserver' },
      object: { kind: 'ConfigMap', data: { a: 'b' } },
      oldObject: null,
      dryRun: false,
    })
  })

  test('one that patches changes the object, and those behind it see the change', async () => {
    await mutating({ ...webhook('/label'), rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }] })
    await validating(webhook('/allow', { objectSelector: { matchLabels: { seen: 'yes' } } }))
    expect(await create()).toMatchObject({ metadata: { labels: { seen: 'yes' } } })
    expect(asked.map(one => one.path)).toEqual(['/label', '/allow'])
  })

  test('is asked once more when a later one changed the object, and never a third time', async () => {
    const rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }]
    await mutating(
      { ...webhook('/count'), name: 'a.example.com', reinvocationPolicy: 'IfNeeded', rules },
      { ...webhook('/count'), name: 'b.example.com', reinvocationPolicy: 'IfNeeded', rules },
    )
    // Each changes the object every time: two in the first round, those that want it in the second, and no more.
    const { data } = await create()
    expect(Number((data as Record<string, string>)['count'])).toBeLessThanOrEqual(4)
    expect(asked.length).toBeGreaterThanOrEqual(3)
  })

  test('is not asked where its conditions do not hold', async () => {
    await validating(webhook('/deny', { matchConditions: [{ name: 'c', expression: 'object.data.a == "z"' }] }))
    await create()
    expect(asked).toEqual([])
  })

  test('is asked in dry runs only when it has no side effects', async () => {
    await validating(webhook('/allow'))
    await create({ dryRun: true })
    expect(asked[0]?.request['dryRun']).toBe(true)
  })

  test('never sees configurations of webhooks', async () => {
    await validating(webhook('/deny'))
    await validating(webhook('/allow'))
    expect(asked).toEqual([])
  })
})

describe('webhooks behind a service', () => {
  test('are reached through the agent of the node where their pod runs, with TLS from end to end', async () => {
    const { controlPlane } = running
    const hook = await startHttpsServer(answer, { dnsNames: ['hook.default.svc'] })
    const agent = await startAgent(controlPlane.keys)
    controlPlane.setDialer(node => (node === 'a' ? openAddress('127.0.0.1', agent.port) : Promise.reject(new Error('unknown node'))))
    await admin
      .resource(services)
      .create({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'hook', namespace: 'default' }, spec: { ports: [{ port: 443, targetPort: hook.port }] } })
    await admin.resource(endpointSlices).create({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'hook-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'hook' } },
      addressType: 'IPv4',
      ports: [{ name: '', port: hook.port }],
      endpoints: [{ addresses: ['10.1.2.3'], nodeName: 'a', targetRef: { kind: 'Pod', namespace: 'default', name: 'hook-pod' }, conditions: { ready: true } }],
    })
    await validating(webhook('/deny', { clientConfig: { service: { namespace: 'default', name: 'hook', path: '/deny' }, caBundle: hook.caBundle } }))
    expect((await refusalOf(create)).message).toBe('admission webhook "wdeny.example.com" denied the request: no tea')
    expect(agent.paths).toEqual([`/podProxy/default/hook-pod/${hook.port}`])
    await hook.stop()
    await agent.stop()
  })
})

describe('webhooks that do not', () => {
  const broken: readonly (readonly [path: string, text: RegExp])[] = [
    ['/hang', /failed to call webhook: Post "https:.*\/hang\?timeout=1s": context deadline exceeded/],
    ['/drip', /context deadline exceeded/],
    ['/garbage', /json parse error/],
    ['/wrong-uid', /received invalid webhook response: expected response.uid=/],
    ['/empty', /webhook response was absent/],
    ['/error', /an error on the server \("broken"\) has prevented the request from succeeding/],
    ['/redirect', /redirects are not followed/],
    ['/reset', /failed to call webhook/],
  ]

  test.each(broken)('%s refuses the request where the policy is Fail, and lets it pass where it is Ignore', async (path, text) => {
    await validating(webhook(path, { timeoutSeconds: 1 }))
    const refused = await refusalOf(create)
    expect(refused.code).toBe(500)
    expect(refused.message).toMatch(text)
    await admin.resource(validatingWebhookConfigurations).deleteCollection()
    await validating(webhook(path, { timeoutSeconds: 1, failurePolicy: 'Ignore' }))
    expect(await create()).toMatchObject({ data: { a: 'b' } })
    expect(secret).toBe(0)
  })

  test('a certificate of another authority is not accepted', async () => {
    const { caBundle: _other, ...clientConfig } = webhook('/allow').clientConfig
    await validating(webhook('/allow', { clientConfig }))
    expect((await refusalOf(create)).message).toMatch(/tls: failed to verify certificate/)
    expect(asked).toEqual([])
  })

  test('nobody listens', async () => {
    await validating(webhook('/allow', { clientConfig: { url: 'https://127.0.0.1:1/x', caBundle: server.caBundle } }))
    expect((await refusalOf(create)).message).toMatch(/dial tcp 127.0.0.1:1: connect: connection refused/)
  })

  test('a service that does not exist', async () => {
    await validating(webhook('/allow', { clientConfig: { service: { namespace: 'default', name: 'nosuch', port: 443 }, caBundle: server.caBundle } }))
    expect(await refusalOf(create)).toEqual({
      code: 500,
      message:
        'Internal error occurred: failed calling webhook "wallow.example.com": failed to call webhook: Post "https://nosuch.default.svc:443/?timeout=2s": service "nosuch" not found',
    })
  })

  test('patches that cannot be applied refuse the request, and prototypes stay as they are', async () => {
    const rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }]
    await mutating({ ...webhook('/bad-patch'), rules })
    expect((await refusalOf(create)).code).toBe(500)
    await admin.resource(mutatingWebhookConfigurations).deleteCollection()
    await mutating({ ...webhook('/proto'), rules })
    const { data } = await create()
    expect(Object.keys(data as object)).toEqual(['a', '__proto__'])
    expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  })

  test('many requests wait for a webhook that hangs without holding up others', async () => {
    await validating(webhook('/hang', { timeoutSeconds: 1, objectSelector: { matchLabels: { slow: 'yes' } } }))
    let over = 0
    const slow = Array.from({ length: 50 }, (_, i) =>
      refusalOf(() =>
        admin.resource(configMaps).create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `slow${i}`, namespace: 'default', labels: { slow: 'yes' } } }),
      ).finally(() => over++),
    )
    await create()
    expect(over).toBe(0)
    expect((await Promise.all(slow)).every(one => one.code === 500)).toBe(true)
  })
})
