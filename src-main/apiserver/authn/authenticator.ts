/**
 * Who is asking: client certificate, then bearer token (service account, bootstrap, those of identity providers and of a
 * webhook where they are configured). Without credentials only the health paths are open, to system:anonymous (anonymous
 * access to anything else is off, unlike upstream's default, unless it is configured).
 */
import { unauthorized } from '../../api/status-error.ts'
import type { ApiRequest, UserInfo } from '../../api/request.ts'
import type { Env } from '../../base/env.ts'
import type { Authenticator } from '../contracts.ts'
import type { LiveCopies } from '../live-copy.ts'
import { createBootstrapTokens } from './bootstrap-tokens.ts'
import type { ServiceAccountTokens } from './service-account-tokens.ts'
import { createX509Authenticator } from './x509.ts'

const healthPaths = ['/healthz', '/livez', '/readyz']
const anonymous: UserInfo = { name: 'system:anonymous', groups: ['system:unauthenticated'] }

/** Knows bearer tokens of others. Resolves undefined for those that it does not know or that may not be used; never rejects. */
export interface TokenAuthenticator {
  /** `audiences`: one of them must be the token's; empty for the API's own. */
  verify(token: string, audiences: readonly string[]): Promise<UserInfo | undefined>
}

/** What is configured beside the credentials that the cluster makes itself. */
export interface OtherCredentials {
  readonly tokens?: readonly TokenAuthenticator[]
  /** Open to everybody; default the health paths. */
  readonly anonymous?: 'all' | 'none' | readonly string[] | undefined
}

/** The first answer of several. */
export async function verifyElsewhere(others: readonly TokenAuthenticator[], token: string, audiences: readonly string[]): Promise<UserInfo | undefined> {
  for (const other of others) {
    const user = await other.verify(token, audiences)
    if (user) return user
  }
  return undefined
}

/** `authorities` are PEM certificates that may sign client certificates. */
export function createAuthenticator(options: {
  env: Env
  copies: LiveCopies
  authorities: readonly string[]
  tokens: ServiceAccountTokens
  others?: OtherCredentials
}): Authenticator {
  const x509 = createX509Authenticator(options)
  const bootstrap = createBootstrapTokens(options)
  const { tokens: others = [], anonymous: open = healthPaths } = options.others ?? {}
  const isOpen = (path: string): boolean => (typeof open === 'string' ? open === 'all' : open.includes(path))

  return {
    async authenticate(request) {
      const token = bearerToken(request)
      if (token !== undefined) {
        const account = await options.tokens.verify(token)
        if (account !== undefined && account !== 'invalid') return authenticated(account.user)
        const bootstrapUser = account === 'invalid' ? 'invalid' : bootstrap.verify(token)
        if (bootstrapUser !== undefined && bootstrapUser !== 'invalid') return authenticated(bootstrapUser)
        const other = account === undefined && bootstrapUser === undefined ? await verifyElsewhere(others, token, []) : undefined
        if (other) return authenticated(other)
        // A wrong token beside a good certificate: upstream lets the certificate speak, too.
        if (request.peer?.certificate === undefined) throw unauthorized()
      }
      const user = await x509.authenticate(request)
      if (user) return authenticated(user)
      return isOpen(request.url.split('?')[0] ?? '') ? anonymous : undefined
    },
  }
}

const known = new WeakMap<UserInfo, UserInfo>()

/** Every user that proved who it is belongs to system:authenticated. The same one for the same user. */
export function authenticated(user: UserInfo): UserInfo {
  if (user.groups.includes('system:authenticated')) return user
  let member = known.get(user)
  if (!member) known.set(user, (member = { ...user, groups: [...user.groups, 'system:authenticated'] }))
  return member
}

/** RFC 6750; also the WebSocket subprotocol that browsers must use instead. */
function bearerToken(request: ApiRequest): string | undefined {
  const header = request.headers['authorization']
  if (header !== undefined) {
    const [scheme, token] = header.trim().split(/\s+/)
    if (scheme?.toLowerCase() === 'bearer' && token) return token
    throw unauthorized()
  }
  const protocols = request.headers['sec-websocket-protocol']
  if (protocols === undefined) return undefined
  const prefix = 'base64url.bearer.authorization.k8s.io.'
  const protocol = protocols
    .split(',')
    .map(p => p.trim())
    .find(p => p.startsWith(prefix))
  return protocol === undefined ? undefined : Buffer.from(protocol.slice(prefix.length), 'base64url').toString('utf8')
}
