/** AdmissionReview (admission.k8s.io v1 and v1beta1): what a webhook is asked, and what its answer may say. */
import { isObject } from '../../../api/json.ts'
import type { JsonObject } from '../../../api/json.ts'
import type { KubernetesObject } from '../../../api/meta.ts'
import type { AnyResource } from '../../../api/resource.ts'
import { StatusError } from '../../../api/status-error.ts'
import type { Status } from '../../../api/status-error.ts'
import type { AdmissionAttributes } from '../../contracts.ts'
import { requestFacts } from '../conditions.ts'

export interface ReviewAnswer {
  readonly allowed: boolean
  readonly result: Partial<Status> | undefined
  /** Operations of a JSON patch; empty for none. */
  readonly patch: readonly unknown[]
  readonly warnings: readonly string[]
  readonly auditAnnotations: Readonly<Record<string, string>>
}

/** The newest version that both sides know, by the webhook's own order. */
export function reviewVersion(versions: readonly string[] | undefined): string | undefined {
  return versions?.find(version => version === 'v1' || version === 'v1beta1')
}

export function reviewOf(
  a: AdmissionAttributes,
  shown: AnyResource,
  objects: { readonly object: KubernetesObject | undefined; readonly oldObject: KubernetesObject | undefined },
  identity: { readonly uid: string; readonly version: string },
): JsonObject {
  return {
    kind: 'AdmissionReview',
    apiVersion: `admission.k8s.io/${identity.version}`,
    request: { uid: identity.uid, ...requestFacts(a, shown), object: objects.object ?? null, oldObject: objects.oldObject ?? null },
  }
}

/** Throws an Error with Kubernetes' words for answers that are none. */
export function readAnswer(answer: unknown, identity: { readonly uid: string; readonly version: string }, mutating: boolean): ReviewAnswer {
  const review = isObject(answer) ? answer : {}
  const { response } = review
  if (!isObject(response)) throw new Error('webhook response was absent')
  if (identity.version === 'v1') checkVersion1(review, response, identity.uid, mutating)
  const { patch, warnings, auditAnnotations, status } = response
  return {
    allowed: response['allowed'] === true,
    result: isObject(status) ? (status as Partial<Status>) : undefined,
    patch: mutating && typeof patch === 'string' && patch !== '' ? decodePatch(patch) : [],
    warnings: Array.isArray(warnings) ? warnings.filter(text => typeof text === 'string') : [],
    auditAnnotations: isObject(auditAnnotations)
      ? Object.fromEntries(Object.entries(auditAnnotations).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
      : {},
  }
}

function checkVersion1(review: JsonObject, response: JsonObject, uid: string, mutating: boolean): void {
  if (response['uid'] !== uid) throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response['uid'] ?? '')}`)
  const { apiVersion, kind } = review
  if (apiVersion !== 'admission.k8s.io/v1' || kind !== 'AdmissionReview')
    throw new Error(`expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${String(apiVersion ?? '/')}, Kind=${String(kind ?? '')}`)
  const patched = typeof response['patch'] === 'string' && response['patch'] !== ''
  const typed = response['patchType'] !== undefined && response['patchType'] !== null
  if (!mutating) {
    if (patched) throw new Error('validating webhook may not return response.patch')
    if (typed) throw new Error('validating webhook may not return response.patchType')
    return
  }
  if (patched && !typed) throw new Error('webhook returned response.patch but not response.patchType')
  if (!patched && typed) throw new Error('webhook returned response.patchType but not response.patch')
  if (typed && response['patchType'] === '') throw new Error('webhook returned invalid response.patchType of ""')
  if (typed && response['patchType'] !== 'JSONPatch') throw new Error(`unsupported patch type ${JSON.stringify(response['patchType'])}`)
}

function decodePatch(text: string): readonly unknown[] {
  let patch: unknown
  try {
    patch = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(atob(text), c => c.charCodeAt(0))))
  } catch (fault) {
    throw new Error(`received undecodable patch in webhook response: ${fault instanceof Error ? fault.message : String(fault)}`, { cause: fault })
  }
  if (!Array.isArray(patch)) throw new Error('received undecodable patch in webhook response: the patch is no list of operations')
  return patch
}

/** The refusal that a webhook gave, never with a code below 400. */
export function refusal(webhook: string, result: Partial<Status> | undefined): StatusError {
  const denied = `admission webhook ${JSON.stringify(webhook)} denied the request`
  const code = Math.max(400, Number(result?.code ?? 0) || 0)
  const message = result?.message ? `${denied}: ${result.message}` : result?.reason ? `${denied}: ${result.reason}` : `${denied} without explanation`
  return new StatusError(code, result?.reason ?? '', message, result?.details)
}
