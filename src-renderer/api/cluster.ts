/** The cluster as the window asks for it: the typed client over the bridge, and requests by path. Throws StatusError or BridgeError. */
import { createClient } from '../../src-main/client/typed-client.ts'
import type { Client } from '../../src-main/client/client.ts'
import { StatusError } from '../../src-main/api/status-error.ts'
import type { Status } from '../../src-main/api/status-error.ts'
import type { KubernetesObject } from '../../src-main/api/meta.ts'
import type { AnyResource } from '../../src-main/api/resource.ts'
import { resourcePath } from '../../src-main/api/resource.ts'
import { bridgeTransport } from '../transport/bridge-transport.ts'
import { useBridge } from '../transport/connect.ts'

let client: Client | undefined
export function useClient(): Client {
  client ??= createClient(bridgeTransport(useBridge()))
  return client
}

interface Asked {
  body?: unknown
  contentType?: string
  accept?: string
  signal?: AbortSignal
}
export interface Answered {
  body: unknown
  warnings: string[]
}

/** One request; an error status is thrown as StatusError. */
export async function ask(method: string, path: string, asked: Asked = {}): Promise<Answered> {
  const headers: Record<string, string> = { accept: asked.accept ?? 'application/json' }
  if (asked.contentType) headers['content-type'] = asked.contentType
  const answer = await useBridge().call('kubernetes.request', { method, path, headers, ...(asked.body === undefined ? {} : { body: asked.body }) }, asked.signal)
  if (answer.status >= 400) throw statusErrorOf(answer.status, answer.body)
  return { body: answer.body, warnings: answer.warnings }
}

function statusErrorOf(code: number, body: unknown): StatusError {
  if (typeof body === 'object' && body !== null && (body as { kind?: unknown }).kind === 'Status') return StatusError.from(body as Status)
  return new StatusError(code, 'Unknown', typeof body === 'string' && body !== '' ? body.slice(0, 2000) : `the server answered ${code}`)
}

export function pathOf(resource: AnyResource, object: KubernetesObject, subresource?: string): string {
  return resourcePath(resource, object.metadata.namespace, object.metadata.name, subresource)
}

export function mergePatch(resource: AnyResource, object: KubernetesObject, body: unknown, subresource?: string): Promise<Answered> {
  return ask('PATCH', pathOf(resource, object, subresource), { body, contentType: 'application/merge-patch+json' })
}

export function strategicPatch(resource: AnyResource, object: KubernetesObject, body: unknown): Promise<Answered> {
  return ask('PATCH', pathOf(resource, object), { body, contentType: 'application/strategic-merge-patch+json' })
}

export function remove(resource: AnyResource, object: KubernetesObject, options: { graceSeconds?: number; dryRun?: boolean } = {}): Promise<Answered> {
  const body = {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    propagationPolicy: 'Background',
    preconditions: { uid: object.metadata.uid },
    ...(options.graceSeconds === undefined ? {} : { gracePeriodSeconds: options.graceSeconds }),
    ...(options.dryRun ? { dryRun: ['All'] } : {}),
  }
  return ask('DELETE', pathOf(resource, object), { body, contentType: 'application/json' })
}
