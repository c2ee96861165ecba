/**
 * Between the version of a request and the stored one. Reading does what Kubernetes' decoder does to stored objects:
 * they are pruned and given defaults by the schema of their own version as it is now, then converted. With strategy
 * None only apiVersion changes; with Webhook the definition's webhook is asked, once for each batch of objects.
 */
import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '../generated/apiextensions-v1.ts'
import { compareBytes, isObject, setOwn } from '../json.ts'
import type { JsonObject } from '../json.ts'
import type { KubernetesObject } from '../meta.ts'
import { groupVersion } from '../meta.ts'
import type { AnyResource, Conversion } from '../resource.ts'
import { applyDefaults, pruneNulls, pruneUnknown } from './pruning.ts'
import { structuralOf } from './structural-schema.ts'
import type { StructuralSchema } from './structural-schema.ts'

/** Asks a webhook for the objects in another version, in the same order. Throws a StatusError. */
export type ConvertObjects = (definition: CustomResourceDefinition, objects: readonly KubernetesObject[], apiVersion: string) => Promise<readonly KubernetesObject[]>

function schemasOf(definition: CustomResourceDefinition): ReadonlyMap<string, StructuralSchema> {
  return new Map(
    definition.spec.versions.flatMap(version =>
      isObject(version.schema?.openAPIV3Schema) ? [[groupVersion(definition.spec.group, version.name), structuralOf(version.schema.openAPIV3Schema as JsonObject)] as const] : [],
    ),
  )
}

/** An object by the schema of its version; the same object where it is so already. */
function coerce(object: KubernetesObject, schema: StructuralSchema | undefined): KubernetesObject {
  if (!schema) return object
  return pruneNulls(pruneUnknown(object as unknown as JsonObject, schema, true), schema) as unknown as KubernetesObject
}

/** Objects of custom kinds are written with their keys in order, as upstream: whoever compares texts finds the same. */
function sortedKeys<T>(value: T): T {
  if (Array.isArray(value)) return value.map(sortedKeys) as T
  if (!isObject(value)) return value
  const out: JsonObject = {}
  for (const key of Object.keys(value).sort(compareBytes)) if (value[key] !== undefined) setOwn(out, key, sortedKeys(value[key]))
  return out as T
}

export function conversionOf(
  definition: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
  storage: () => AnyResource,
  convert: ConvertObjects | undefined,
): Conversion<KubernetesObject> {
  const schemas = schemasOf(definition)
  const own = groupVersion(definition.spec.group, version.name)
  const storedVersion = groupVersion(definition.spec.group, definition.spec.versions.find(one => one.storage)?.name ?? version.name)
  const isWebhook = definition.spec.conversion?.strategy === 'Webhook' && convert !== undefined
  /** What the webhook answered, by object and wanted version. */
  const answers = new WeakMap<object, Map<string, KubernetesObject>>()

  const to = (object: KubernetesObject, apiVersion: string): KubernetesObject => {
    if (object.apiVersion === apiVersion) return object
    if (!isWebhook) return { ...object, apiVersion }
    const answer = answers.get(object)?.get(apiVersion)
    if (!answer) throw new Error(`assertion failed: ${object.kind} ${object.metadata.name ?? ''} was not converted to ${apiVersion} before it was asked for`)
    return answer
  }
  const current = new WeakMap<object, KubernetesObject>()
  /** A stored object by the schema that its version has now. */
  const currentOf = (stored: KubernetesObject): KubernetesObject => {
    let object = current.get(stored)
    if (!object) {
      const schema = schemas.get(stored.apiVersion)
      current.set(stored, (object = applyDefaults(coerce(stored, schema), schema)))
    }
    return object
  }
  return {
    get of() {
      return storage()
    },
    toStored: object => sortedKeys(coerce(to(object, storedVersion), schemas.get(storedVersion))),
    fromStored(stored) {
      const object = currentOf(stored)
      return object.apiVersion === own ? object : coerce(to(object, own), schemas.get(own))
    },
    ...(isWebhook
      ? { prepare: (objects, direction) => prepare(objects, direction === 'toStored' ? storedVersion : own, direction === 'toStored' ? object => object : currentOf) }
      : {}),
  }

  async function prepare(objects: readonly KubernetesObject[], apiVersion: string, form: (object: KubernetesObject) => KubernetesObject): Promise<void> {
    const wanted = objects.map(form).filter(object => object.apiVersion !== apiVersion && !answers.get(object)?.has(apiVersion))
    if (wanted.length === 0 || !convert) return
    const converted = await convert(definition, wanted, apiVersion)
    for (const [i, object] of wanted.entries()) {
      const answer = converted[i]
      if (!answer) continue
      const known = answers.get(object) ?? new Map<string, KubernetesObject>()
      answers.set(object, known.set(apiVersion, answer))
    }
  }
}
