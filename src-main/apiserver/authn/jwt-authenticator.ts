/**
 * Identity tokens of OpenID Connect issuers. The issuer's keys come from its discovery document and are asked for again
 * when a token names a key that is not among them, at most every ten seconds.
 */
import { createHash } from 'node:crypto'
import type { JSONWebKeySet, JWTPayload } from 'jose'
import { CelError } from '../../api/cel/cel.ts'
import { celValue } from '../../api/cel/schema-types.ts'
import type { CelProgram } from '../../api/cel/cel.ts'
import { toJson } from '../../api/cel/values.ts'
import { isObject } from '../../api/json.ts'
import type { UserInfo } from '../../api/request.ts'
import type { Env } from '../../base/env.ts'
import { remoteJson } from '../remote-json.ts'
import type { RemoteJson } from '../remote-json.ts'
import type { TokenAuthenticator } from './authenticator.ts'
import type { JwtIssuer, Mapping } from './jwt-configuration.ts'

/** Between two questions for an issuer's keys. */
const ASK_AGAIN_MS = 10_000
/** Verified tokens that are remembered until they end. */
const KEPT_TOKENS = 2_000
/** Units of cost that one expression may use. */
const COST_LIMIT = 1_000_000

type Claims = Readonly<Record<string, unknown>>

class TokenFault extends Error {}

export function createJwtAuthenticator(options: { env: Env; issuers: readonly JwtIssuer[]; remoteOf?: (issuer: JwtIssuer, url: string) => RemoteJson }): TokenAuthenticator {
  const { env } = options
  const remoteOf = options.remoteOf ?? ((issuer, url) => remoteJson({ url, ...(issuer.authority === undefined ? {} : { authority: issuer.authority }) }, env.clock))
  const byUrl = new Map(options.issuers.map(issuer => [issuer.url, { issuer, keys: new IssuerKeys(env, issuer, remoteOf) }]))
  const remembered = new Map<string, { user: UserInfo; endMs: number; audiences: readonly string[] }>()

  async function check(token: string, issuer: JwtIssuer, keys: IssuerKeys): Promise<{ user: UserInfo; endMs: number; audiences: readonly string[] }> {
    const claims = await keys.verify(token)
    const audiences = [claims['aud']].flat().filter(one => typeof one === 'string')
    for (const { claim, value } of issuer.required) if (claims[claim] !== value) throw new TokenFault(`oidc: required claim ${claim} is not as configured`)
    for (const rule of issuer.rules)
      if (evaluate(rule.program, { claims }) !== true) throw new TokenFault(`oidc: validation expression '${rule.program.expression}' failed: ${rule.message}`)
    const user = userOf(issuer, claims)
    const asValue = { username: user.name, groups: user.groups, uid: user.uid ?? '', extra: user.extra ?? {} }
    for (const rule of issuer.userRules)
      if (evaluate(rule.program, { user: asValue }) !== true) throw new TokenFault(`oidc: validation expression '${rule.program.expression}' failed: ${rule.message}`)
    return { user, endMs: Number(claims['exp']) * 1_000, audiences: issuer.audiences.filter(one => audiences.includes(one)) }
  }

  return {
    async verify(token, audiences) {
      const found = byUrl.get(issuerOf(token) ?? '')
      if (!found) return undefined
      const id = createHash('sha256').update(token).digest('base64')
      let known = remembered.get(id)
      if (!known || env.clock.now() >= known.endMs) {
        try {
          known = await check(token, found.issuer, found.keys)
        } catch (fault) {
          env.log.log('info', 'an identity token was refused', { issuer: found.issuer.url, reason: fault instanceof Error ? fault.message : String(fault) })
          return undefined
        }
        if (remembered.size >= KEPT_TOKENS) remembered.delete(remembered.keys().next().value ?? '')
        remembered.set(id, known)
      }
      // A TokenReview may ask for an audience of its own.
      return audiences.length === 0 || audiences.some(one => known.audiences.includes(one)) ? known.user : undefined
    },
  }
}

/** The unverified issuer, to know whom to ask. */
function issuerOf(token: string): string | undefined {
  const parts = token.split('.')
  if (parts.length !== 3) return undefined
  try {
    const claims: unknown = JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString('utf8'))
    return isObject(claims) && typeof claims['iss'] === 'string' ? claims['iss'] : undefined
  } catch {
    return undefined
  }
}

class IssuerKeys {
  readonly #env: Env
  readonly #issuer: JwtIssuer
  readonly #remoteOf: (issuer: JwtIssuer, url: string) => RemoteJson
  #set: JSONWebKeySet | undefined
  #asking: Promise<void> | undefined
  #askedMs = Number.NEGATIVE_INFINITY

  constructor(env: Env, issuer: JwtIssuer, remoteOf: (issuer: JwtIssuer, url: string) => RemoteJson) {
    this.#env = env
    this.#issuer = issuer
    this.#remoteOf = remoteOf
  }

  /** The claims of a token that one of the issuer's keys signed for one of our audiences, in its time. */
  async verify(token: string): Promise<Claims> {
    const { createLocalJWKSet, errors, jwtVerify } = await import('jose')
    const { url, audiences, algorithms } = this.#issuer
    const once = async (): Promise<JWTPayload> => {
      if (!this.#set) throw new errors.JWKSNoMatchingKey()
      const { payload } = await jwtVerify(token, createLocalJWKSet(this.#set), {
        issuer: url,
        audience: [...audiences],
        algorithms: [...algorithms],
        currentDate: new Date(this.#env.clock.now()),
        requiredClaims: ['exp'],
      })
      return payload
    }
    try {
      return await once()
    } catch (fault) {
      if (!(fault instanceof errors.JWKSNoMatchingKey) || !(await this.#refresh())) throw fault
      return once()
    }
  }

  /** Asks for the keys; false when that was done a moment ago. */
  async #refresh(): Promise<boolean> {
    if (this.#asking) {
      await this.#asking
      return true
    }
    const now = this.#env.clock.awakeMs()
    if (now - this.#askedMs < ASK_AGAIN_MS) return false
    this.#askedMs = now
    this.#asking = this.#ask().finally(() => {
      this.#asking = undefined
    })
    await this.#asking
    return true
  }

  async #ask(): Promise<void> {
    const issuer = this.#issuer
    const discovery = issuer.discoveryUrl ?? `${issuer.url.replace(/\/$/, '')}/.well-known/openid-configuration`
    const document = await this.#remoteOf(issuer, discovery).ask(discovery)
    if (!isObject(document) || document['issuer'] !== issuer.url) throw new TokenFault(`oidc: the discovery document of ${issuer.url} names another issuer`)
    const address = document['jwks_uri']
    if (typeof address !== 'string' || !address.startsWith('https://')) throw new TokenFault(`oidc: the discovery document of ${issuer.url} has no jwks_uri with https`)
    const set = await this.#remoteOf(issuer, address).ask(address)
    if (!isObject(set) || !Array.isArray(set['keys'])) throw new TokenFault(`oidc: ${issuer.url} has no key set`)
    this.#set = set as unknown as JSONWebKeySet
  }
}

function evaluate(program: CelProgram, bindings: Readonly<Record<string, unknown>>): unknown {
  try {
    return toJson(program.evaluate(Object.fromEntries(Object.entries(bindings).map(([name, value]) => [name, celValue(value)])), { limit: COST_LIMIT }).value)
  } catch (fault) {
    if (fault instanceof CelError) throw new TokenFault(`oidc: error evaluating '${program.expression}': ${fault.message}`)
    throw fault
  }
}

function userOf(issuer: JwtIssuer, claims: Claims): UserInfo {
  const name = usernameOf(issuer.username, claims)
  if (typeof name !== 'string' || name === '') throw new TokenFault('oidc: the token gives no user name')
  const uid = issuer.uid && valueOf(issuer.uid, claims)
  if (uid !== undefined && uid !== null && typeof uid !== 'string') throw new TokenFault('oidc: the uid is no text')
  const extra = Object.fromEntries(issuer.extra.map(({ key, program }) => [key, listOf(evaluate(program, { claims }))] as const).filter(([, values]) => values.length > 0))
  const jti = claims['jti']
  const all = { ...extra, ...(typeof jti === 'string' && jti !== '' ? { 'authentication.kubernetes.io/credential-id': [`JTI=${jti}`] } : {}) }
  return { name, groups: groupsOf(issuer.groups, claims), ...(uid ? { uid } : {}), ...(Object.keys(all).length > 0 ? { extra: all } : {}) }
}

function valueOf(mapping: Mapping, claims: Claims): unknown {
  return 'program' in mapping ? evaluate(mapping.program, { claims }) : Object.hasOwn(claims, mapping.claim) ? claims[mapping.claim] : undefined
}

function usernameOf(mapping: Mapping, claims: Claims): unknown {
  const value = valueOf(mapping, claims)
  if ('program' in mapping) return value
  // An address that nobody verified may be anybody's.
  if (mapping.claim === 'email' && Object.hasOwn(claims, 'email_verified') && claims['email_verified'] !== true) throw new TokenFault('oidc: email not verified')
  return typeof value === 'string' && value !== '' ? mapping.prefix + value : undefined
}

function groupsOf(mapping: Mapping | undefined, claims: Claims): string[] {
  if (!mapping) return []
  const prefix = 'prefix' in mapping ? mapping.prefix : ''
  return listOf(valueOf(mapping, claims)).map(group => prefix + group)
}

/** A text or a list of them; nothing for nothing. */
function listOf(value: unknown): string[] {
  if (value === undefined || value === null || value === '') return []
  const list = Array.isArray(value) ? (value as unknown[]) : [value]
  if (!list.every(one => typeof one === 'string')) throw new TokenFault('oidc: a claim is neither a text nor a list of texts')
  return list
}
