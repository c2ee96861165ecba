/** Schemas and versions as Go prints its internal types in faults: fields by their Go names, all of them. Pure. */
import { isObject, stringifyJson } from '../json.ts'
import type { JsonObject } from '../json.ts'

/** Go's JSON: characters that matter to HTML are escaped. */
export function goJson(value: unknown): string {
  return stringifyJson(value).replace(/[<>&\u2028\u2029]/g, c => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

const text = (value: unknown): unknown => value ?? ''
const flag = (value: unknown): unknown => value ?? false
const pointer = (value: unknown): unknown => value ?? null

function list(value: unknown, shape: (item: unknown) => unknown = item => item): unknown {
  return Array.isArray(value) ? value.map(shape) : null
}

/** Maps are printed with their keys in order. */
function map(value: unknown, shape: (item: unknown) => unknown): unknown {
  if (!isObject(value)) return null
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map(key => [key, shape(value[key])]),
  )
}

function schemaOrArray(value: unknown): unknown {
  if (value === undefined || value === null) return null
  return Array.isArray(value) ? { Schema: null, JSONSchemas: value.map(goSchema) } : { Schema: goSchema(value), JSONSchemas: null }
}

function schemaOrBool(value: unknown): unknown {
  if (value === undefined || value === null) return null
  return isObject(value) ? { Allows: true, Schema: goSchema(value) } : { Allows: value === true, Schema: null }
}

export function goRule(rule: unknown): JsonObject {
  const r = isObject(rule) ? rule : {}
  return {
    Rule: text(r['rule']),
    Message: text(r['message']),
    MessageExpression: text(r['messageExpression']),
    Reason: pointer(r['reason']),
    FieldPath: text(r['fieldPath']),
    OptionalOldSelf: pointer(r['optionalOldSelf']),
  }
}

export function goSchema(schema: unknown): JsonObject {
  const s = isObject(schema) ? schema : {}
  const docs = isObject(s['externalDocs']) ? s['externalDocs'] : undefined
  return {
    ID: text(s['id']),
    Schema: text(s['$schema']),
    Ref: pointer(s['$ref']),
    Description: text(s['description']),
    Type: text(s['type']),
    Nullable: flag(s['nullable']),
    Format: text(s['format']),
    Title: text(s['title']),
    Default: pointer(s['default']),
    Maximum: pointer(s['maximum']),
    ExclusiveMaximum: flag(s['exclusiveMaximum']),
    Minimum: pointer(s['minimum']),
    ExclusiveMinimum: flag(s['exclusiveMinimum']),
    MaxLength: pointer(s['maxLength']),
    MinLength: pointer(s['minLength']),
    Pattern: text(s['pattern']),
    MaxItems: pointer(s['maxItems']),
    MinItems: pointer(s['minItems']),
    UniqueItems: flag(s['uniqueItems']),
    MultipleOf: pointer(s['multipleOf']),
    Enum: list(s['enum']),
    MaxProperties: pointer(s['maxProperties']),
    MinProperties: pointer(s['minProperties']),
    Required: list(s['required']),
    Items: schemaOrArray(s['items']),
    AllOf: list(s['allOf'], goSchema),
    OneOf: list(s['oneOf'], goSchema),
    AnyOf: list(s['anyOf'], goSchema),
    Not: s['not'] === undefined ? null : goSchema(s['not']),
    Properties: map(s['properties'], goSchema),
    AdditionalProperties: schemaOrBool(s['additionalProperties']),
    PatternProperties: map(s['patternProperties'], goSchema),
    Dependencies: map(s['dependencies'], one => (Array.isArray(one) ? { Schema: null, Property: one } : { Schema: goSchema(one), Property: null })),
    AdditionalItems: schemaOrBool(s['additionalItems']),
    Definitions: map(s['definitions'], goSchema),
    ExternalDocs: docs ? { Description: text(docs['description']), URL: text(docs['url']) } : null,
    Example: pointer(s['example']),
    XPreserveUnknownFields: pointer(s['x-kubernetes-preserve-unknown-fields']),
    XEmbeddedResource: flag(s['x-kubernetes-embedded-resource']),
    XIntOrString: flag(s['x-kubernetes-int-or-string']),
    XListMapKeys: list(s['x-kubernetes-list-map-keys']),
    XListType: pointer(s['x-kubernetes-list-type']),
    XMapType: pointer(s['x-kubernetes-map-type']),
    XValidations: list(s['x-kubernetes-validations'], goRule),
  }
}

export function goVersion(version: JsonObject): JsonObject {
  const schema = isObject(version['schema']) ? version['schema'] : undefined
  const subresources = isObject(version['subresources']) ? version['subresources'] : undefined
  const scale = subresources && isObject(subresources['scale']) ? subresources['scale'] : undefined
  return {
    Name: text(version['name']),
    Served: flag(version['served']),
    Storage: flag(version['storage']),
    Deprecated: flag(version['deprecated']),
    DeprecationWarning: pointer(version['deprecationWarning']),
    Schema: schema ? { OpenAPIV3Schema: schema['openAPIV3Schema'] === undefined ? null : goSchema(schema['openAPIV3Schema']) } : null,
    Subresources: subresources
      ? {
          Status: subresources['status'] === undefined ? null : {},
          Scale: scale
            ? { SpecReplicasPath: text(scale['specReplicasPath']), StatusReplicasPath: text(scale['statusReplicasPath']), LabelSelectorPath: pointer(scale['labelSelectorPath']) }
            : null,
        }
      : null,
    AdditionalPrinterColumns: list(version['additionalPrinterColumns'], column => {
      const c = isObject(column) ? column : {}
      return {
        Name: text(c['name']),
        Type: text(c['type']),
        Format: text(c['format']),
        Description: text(c['description']),
        Priority: c['priority'] ?? 0,
        JSONPath: text(c['jsonPath']),
      }
    }),
    SelectableFields: list(version['selectableFields'], field => ({ JSONPath: isObject(field) ? text(field['jsonPath']) : '' })),
  }
}
