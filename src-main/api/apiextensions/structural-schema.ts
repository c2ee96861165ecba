/**
 * The schema of a custom kind in the form that pruning, defaulting and validation walk: Kubernetes' structural schema
 * (KEP 1693), compiled once from the JSON of `openAPIV3Schema`. Never mutate a node.
 */
import type { ValidationRule } from '../generated/apiextensions-v1.ts'
import { getOwn, isObject } from '../json.ts'
import type { JsonObject } from '../json.ts'

export interface StructuralSchema {
  /** The JSON that this node was made of. */
  readonly raw: Readonly<JsonObject>
  /** '' where none is given. */
  readonly type: string
  readonly properties: ReadonlyMap<string, StructuralSchema>
  /** Present where the schema speaks of additional properties at all; `schema` where it says what they are. */
  readonly additionalProperties: { readonly schema: StructuralSchema | undefined } | undefined
  readonly items: StructuralSchema | undefined
  readonly nullable: boolean
  /** undefined where there is none; a default of null is none. */
  readonly default: unknown
  readonly preserveUnknownFields: boolean
  readonly embeddedResource: boolean
  readonly intOrString: boolean
  readonly listType: string | undefined
  readonly listMapKeys: readonly string[]
  readonly mapType: string | undefined
  readonly validations: readonly ValidationRule[]
  /** Whether a default stands here or below: most objects have none, and nothing to walk then. */
  readonly hasDefaults: boolean
  /** Whether a rule stands here or below. */
  readonly hasValidations: boolean
  /** Whether a list that is a set or a map stands here or below. */
  readonly hasListTypes: boolean
}

/** Names that every object has whatever its schema says. */
export const metaFields: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata'])

const compiled = new WeakMap<object, StructuralSchema>()

/** The compiled form of a schema; the same for the same JSON object. */
export function structuralOf(raw: Readonly<JsonObject>): StructuralSchema {
  const known = compiled.get(raw)
  if (known) return known
  const made = compile(raw)
  compiled.set(raw, made)
  return made
}

function compile(raw: Readonly<JsonObject>): StructuralSchema {
  const properties = new Map<string, StructuralSchema>()
  const given = raw['properties']
  if (isObject(given)) for (const name of Object.keys(given)) if (isObject(given[name])) properties.set(name, structuralOf(given[name]))
  const items = isObject(raw['items']) ? structuralOf(raw['items']) : undefined
  const additional = raw['additionalProperties']
  const additionalProperties = additional === undefined || additional === null ? undefined : { schema: isObject(additional) ? structuralOf(additional) : undefined }
  const children = [...properties.values(), ...(items ? [items] : []), ...(additionalProperties?.schema ? [additionalProperties.schema] : [])]
  const fallback = raw['default'] ?? undefined
  const listType = textOf(raw, 'x-kubernetes-list-type')
  const rules = raw['x-kubernetes-validations']
  const validations = Array.isArray(rules) ? (rules as ValidationRule[]) : []
  return {
    raw,
    type: textOf(raw, 'type') ?? '',
    properties,
    additionalProperties,
    items,
    nullable: raw['nullable'] === true,
    default: fallback,
    preserveUnknownFields: raw['x-kubernetes-preserve-unknown-fields'] === true,
    embeddedResource: raw['x-kubernetes-embedded-resource'] === true,
    intOrString: raw['x-kubernetes-int-or-string'] === true,
    listType,
    listMapKeys: textsOf(raw['x-kubernetes-list-map-keys']),
    mapType: textOf(raw, 'x-kubernetes-map-type'),
    validations,
    hasDefaults: fallback !== undefined || children.some(child => child.hasDefaults),
    hasValidations: validations.length > 0 || children.some(child => child.hasValidations),
    hasListTypes: listType === 'set' || listType === 'map' || children.some(child => child.hasListTypes),
  }
}

function textOf(raw: Readonly<JsonObject>, key: string): string | undefined {
  const value = getOwn(raw, key)
  return typeof value === 'string' ? value : undefined
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter(item => typeof item === 'string') : []
}

/** The schema of the value under a key of an object; undefined where nothing is known of it. */
export function schemaUnder(schema: StructuralSchema | undefined, key: string): StructuralSchema | undefined {
  return schema?.properties.get(key) ?? schema?.additionalProperties?.schema
}
