/** Identity providers, token webhooks and authorization webhooks of a control plane, from the files that describe them. */
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { OtherCredentials, TokenAuthenticator } from '../apiserver/authn/authenticator.ts'
import type { OidcFlags } from '../apiserver/authn/jwt-configuration.ts'
import { defaultAudience } from '../apiserver/authn/service-account-tokens.ts'
import type { Authorizer } from '../apiserver/contracts.ts'
import type { RemoteJson } from '../apiserver/remote-json.ts'
import type { Env } from '../base/env.ts'

export interface AccessOptions {
  /** File of an AuthenticationConfiguration. */
  readonly authenticationConfigFile?: string
  /** One identity provider; not together with a configuration. */
  readonly oidc?: Omit<OidcFlags, 'authority'> & { readonly authorityFile?: string }
  /** Kubeconfig of a webhook that gets TokenReviews. */
  readonly tokenWebhookConfigFile?: string
  /** Kubeconfig of a webhook that gets SubjectAccessReviews; asked after nodes and RBAC. */
  readonly authorizationWebhookConfigFile?: string
}

export interface Access extends OtherCredentials {
  readonly tokens: readonly TokenAuthenticator[]
  readonly authorizers: readonly Authorizer[]
}

/** Rejects with a sentence for people. Its code is loaded only where something is configured. */
export async function openAccess(options: AccessOptions, env: Env): Promise<Access> {
  const tokens: TokenAuthenticator[] = []
  const { issuers, anonymous } = await issuersOf(options)
  if (issuers.length > 0) {
    const { createJwtAuthenticator } = await import('../apiserver/authn/jwt-authenticator.ts')
    tokens.push(createJwtAuthenticator({ env, issuers }))
  }
  if (options.tokenWebhookConfigFile !== undefined) {
    const { createTokenWebhook } = await import('../apiserver/authn/token-webhook.ts')
    tokens.push(createTokenWebhook({ env, ...(await webhookOf(options.tokenWebhookConfigFile, env)), audiences: [defaultAudience] }))
  }
  const authorizers: Authorizer[] = []
  if (options.authorizationWebhookConfigFile !== undefined) {
    const { createAuthorizationWebhook } = await import('../apiserver/authz/webhook.ts')
    authorizers.push(createAuthorizationWebhook({ env, ...(await webhookOf(options.authorizationWebhookConfigFile, env)) }))
  }
  return { tokens, authorizers, anonymous }
}

async function read(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((fault: unknown) => {
    throw new Error(`${file} cannot be read: ${fault instanceof Error ? fault.message : String(fault)}`, { cause: fault })
  })
}

async function issuersOf({ authenticationConfigFile, oidc }: AccessOptions): Promise<import('../apiserver/authn/jwt-configuration.ts').AuthenticationConfiguration> {
  if (authenticationConfigFile === undefined && oidc === undefined) return { issuers: [], anonymous: undefined }
  if (authenticationConfigFile !== undefined && oidc !== undefined) throw new Error('an authentication configuration and the flags for one OIDC issuer cannot be used together')
  const { issuerOfFlags, parseAuthenticationConfiguration } = await import('../apiserver/authn/jwt-configuration.ts')
  if (authenticationConfigFile !== undefined) return parseAuthenticationConfiguration(await read(authenticationConfigFile))
  if (oidc === undefined) return { issuers: [], anonymous: undefined }
  const { authorityFile, ...flags } = oidc
  return { issuers: [issuerOfFlags({ ...flags, ...(authorityFile === undefined ? {} : { authority: await read(authorityFile) }) })], anonymous: undefined }
}

async function webhookOf(file: string, env: Env): Promise<{ remote: RemoteJson; path: string }> {
  const [{ remoteOfKubeconfig }, { remoteJson }] = await Promise.all([import('../apiserver/webhook-kubeconfig.ts'), import('../apiserver/remote-json.ts')])
  const remote = await remoteOfKubeconfig(await read(file), path => read(resolve(dirname(file), path)))
  const { pathname, search } = new URL(remote.url)
  return { remote: remoteJson(remote, env.clock), path: pathname + search }
}
