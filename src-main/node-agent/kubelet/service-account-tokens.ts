/** Tokens of pods' service accounts: asked for when first needed, renewed at four fifths of their life. */
import { serviceAccounts } from '../../api/core/v1/service-account.ts'
import type { TokenRequest } from '../../api/generated/authentication-v1.ts'
import type { Pod } from '../../api/generated/core-v1.ts'
import { parseTime } from '../../api/time.ts'
import type { Env } from '../../base/env.ts'
import type { Client } from '../../client/client.ts'

/** Also renewed after a day, however long it lives. */
const maxTokenAgeMs = 86_400_000

interface Entry {
  token: string
  renewAtMs: number
  expiresAtMs: number
}

export class ServiceAccountTokens {
  readonly #env: Env
  readonly #client: Client
  readonly #entries = new Map<string, Entry>()
  constructor(env: Env, client: Client) {
    this.#env = env
    this.#client = client
  }

  /** Throws where no token that is still good can be had. */
  async token(pod: Pod, audience: string | undefined, expirationSeconds: number): Promise<string> {
    const account = pod.spec?.serviceAccountName || 'default'
    const key = `${pod.metadata.uid ?? ''}/${audience ?? ''}/${expirationSeconds}`
    const known = this.#entries.get(key)
    const now = this.#env.clock.now()
    if (known && now < known.renewAtMs) return known.token
    try {
      const body = {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        metadata: {},
        spec: {
          audiences: audience === undefined || audience === '' ? [] : [audience],
          expirationSeconds,
          boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: pod.metadata.name ?? '', uid: pod.metadata.uid ?? '' },
        },
      }
      const answer = await this.#client.resource(serviceAccounts).createSub<unknown, TokenRequest>(account, 'token', body, { namespace: pod.metadata.namespace ?? '' })
      const token = answer.status?.token ?? ''
      if (token === '') throw new Error('the API gave an empty token')
      const expiresAtMs = parseTime(answer.status?.expirationTimestamp)
      const life = expiresAtMs - now
      this.#entries.set(key, { token, expiresAtMs, renewAtMs: now + Math.min(maxTokenAgeMs, life * 0.8) })
      return token
    } catch (fault) {
      if (known && now < known.expiresAtMs) return known.token
      throw new Error(`failed to fetch token: ${fault instanceof Error ? fault.message : String(fault)}`, { cause: fault })
    }
  }

  forget(podUID: string): void {
    for (const key of this.#entries.keys()) if (key.startsWith(`${podUID}/`)) this.#entries.delete(key)
  }
}
