/** The agent's client of the API: with its own certificate, asked for by the bootstrap token, renewed in time. */
import type { AgentConfig } from '../api/agent.ts'
import type { ApiRequest, ApiResponse } from '../api/request.ts'
import { backoffMs } from '../base/backoff.ts'
import type { Env } from '../base/env.ts'
import type { Client } from '../client/client.ts'
import { httpsTransport } from '../client/node/https-transport.ts'
import type { HttpsTransport } from '../client/node/https-transport.ts'
import { createClient } from '../client/typed-client.ts'
import { loadIdentity, renewalTimeMs, requestIdentity } from './certificates.ts'
import type { Identity } from './certificates.ts'

const retry = { initialMs: 1_000, maxMs: 15_000 }
/** Certificates live for months; timers are not set further ahead than this. */
const maxCheckMs = 3_600_000
/** The API is one hop away through the SSH connection: silence means that it is gone. */
const answerTimeoutMs = 15_000
/** Watches bring a bookmark every minute. */
const idleTimeoutMs = 150_000

export interface ApiAccess {
  readonly client: Client
  /** Keeps the client's certificate fresh until the signal aborts. */
  run(signal: AbortSignal): Promise<void>
  /** Resolves once there is a client certificate. */
  readonly ready: Promise<void>
  close(): void
}

export function apiAccess(env: Env, config: AgentConfig, stateDir: string): ApiAccess {
  const userAgent = `quarterdeck-agent/${config.agentVersion.slice(0, 12)}`
  const base = { server: config.apiServer, ca: config.certificateAuthority, answerTimeoutMs, idleTimeoutMs }
  let transport: HttpsTransport | undefined
  const ready = Promise.withResolvers<void>()

  function use(identity: Identity): void {
    const before = transport
    transport = httpsTransport({ ...base, cert: identity.certificate, key: identity.key })
    // Requests under way end by themselves; their connections must not be cut by a renewal.
    if (before)
      env.clock.after(60_000, () => {
        before.close()
      })
    ready.resolve()
  }
  const send = (request: ApiRequest): Promise<ApiResponse> => (transport ? transport(request) : Promise.reject(new Error('no client certificate yet')))
  const client = createClient(send, { userAgent })

  async function obtain(signal: AbortSignal, withOwn: boolean): Promise<Identity> {
    if (withOwn) return requestIdentity({ env, client, config, stateDir, kind: 'client', signal })
    const first = httpsTransport({ ...base, token: config.bootstrapToken })
    try {
      return await requestIdentity({ env, client: createClient(first, { userAgent }), config, stateDir, kind: 'client', signal })
    } finally {
      first.close()
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    let identity = await loadIdentity(stateDir, 'client', env.clock.now())
    if (identity) use(identity)
    for (let attempt = 0; !signal.aborted;) {
      const due = identity ? renewalTimeMs(identity.certificate) - env.clock.now() : 0
      try {
        if (due > 0) {
          await env.clock.sleep(Math.min(due, maxCheckMs), signal)
          continue
        }
        const still = identity ? await loadIdentity(stateDir, 'client', env.clock.now()) : undefined
        identity = await obtain(signal, still !== undefined)
        use(identity)
        attempt = 0
      } catch (fault) {
        if (signal.aborted) return
        env.log.log('info', 'no client certificate yet', { fault: fault instanceof Error ? fault.message : String(fault) })
        await env.clock.sleep(backoffMs(retry, attempt++, env.random), signal).catch(() => {})
      }
    }
  }
  return {
    client,
    run,
    ready: ready.promise,
    close: () => {
      transport?.close()
    },
  }
}
