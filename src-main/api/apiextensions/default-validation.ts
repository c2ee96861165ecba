/** Defaults of a schema are legal values of it, hold nothing that it does not know, and satisfy its rules. Pure. */
import { DecodeError, convertMetadata } from '../decode-values.ts'
import { runtimeBudget } from '../cel/limits.ts'
import { FieldPath, invalidValue } from '../field-errors.ts'
import type { FieldErrorList } from '../field-errors.ts'
import { cloneJson, deepEqual, isObject, setOwn } from '../json.ts'
import type { JsonObject } from '../json.ts'
import { aggregate } from '../status-error.ts'
import { embeddedFaults } from './embedded-resources.ts'
import { pruneUnknown } from './pruning.ts'
import { ruleFaults } from './rules.ts'
import { metaFields } from './structural-schema.ts'
import type { StructuralSchema } from './structural-schema.ts'
import { fieldErrorsOf, validateValue } from './value-validation.ts'

/** Builds the object around a value inside of metadata. */
type Surround = (value: unknown) => unknown

const typed: Surround = value => ({ kind: 'Validation', apiVersion: 'validation/v1', ...(isObject(value) ? value : {}) })

interface Walk {
  readonly requirePruned: boolean
  budget: number
}

/** Faults of all defaults; defaults inside of additionalProperties are forbidden elsewhere. */
export function defaultFaults(schema: StructuralSchema, at: FieldPath, requirePruned: boolean): FieldErrorList {
  if (!schema.hasDefaults) return []
  return walk(schema, { isRoot: true, root: schema, surround: typed, insideMeta: false }, at, { requirePruned, budget: runtimeBudget })
}

interface Place {
  readonly isRoot: boolean
  readonly root: StructuralSchema
  readonly surround: Surround
  readonly insideMeta: boolean
}

function walk(s: StructuralSchema, given: Place, at: FieldPath, state: Walk): FieldErrorList {
  if (!s.hasDefaults || state.budget < 0) return []
  const embedded = s.embeddedResource || given.isRoot
  const place: Place = embedded ? { isRoot: true, root: s, surround: typed, insideMeta: false } : given
  const faults: FieldErrorList = s.default === undefined ? [] : oneDefault(s, place, embedded, at.child('default'), state)
  if (s.items) faults.push(...walk(s.items, { ...place, isRoot: false, surround: value => place.surround([value]) }, at.child('items'), state))
  for (const [name, child] of s.properties) {
    const surround: Surround = value => {
      const object: JsonObject = {}
      setOwn(object, name, value)
      return place.surround(object)
    }
    faults.push(...walk(child, { ...place, isRoot: false, surround, insideMeta: place.insideMeta || (embedded && metaFields.has(name)) }, at.child('properties').key(name), state))
  }
  return faults
}

/** `embedded`: a whole object, as is the root. */
function oneDefault(s: StructuralSchema, place: Place, embedded: boolean, at: FieldPath, state: Walk): FieldErrorList {
  const value = s.default
  const faults: FieldErrorList = []
  if (place.insideMeta) {
    const text = metadataText(place.surround(cloneJson(value)), place.root)
    if (text !== undefined) return [invalidValue(at, value, `must result in valid metadata: ${text}`)]
  } else {
    if (state.requirePruned && isObject(value) && !deepEqual(pruneUnknown(value, s, embedded), value)) faults.push(invalidValue(at, value, 'must not have unknown fields'))
    const text = embedded && isObject(value) ? metadataFault(value['metadata']) : undefined
    const inside = text === undefined ? embeddedFaults(value, s, at, embedded) : [invalidValue(at.child('metadata'), isObject(value) ? value['metadata'] : null, text)]
    if (inside.length > 0) return [...faults, ...inside]
  }
  const { 'x-kubernetes-int-or-string': isIntOrString, ...untyped } = s.raw
  // Upstream looks at the type of such a default only once it stands in an object.
  const wrong = fieldErrorsOf(validateValue(isIntOrString === true ? untyped : s.raw, value, undefined), at)
  if (wrong.length > 0) return [...faults, ...wrong]
  return [...faults, ...rules(s, value, place.isRoot, at, state)]
}

/** A default may come as a change from itself and from nothing: both must pass. */
function rules(s: StructuralSchema, value: unknown, isRoot: boolean, at: FieldPath, state: Walk): FieldErrorList {
  const before = state.budget
  const first = ruleFaults(value, value, s, at, { isRoot, budget: before })
  state.budget = first.budget
  if (first.faults.length > 0) return first.faults
  const second = ruleFaults(value, undefined, s, at, { isRoot, budget: before })
  state.budget = Math.min(state.budget, second.budget)
  return second.faults
}

function metadataText(object: unknown, root: StructuralSchema): string | undefined {
  const text = isObject(object) ? metadataFault(object['metadata']) : undefined
  if (text !== undefined) return text
  const faults = embeddedFaults(object, root, FieldPath.root(), true)
  return faults.length > 0 ? aggregate(faults) : undefined
}

function metadataFault(metadata: unknown): string | undefined {
  if (metadata === undefined) return undefined
  try {
    convertMetadata(metadata, [], { reportUnknown: false })
    return undefined
  } catch (fault) {
    if (fault instanceof DecodeError) return fault.message
    throw fault
  }
}
