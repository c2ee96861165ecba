/** T5 and T7: what objects claim about addresses never decides whom the API server connects to; only the agent of a named node is dialled. And T3: ephemeral containers. */
import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { apiPeer, expectUnharmed, type ApiPeer } from '../../support/api-peer.ts'
import { startControlPlane, type RunningControlPlane } from '../../support/running-control-plane.ts'

let running: RunningControlPlane
let admin: ApiPeer
let dialled: [string, number][] = []
/** Something that listens on the desktop and must never be reached. */
let victim: Server
let reached = 0
let port = 0
const space = '/api/v1/namespaces/default'

beforeAll(async () => {
  victim = createServer(socket => {
    reached++
    socket.destroy()
  })
  await new Promise<void>(resolve => {
    victim.listen(0, '127.0.0.1', resolve)
  })
  port = (victim.address() as { port: number }).port
  running = await startControlPlane({
    runControllers: false,
    dialer: (node, to) => {
      dialled.push([node, to])
      return Promise.reject(new Error('nobody is there'))
    },
  })
  admin = apiPeer(running.controlPlane)
  await admin.ask(`${space}/serviceaccounts`, { body: { metadata: { name: 'default' } } })
  await admin.ask('/api/v1/nodes', { body: { metadata: { name: 'n1' } } })
  const addresses = [
    { type: 'InternalIP', address: '127.0.0.1' },
    { type: 'Hostname', address: 'localhost' },
  ]
  await admin.ask('/api/v1/nodes/n1/status', {
    method: 'PATCH',
    type: 'application/merge-patch+json',
    body: { status: { addresses, daemonEndpoints: { kubeletEndpoint: { Port: port } } } },
  })
  await admin.ask(`${space}/pods`, { body: { metadata: { name: 'p', labels: { app: 'p' } }, spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'i' }] } } })
  const status = { phase: 'Running', podIP: '127.0.0.1', podIPs: [{ ip: '127.0.0.1' }], hostIP: '127.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] }
  await admin.ask(`${space}/pods/p/status`, { method: 'PATCH', type: 'application/merge-patch+json', body: { status } })
  await admin.ask(`${space}/services`, { body: { metadata: { name: 'bare' }, spec: { ports: [{ port }] } } })
  await admin.ask(`${space}/services`, { body: { metadata: { name: 's' }, spec: { selector: { app: 'p' }, ports: [{ port: 80, targetPort: port }] } } })
  await admin.ask(`${space}/services`, { body: { metadata: { name: 'away' }, spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ port }] } } })
})
beforeEach(() => {
  dialled = []
})
afterAll(async () => {
  expect(reached).toBe(0)
  await expectUnharmed(running)
  admin.close()
  await running.stop()
  victim.close()
})

describe('proxies', () => {
  test.each([
    'nodes/n1/proxy/healthz',
    'nodes/n1:PORT/proxy/healthz',
    'nodes/https:n1:PORT/proxy/',
    'namespaces/default/pods/p/proxy/x',
    'namespaces/default/pods/p:PORT/proxy/x',
    'namespaces/default/services/s/proxy/x',
    'namespaces/default/services/s:80/proxy/x',
    'namespaces/default/pods/p/log',
  ])('%s asks the agent of the node, whatever addresses node and pod claim', async path => {
    const answer = await admin.ask(`/api/v1/${path.replace('PORT', String(port))}`)
    expect([answer.status, new Set(dialled.map(([node]) => node)), dialled.some(([, to]) => to === port)]).toEqual([503, new Set(['n1']), false])
  })

  test.each([
    'nodes/127.0.0.1/proxy/',
    'nodes/127.0.0.1:PORT/proxy/',
    'nodes/localhost:PORT/proxy/',
    'nodes/169.254.169.254:80/proxy/latest/meta-data',
    'nodes/user@n1/proxy/',
    'nodes/n1%2f..%2f127.0.0.1/proxy/',
    'namespaces/default/pods/127.0.0.1:PORT/proxy/',
    'namespaces/default/services/127.0.0.1:PORT/proxy/',
    'namespaces/default/services/bare/proxy/',
    'namespaces/default/services/away/proxy/',
    'namespaces/default/services/away:PORT/proxy/',
  ])('%s reaches nobody', async path => {
    const answer = await admin.ask(`/api/v1/${path.replace('PORT', String(port))}`)
    expect([answer.status >= 400, dialled]).toEqual([true, []])
  })

  test('port-forward and exec as well', async () => {
    for (const path of [`pods/p/portforward?ports=${port}`, 'pods/p/exec?command=id&stdout=1', 'pods/p/attach?stdout=1']) {
      const text = await admin.raw(
        `GET ${space}/${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n`,
        1_000,
      )
      expect(text).not.toMatch(/^HTTP\/1\.1 101/)
    }
    expect(new Set(dialled.map(([node]) => node))).toEqual(new Set(['n1']))
  })
})

describe('addresses that are nobody’s', () => {
  test.each(['127.0.0.1', '::1', '169.254.169.254', 'fe80::1', '0.0.0.0', '224.0.0.1', 'localhost', '127.1', '2130706433'])('endpoints at %s are refused', async ip => {
    const subsets = [{ addresses: [{ ip }], ports: [{ port: 80 }] }]
    expect((await admin.ask(`${space}/endpoints`, { body: { metadata: { name: 'e' }, subsets } })).status).toBe(422)
    const slice = { metadata: { name: 'e' }, addressType: ip.includes(':') ? 'IPv6' : 'IPv4', endpoints: [{ addresses: [ip] }], ports: [{ port: 80 }] }
    expect((await admin.ask('/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', { body: slice })).status).toBe(422)
  })
})

describe('ephemeral containers', () => {
  const add = (namespace: string, container: object): ReturnType<ApiPeer['ask']> =>
    admin.ask(`/api/v1/namespaces/${namespace}/pods/p/ephemeralcontainers`, {
      method: 'PATCH',
      type: 'application/strategic-merge-patch+json',
      body: { spec: { ephemeralContainers: [{ name: 'debug', image: 'i', ...container }] } },
    })
  test('keep to the pod security of their namespace, and change nothing else of the pod', async () => {
    await admin.ask('/api/v1/namespaces', { body: { metadata: { name: 'strict', labels: { 'pod-security.kubernetes.io/enforce': 'baseline' } } } })
    await admin.ask('/api/v1/namespaces/strict/serviceaccounts', { body: { metadata: { name: 'default' } } })
    expect((await admin.ask('/api/v1/namespaces/strict/pods', { body: { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i' }] } } })).status).toBe(201)
    for (const securityContext of [{ privileged: true }, { capabilities: { add: ['SYS_ADMIN'] } }, { seLinuxOptions: { user: 'system_u' } }])
      expect((await add('strict', { securityContext })).status).toBe(403)
    for (const wrong of [
      { ports: [{ containerPort: 80 }] },
      { resources: { limits: { cpu: '1' } } },
      { livenessProbe: { httpGet: { port: 80 } } },
      { targetContainerName: 'none' },
    ])
      expect([JSON.stringify(wrong), (await add('strict', wrong)).status]).toEqual([JSON.stringify(wrong), 422])
    expect((await add('strict', {})).status).toBe(200)
    const renamed = await admin.ask('/api/v1/namespaces/strict/pods/p/ephemeralcontainers', {
      method: 'PATCH',
      type: 'application/strategic-merge-patch+json',
      body: { spec: { containers: [{ name: 'c', image: 'evil' }] } },
    })
    expect([renamed.status === 200, (await admin.ask('/api/v1/namespaces/strict/pods/p')).text.includes('evil')]).toEqual([renamed.status === 200, false])
    // By the front door they do not come in at all.
    expect(
      (
        await admin.ask('/api/v1/namespaces/strict/pods', {
          body: { metadata: { name: 'q' }, spec: { containers: [{ name: 'c', image: 'i' }], ephemeralContainers: [{ name: 'd', image: 'i' }] } },
        })
      ).status,
    ).toBe(422)
  })
})
