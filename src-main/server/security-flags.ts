/** Flags of the headless server for encryption, audit, identity, access and load, by the names that kube-apiserver has for them. */
import { resolve } from 'node:path'
import type { ControlPlaneOptions } from '../control-plane/control-plane.ts'

export const securityFlags = {
  'max-requests-inflight': { type: 'string' },
  'max-mutating-requests-inflight': { type: 'string' },
  'encryption-provider-config': { type: 'string' },
  'audit-policy-file': { type: 'string' },
  'audit-log-path': { type: 'string' },
  'audit-log-maxsize': { type: 'string' },
  'audit-log-maxbackup': { type: 'string' },
  'audit-log-maxage': { type: 'string' },
  'authentication-config': { type: 'string' },
  'authentication-token-webhook-config-file': { type: 'string' },
  'authorization-webhook-config-file': { type: 'string' },
  'oidc-issuer-url': { type: 'string' },
  'oidc-client-id': { type: 'string' },
  'oidc-username-claim': { type: 'string' },
  'oidc-username-prefix': { type: 'string' },
  'oidc-groups-claim': { type: 'string' },
  'oidc-groups-prefix': { type: 'string' },
  'oidc-required-claim': { type: 'string', multiple: true },
  'oidc-signing-algs': { type: 'string' },
  'oidc-ca-file': { type: 'string' },
} as const

const DEFAULT_READS = 400
const DEFAULT_WRITES = 200

type Values = { readonly [Name in keyof typeof securityFlags]?: string | readonly string[] | boolean | undefined }

/** Throws Error with a sentence for people. */
export function securityOptions(values: Values): Pick<ControlPlaneOptions, 'encryptionConfigFile' | 'audit' | 'access' | 'requestSeats'> {
  const text = (name: keyof typeof securityFlags): string | undefined => (typeof values[name] === 'string' ? values[name] : undefined)
  const file = (name: keyof typeof securityFlags): string | undefined => {
    const path = text(name)
    return path === undefined ? undefined : resolve(path)
  }
  const count = (name: keyof typeof securityFlags): number | undefined => {
    const given = text(name)
    if (given === undefined) return undefined
    const number = Number(given)
    if (!/^\d+$/.test(given) || number > 1_000_000) throw new Error(`--${name} must be a number`)
    return number
  }
  const reads = count('max-requests-inflight')
  const writes = count('max-mutating-requests-inflight')
  const encryptionConfigFile = file('encryption-provider-config')
  const policyFile = file('audit-policy-file')
  if (policyFile === undefined && text('audit-log-path') !== undefined) throw new Error('--audit-log-path needs --audit-policy-file')
  const access = defined({
    authenticationConfigFile: file('authentication-config'),
    tokenWebhookConfigFile: file('authentication-token-webhook-config-file'),
    authorizationWebhookConfigFile: file('authorization-webhook-config-file'),
    oidc: oidcOptions(values, text, file),
  })
  return {
    // As upstream: priority and fairness gives out both together.
    ...(reads === undefined && writes === undefined ? {} : { requestSeats: Math.max(1, (reads ?? DEFAULT_READS) + (writes ?? DEFAULT_WRITES)) }),
    ...(encryptionConfigFile === undefined ? {} : { encryptionConfigFile }),
    ...(policyFile === undefined
      ? {}
      : {
          audit: {
            policyFile,
            ...defined({
              logFile: file('audit-log-path'),
              maxMegabytes: count('audit-log-maxsize'),
              maxBackups: count('audit-log-maxbackup'),
              maxAgeDays: count('audit-log-maxage'),
            }),
          },
        }),
    ...(Object.keys(access).length === 0 ? {} : { access }),
  }
}

type Oidc = NonNullable<NonNullable<ControlPlaneOptions['access']>['oidc']>

function oidcOptions(
  values: Values,
  text: (name: keyof typeof securityFlags) => string | undefined,
  file: (name: keyof typeof securityFlags) => string | undefined,
): Oidc | undefined {
  const issuerUrl = text('oidc-issuer-url')
  const clientId = text('oidc-client-id')
  if ((issuerUrl === undefined) !== (clientId === undefined)) throw new Error('--oidc-issuer-url and --oidc-client-id belong together')
  if (issuerUrl === undefined || clientId === undefined) return undefined
  const required = values['oidc-required-claim']
  return {
    issuerUrl,
    clientId,
    ...defined({
      usernameClaim: text('oidc-username-claim'),
      usernamePrefix: text('oidc-username-prefix'),
      groupsClaim: text('oidc-groups-claim'),
      groupsPrefix: text('oidc-groups-prefix'),
      requiredClaims: Array.isArray(required) ? (required as readonly string[]) : undefined,
      signingAlgorithms: text('oidc-signing-algs')?.split(','),
      authorityFile: file('oidc-ca-file'),
    }),
  }
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** Without what is undefined. */
function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>
}
