/**
 * Service-account tokens: signed JWTs bound to a ServiceAccount and optionally to a Pod, Secret or Node. Algorithm,
 * issuer and key id are pinned; what a token is bound to is looked up at every use, so a token dies with its pod.
 */
import { createHash, createPublicKey } from 'node:crypto'
import type { CryptoKey } from 'jose'
import type { KubernetesObject } from '../../api/meta.ts'
import type { UserInfo } from '../../api/request.ts'
import type { Env } from '../../base/env.ts'
import { places, type LiveCopies } from '../live-copy.ts'

export const tokenIssuer = 'https://kubernetes.default.svc.cluster.local'
export const defaultAudience = tokenIssuer
const algorithm = 'RS256'
/** A pod that is being deleted keeps its tokens this long, as upstream. */
const deletedLeewayMs = 60_000
/** Good tokens whose signature need not be checked again; a token is about 1 kB. */
const maxRemembered = 2_000

export interface BoundObject {
  readonly kind: 'Pod' | 'Secret' | 'Node'
  readonly name: string
  readonly uid: string
}

export interface TokenRequestOptions {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly audiences: readonly string[]
  readonly lifetimeSeconds: number
  readonly bound?: BoundObject
  /** Of the pod that the token is bound to, when it runs on one. */
  readonly node?: { readonly name: string; readonly uid: string }
}

export interface TokenReviewAnswer {
  readonly user: UserInfo
  readonly audiences: readonly string[]
}

export interface ServiceAccountTokens {
  issue(request: TokenRequestOptions): Promise<{ token: string; expiresMs: number }>
  /** Undefined when it is no token of ours (another issuer); 'invalid' when it is, but may not be used. `audiences` default: the API's own. */
  verify(token: string, audiences?: readonly string[]): Promise<TokenReviewAnswer | 'invalid' | undefined>
  /** Of /openid/v1/jwks. */
  keySet(): Promise<{ keys: object[] }>
}

interface Claims {
  readonly iss?: unknown
  readonly sub?: unknown
  readonly aud?: unknown
  readonly exp?: unknown
  readonly nbf?: unknown
  readonly jti?: unknown
  readonly 'kubernetes.io'?: {
    readonly namespace?: string
    readonly serviceaccount?: { readonly name?: string; readonly uid?: string }
    readonly pod?: { readonly name: string; readonly uid: string }
    readonly secret?: { readonly name: string; readonly uid: string }
    readonly node?: { readonly name: string; readonly uid: string }
  }
}

/** `privateKey` and `publicKey` are PEM. */
export function createServiceAccountTokens(options: { env: Env; copies: LiveCopies; privateKey: string; publicKey: string }): ServiceAccountTokens {
  const { env, copies } = options
  const kid = createHash('sha256')
    .update(createPublicKey(options.publicKey).export({ type: 'spki', format: 'der' }))
    .digest('base64url')
  const accounts = copies.of<KubernetesObject>(places.serviceAccounts)
  const bindings = { pod: copies.of<KubernetesObject>(places.pods), secret: copies.of<KubernetesObject>(places.secrets), node: copies.of<KubernetesObject>(places.nodes) }
  let keys: Promise<{ signing: CryptoKey; verifying: CryptoKey }> | undefined
  const loadKeys = async (): Promise<{ signing: CryptoKey; verifying: CryptoKey }> => {
    const jose = await import('jose')
    return { signing: await jose.importPKCS8(options.privateKey, algorithm), verifying: await jose.importSPKI(options.publicKey, algorithm) }
  }
  const remembered = new Map<string, Claims>()

  const checkSignature = async (token: string): Promise<Claims | 'invalid'> => {
    const known = remembered.get(token)
    if (known) return known
    try {
      const { jwtVerify } = await import('jose')
      const { verifying } = await (keys ??= loadKeys())
      const now = new Date(env.clock.now())
      const { payload, protectedHeader } = await jwtVerify(token, verifying, { algorithms: [algorithm], issuer: tokenIssuer, currentDate: now })
      if (protectedHeader.kid !== kid) return 'invalid'
      if (remembered.size >= maxRemembered) remembered.delete(remembered.keys().next().value ?? '')
      remembered.set(token, payload as Claims)
      return payload as Claims
    } catch {
      return 'invalid'
    }
  }

  const isAlive = (object: KubernetesObject | undefined, uid: string | undefined): boolean => {
    if (!object || object.metadata.uid !== uid) return false
    const deleted = object.metadata.deletionTimestamp
    return deleted === undefined || env.clock.now() < Date.parse(deleted) + deletedLeewayMs
  }

  return {
    async issue(request) {
      const { SignJWT } = await import('jose')
      const { signing } = await (keys ??= loadKeys())
      const nowSeconds = Math.floor(env.clock.now() / 1000)
      const bound = request.bound ? { [request.bound.kind.toLowerCase()]: { name: request.bound.name, uid: request.bound.uid } } : {}
      const claims = {
        aud: [...request.audiences],
        exp: nowSeconds + request.lifetimeSeconds,
        iat: nowSeconds,
        iss: tokenIssuer,
        jti: env.random.uuid(),
        'kubernetes.io': { namespace: request.namespace, ...(request.node ? { node: request.node } : {}), ...bound, serviceaccount: { name: request.name, uid: request.uid } },
        nbf: nowSeconds,
        sub: `system:serviceaccount:${request.namespace}:${request.name}`,
      }
      const token = await new SignJWT(claims).setProtectedHeader({ alg: algorithm, kid }).sign(signing)
      return { token, expiresMs: claims.exp * 1000 }
    },

    async verify(token, audiences) {
      if (!isOurs(token)) return undefined
      const claims = await checkSignature(token)
      if (claims === 'invalid') return 'invalid'
      const now = env.clock.now() / 1000
      if (typeof claims.exp !== 'number' || now >= claims.exp || (typeof claims.nbf === 'number' && now < claims.nbf)) return 'invalid'
      const wanted = audiences === undefined || audiences.length === 0 ? [defaultAudience] : audiences
      const shared = wanted.filter(audience => [claims.aud].flat().includes(audience))
      const { namespace, serviceaccount, pod, secret, node } = claims['kubernetes.io'] ?? {}
      if (shared.length === 0 || !namespace || !serviceaccount?.name) return 'invalid'
      if (claims.sub !== `system:serviceaccount:${namespace}:${serviceaccount.name}`) return 'invalid'
      if (!isAlive(accounts.get(namespace, serviceaccount.name), serviceaccount.uid)) return 'invalid'
      if (pod && !isAlive(bindings.pod.get(namespace, pod.name), pod.uid)) return 'invalid'
      if (secret && !isAlive(bindings.secret.get(namespace, secret.name), secret.uid)) return 'invalid'
      // A pod's node is only information; a token bound to a node itself dies with it.
      if (node && !pod && !isAlive(bindings.node.get('', node.name), node.uid)) return 'invalid'
      const extra: Record<string, string[]> = {}
      if (typeof claims.jti === 'string') extra['authentication.kubernetes.io/credential-id'] = [`JTI=${claims.jti}`]
      if (node) Object.assign(extra, { 'authentication.kubernetes.io/node-name': [node.name], 'authentication.kubernetes.io/node-uid': [node.uid] })
      if (pod) Object.assign(extra, { 'authentication.kubernetes.io/pod-name': [pod.name], 'authentication.kubernetes.io/pod-uid': [pod.uid] })
      return { user: { ...serviceAccountUser(namespace, serviceaccount.name, serviceaccount.uid), extra }, audiences: shared }
    },

    async keySet() {
      const jose = await import('jose')
      const { verifying } = await (keys ??= loadKeys())
      return { keys: [{ use: 'sig', ...(await jose.exportJWK(verifying)), kid, alg: algorithm }] }
    },
  }
}

/** The user that a ServiceAccount is, without the groups that every authenticated user gets. */
export function serviceAccountUser(namespace: string, name: string, uid?: string): UserInfo {
  return { name: `system:serviceaccount:${namespace}:${name}`, ...(uid === undefined ? {} : { uid }), groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`] }
}

/** Whether the unverified issuer is ours, so that other token kinds may have their turn. */
function isOurs(token: string): boolean {
  const parts = token.split('.')
  if (parts.length !== 3) return false
  try {
    return (JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString('utf8')) as Claims).iss === tokenIssuer
  } catch {
    return false
  }
}
