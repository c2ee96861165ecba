/**
 * What Kubernetes does to a custom object while it decodes it: metadata gets its Go shape, unknown fields and forbidden
 * nulls go, embedded objects are treated the same. Texts are those of its decoder.
 */
import { DecodeError, convertMetadata } from '../decode-values.ts'
import { cloneJson, setOwn } from '../json.ts'
import type { JsonObject } from '../json.ts'
import { FieldPath, invalidValue } from '../field-errors.ts'
import { fieldErrorText } from '../status-error.ts'
import { pruneNulls, pruneUnknown } from './pruning.ts'
import { schemaUnder, structuralOf } from './structural-schema.ts'
import type { StructuralSchema } from './structural-schema.ts'

/** Most unknown fields that one document reports. */
const maxFaults = 100

export interface Coerced {
  /** Fresh, but may share parts with the document. */
  readonly object: JsonObject
  /** `unknown field "…"`, in Kubernetes' order. */
  readonly faults: readonly string[]
}

/** The document as an object of the kind. Throws DecodeError where metadata cannot be read. */
export function coerceCustom(document: JsonObject, raw: Readonly<JsonObject>, reportUnknown: boolean): Coerced {
  const schema = structuralOf(raw)
  const unknown: string[] = []
  const { metadata, faults } = Object.hasOwn(document, 'metadata')
    ? convertMetadata(document['metadata'] ?? {}, ['metadata'], { reportUnknown })
    : { metadata: {}, faults: [] as string[] }
  const pruned = pruneNulls(pruneUnknown(document, schema, true, reportUnknown ? path => unknown.push(`unknown field "${path}"`) : undefined), schema)
  const embedded: string[] = []
  const object = cloneJson(coerceEmbedded(pruned, schema, true, FieldPath.root(), [], reportUnknown ? embedded : undefined) as JsonObject)
  setOwn(object, 'metadata', metadata)
  return { object, faults: [...new Set([...faults, ...unknown.sort(), ...embedded.sort()])].slice(0, maxFaults) }
}

function coerceEmbedded(value: unknown, schema: StructuralSchema | undefined, isRoot: boolean, at: FieldPath, path: readonly string[], faults: string[] | undefined): unknown {
  if (!schema || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const last = path[path.length - 1] ?? ''
    return value.map((item: unknown, i) => coerceEmbedded(item, schema.items, false, at.index(i), [...path.slice(0, -1), `${last}[${i}]`], faults))
  }
  const out: JsonObject = {}
  for (const key of Object.keys(value)) {
    const child = (value as JsonObject)[key]
    if (!isRoot && schema.embeddedResource && (key === 'apiVersion' || key === 'kind') && typeof child !== 'string')
      throw new DecodeError(fieldErrorText(invalidValue(at.child(key), child, 'must be a string')))
    if (!isRoot && schema.embeddedResource && key === 'metadata') setOwn(out, key, embeddedMetadata(child, at, path, faults))
    else setOwn(out, key, coerceEmbedded(child, schemaUnder(schema, key), false, schema.properties.has(key) ? at.child(key) : at.key(key), [...path, key], faults))
  }
  return out
}

function embeddedMetadata(value: unknown, at: FieldPath, path: readonly string[], faults: string[] | undefined): unknown {
  try {
    const decoded = convertMetadata(value ?? {}, [...path, 'metadata'], { reportUnknown: faults !== undefined })
    faults?.push(...decoded.faults)
    return decoded.metadata
  } catch (fault) {
    if (!(fault instanceof DecodeError)) throw fault
    throw new DecodeError(fieldErrorText(invalidValue(at.child('metadata'), value, fault.message)))
  }
}
