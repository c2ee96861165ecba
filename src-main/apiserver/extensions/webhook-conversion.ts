/**
 * Asks the conversion webhook of a definition for objects in another version. A webhook may change everything of an
 * object but who it is: of its metadata only labels and annotations are taken.
 */
import type { ConvertObjects } from '../../api/apiextensions/conversion.ts'
import { goTypeOf } from '../../api/apiextensions/go-type.ts'
import type { FieldErrorList } from '../../api/field-errors.ts'
import { FieldPath } from '../../api/field-errors.ts'
import type { CustomResourceDefinition } from '../../api/generated/apiextensions-v1.ts'
import { deepEqual, isObject } from '../../api/json.ts'
import type { JsonObject } from '../../api/json.ts'
import type { KubernetesObject, ObjectMeta } from '../../api/meta.ts'
import { validateAnnotations } from '../../api/metadata.ts'
import { validateLabels } from '../../api/selectors.ts'
import { aggregate, StatusError, unknownError } from '../../api/status-error.ts'
import type { Env } from '../../base/env.ts'
import type { HookCaller, HookClientConfig } from '../admission/webhooks/caller.ts'
import { reviewVersion } from '../admission/webhooks/review.ts'

const timeoutMs = 30_000

export function webhookConversion(env: Env, caller: HookCaller): ConvertObjects {
  return async (definition, objects, apiVersion) => {
    const [first] = objects
    const name = objects.length === 1 && first ? `${first.apiVersion}, Kind=${first.kind}` : `${apiVersion}, Kind=${definition.spec.names.listKind ?? ''}`
    const version = reviewVersion(definition.spec.conversion?.webhook?.conversionReviewVersions)
    if (version === undefined) throw unknownError('no supported conversion review versions')
    const identity = { uid: env.random.uuid(), version }
    let answers: readonly unknown[]
    try {
      answers = convertedObjects(await caller.post(clientConfig(definition), reviewOf(objects, apiVersion, identity), { timeoutMs }), identity)
    } catch (fault) {
      throw unknownError(`conversion webhook for ${name} failed: ${textOf(fault)}`)
    }
    if (answers.length !== objects.length) throw unknownError(`conversion webhook for ${name} returned ${answers.length} objects, expected ${objects.length}`)
    return objects.map((object, i) => {
      try {
        return accepted(object, answers[i], apiVersion)
      } catch (fault) {
        if (fault instanceof StatusError) throw fault
        const where = objects.length === 1 ? 'object' : `converted object at index ${i}`
        throw unknownError(`conversion webhook for ${name} returned invalid ${where}: ${textOf(fault)}`)
      }
    })
  }
}

function textOf(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault)
}

function clientConfig(definition: CustomResourceDefinition): HookClientConfig {
  const { url, service, caBundle } = definition.spec.conversion?.webhook?.clientConfig ?? {}
  return {
    ...(url === undefined ? {} : { url }),
    ...(service === undefined ? {} : { service }),
    // Only white space counts as none.
    ...(caBundle && Buffer.from(caBundle, 'base64').toString('latin1').trim() !== '' ? { caBundle } : {}),
  }
}

interface Identity {
  readonly uid: string
  readonly version: string
}

function reviewOf(objects: readonly KubernetesObject[], desiredAPIVersion: string, { uid, version }: Identity): JsonObject {
  return { kind: 'ConversionReview', apiVersion: `apiextensions.k8s.io/${version}`, request: { uid, desiredAPIVersion, objects } }
}

function convertedObjects(answer: unknown, { uid, version }: Identity): readonly unknown[] {
  const review = isObject(answer) ? answer : {}
  const { response, apiVersion, kind } = review
  const wanted = `apiextensions.k8s.io/${version}`
  if (apiVersion !== wanted || kind !== 'ConversionReview')
    throw new Error(`expected webhook response of ${wanted}, Kind=ConversionReview, got ${String(apiVersion ?? '/')}, Kind=${String(kind ?? '')}`)
  if (!isObject(response)) throw new Error('no response provided')
  if (version === 'v1' && response['uid'] !== uid) throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response['uid'] ?? '')}`)
  const result = isObject(response['result']) ? response['result'] : {}
  const { status, message } = result
  if (status !== 'Success') throw new Error(typeof message === 'string' && message !== '' ? message : `response.result.status was '${String(status ?? '')}', not 'Success'`)
  const { convertedObjects: objects } = response
  return Array.isArray(objects) ? objects : []
}

/** The webhook's answer with the identity that the object had. Throws an Error with the rest of the sentence. */
function accepted(original: KubernetesObject, answer: unknown, apiVersion: string): KubernetesObject {
  const converted = isObject(answer) ? answer : {}
  const { apiVersion: version = '', kind = '', metadata } = converted
  if (version !== apiVersion) throw new Error(`invalid groupVersion (expected ${apiVersion}, received ${String(version)})`)
  if (kind !== original.kind) throw new Error(`invalid kind (expected ${original.kind}, received ${String(kind)})`)
  if (!isObject(metadata)) throw new Error(metadata === undefined ? 'missing metadata in converted object' : `invalid metadata of type ${goTypeOf(metadata)} in converted object`)
  for (const [field, label] of [
    ['name', 'name'],
    ['namespace', 'namespace'],
    ['uid', 'UID'],
  ] as const) {
    const before = original.metadata[field] ?? ''
    const after = metadata[field] ?? ''
    if (before !== after) throw new Error(`must have the same ${label}: ${before} != ${String(after)}`)
  }
  return { ...converted, metadata: withTextsOf(original.metadata, metadata) } as unknown as KubernetesObject
}

/** The object's own metadata with the labels and annotations of the answer. */
function withTextsOf(original: ObjectMeta, answer: JsonObject): ObjectMeta {
  const { labels, annotations, ...rest } = original
  const newLabels = textsOf('labels', labels, answer['labels'], validateLabels)
  const newAnnotations = textsOf('annotations', annotations, answer['annotations'], validateAnnotations)
  return { ...rest, ...(newLabels ? { labels: newLabels } : {}), ...(newAnnotations ? { annotations: newAnnotations } : {}) }
}

type Texts = Readonly<Record<string, string>>

function textsOf(field: string, before: Texts | undefined, after: unknown, validate: (texts: Texts, at: FieldPath) => FieldErrorList): Texts | undefined {
  if (after === undefined || after === null) return undefined
  if (!isObject(after)) throw new Error(`invalid metadata.${field} of type ${goTypeOf(after)} in converted object`)
  for (const [key, value] of Object.entries(after))
    if (typeof value !== 'string') throw new Error(`metadata.${field}[${key}] must be a string, but is ${goTypeOf(value)} in converted object`)
  const texts = after as Texts
  if (deepEqual(before, texts)) return texts
  const faults = validate(texts, FieldPath.root('metadata').child(field === 'labels' ? 'labels' : 'annotation'))
  if (faults.length > 0) throw new Error(aggregate(faults))
  return texts
}
