import { generateKeyPairSync, createHmac, createSign } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { X509Certificate } from 'node:crypto'
import { createAuthenticator } from '../../../src-main/apiserver/authn/authenticator.ts'
import { impersonate } from '../../../src-main/apiserver/authn/impersonation.ts'
import { createServiceAccountTokens, tokenIssuer, type ServiceAccountTokens } from '../../../src-main/apiserver/authn/service-account-tokens.ts'
import { createAuthorizer } from '../../../src-main/apiserver/authz/authorizer.ts'
import { places } from '../../../src-main/apiserver/live-copy.ts'
import { createAuthority, issueLeaf, type KeyPair } from '../../../src-main/control-plane/pki/x509.ts'
import type { ApiRequest } from '../../../src-main/api/request.ts'
import type { Authenticator } from '../../../src-main/apiserver/contracts.ts'
import { user, world, type World } from './support.ts'

const { privateKey, publicKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
})
let w: World
let tokens: ServiceAccountTokens
let authority: KeyPair
let authenticator: Authenticator

beforeEach(async () => {
  w = await world()
  tokens = createServiceAccountTokens({ env: w.env, copies: w.copies, privateKey, publicKey })
  authority = await createAuthority('kubernetes', w.env.clock.now() - 1000, w.env.clock.now() + 1e9)
  authenticator = createAuthenticator({ env: w.env, copies: w.copies, authorities: [authority.certificate], tokens })
  await w.put(places.serviceAccounts, { metadata: { name: 'bot', namespace: 'shop', uid: 'sa-1' } })
  await w.put(places.pods, { metadata: { name: 'p', namespace: 'shop', uid: 'pod-1' }, spec: { serviceAccountName: 'bot' } })
})

const request = (headers: Record<string, string>, more: Partial<ApiRequest> = {}): ApiRequest => ({ method: 'GET', url: '/api/v1/pods', headers, ...more })
const bearer = (token: string): ApiRequest => request({ authorization: `Bearer ${token}` })
const issue = (more: object = {}): Promise<{ token: string }> =>
  tokens.issue({ namespace: 'shop', name: 'bot', uid: 'sa-1', audiences: [tokenIssuer], lifetimeSeconds: 600, ...more })
const refused = { code: 401, reason: 'Unauthorized' }

describe('service-account tokens', () => {
  test('are their account, its groups and its pod', async () => {
    const { token } = await issue({ bound: { kind: 'Pod', name: 'p', uid: 'pod-1' }, node: { name: 'n', uid: 'node-1' } })
    expect(await authenticator.authenticate(bearer(token))).toMatchObject({
      name: 'system:serviceaccount:shop:bot',
      uid: 'sa-1',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:shop', 'system:authenticated'],
      extra: { 'authentication.kubernetes.io/pod-name': ['p'], 'authentication.kubernetes.io/node-name': ['n'] },
    })
  })
  test('end with their time', async () => {
    const { token } = await issue()
    await authenticator.authenticate(bearer(token))
    w.env.jump(601_000)
    await expect(authenticator.authenticate(bearer(token))).rejects.toMatchObject(refused)
  })
  test('end with their account, also when one of the same name comes', async () => {
    const { token } = await issue()
    await w.put(places.serviceAccounts, { metadata: { name: 'bot', namespace: 'shop', uid: 'sa-2' } })
    await expect(authenticator.authenticate(bearer(token))).rejects.toMatchObject(refused)
  })
  test('end with their pod', async () => {
    const { token } = await issue({ bound: { kind: 'Pod', name: 'p', uid: 'pod-1' } })
    await authenticator.authenticate(bearer(token))
    await w.remove(places.pods, 'shop', 'p')
    await expect(authenticator.authenticate(bearer(token))).rejects.toMatchObject(refused)
  })
  test('of another audience are not for the API', async () => {
    const { token } = await issue({ audiences: ['vault'] })
    await expect(authenticator.authenticate(bearer(token))).rejects.toMatchObject(refused)
    expect(await tokens.verify(token, ['vault'])).toMatchObject({ audiences: ['vault'] })
  })
  test('are refused with no algorithm, with the public key as a secret, and with another key or key id', async () => {
    const { token } = await issue()
    const [header = '', payload = '', signature = ''] = token.split('.')
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string }
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const signed = (head: object): string => `${encode(head)}.${payload}`
    const forged = [
      `${encode({ alg: 'none', kid })}.${payload}.`,
      `${signed({ alg: 'HS256', kid })}.${createHmac('sha256', publicKey)
        .update(signed({ alg: 'HS256', kid }))
        .digest('base64url')}`,
      `${signed({ alg: 'RS256', kid })}.${createSign('RSA-SHA256')
        .update(signed({ alg: 'RS256', kid }))
        .sign(other.privateKey)
        .toString('base64url')}`,
      `${signed({ alg: 'RS256', kid: '../../etc/passwd' })}.${createSign('RSA-SHA256')
        .update(signed({ alg: 'RS256', kid: '../../etc/passwd' }))
        .sign(privateKey)
        .toString('base64url')}`,
      `${header}.${payload.slice(0, -4)}AAAA.${signature}`,
    ]
    expect(
      await Promise.all(
        forged.map(one =>
          authenticator.authenticate(bearer(one)).then(
            () => 'let in',
            (fault: { code: number }) => fault.code,
          ),
        ),
      ),
    ).toEqual([401, 401, 401, 401, 401])
  })
})

describe('bootstrap tokens', () => {
  const secret = (data: Record<string, string>): Promise<void> =>
    w.put(places.secrets, {
      metadata: { name: 'bootstrap-token-abcdef', namespace: 'kube-system' },
      type: 'bootstrap.kubernetes.io/token',
      data: Object.fromEntries(
        Object.entries({ 'token-id': 'abcdef', 'token-secret': '0123456789abcdef', 'usage-bootstrap-authentication': 'true', ...data }).map(([key, value]) => [
          key,
          Buffer.from(value).toString('base64'),
        ]),
      ),
    })
  const token = 'abcdef.0123456789abcdef'
  test('are their id and groups', async () => {
    await secret({ 'auth-extra-groups': 'system:bootstrappers:quarterdeck:nodes' })
    expect(await authenticator.authenticate(bearer(token))).toEqual({
      name: 'system:bootstrap:abcdef',
      groups: ['system:bootstrappers', 'system:bootstrappers:quarterdeck:nodes', 'system:authenticated'],
    })
  })
  test.each([
    ['expired', { expiration: '2026-05-01T00:00:00Z' }],
    ['of another secret', { 'token-secret': 'fedcba9876543210' }],
    ['not meant for log-in', { 'usage-bootstrap-authentication': 'false' }],
    ['with a group that is none of theirs', { 'auth-extra-groups': 'system:masters' }],
    ['with an unreadable end', { expiration: 'soon' }],
  ])('%s are refused', async (_what, data) => {
    await secret(data as Record<string, string>)
    await expect(authenticator.authenticate(bearer(token))).rejects.toMatchObject(refused)
  })
})

describe('client certificates', () => {
  const certified = async (more: Partial<Parameters<typeof issueLeaf>[1]> = {}, by = authority): Promise<ApiRequest> => {
    const now = w.env.clock.now()
    const leaf = await issueLeaf(by, { commonName: 'ann', organizations: ['dev', 'ops'], usages: ['clientAuth'], notBeforeMs: now - 1000, notAfterMs: now + 60_000, ...more })
    return request({}, { peer: { address: '', certificate: new Uint8Array(new X509Certificate(leaf.certificate).raw) } })
  }
  test('are their common name and organizations', async () => {
    expect(await authenticator.authenticate(await certified())).toMatchObject({ name: 'ann', groups: ['dev', 'ops', 'system:authenticated'] })
  })
  test('of another authority, for servers, past their time or without a name are refused', async () => {
    const other = await createAuthority('kubernetes', w.env.clock.now() - 1000, w.env.clock.now() + 1e9)
    const requests = [
      await certified({}, other),
      await certified({ usages: ['serverAuth'] }),
      await certified({ notAfterMs: w.env.clock.now() - 1 }),
      await certified({ commonName: '' }),
    ]
    expect(
      await Promise.all(
        requests.map(one =>
          authenticator.authenticate(one).then(
            () => 'let in',
            (fault: { code: number }) => fault.code,
          ),
        ),
      ),
    ).toEqual([401, 401, 401, 401])
  })
  test('end while the connection lives', async () => {
    const one = await certified()
    await authenticator.authenticate(one)
    w.env.jump(61_000)
    await expect(authenticator.authenticate(one)).rejects.toMatchObject(refused)
  })
})

test('without credentials only health is open', async () => {
  expect(await authenticator.authenticate(request({}))).toBeUndefined()
  expect(await authenticator.authenticate(request({}, { url: '/readyz?verbose' }))).toMatchObject({ name: 'system:anonymous' })
  expect(await authenticator.authenticate(request({}, { url: '/readyz/../api' }))).toBeUndefined()
})

test('impersonation needs the right for every part', async () => {
  const { authorizer } = createAuthorizer(w.copies)
  await w.put(places.clusterRoles, { metadata: { name: 'act' }, rules: [{ verbs: ['impersonate'], apiGroups: [''], resources: ['users'] }] })
  await w.put(places.clusterRoleBindings, {
    metadata: { name: 'act' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'act' },
    subjects: [{ kind: 'User', name: 'ann' }],
  })
  expect(await impersonate(request({ 'impersonate-user': 'bob' }), user('ann'), authorizer)).toEqual({ name: 'bob', groups: ['system:authenticated'] })
  await expect(impersonate(request({ 'impersonate-user': 'bob', 'impersonate-group': 'system:masters' }), user('ann'), authorizer)).rejects.toThrow(
    'groups "system:masters" is forbidden: User "ann" cannot impersonate resource "groups" in API group "" at the cluster scope',
  )
  await expect(impersonate(request({ 'impersonate-user': 'bob' }), user('eve'), authorizer)).rejects.toMatchObject({ code: 403 })
})
