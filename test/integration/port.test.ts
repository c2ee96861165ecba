/** The TLS port against peers that are strange or hostile, and the way through it to a node. */
import { connect as connectHttp2 } from 'node:http2'
import { createServer as createTlsServer, type Server } from 'node:https'
import { request as httpsRequest } from 'node:https'
import { connect as connectTcp, type AddressInfo } from 'node:net'
import { duplexPair } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientCommands } from '../support/clients.ts'
import { issueLeaf } from '../../src-main/control-plane/pki/x509.ts'
import { pods } from '../../src-main/api/resources.ts'
import { startControlPlane, type RunningControlPlane } from '../support/running-control-plane.ts'

let running: RunningControlPlane
let agent: Server
/** What reached the stand-in agent. */
const seen: { url: string; authorization: string | undefined; user: string }[] = []

beforeAll(async () => {
  running = await startControlPlane({ runControllers: false })
  const { keys } = running.controlPlane
  const now = Date.now()
  const leaf = await issueLeaf(keys.authority, {
    commonName: 'system:node:a',
    organizations: ['system:nodes'],
    dnsNames: ['a'],
    usages: ['serverAuth'],
    notBeforeMs: now - 60_000,
    notAfterMs: now + 600_000,
  })
  agent = createTlsServer({ cert: leaf.certificate, key: leaf.privateKey, ca: keys.authority.certificate, requestCert: true, rejectUnauthorized: true })
  agent.on('request', (request, response) => {
    const socket = request.socket as unknown as { getPeerCertificate(): { subject: { CN: string } } }
    seen.push({ url: request.url ?? '', authorization: request.headers.authorization, user: socket.getPeerCertificate().subject.CN })
    response.end('line one\nline two\n')
  })
  agent.on('upgrade', (request, socket) => {
    seen.push({ url: request.url ?? '', authorization: request.headers.authorization, user: '' })
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n')
    socket.pipe(socket)
  })
  await new Promise<void>(resolve => {
    agent.listen(0, '127.0.0.1', resolve)
  })
  const { port } = agent.address() as AddressInfo
  running.controlPlane.setDialer(node =>
    node === 'a' || node === 'impostor'
      ? new Promise((resolve, reject) => {
          const socket = connectTcp(port, '127.0.0.1', () => {
            resolve(socket)
          })
          socket.once('error', reject)
        })
      : Promise.reject(new Error(`node ${node} is away`)),
  )
  const admin = running.controlPlane.client(running.controlPlane.admin)
  await admin.raw({
    method: 'POST',
    url: '/api/v1/namespaces/default/serviceaccounts',
    body: { object: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } } },
  })
  for (const [name, nodeName] of [
    ['p', 'a'],
    ['lost', 'b'],
    ['stolen', 'impostor'],
  ] as const) {
    await admin.resource(pods).create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default' },
      spec: {
        nodeName,
        containers: [
          { name: 'c', image: 'registry.test/c:1' },
          { name: 'd', image: 'registry.test/d:1' },
        ],
      },
    })
  }
})
afterAll(async () => {
  await running.stop()
  await new Promise<void>(resolve => {
    agent.close(() => {
      resolve()
    })
    agent.closeAllConnections()
  })
})

interface Answer {
  readonly status: number
  readonly body: string
  readonly headers: Record<string, unknown>
}

function ask(path: string, options: { method?: string; headers?: Record<string, string | number>; body?: string; certificate?: boolean } = {}): Promise<Answer> {
  const { keys, port } = running.controlPlane
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host: '127.0.0.1',
        port,
        path,
        method: options.method ?? 'GET',
        headers: options.headers ?? {},
        ca: keys.authority.certificate,
        agent: false,
        ...(options.certificate === false ? {} : { cert: keys.admin.certificate, key: keys.admin.privateKey }),
      },
      response => {
        let body = ''
        response.on('data', (chunk: Buffer) => {
          body += chunk.toString()
        })
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, body, headers: response.headers })
        })
      },
    )
    request.on('error', reject)
    request.end(options.body)
  })
}

describe('who may come in', () => {
  test('nobody without credentials, but for health', async () => {
    const answers = await Promise.all(['/api', '/version', '/api/v1/secrets', '/metrics', '/readyz'].map(path => ask(path, { certificate: false })))
    expect(answers.map(answer => answer.status)).toEqual([401, 401, 401, 401, 200])
  })
  test('nobody by claiming to be somebody', async () => {
    const headers = { 'impersonate-user': 'system:admin', 'impersonate-group': 'system:masters', 'x-remote-user': 'admin' }
    expect((await ask('/api/v1/secrets', { certificate: false, headers })).status).toBe(401)
  })
})

describe('what is too much', () => {
  test('a body over 3 MiB is refused', async () => {
    const answer = await ask('/api/v1/namespaces/default/configmaps', { method: 'POST', headers: { 'content-type': 'application/json' }, body: ' '.repeat(3 * 1024 * 1024 + 1) })
    expect({ status: answer.status, reason: (JSON.parse(answer.body) as { reason: string }).reason }).toEqual({ status: 413, reason: 'RequestEntityTooLarge' })
  })
  test('headers over 64 KiB end the connection and hurt nobody else', async () => {
    await expect(ask('/api', { headers: { 'x-large': 'a'.repeat(80_000) } }))
      .resolves.toMatchObject({ status: 431 })
      .catch(async (fault: unknown) => {
        expect(String(fault)).toMatch(/ECONNRESET|socket hang up/)
      })
    expect((await ask('/api')).status).toBe(200)
  })
  test('protobuf that is none is refused', async () => {
    const answer = await ask('/api/v1/namespaces/default/configmaps', {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.kubernetes.protobuf' },
      body: 'k8s\0\xff\xff\xff\xff',
    })
    expect(answer.status).toBe(400)
  })
})

test('HTTP/2 is spoken, with many requests on one connection', async () => {
  const { keys, port } = running.controlPlane
  const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: keys.authority.certificate, cert: keys.admin.certificate, key: keys.admin.privateKey })
  const get = (path: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ':path': path })
      stream.on('response', headers => {
        resolve(Number(headers[':status']))
      })
      stream.on('error', reject)
      stream.resume()
      stream.end()
    })
  expect(new Set(await Promise.all(Array.from({ length: 100 }, (_, i) => get(`/api/v1/namespaces?limit=${i + 1}`))))).toEqual(new Set([200]))
  session.close()
})

test('a byte stream that somebody else opened is served like a connection', async () => {
  const { keys, controlPlane } = { keys: running.controlPlane.keys, controlPlane: running.controlPlane }
  const [here, there] = duplexPair()
  controlPlane.serveConnection(there)
  const secure = connectTls({ socket: here, ca: keys.authority.certificate, cert: keys.admin.certificate, key: keys.admin.privateKey, servername: 'kubernetes' })
  const text = await new Promise<string>((resolve, reject) => {
    let body = ''
    secure.on('error', reject)
    secure.on('data', (chunk: Buffer) => {
      body += chunk.toString()
    })
    secure.on('end', () => {
      resolve(body)
    })
    secure.write('GET /livez HTTP/1.1\r\nHost: kubernetes\r\nConnection: close\r\n\r\n')
  })
  expect(text).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*ok$/)
})

describe('the way to a node', () => {
  test('logs come from the agent, which sees the API server and not the caller', async () => {
    seen.length = 0
    const answer = await clientCommands(running.controlPlane.kubeconfigPath).kubectl(['logs', 'p', '-c', 'c', '--tail=2'])
    expect(answer).toMatchObject({ code: 0, stdout: 'line one\nline two\n' })
    expect(seen).toEqual([{ url: '/containerLogs/default/p/c?tailLines=2', authorization: undefined, user: 'kube-apiserver-kubelet-client' }])
  })
  test('faults that need no node are told in the words of Kubernetes', async () => {
    const message = async (path: string): Promise<string> => (JSON.parse((await ask(`/api/v1/namespaces/default/pods/${path}`)).body) as { message: string }).message
    expect(await message('p/log')).toBe('a container name must be specified for pod p, choose one of: [c d]')
    expect(await message('p/log?container=x')).toBe('container x is not valid for pod p')
    expect(await message('none/log')).toBe('pods "none" not found')
    expect(await message('p/exec?container=c&command=ls')).toBe('you must specify at least 1 of stdin, stdout, stderr')
  })
  test('a node that is away, or answers for another one, is 503', async () => {
    expect([(await ask('/api/v1/namespaces/default/pods/lost/log?container=c')).status, (await ask('/api/v1/namespaces/default/pods/stolen/log?container=c')).status]).toEqual([
      503, 503,
    ])
  })
  test('a proxied path cannot climb out to other paths of the agent', async () => {
    const admin = running.controlPlane.client(running.controlPlane.admin)
    await admin.resource(pods).updateStatus({ ...(await admin.resource(pods).get('p', { namespace: 'default' })), status: { podIP: '10.244.0.9', podIPs: [{ ip: '10.244.0.9' }] } })
    seen.length = 0
    for (const rest of ['a/b?c=d', '../../../../exec/default/p/c?command=id', '%2e%2e/%2E%2e/..%2f/exec/default/p/c', './/..//x'])
      await ask(`/api/v1/namespaces/default/pods/p:8080/proxy/${rest}`)
    expect(seen.map(one => one.url).every(url => url.startsWith('/podProxy/default/p/8080/') && !/\/(\.|%2e){2}(\/|$)/i.test(url))).toBe(true)
    expect(seen[0]?.url).toBe('/podProxy/default/p/8080/a/b?c=d')
  })
  test('an upgraded connection is joined byte by byte', async () => {
    const { keys, port } = running.controlPlane
    const echoed = await new Promise<string>((resolve, reject) => {
      const request = httpsRequest({
        host: '127.0.0.1',
        port,
        method: 'POST',
        path: '/api/v1/namespaces/default/pods/p/exec?container=c&command=cat&stdin=true&stdout=true',
        agent: false,
        ca: keys.authority.certificate,
        cert: keys.admin.certificate,
        key: keys.admin.privateKey,
        headers: { connection: 'Upgrade', upgrade: 'SPDY/3.1' },
      })
      request.on('upgrade', (_response, socket) => {
        let text = ''
        socket.on('data', (chunk: Buffer) => {
          text += chunk.toString()
          if (text === 'ahoy') {
            socket.destroy()
            resolve(text)
          }
        })
        socket.write('ahoy')
      })
      request.on('response', response => {
        reject(new Error(`status ${response.statusCode}`))
      })
      request.on('error', reject)
      request.end()
    })
    expect(echoed).toBe('ahoy')
  })
})
