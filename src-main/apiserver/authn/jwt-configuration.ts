/**
 * AuthenticationConfiguration (apiserver.config.k8s.io/v1): whose identity tokens are taken, and how their claims become
 * users; and the older flags for one issuer, which are the same in other words. Expressions are compiled here, so that a
 * wrong one keeps the program from starting.
 */
import { celEnvironment, CelCompileError } from '../../api/cel/cel.ts'
import type { CelProgram } from '../../api/cel/cel.ts'
import { dynType, formatType, mapType, stringType } from '../../api/cel/types.ts'
import { isObject } from '../../api/json.ts'
import type { JsonObject } from '../../api/json.ts'
import { parseYaml } from '../../api/yaml.ts'

/** A claim with a prefix, or an expression. */
export type Mapping = { readonly claim: string; readonly prefix: string } | { readonly program: CelProgram }

export interface JwtIssuer {
  readonly url: string
  readonly discoveryUrl: string | undefined
  /** PEM. */
  readonly authority: string | undefined
  readonly audiences: readonly string[]
  readonly algorithms: readonly string[]
  readonly required: readonly { readonly claim: string; readonly value: string }[]
  readonly rules: readonly { readonly program: CelProgram; readonly message: string }[]
  readonly username: Mapping
  readonly groups: Mapping | undefined
  readonly uid: Mapping | undefined
  readonly extra: readonly { readonly key: string; readonly program: CelProgram }[]
  readonly userRules: readonly { readonly program: CelProgram; readonly message: string }[]
}

/** Paths open to everybody; undefined: the usual ones. */
export type AnonymousPaths = 'all' | 'none' | readonly string[] | undefined

export interface AuthenticationConfiguration {
  readonly issuers: readonly JwtIssuer[]
  readonly anonymous: AnonymousPaths
}

export const allAlgorithms: readonly string[] = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512']

const claimsEnvironment = celEnvironment({ variables: { claims: mapType(stringType, dynType) } })
const userEnvironment = celEnvironment({ variables: { user: dynType } })

function fault(at: string, why: string): Error {
  return new Error(`authentication configuration: ${at} ${why}`)
}

function compile(expression: unknown, at: string, environment = claimsEnvironment, wanted?: 'bool'): CelProgram {
  if (typeof expression !== 'string' || expression === '') throw fault(at, 'must be an expression')
  try {
    const program = environment.compile(expression)
    const type = formatType(program.resultType)
    if (wanted !== undefined && type !== wanted && type !== 'dyn') throw fault(at, `must evaluate to ${wanted}, not ${type}`)
    return program
  } catch (cause) {
    if (cause instanceof CelCompileError) throw new Error(`authentication configuration: ${at}: compilation failed: ${cause.message}`, { cause })
    throw cause
  }
}

const objectAt = (value: unknown): JsonObject => (isObject(value) ? value : {})
const listAt = (value: unknown, at: string): JsonObject[] => {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value) || !value.every(isObject)) throw fault(at, 'must be a list of objects')
  return value
}
const textAt = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

/** Throws Error with a sentence for people. */
export function parseAuthenticationConfiguration(text: string): AuthenticationConfiguration {
  const [document] = parseYaml(text)
  if (!isObject(document) || document['kind'] !== 'AuthenticationConfiguration' || !/^apiserver\.config\.k8s\.io\/v1(beta1|alpha1)?$/.test(String(document['apiVersion'])))
    throw new Error('the authentication configuration must be an object of kind AuthenticationConfiguration and apiVersion apiserver.config.k8s.io/v1')
  const issuers = listAt(document['jwt'], 'jwt').map((one, i) => issuerOf(one, `jwt[${i}]`))
  const repeated = issuers.find((one, i) => issuers.findIndex(other => other.url === one.url) !== i)
  if (repeated) throw fault('jwt', `names the issuer ${repeated.url} twice`)
  return { issuers, anonymous: anonymousOf(document['anonymous']) }
}

function anonymousOf(value: unknown): AnonymousPaths {
  if (!isObject(value)) return undefined
  if (value['enabled'] !== true) return 'none'
  const conditions = listAt(value['conditions'], 'anonymous.conditions')
  return conditions.length === 0 ? 'all' : conditions.map(one => String(one['path']))
}

function issuerOf(given: JsonObject, at: string): JwtIssuer {
  const issuer = objectAt(given['issuer'])
  const url = textAt(issuer['url'])
  if (url === undefined || !url.startsWith('https://')) throw fault(`${at}.issuer.url`, 'must be an https URL')
  const audiences = Array.isArray(issuer['audiences']) ? issuer['audiences'].filter(one => typeof one === 'string') : []
  if (audiences.length === 0) throw fault(`${at}.issuer.audiences`, 'must name at least one audience')
  if (audiences.length > 1 && issuer['audienceMatchPolicy'] !== 'MatchAny') throw fault(`${at}.issuer.audienceMatchPolicy`, 'must be MatchAny for multiple audiences')
  const mappings = objectAt(given['claimMappings'])
  const username = mappingOf(mappings['username'], `${at}.claimMappings.username`, true)
  if (!username) throw fault(`${at}.claimMappings.username`, 'must have a claim or an expression')
  const rules = listAt(given['claimValidationRules'], `${at}.claimValidationRules`)
  return {
    url,
    discoveryUrl: textAt(issuer['discoveryURL']),
    authority: textAt(issuer['certificateAuthority']),
    audiences,
    algorithms: allAlgorithms,
    required: rules.flatMap(rule => (textAt(rule['claim']) === undefined ? [] : [{ claim: String(rule['claim']), value: String(rule['requiredValue'] ?? '') }])),
    rules: rules.flatMap((rule, i) =>
      rule['expression'] === undefined
        ? []
        : [{ program: compile(rule['expression'], `${at}.claimValidationRules[${i}].expression`, claimsEnvironment, 'bool'), message: textAt(rule['message']) ?? '' }],
    ),
    username,
    groups: mappingOf(mappings['groups'], `${at}.claimMappings.groups`, true),
    uid: mappingOf(mappings['uid'], `${at}.claimMappings.uid`, false),
    extra: listAt(mappings['extra'], `${at}.claimMappings.extra`).map((one, i) => extraOf(one, `${at}.claimMappings.extra[${i}]`)),
    userRules: listAt(given['userValidationRules'], `${at}.userValidationRules`).map((rule, i) => ({
      program: compile(rule['expression'], `${at}.userValidationRules[${i}].expression`, userEnvironment, 'bool'),
      message: textAt(rule['message']) ?? '',
    })),
  }
}

function extraOf(one: JsonObject, at: string): { key: string; program: CelProgram } {
  const key = textAt(one['key'])
  if (key === undefined || key !== key.toLowerCase() || !key.includes('/')) throw fault(`${at}.key`, 'must be a lower-case path with a domain')
  if (/^([a-z0-9-]+\.)*(kubernetes|k8s)\.io\//.test(key)) throw fault(`${at}.key`, 'may not be in a domain of Kubernetes')
  return { key, program: compile(one['valueExpression'], `${at}.valueExpression`) }
}

function mappingOf(value: unknown, at: string, withPrefix: boolean): Mapping | undefined {
  const given = objectAt(value)
  const claim = textAt(given['claim'])
  if (given['expression'] !== undefined && textAt(given['expression']) !== undefined) {
    if (claim !== undefined) throw fault(at, 'may not have both claim and expression')
    return { program: compile(given['expression'], `${at}.expression`) }
  }
  if (claim === undefined) return undefined
  if (withPrefix && typeof given['prefix'] !== 'string') throw fault(`${at}.prefix`, 'must be set when claim is; "" for none')
  return { claim, prefix: typeof given['prefix'] === 'string' ? given['prefix'] : '' }
}

/** The flags for one issuer, by upstream's names without `--oidc-`. */
export interface OidcFlags {
  readonly issuerUrl: string
  readonly clientId: string
  readonly usernameClaim?: string
  readonly usernamePrefix?: string
  readonly groupsClaim?: string
  readonly groupsPrefix?: string
  /** `key=value`. */
  readonly requiredClaims?: readonly string[]
  readonly signingAlgorithms?: readonly string[]
  /** PEM. */
  readonly authority?: string
}

/** Throws Error with a sentence for people. */
export function issuerOfFlags(flags: OidcFlags): JwtIssuer {
  if (!flags.issuerUrl.startsWith('https://')) throw new Error('--oidc-issuer-url must be an https URL')
  const algorithms = flags.signingAlgorithms ?? ['RS256']
  const unknown = algorithms.find(one => !allAlgorithms.includes(one))
  if (unknown !== undefined) throw new Error(`--oidc-signing-algs: unsupported signing alg: ${JSON.stringify(unknown)}`)
  const claim = flags.usernameClaim ?? 'sub'
  // A subject is unique at its issuer alone, an e-mail address is not bound to one.
  const prefix = flags.usernamePrefix ?? (claim === 'email' ? '' : `${flags.issuerUrl}#`)
  return {
    url: flags.issuerUrl,
    discoveryUrl: undefined,
    authority: flags.authority,
    audiences: [flags.clientId],
    algorithms,
    required: (flags.requiredClaims ?? []).map(one => {
      const at = one.indexOf('=')
      if (at < 1) throw new Error('--oidc-required-claim must be of the form key=value')
      return { claim: one.slice(0, at), value: one.slice(at + 1) }
    }),
    rules: [],
    username: { claim, prefix: prefix === '-' ? '' : prefix },
    groups: flags.groupsClaim === undefined ? undefined : { claim: flags.groupsClaim, prefix: flags.groupsPrefix ?? '' },
    uid: undefined,
    extra: [],
    userRules: [],
  }
}
