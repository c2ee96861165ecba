/**
 * JSON over HTTP(S) with the servers that say who somebody is and what they may do: identity providers, token and
 * authorization webhooks. Answers are bounded in size and time, redirects are not followed, connections are kept for a
 * moment because such questions come in bursts.
 */
import { Agent, request as httpsRequest } from 'node:https'
import { request as httpRequest } from 'node:http'
import { parseJson, stringifyJson } from '../api/json.ts'
import type { Clock } from '../base/env.ts'

export interface Remote {
  readonly url: string
  /** PEM; absent: the authorities that the machine trusts. */
  readonly authority?: string
  /** PEM of a client certificate and its key. */
  readonly certificate?: string
  readonly key?: string
  readonly bearerToken?: string
  /** Expected in the server's certificate; default the host of the URL. */
  readonly serverName?: string
}

const MAX_BYTES = 4 * 1024 * 1024
const TIMEOUT_MS = 10_000
const IDLE_SOCKETS = 8

/** Asks one remote. Rejects with an Error that names no secret. */
export interface RemoteJson {
  ask(path: string, body?: unknown): Promise<unknown>
}

export function remoteJson(remote: Remote, clock: Clock): RemoteJson {
  const base = new URL(remote.url)
  if (base.protocol !== 'https:' && base.protocol !== 'http:') throw new Error(`${base.protocol} is no way to ${base.host}: use https`)
  const agent =
    base.protocol === 'https:'
      ? new Agent({
          keepAlive: true,
          maxFreeSockets: IDLE_SOCKETS,
          minVersion: 'TLSv1.2',
          ...(remote.authority === undefined ? {} : { ca: remote.authority }),
          ...(remote.certificate === undefined ? {} : { cert: remote.certificate }),
          ...(remote.key === undefined ? {} : { key: remote.key }),
          ...(remote.serverName === undefined ? {} : { servername: remote.serverName }),
        })
      : undefined
  return {
    ask: (path, body) =>
      new Promise((resolve, reject) => {
        const url = new URL(path, base)
        const text = body === undefined ? undefined : stringifyJson(body)
        const headers = {
          accept: 'application/json',
          ...(text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
          ...(remote.bearerToken === undefined ? {} : { authorization: `Bearer ${remote.bearerToken}` }),
        }
        const call = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, { method: text === undefined ? 'GET' : 'POST', headers, ...(agent ? { agent } : {}) })
        const cancel = clock.after(TIMEOUT_MS, () => {
          call.destroy(new Error(`no answer within ${TIMEOUT_MS / 1_000} s`))
        })
        call.on('error', fault => {
          cancel()
          reject(fault)
        })
        call.on('close', cancel)
        call.on('response', response => {
          const chunks: Buffer[] = []
          let size = 0
          response.on('data', (chunk: Buffer) => {
            size += chunk.length
            if (size > MAX_BYTES) call.destroy(new Error('the answer is too large'))
            else chunks.push(chunk)
          })
          response.on('error', reject)
          response.on('end', () => {
            const status = response.statusCode ?? 0
            if (status < 200 || status > 299) {
              reject(new Error(`${url.host} answered ${status}`))
              return
            }
            try {
              resolve(parseJson(Buffer.concat(chunks)))
            } catch (fault) {
              reject(new Error(`${url.host} did not answer with JSON: ${fault instanceof Error ? fault.message : String(fault)}`))
            }
          })
        })
        call.end(text)
      }),
  }
}
