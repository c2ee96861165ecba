/** T3 and T6: nobody gives themselves more than they have; a forged, misused or outlived token is no token. */
import { createHmac, createPublicKey, createSign, generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { issueLeaf } from '../../../src-main/control-plane/pki/x509.ts'
import { apiPeer, expectUnharmed, type ApiPeer } from '../../support/api-peer.ts'
import { eventually, startControlPlane, type RunningControlPlane } from '../../support/running-control-plane.ts'

let running: RunningControlPlane
let admin: ApiPeer
/** May manage roles and bindings, approve and impersonate nothing. */
let keeper: ApiPeer
const rbac = '/apis/rbac.authorization.k8s.io/v1'
const csrs = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
const space = '/api/v1/namespaces/default'

async function userPeer(name: string, ...organizations: string[]): Promise<ApiPeer> {
  const now = Date.now()
  const leaf = await issueLeaf(running.controlPlane.keys.authority, {
    commonName: name,
    organizations,
    usages: ['clientAuth'],
    notBeforeMs: now - 60_000,
    notAfterMs: now + 600_000,
  })
  return apiPeer(running.controlPlane, { cert: leaf.certificate, key: leaf.privateKey })
}

beforeAll(async () => {
  running = await startControlPlane({ runControllers: false })
  admin = apiPeer(running.controlPlane)
  keeper = await userPeer('keeper', 'keepers')
  const rules = [
    {
      apiGroups: ['rbac.authorization.k8s.io'],
      resources: ['roles', 'rolebindings', 'clusterroles', 'clusterrolebindings'],
      verbs: ['get', 'list', 'create', 'update', 'patch', 'delete'],
    },
    {
      apiGroups: ['certificates.k8s.io'],
      resources: ['certificatesigningrequests', 'certificatesigningrequests/approval', 'certificatesigningrequests/status'],
      verbs: ['create', 'get', 'update', 'patch'],
    },
    { apiGroups: [''], resources: ['serviceaccounts'], verbs: ['create', 'get'] },
  ]
  await admin.ask(`${rbac}/clusterroles`, { body: { metadata: { name: 'keeper' }, rules } })
  await admin.ask(`${rbac}/clusterrolebindings`, {
    body: {
      metadata: { name: 'keeper' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'keeper' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'keeper' }],
    },
  })
  await admin.ask(`${space}/serviceaccounts`, { body: { metadata: { name: 'bot' } } })
  await eventually(async () => ((await keeper.ask(`${rbac}/clusterroles`)).status === 200 ? true : undefined), 'the role')
})
afterAll(async () => {
  await expectUnharmed(running)
  admin.close()
  keeper.close()
  await running.stop()
})

describe('roles and bindings', () => {
  const secrets = [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }]
  const binding = (role: string, kind = 'ClusterRole'): object => ({
    metadata: { name: 'mine' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: role },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'keeper' }],
  })
  test.each<[string, string, string, object]>([
    ['a role with more', 'POST', `${rbac}/namespaces/default/roles`, { metadata: { name: 'more' }, rules: secrets }],
    ['a cluster role with more', 'POST', `${rbac}/clusterroles`, { metadata: { name: 'more' }, rules: secrets }],
    ['a wildcard', 'POST', `${rbac}/clusterroles`, { metadata: { name: 'all' }, rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }] }],
    [
      'the verb escalate',
      'POST',
      `${rbac}/clusterroles`,
      { metadata: { name: 'e' }, rules: [{ apiGroups: ['rbac.authorization.k8s.io'], resources: ['clusterroles'], verbs: ['escalate', 'bind'] }] },
    ],
    ['the verb impersonate', 'POST', `${rbac}/clusterroles`, { metadata: { name: 'i' }, rules: [{ apiGroups: [''], resources: ['users', 'groups'], verbs: ['impersonate'] }] }],
    ['an aggregation of everything', 'POST', `${rbac}/clusterroles`, { metadata: { name: 'agg' }, aggregationRule: { clusterRoleSelectors: [{}] } }],
    ['nonresource paths', 'POST', `${rbac}/clusterroles`, { metadata: { name: 'n' }, rules: [{ nonResourceURLs: ['*'], verbs: ['*'] }] }],
    ['its own role, widened', 'PATCH', `${rbac}/clusterroles/keeper`, { rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }] }],
    [
      'a role that aggregates into admin',
      'POST',
      `${rbac}/clusterroles`,
      { metadata: { name: 'into-admin', labels: { 'rbac.authorization.k8s.io/aggregate-to-admin': 'true' } }, rules: secrets },
    ],
    ['a binding to cluster-admin', 'POST', `${rbac}/clusterrolebindings`, binding('cluster-admin')],
    ['a namespaced binding to admin', 'POST', `${rbac}/namespaces/default/rolebindings`, binding('admin')],
    [
      'itself added to cluster-admin',
      'PATCH',
      `${rbac}/clusterrolebindings/cluster-admin`,
      { subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'keeper' }] },
    ],
    [
      'another role in its binding',
      'PATCH',
      `${rbac}/clusterrolebindings/keeper`,
      { roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' } },
    ],
  ])('%s is refused', async (_what, method, path, body) => {
    for (const query of ['', '?dryRun=All']) {
      const answer = await keeper.ask(path + query, { method, body, type: method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' })
      expect([403, 422]).toContain(answer.status)
    }
    if (method === 'POST') expect((await admin.ask(`${path}/${(body as { metadata: { name: string } }).metadata.name}`)).status).toBe(404)
    expect((await keeper.ask(`${space}/secrets`)).status).toBe(403)
  })
  test('what it has it may give', async () => {
    expect(
      (await keeper.ask(`${rbac}/clusterroles`, { body: { metadata: { name: 'same' }, rules: [{ apiGroups: [''], resources: ['serviceaccounts'], verbs: ['get'] }] } })).status,
    ).toBe(201)
  })
})

describe('acting as somebody else', () => {
  test.each<Record<string, string>>([
    { 'impersonate-user': 'admin' },
    { 'impersonate-user': 'system:admin', 'impersonate-group': 'system:masters' },
    { 'impersonate-group': 'system:masters' },
    { 'impersonate-user': 'system:serviceaccount:kube-system:default' },
    { 'impersonate-user': 'keeper', 'impersonate-group': 'system:masters' },
    { 'impersonate-uid': 'x' },
    { 'impersonate-extra-scopes': 'all' },
    { 'Impersonate-User': 'admin' },
    { 'impersonate-user': 'system:node:a', 'impersonate-group': 'system:nodes' },
    { 'x-remote-user': 'admin', 'x-remote-group': 'system:masters' },
    { 'x-forwarded-user': 'admin' },
  ])('%o gives nothing', async headers => {
    const answer = await keeper.ask(`${space}/secrets`, { headers })
    // The API server answers a group without a user with 500, as Kubernetes does.
    expect([403, 500]).toContain(answer.status)
    expect(answer.text).not.toContain('items')
  })
})

describe('certificates', () => {
  const request = (): Promise<string> =>
    import('@peculiar/x509').then(async x509 => {
      const keys = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
      const made = await x509.Pkcs10CertificateRequestGenerator.create({ name: 'O=system:masters, CN=system:admin', keys, signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' } })
      return made.toString('pem')
    })
  test('nobody approves, signs or asks for more than they may', async () => {
    const pem = await request()
    const body = (name: string, signerName: string, text = pem): object => ({
      metadata: { name },
      spec: { signerName, usages: ['client auth'], request: Buffer.from(text).toString('base64') },
    })
    expect((await keeper.ask(csrs, { body: body('masters', 'kubernetes.io/kube-apiserver-client') })).status).toBe(403)
    for (const trick of [
      `x\n${pem}`,
      `A${pem}`,
      `-----BEGIN X-----\nAAAA\n-----END X-----\n${pem}`,
      pem.replace(/\n/g, '\r\n'),
      pem.replace('-----BEGIN', ' -----BEGIN'),
      `${pem}\n${pem}`,
    ]) {
      const answer = await keeper.ask(`${csrs}?dryRun=All`, { body: body('trick', 'kubernetes.io/kube-apiserver-client', trick) })
      expect([JSON.stringify(trick.slice(0, 20)), [403, 422].includes(answer.status)]).toEqual([JSON.stringify(trick.slice(0, 20)), true])
    }
    expect((await keeper.ask(csrs, { body: body('other', 'example.com/signer') })).status).toBe(201)
    const approval = { status: { conditions: [{ type: 'Approved', status: 'True', reason: 'Mine', message: 'mine' }] } }
    expect((await keeper.ask(`${csrs}/other/approval`, { method: 'PATCH', type: 'application/merge-patch+json', body: approval })).status).toBe(403)
    expect(
      (
        await keeper.ask(`${csrs}/other/status`, {
          method: 'PATCH',
          type: 'application/merge-patch+json',
          body: { status: { certificate: Buffer.from(running.controlPlane.keys.admin.certificate).toString('base64') } },
        })
      ).status,
    ).toBe(403)
    expect((await keeper.ask(csrs, { body: { ...body('approved', 'example.com/signer'), ...approval } })).status).toBe(201)
    expect((await admin.ask(`${csrs}/approved`)).text).not.toContain('"Approved"')
    expect((await admin.ask(`${csrs}/other`)).text).toMatch(/"username":"keeper"/)
    const claimed = await keeper.ask(csrs, {
      body: { metadata: { name: 'claimed' }, spec: { ...(body('claimed', 'example.com/signer') as { spec: object }).spec, username: 'system:admin', groups: ['system:masters'] } },
    })
    expect([claimed.status, claimed.text.includes('system:masters"')]).toEqual([201, false])
  })
})

describe('tokens', () => {
  const issue = async (spec: object, account = 'bot'): Promise<string> =>
    (JSON.parse((await admin.ask(`${space}/serviceaccounts/${account}/token`, { body: { spec } })).text) as { status: { token: string } }).status.token
  const status = async (token: string): Promise<number> => {
    const peer = apiPeer(running.controlPlane, { token })
    try {
      return (await peer.ask(`${space}/pods`)).status
    } finally {
      peer.close()
    }
  }
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const decode = (part: string): Record<string, unknown> => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>

  test('asking for one needs the right to', async () => {
    expect((await keeper.ask(`${space}/serviceaccounts/bot/token`, { body: { spec: {} } })).status).toBe(403)
  })
  test('a good one is somebody who may do nothing; all forgeries are nobody', async () => {
    const token = await issue({})
    expect(await status(token)).toBe(403)
    const [head = '', payload = '', signature = ''] = token.split('.')
    const { privateKey, publicKey } = running.controlPlane.keys.serviceAccount
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const header = decode(head)
    const claims = decode(payload)
    const rsa = (h: object, c: object, key: Parameters<ReturnType<typeof createSign>['sign']>[0]): string => {
      const text = `${encode(h)}.${encode(c)}`
      return `${text}.${createSign('RSA-SHA256').update(text).sign(key).toString('base64url')}`
    }
    const hmac = (secret: string | Buffer): string => {
      const text = `${encode({ ...header, alg: 'HS256' })}.${payload}`
      return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
    }
    const bigger = { ...claims, sub: 'system:serviceaccount:kube-system:default' }
    const forged = [
      ...['none', 'None', 'NONE', ''].map(alg => `${encode({ ...header, alg })}.${payload}.`),
      `${encode({ ...header, alg: 'none' })}.${payload}.${signature}`,
      `${head}.${payload}.`,
      `${head}.${encode(bigger)}.${signature}`,
      `${head}.${payload}`,
      `..`,
      `${head}..${signature}`,
      hmac(publicKey),
      hmac(createPublicKey(publicKey).export({ type: 'spki', format: 'der' })),
      hmac(publicKey.trim()),
      hmac(''),
      rsa(header, claims, other.privateKey),
      rsa({ ...header, jwk: other.publicKey.export({ format: 'jwk' }) }, claims, other.privateKey),
      rsa({ ...header, jku: 'http://127.0.0.1:1/keys', x5u: 'http://127.0.0.1:1/x' }, claims, other.privateKey),
      ...['../../../../dev/null', '/etc/passwd', "' OR 1=1 --", '__proto__', '', 'a'.repeat(10_000)].map(kid => rsa({ ...header, kid }, claims, privateKey)),
      rsa({ ...header, kid: undefined }, claims, privateKey),
      rsa({ ...header, crit: ['exp2'], exp2: 1 }, claims, privateKey),
      rsa(header, { ...claims, iss: 'https://evil.example' }, privateKey),
      rsa(header, { ...claims, aud: ['other'] }, privateKey),
      rsa(header, { ...claims, aud: undefined }, privateKey),
      rsa(header, { ...claims, exp: 1 }, privateKey),
      rsa(header, { ...claims, exp: undefined }, privateKey),
      rsa(header, { ...claims, exp: 'never' }, privateKey),
      rsa(header, { ...claims, nbf: 9_999_999_999 }, privateKey),
      rsa(header, bigger, privateKey),
      rsa(header, { ...claims, 'kubernetes.io': undefined }, privateKey),
      rsa(
        header,
        { ...claims, 'kubernetes.io': { namespace: '__proto__', serviceaccount: { name: 'constructor', uid: 'x' } }, sub: 'system:serviceaccount:__proto__:constructor' },
        privateKey,
      ),
      rsa(header, { ...claims, 'kubernetes.io': 'x' }, privateKey),
    ]
    for (const [index, one] of forged.entries()) expect([index, await status(one)]).toEqual([index, 401])
  })
  test('one for others, of a pod or account that is gone, or expired is refused', async () => {
    expect(await status(await issue({ audiences: ['vault'] }))).toBe(401)
    const pod = await admin.ask(`${space}/pods`, { body: { metadata: { name: 'short' }, spec: { serviceAccountName: 'bot', containers: [{ name: 'c', image: 'i' }] } } })
    const bound = await issue({ boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'short', uid: (JSON.parse(pod.text) as { metadata: { uid: string } }).metadata.uid } })
    expect(await status(bound)).toBe(403)
    await admin.ask(`${space}/pods/short?gracePeriodSeconds=0`, { method: 'DELETE' })
    await eventually(async () => ((await status(bound)) === 401 ? true : undefined), 'the end of the token', 5_000)
    await admin.ask(`${space}/serviceaccounts`, { body: { metadata: { name: 'brief' } } })
    const brief = await eventually(() => issue({}, 'brief').catch(() => undefined), 'the token')
    expect(await status(brief)).toBe(403)
    await admin.ask(`${space}/serviceaccounts/brief`, { method: 'DELETE' })
    await admin.ask(`${space}/serviceaccounts`, { body: { metadata: { name: 'brief' } } })
    await eventually(async () => ((await status(brief)) === 401 ? true : undefined), 'the end of the token', 5_000)
  })
  test.each<object>([
    { expirationSeconds: -1 },
    { expirationSeconds: 1 },
    { expirationSeconds: 2 ** 33 },
    { expirationSeconds: 'x' },
    { expirationSeconds: 1.5 },
    { expirationSeconds: {} },
    { audiences: 'x' },
    { audiences: [1] },
    { audiences: {} },
    { boundObjectRef: [] },
    { boundObjectRef: 'x' },
    { boundObjectRef: { kind: 'Secret', apiVersion: 'v1', name: '../x' } },
  ])('a request with %o is refused', async spec => {
    const answer = await admin.ask(`${space}/serviceaccounts/bot/token`, { body: { spec } })
    expect([400, 404, 422]).toContain(answer.status)
  })
  test.each([
    'Bearer',
    'Bearer ',
    'Basic YWRtaW46YWRtaW4=',
    `Bearer ${'a'.repeat(30_000)}`,
    'bearer a b c',
    'Digest x',
    '\u00ff',
    'Bearer a.b.c',
    'Bearer abcdef.0123456789abcdef',
  ])('authorization %s is nobody', async authorization => {
    const peer = apiPeer(running.controlPlane, {})
    expect((await peer.ask(`${space}/pods`, { headers: { authorization } })).status).toBe(401)
    peer.close()
  })
})
