/** Certificates from request to use over TLS: nodes by bootstrap token, users by approval, and the control plane's own, renewed while it runs. */
import { X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AgentConfig } from '../../src-main/api/agent.ts'
import { bootstrapGroup } from '../../src-main/api/agent.ts'
import type { Env } from '../../src-main/base/env.ts'
import { nodeEnv } from '../../src-main/base/node/node-env.ts'
import { httpsTransport } from '../../src-main/client/node/https-transport.ts'
import { createClient } from '../../src-main/client/typed-client.ts'
import { certificateRequest, newKey } from '../../src-main/node-agent/certificate-request.ts'
import { loadIdentity, requestIdentity, type Identity } from '../../src-main/node-agent/certificates.ts'
import { apiPeer, type ApiPeer, type Credentials } from '../support/api-peer.ts'
import { eventually, startControlPlane, type RunningControlPlane } from '../support/running-control-plane.ts'

let running: RunningControlPlane
let admin: ApiPeer
let stateDir: string
const peers: ApiPeer[] = []
const dayMs = 86_400_000

beforeAll(async () => {
  running = await startControlPlane()
  admin = apiPeer(running.controlPlane)
  stateDir = await mkdtemp(join(tmpdir(), 'quarterdeck-identity-'))
})
afterAll(async () => {
  for (const peer of [admin, ...peers]) peer.close()
  await running.stop()
  await rm(stateDir, { recursive: true, force: true })
})

function as(credentials: Credentials): ApiPeer {
  const peer = apiPeer(running.controlPlane, credentials)
  peers.push(peer)
  return peer
}
async function whoIs(peer: ApiPeer): Promise<{ username?: string; groups?: string[] }> {
  const answer = await peer.ask('/apis/authentication.k8s.io/v1/selfsubjectreviews', { body: { kind: 'SelfSubjectReview', apiVersion: 'authentication.k8s.io/v1' } })
  return (JSON.parse(answer.text) as { status?: { userInfo?: { username?: string; groups?: string[] } } }).status?.userInfo ?? {}
}

/** What a node's agent does with a fresh bootstrap token. */
async function joinAs(nodeName: string, token: string): Promise<Identity> {
  const transport = httpsTransport({ server: running.controlPlane.address, ca: running.controlPlane.certificateAuthority, token })
  try {
    const config = { nodeName, nodeAddress: '192.0.2.7', bootstrapToken: token } as AgentConfig
    return await requestIdentity({
      env: nodeEnv({ write: () => undefined }),
      client: createClient(transport, {}),
      config,
      stateDir: join(stateDir, nodeName),
      kind: 'client',
      signal: AbortSignal.timeout(10_000),
    })
  } finally {
    transport.close()
  }
}

describe('a node', () => {
  const token = 'abcdef.0123456789abcdef'
  beforeAll(async () => {
    const made = await admin.ask('/api/v1/namespaces/kube-system/secrets', {
      body: {
        type: 'bootstrap.kubernetes.io/token',
        metadata: { name: 'bootstrap-token-abcdef' },
        stringData: { 'token-id': 'abcdef', 'token-secret': '0123456789abcdef', 'usage-bootstrap-authentication': 'true', 'auth-extra-groups': bootstrapGroup },
      },
    })
    expect(made.status).toBe(201)
  })

  it('gets its certificate for a bootstrap token, keeps it, and is the node by it', async () => {
    const identity = await joinAs('n1', token)
    expect(await loadIdentity(join(stateDir, 'n1'), 'client', Date.now())).toEqual(identity)
    const node = as({ cert: identity.certificate, key: identity.key })
    expect(await whoIs(node)).toMatchObject({ username: 'system:node:n1', groups: expect.arrayContaining(['system:nodes']) as unknown })
    expect((await node.ask('/api/v1/nodes', { body: { metadata: { name: 'n1' } } })).status).toBe(201)
    expect((await node.ask('/api/v1/nodes', { body: { metadata: { name: 'n2' } } })).status).toBe(403)
    expect((await node.ask('/api/v1/namespaces/kube-system/secrets')).status).toBe(403)
  })

  it('asks for its serving certificate by itself, with its own name only', async () => {
    const identity = await joinAs('n3', token)
    const node = as({ cert: identity.certificate, key: identity.key })
    await node.ask('/api/v1/nodes', { body: { metadata: { name: 'n3' } } })
    await node.ask('/api/v1/nodes/n3/status', {
      method: 'PATCH',
      type: 'application/merge-patch+json',
      body: { status: { addresses: [{ type: 'InternalIP', address: '192.0.2.8' }] } },
    })
    const transport = httpsTransport({ server: running.controlPlane.address, ca: running.controlPlane.certificateAuthority, cert: identity.certificate, key: identity.key })
    const ask = (nodeName: string): Promise<Identity> =>
      requestIdentity({
        env: nodeEnv({ write: () => undefined }),
        client: createClient(transport, {}),
        config: { nodeName, nodeAddress: '192.0.2.8' } as AgentConfig,
        stateDir: join(stateDir, nodeName),
        kind: 'serving',
        signal: AbortSignal.timeout(3_000),
      })
    try {
      const serving = new X509Certificate((await ask('n3')).certificate)
      expect([serving.checkHost('n3'), serving.checkIP('192.0.2.8'), serving.checkHost('n1')]).toEqual(['n3', '192.0.2.8', undefined])
      await expect(ask('n1')).rejects.toThrow()
    } finally {
      transport.close()
    }
  })
})

describe('a pod', () => {
  it('asks for a client certificate with its token, gets it once an administrator approves, and is that user', async () => {
    await admin.ask('/api/v1/namespaces/default/serviceaccounts', { body: { metadata: { name: 'asker' } } })
    const pod = await admin.ask('/api/v1/namespaces/default/pods', {
      body: { metadata: { name: 'asker' }, spec: { serviceAccountName: 'asker', containers: [{ name: 'main', image: 'x' }] } },
    })
    const { uid } = (JSON.parse(pod.text) as { metadata: { uid: string } }).metadata
    const made = await admin.ask('/api/v1/namespaces/default/serviceaccounts/asker/token', {
      body: { spec: { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'asker', uid } } },
    })
    const asker = as({ token: (JSON.parse(made.text) as { status: { token: string } }).status.token })
    const key = newKey()
    const request = Buffer.from(certificateRequest(key, { commonName: 'shop-reader', organization: 'shop' })).toString('base64')
    const csr = {
      metadata: { name: 'asker' },
      spec: { request, signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth', 'digital signature'], expirationSeconds: 3600 },
    }
    const path = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
    expect((await asker.ask(path, { body: csr })).status).toBe(403)
    await admin.ask('/apis/rbac.authorization.k8s.io/v1/clusterroles', {
      body: { metadata: { name: 'asker' }, rules: [{ apiGroups: ['certificates.k8s.io'], resources: ['certificatesigningrequests'], verbs: ['create', 'get'] }] },
    })
    await admin.ask('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      body: {
        metadata: { name: 'asker' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'asker' },
        subjects: [{ kind: 'ServiceAccount', name: 'asker', namespace: 'default' }],
      },
    })
    const accepted = await eventually(async () => {
      const answer = await asker.ask(path, { body: csr })
      return answer.status === 201 ? answer : undefined
    }, 'the request')
    const stored = JSON.parse(accepted.text) as { spec: { username?: string }; status?: object }
    expect(stored.spec.username).toBe('system:serviceaccount:default:asker')
    const condition = { type: 'Approved', status: 'True', reason: 'Test', message: 'by hand' }
    expect((await asker.ask(`${path}/asker/approval`, { method: 'PUT', body: { ...stored, status: { conditions: [condition] } } })).status).toBe(403)
    expect((await admin.ask(`${path}/asker/approval`, { method: 'PUT', body: { ...stored, status: { conditions: [condition] } } })).status).toBe(200)
    const certificate = await eventually(async () => {
      const now = JSON.parse((await asker.ask(`${path}/asker`)).text) as { status?: { certificate?: string } }
      return now.status?.certificate
    }, 'the certificate')
    const pem = Buffer.from(certificate, 'base64').toString()
    const parsed = new X509Certificate(pem)
    expect(Date.parse(parsed.validTo) - Date.now()).toBeLessThan(3_700_000)
    const reader = as({ cert: pem, key })
    expect(await whoIs(reader)).toMatchObject({ username: 'shop-reader', groups: ['shop', 'system:authenticated'] })
    expect((await reader.ask('/api/v1/namespaces/default/pods')).status).toBe(403)
  })
})

describe('the control plane', () => {
  it('renews its own certificates at two thirds of their life while it runs', async () => {
    const real = nodeEnv({ write: () => undefined })
    let shiftMs = -250 * dayMs
    const hourly = new Set<() => void>()
    const clock: Env['clock'] = {
      ...real.clock,
      now: () => real.clock.now() + shiftMs,
      after(delayMs, fn) {
        if (delayMs !== 3_600_000) return real.clock.after(delayMs, fn)
        hourly.add(fn)
        return () => hourly.delete(fn)
      },
    }
    const lookAgain = (): void => {
      const due = [...hourly]
      hourly.clear()
      for (const fn of due) fn()
    }
    const other = await startControlPlane({ env: { ...real, clock }, runControllers: false })
    try {
      const shown = async (): Promise<string> => {
        const socket = await apiPeer(other.controlPlane).connect()
        const { fingerprint256 } = socket.getPeerCertificate()
        socket.destroy()
        return fingerprint256
      }
      const before = { serving: await shown(), admin: { ...other.controlPlane.keys.admin }, kubelet: other.controlPlane.keys.kubeletClient.certificate }
      lookAgain()
      await new Promise(resolve => setTimeout(resolve, 50))
      expect(await shown()).toBe(before.serving)
      shiftMs = 0
      lookAgain()
      await eventually(async () => ((await shown()) === before.serving ? undefined : true), 'another serving certificate')
      const { admin: now, kubeletClient } = other.controlPlane.keys
      expect(now.certificate).not.toBe(before.admin.certificate)
      expect(kubeletClient.certificate).not.toBe(before.kubelet)
      await eventually(
        async () => ((await readFile(other.controlPlane.kubeconfigPath, 'utf8')).includes(Buffer.from(now.certificate).toString('base64')) ? true : undefined),
        'the kubeconfig with the new certificate',
      )
      for (const credentials of [before.admin, now]) {
        const peer = apiPeer(other.controlPlane, { cert: credentials.certificate, key: credentials.privateKey })
        expect((await peer.ask('/api/v1/namespaces')).status).toBe(200)
        peer.close()
      }
    } finally {
      await other.stop()
    }
  })
})
