/** Identity providers, token webhooks and authorization webhooks, over real TLS. */
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { nodeEnv } from '../../../src-main/base/node/node-env.ts'
import { AnswerCache } from '../../../src-main/apiserver/answer-cache.ts'
import { createJwtAuthenticator } from '../../../src-main/apiserver/authn/jwt-authenticator.ts'
import { issuerOfFlags, parseAuthenticationConfiguration } from '../../../src-main/apiserver/authn/jwt-configuration.ts'
import { createTokenWebhook } from '../../../src-main/apiserver/authn/token-webhook.ts'
import { createAuthorizationWebhook } from '../../../src-main/apiserver/authz/webhook.ts'
import { createAuthorizer } from '../../../src-main/apiserver/authz/authorizer.ts'
import { remoteJson } from '../../../src-main/apiserver/remote-json.ts'
import { remoteOfKubeconfig } from '../../../src-main/apiserver/webhook-kubeconfig.ts'
import { createAuthority, issueLeaf, type KeyPair } from '../../../src-main/control-plane/pki/x509.ts'
import { virtualEnv } from '../../../src-main/base/virtual-env.ts'
import { ask, user, world } from './support.ts'

const env = nodeEnv({ level: 'error' })
let authority: KeyPair
let server: Server
let url: string
let answers: Map<string, (body: unknown) => unknown>
let asked: { path: string; body: unknown; authorization: string | undefined }[]

beforeEach(async () => {
  const now = env.clock.now()
  authority = await createAuthority('issuer', now - 1_000, now + 1e9)
  const leaf = await issueLeaf(authority, { commonName: 'localhost', ipAddresses: ['127.0.0.1'], usages: ['serverAuth'], notBeforeMs: now - 1_000, notAfterMs: now + 1e9 })
  answers = new Map()
  asked = []
  server = createServer({ cert: leaf.certificate, key: leaf.privateKey }, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      const body: unknown = text === '' ? undefined : JSON.parse(text)
      asked.push({ path: request.url ?? '', body, authorization: request.headers.authorization })
      const answer = answers.get(request.url ?? '')
      response.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' }).end(answer ? JSON.stringify(answer(body)) : '')
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

async function key(kid: string): Promise<{ kid: string; privateKey: CryptoKey; jwk: object }> {
  const pair = await generateKeyPair('RS256')
  return { kid, privateKey: pair.privateKey, jwk: { ...(await exportJWK(pair.publicKey)), kid, alg: 'RS256', use: 'sig' } }
}
function serveIssuer(keys: () => object[]): void {
  answers.set('/.well-known/openid-configuration', () => ({ issuer: url, jwks_uri: `${url}/keys` }))
  answers.set('/keys', () => ({ keys: keys() }))
}
function sign(signer: { kid: string; privateKey: CryptoKey }, claims: object, more: { aud?: string; expires?: string; iss?: string } = {}): Promise<string> {
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: signer.kid })
    .setIssuer(more.iss ?? url)
    .setAudience(more.aud ?? 'cluster')
    .setExpirationTime(more.expires ?? '5m')
    .sign(signer.privateKey)
}
const indent = (text: string): string => text.replace(/^/gm, '      ')
const configuration = (rest: string): string =>
  `apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt:\n- issuer:\n    url: ${url}\n    audiences: [cluster, other]\n    audienceMatchPolicy: MatchAny\n    certificateAuthority: |\n${indent(authority.certificate.trim())}\n${rest}`

describe('identity tokens', () => {
  test('are users by the flags for one issuer', async () => {
    const one = await key('one')
    serveIssuer(() => [one.jwk])
    const issuer = issuerOfFlags({ issuerUrl: url, clientId: 'cluster', groupsClaim: 'roles', groupsPrefix: 'corp:', requiredClaims: ['team=a'], authority: authority.certificate })
    const authenticator = createJwtAuthenticator({ env, issuers: [issuer] })
    const good = { sub: 'ann', roles: ['ops', 'dev'], team: 'a', jti: 'x1' }
    expect(await authenticator.verify(await sign(one, good), [])).toEqual({
      name: `${url}#ann`,
      groups: ['corp:ops', 'corp:dev'],
      extra: { 'authentication.kubernetes.io/credential-id': ['JTI=x1'] },
    })
    const refused = await Promise.all(
      [
        await sign(one, { ...good, team: 'b' }),
        await sign(one, good, { aud: 'elsewhere' }),
        await sign(one, good, { expires: '-1m' }),
        await sign(one, good, { iss: 'https://other.test' }),
        await sign(one, { roles: ['ops'], team: 'a' }),
        `${(await sign(one, good)).slice(0, -8)}AAAAAAAA`,
        await sign(await key('one'), good),
        'no.jwt.atall',
        'plain',
      ].map(token => authenticator.verify(token, [])),
    )
    expect(refused.every(one => one === undefined)).toBe(true)
  })

  test('are users by expressions over their claims', async () => {
    const one = await key('one')
    serveIssuer(() => [one.jwk])
    const text = configuration(`  claimValidationRules:
  - expression: 'claims.email_verified == true'
    message: the address must be verified
  claimMappings:
    username: { expression: '"mail:" + claims.email' }
    groups: { expression: 'claims.roles.split(",")' }
    uid: { claim: sub }
    extra:
    - { key: example.com/tenant, valueExpression: claims.tenant }
  userValidationRules:
  - expression: "!user.username.startsWith('system:')"
    message: reserved
`)
    const authenticator = createJwtAuthenticator({ env, issuers: parseAuthenticationConfiguration(text).issuers })
    const good = { sub: '17', email: 'ann@example.com', email_verified: true, roles: 'ops,dev', tenant: 'blue' }
    expect(await authenticator.verify(await sign(one, good, { aud: 'other' }), [])).toEqual({
      name: 'mail:ann@example.com',
      uid: '17',
      groups: ['ops', 'dev'],
      extra: { 'example.com/tenant': ['blue'] },
    })
    expect(await authenticator.verify(await sign(one, { ...good, email_verified: false }), [])).toBeUndefined()
    expect(await authenticator.verify(await sign(one, { ...good, email: 7 }), [])).toBeUndefined()
  })

  test('follow the issuer to its new keys, and ask it not too often', async () => {
    const [one, two] = [await key('one'), await key('two')]
    let keys = [one.jwk]
    serveIssuer(() => keys)
    let awake = 0
    const clock = { ...env.clock, awakeMs: () => awake }
    const authenticator = createJwtAuthenticator({ env: { ...env, clock }, issuers: [issuerOfFlags({ issuerUrl: url, clientId: 'cluster', authority: authority.certificate })] })
    expect((await authenticator.verify(await sign(one, { sub: 'a' }), []))?.name).toBe(`${url}#a`)
    keys = [two.jwk]
    const early = await authenticator.verify(await sign(two, { sub: 'b' }), [])
    awake = 10_001
    const late = await authenticator.verify(await sign(two, { sub: 'b' }), [])
    expect({ early, late: late?.name, keyQuestions: asked.filter(one => one.path === '/keys').length }).toEqual({ early: undefined, late: `${url}#b`, keyQuestions: 2 })
  })

  test('of an unverified address are nobody', async () => {
    const one = await key('one')
    serveIssuer(() => [one.jwk])
    const authenticator = createJwtAuthenticator({
      env,
      issuers: [issuerOfFlags({ issuerUrl: url, clientId: 'cluster', usernameClaim: 'email', authority: authority.certificate })],
    })
    const names = await Promise.all([true, false].map(async email_verified => (await authenticator.verify(await sign(one, { email: 'a@b.test', email_verified }), []))?.name))
    expect(names).toEqual(['a@b.test', undefined])
  })

  test.each([
    ['jwt: []\nkind: Other', 'kind AuthenticationConfiguration'],
    ['apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt: [ { issuer: { url: "http://a", audiences: [b] } } ]', 'must be an https URL'],
    ['apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt: [ { issuer: { url: "https://a", audiences: [b, c] } } ]', 'must be MatchAny'],
    [
      'apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt: [ { issuer: { url: "https://a", audiences: [b] }, claimMappings: { username: { claim: sub } } } ]',
      'prefix must be set',
    ],
    [
      'apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt: [ { issuer: { url: "https://a", audiences: [b] }, claimMappings: { username: { expression: "claims." } } } ]',
      'compilation failed',
    ],
    [
      'apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt: [ { issuer: { url: "https://a", audiences: [b] }, claimMappings: { username: { claim: a, prefix: "" }, extra: [ { key: kubernetes.io/x, valueExpression: "1" } ] } } ]',
      'domain of Kubernetes',
    ],
  ])('need a right configuration: %s', (text, message) => {
    expect(() => parseAuthenticationConfiguration(text)).toThrow(message)
  })

  test('anonymous access is as configured', () => {
    const anonymous = (text: string): unknown => parseAuthenticationConfiguration(`apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n${text}`).anonymous
    expect([
      anonymous(''),
      anonymous('anonymous: { enabled: false }'),
      anonymous('anonymous: { enabled: true }'),
      anonymous('anonymous: { enabled: true, conditions: [ { path: /livez } ] }'),
    ]).toEqual([undefined, 'none', 'all', ['/livez']])
  })
})

const webhook = (): ReturnType<typeof remoteJson> => remoteJson({ url, authority: authority.certificate, bearerToken: 'of-the-server' }, env.clock)

describe('a token webhook', () => {
  test('is asked once for a token, and believed', async () => {
    answers.set('/authenticate', body => {
      const { spec } = body as { spec: { token: string } }
      return spec.token === 'good'
        ? { status: { authenticated: true, user: { username: 'ann', uid: '7', groups: ['ops'], extra: { a: ['b'] } } } }
        : { status: { authenticated: false } }
    })
    const authenticator = createTokenWebhook({ env, remote: webhook(), path: '/authenticate', audiences: ['api'] })
    const found = [
      await authenticator.verify('good', []),
      await authenticator.verify('good', []),
      await authenticator.verify('bad', []),
      await authenticator.verify('good', ['other']),
    ]
    expect({ found, questions: asked.length, authorization: asked[0]?.authorization, first: asked[0]?.body }).toMatchObject({
      found: [{ name: 'ann', uid: '7', groups: ['ops'], extra: { a: ['b'] } }, { name: 'ann' }, undefined, undefined],
      questions: 3,
      authorization: 'Bearer of-the-server',
      first: { kind: 'TokenReview', spec: { token: 'good', audiences: ['api'] } },
    })
  })

  test('that cannot be asked knows nobody', async () => {
    const authenticator = createTokenWebhook({ env, remote: remoteJson({ url: 'https://127.0.0.1:1' }, env.clock), path: '/', audiences: ['api'] })
    expect(await authenticator.verify('good', [])).toBeUndefined()
  })
})

describe('an authorization webhook', () => {
  test('is asked after the roles, and its no is final', async () => {
    answers.set('/authorize', body => {
      const { spec } = body as { spec: { user: string; resourceAttributes?: { verb: string } } }
      return { status: spec.resourceAttributes?.verb === 'get' ? { allowed: true, reason: `${spec.user} may` } : { allowed: false, denied: true, reason: 'never' } }
    })
    const { copies } = await world()
    const { authorizer } = createAuthorizer(copies, [createAuthorizationWebhook({ env, remote: webhook(), path: '/authorize' })])
    const decisions = [
      await authorizer.authorize(ask(user('ann'), 'get', 'pods')),
      await authorizer.authorize(ask(user('ann'), 'get', 'pods')),
      await authorizer.authorize(ask(user('ann'), 'delete', 'pods')),
    ]
    expect({ decisions, questions: asked.length, body: asked[0]?.body }).toMatchObject({
      decisions: [
        { allowed: true, reason: 'ann may' },
        { allowed: true, reason: 'ann may' },
        { allowed: false, denied: true, reason: 'never' },
      ],
      questions: 2,
      body: { kind: 'SubjectAccessReview', spec: { user: 'ann', groups: ['system:authenticated'], resourceAttributes: { verb: 'get', resource: 'pods' } } },
    })
  })

  test('that cannot be asked has no opinion', async () => {
    const { copies } = await world()
    const { authorizer } = createAuthorizer(copies, [createAuthorizationWebhook({ env, remote: remoteJson({ url: 'https://127.0.0.1:1' }, env.clock), path: '/' })])
    expect(await authorizer.authorize(ask(user('ann'), 'get', 'pods'))).toMatchObject({ allowed: false })
  })
})

test('a webhook is found by a kubeconfig, with files beside it', async () => {
  const text = `
apiVersion: v1
kind: Config
current-context: main
contexts: [ { name: main, context: { cluster: hook, user: me } } ]
clusters: [ { name: hook, cluster: { server: "https://hook.test/authn?x=1", certificate-authority: ca.crt } } ]
users: [ { name: me, user: { client-certificate-data: ${btoa('CERT')}, client-key: me.key, tokenFile: token } } ]
`
  const files: Record<string, string> = { 'ca.crt': 'CA', 'me.key': 'KEY', token: 'secret\n' }
  expect(await remoteOfKubeconfig(text, path => Promise.resolve(files[path] ?? ''))).toEqual({
    url: 'https://hook.test/authn?x=1',
    authority: 'CA',
    certificate: 'CERT',
    key: 'KEY',
    bearerToken: 'secret',
  })
  await expect(remoteOfKubeconfig('kind: Config', () => Promise.resolve(''))).rejects.toThrow('names a server')
})

test('answers are kept for their time, one question at a time, failures not at all', async () => {
  const virtual = virtualEnv()
  const cache = new AnswerCache<number>(virtual.clock, 2)
  let n = 0
  const next = (): Promise<number> => Promise.resolve(++n)
  const get = (question: string): Promise<number> => cache.get(question, next, () => 1_000)
  const first = await Promise.all([get('a'), get('a')])
  await virtual.advance(999)
  const kept = await get('a')
  await virtual.advance(2)
  const again = await get('a')
  await expect(
    cache.get(
      'b',
      () => Promise.reject(new Error('no')),
      () => 1,
    ),
  ).rejects.toThrow('no')
  expect({ first, kept, again, after: await get('b') }).toEqual({ first: [1, 1], kept: 1, again: 2, after: 3 })
})
