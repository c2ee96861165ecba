/** Objects inside of objects (x-kubernetes-embedded-resource) have a kind and legal metadata. Pure. */
import { invalidValue, required } from '../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../field-errors.ts'
import type { ObjectMeta } from '../generated/meta-v1.ts'
import { isObject } from '../json.ts'
import type { JsonObject } from '../json.ts'
import { validateObjectMeta } from '../metadata.ts'
import { isDns1035Label, isPathSegmentName } from '../names.ts'
import { schemaUnder } from './structural-schema.ts'
import type { StructuralSchema } from './structural-schema.ts'

/** Faults of all embedded objects below a value; `isRoot` takes the value itself for one. */
export function embeddedFaults(value: unknown, schema: StructuralSchema | undefined, at: FieldPath, isRoot = false): FieldErrorList {
  if (!schema || typeof value !== 'object' || value === null) return []
  if (Array.isArray(value)) return value.flatMap((item, i) => embeddedFaults(item, schema.items, at.index(i)))
  const object = value as JsonObject
  const faults: FieldErrorList = schema.embeddedResource || isRoot ? objectFaults(object, at) : []
  for (const key of Object.keys(object)) faults.push(...embeddedFaults(object[key], schemaUnder(schema, key), schema.properties.has(key) ? at.child(key) : at.key(key)))
  return faults
}

function objectFaults(object: JsonObject, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const { apiVersion, kind, metadata } = object
  if (apiVersion === undefined) faults.push(required(at.child('apiVersion'), ''))
  else if (typeof apiVersion !== 'string') faults.push(invalidValue(at.child('apiVersion'), apiVersion, 'must be a string'))
  else if (apiVersion === '') faults.push(invalidValue(at.child('apiVersion'), apiVersion, 'must not be empty'))
  else if (apiVersion.split('/').length > 2) faults.push(invalidValue(at.child('apiVersion'), apiVersion, `unexpected GroupVersion string: ${apiVersion}`))
  if (kind === undefined) faults.push(required(at.child('kind'), ''))
  else if (typeof kind !== 'string') faults.push(invalidValue(at.child('kind'), kind, 'must be a string'))
  else if (kind === '') faults.push(invalidValue(at.child('kind'), kind, 'must not be empty'))
  else {
    const texts = isDns1035Label(kind.toLowerCase())
    if (texts.length > 0) faults.push(invalidValue(at.child('kind'), kind, `may have mixed case, but should otherwise match: ${texts.join(',')}`))
  }
  if (metadata !== undefined && isObject(metadata)) faults.push(...metadataFaults(metadata as ObjectMeta, at.child('metadata')))
  return faults
}

function metadataFaults(metadata: ObjectMeta, at: FieldPath): FieldErrorList {
  // Upstream gives a nameless object a name, so that only the rest is judged.
  const named = metadata.name ? metadata : { ...metadata, name: 'fakename' }
  return validateObjectMeta(named, { namespaced: Boolean(metadata.namespace), validateName: name => isPathSegmentName(name) }, at)
}
