/**
 * Walks a document along its schema and makes the typed object: what Go's decoder and encoder would give together.
 * Unknown fields are dropped and reported; nulls and zero values are dropped where Kubernetes leaves them out; lists
 * that Kubernetes always encodes are [] when absent (finishShape turns them into null, as Kubernetes stores them).
 */
import type { Schema, SchemaField } from './schema.ts'
import type { JsonObject } from './json.ts'
import { cloneJson, isObject, quoteGo, setOwn } from './json.ts'
import { pathText } from './json-scanner.ts'
import { definitionSchema, metadataSchema } from './schema.ts'
import { convertBytes, convertIntOrString, convertQuantity, convertTime } from './decode-scalars.ts'

/** A document that does not fit its kind; `message` is the text of Go's decoder. */
export class DecodeError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'DecodeError'
  }
}

/** Go's type of maps of amounts by resource. */
const resourceList = 'v1.ResourceList'

/** Most unknown fields that one document reports. */
const maxFaults = 100

export interface ConvertOptions {
  readonly reportUnknown: boolean
}

/** A fresh object of the schema. Throws DecodeError. */
export function convertObject(value: unknown, schema: Schema, options: ConvertOptions): { object: JsonObject; faults: string[] } {
  const walk = new Walk(options)
  const object = walk.object(value, schema)
  return { object, faults: walk.faults }
}

/** The ObjectMeta of an object whose other fields are decoded elsewhere; `path` leads to it in the texts of unknown fields. Throws DecodeError. */
export function convertMetadata(value: unknown, path: readonly string[], options: ConvertOptions): { metadata: JsonObject; faults: string[] } {
  const walk = new Walk(options, path)
  const metadata = walk.part(value, metadataSchema(), 'v1.ObjectMeta')
  return { metadata, faults: walk.faults }
}

/** OpenAPI says nothing of these; in an object (or list of objects) they are schemas themselves. */
const schemaUnions: ReadonlySet<string> = new Set(['v1.JSONSchemaPropsOrBool', 'v1.JSONSchemaPropsOrArray', 'v1.JSONSchemaPropsOrStringArray'])

class Walk {
  readonly faults: string[] = []
  readonly #report: boolean
  readonly #path: (string | number)[] = []
  readonly #fields: string[] = []
  #struct = ''

  constructor(options: ConvertOptions, path: readonly string[] = []) {
    this.#report = options.reportUnknown
    this.#path.push(...path)
  }

  /** A struct by itself. */
  part(value: unknown, schema: Schema, goType: string): JsonObject {
    if (!isObject(value)) this.#mismatch(value, goType)
    return this.#structOf(value, schema, shortType(goType))
  }

  object(value: unknown, schema: Schema): JsonObject {
    if (!isObject(value)) this.#mismatch(value, schema.goType)
    const object = this.#structOf(value, schema, shortType(schema.goType))
    object['metadata'] ??= {}
    return object
  }

  /** Go's complaint about a value at the place where the walk stands. */
  #mismatch(value: unknown, goType: string): never {
    const number = typeof value === 'number' || typeof value === 'bigint'
    const what = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : number ? 'number' : typeof value
    const shown = number && /^u?int|^float/.test(goType) ? `number ${String(value)}` : what
    const place = this.#fields.length === 0 ? 'Go value' : `Go struct field ${this.#struct}.${this.#fields.join('.')}`
    throw new DecodeError(`json: cannot unmarshal ${shown} into ${place} of type ${goType}`)
  }

  #fault(text: string): void {
    if (this.faults.length < maxFaults && !this.faults.includes(text)) this.faults.push(text)
  }

  #structOf(value: JsonObject, schema: Schema, name: string): JsonObject {
    const outer = this.#struct
    this.#struct = name
    const out: JsonObject = {}
    for (const key of Object.keys(value)) {
      const field = schema.fields.get(key)
      if (field === undefined) this.#unknown(out, key, value[key], schema)
      else this.#field(out, field, value[key], schema)
    }
    if (!schema.structural) for (const field of schema.fields.values()) if (field.omit !== 'zero' && !Object.hasOwn(out, field.name)) this.#zero(out, field)
    this.#struct = outer
    return out
  }

  #unknown(out: JsonObject, key: string, value: unknown, schema: Schema): void {
    if (schema.preserveUnknown) {
      setOwn(out, key, cloneJson(value))
      return
    }
    if (value === undefined || !this.#report) return
    this.#path.push(key)
    this.#fault(`unknown field ${quoteGo(pathText(this.#path))}`)
    this.#path.pop()
  }

  #field(out: JsonObject, field: SchemaField, value: unknown, owner: Schema): void {
    if (value === undefined) return
    if (value === null) {
      if (owner.structural && field.schema.structural) this.#structuralNull(out, field)
      return
    }
    this.#path.push(field.name)
    this.#fields.push(field.name)
    const converted = this.#value(value, field.schema, field.goType || field.schema.goType)
    if (owner.structural || field.pointer || field.omit === 'always' || !isZero(converted, field.schema.type)) setOwn(out, field.name, converted)
    this.#fields.pop()
    this.#path.pop()
  }

  /** Custom kinds keep null where they allow it; elsewhere a default takes its place. */
  #structuralNull(out: JsonObject, field: SchemaField): void {
    if (field.schema.nullable || field.default === undefined) setOwn(out, field.name, null)
  }

  /** What Go encodes for a field that nobody gave. */
  #zero(out: JsonObject, field: SchemaField): void {
    if (field.pointer) return
    const { type } = field.schema
    if (type === 'struct') {
      if (!field.schema.structural) setOwn(out, field.name, this.#structOf({}, field.schema, ''))
    } else if (field.omit === 'always') {
      const zero = zeros[type]
      if (zero !== undefined) setOwn(out, field.name, typeof zero === 'object' ? [] : zero)
    }
  }

  #value(value: unknown, schema: Schema, goType: string): unknown {
    switch (schema.type) {
      case 'struct':
        return this.#structValue(value, schema, goType)
      case 'map':
        return this.#map(value, schema, goType)
      case 'list':
        return this.#list(value, schema, goType)
      case 'any':
        return this.#any(value, goType)
      default:
        return schema.structural ? value : this.#scalar(value, schema, goType)
    }
  }

  #structValue(value: unknown, schema: Schema, goType: string): unknown {
    if (isObject(value)) return this.#structOf(value, schema, shortType(goType || schema.goType))
    return schema.structural ? cloneJson(value) : this.#mismatch(value, goType)
  }

  #any(value: unknown, goType: string): unknown {
    if (!schemaUnions.has(goType)) return cloneJson(value)
    const props = definitionSchema('io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps')
    if (props === undefined) return cloneJson(value)
    if (isObject(value)) return this.#structOf(value, props, 'JSONSchemaProps')
    return Array.isArray(value) ? value.map((v: unknown) => (isObject(v) ? this.#structOf(v, props, 'JSONSchemaProps') : v)) : value
  }

  #map(value: unknown, schema: Schema, goType: string): unknown {
    if (!isObject(value)) return schema.structural ? cloneJson(value) : this.#mismatch(value, goType)
    const items = schema.items
    if (items === undefined) return cloneJson(value)
    const out: JsonObject = {}
    for (const key of Object.keys(value)) {
      const child = value[key]
      if (child === undefined) continue
      this.#path.push(key)
      setOwn(out, key, child === null ? this.#nullItem(items) : this.#value(child, items, goType === resourceList ? resourceList : items.goType))
      this.#path.pop()
    }
    return out
  }

  #list(value: unknown, schema: Schema, goType: string): unknown {
    if (!Array.isArray(value)) return schema.structural ? cloneJson(value) : this.#mismatch(value, goType)
    const items = schema.items
    if (items === undefined) return cloneJson(value)
    return value.map((child: unknown, i) => {
      this.#path.push(i)
      const converted = child === null || child === undefined ? this.#nullItem(items) : this.#value(child, items, items.goType)
      this.#path.pop()
      return converted
    })
  }

  /** Null in a list or map is the zero value of its type. */
  #nullItem(items: Schema): unknown {
    if (items.structural) return null
    if (items.type === 'struct') return this.#structOf({}, items, '')
    if (items.type === 'map') return {}
    if (items.type === 'list') return []
    return items.type === 'bytes' ? '' : (zeros[items.type] ?? null)
  }

  #scalar(value: unknown, schema: Schema, goType: string): unknown {
    switch (schema.type) {
      case 'string':
        return typeof value === 'string' ? value : this.#mismatch(value, goType)
      case 'boolean':
        return typeof value === 'boolean' ? value : this.#mismatch(value, goType)
      case 'integer':
        return isInteger(value, goType) ? value : this.#mismatch(value, goType)
      case 'number':
        return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : this.#mismatch(value, goType)
      case 'quantity':
        return decoded(convertQuantity(value, goType === resourceList))
      case 'time':
      case 'microTime':
        return decoded(convertTime(value, schema.type === 'microTime'))
      case 'bytes':
        return typeof value === 'string' ? decoded(convertBytes(value)) : this.#mismatch(value, goType || '[]uint8')
      case 'intOrString':
        return convertIntOrString(value) ? value : this.#mismatch(value, 'int32')
      default:
        return value
    }
  }
}

function decoded(result: { readonly value: string } | { readonly fault: string }): string {
  if ('fault' in result) throw new DecodeError(result.fault)
  return result.value
}

/** Zero values of the types that Go encodes when the field is never left out. Struct and map are made on the spot; times stay away until finishShape. */
const zeros: Readonly<Partial<Record<Schema['type'], string | number | boolean | []>>> = {
  string: '',
  integer: 0,
  number: 0,
  boolean: false,
  quantity: '0',
  intOrString: 0,
  list: [],
}

function isZero(value: unknown, type: Schema['type']): boolean {
  if (value === '' || value === 0 || value === false) return true
  if (Array.isArray(value)) return value.length === 0
  return type === 'map' && isObject(value) && Object.keys(value).length === 0
}

function isInteger(value: unknown, goType: string): boolean {
  if (typeof value === 'bigint') return goType.endsWith('64')
  if (typeof value !== 'number' || !Number.isInteger(value)) return false
  if (goType === 'int32') return value >= -2_147_483_648 && value <= 2_147_483_647
  return Math.abs(value) < 2 ** 63
}

/** `ObjectMeta` of `v1.ObjectMeta`. */
function shortType(goType: string): string {
  return goType.slice(goType.lastIndexOf('.') + 1)
}
