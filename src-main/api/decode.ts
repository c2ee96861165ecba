/**
 * Bodies of requests into objects: syntax, type errors with the wording of Go's decoder, unknown and duplicate fields
 * (Strict, Warn, Ignore), and Kubernetes' normal form of values (quantities, times, absent zero values). Differs from
 * Kubernetes in one point: invalid UTF-8 is refused rather than replaced.
 */
import type { KubernetesObject } from './meta.ts'
import type { AnyResource } from './resource.ts'
import { FieldPath, invalidValue } from './field-errors.ts'
import { groupVersion } from './meta.ts'
import { JsonError, decodeUtf8, duplicateKeys, encodeUtf8, inOrderOfText, getOwn, isObject, parseJson, stringifyJson } from './json.ts'
import { coerceCustom } from './apiextensions/coercion.ts'
import { DecodeError, convertObject } from './decode-values.ts'
import { isKnownKind, schemaOf } from './schema.ts'
import { badRequest, invalid, unsupportedMediaType } from './status-error.ts'
import { YamlError, parseYamlDocument } from './yaml.ts'

export { DecodeError } from './decode-values.ts'
export { finishShape } from './shape.ts'

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore'

export interface Decoded<T extends KubernetesObject = KubernetesObject> {
  /** Fresh: the caller may mutate it. */
  readonly object: T
  /** Texts for Warning headers (without `299 - `). */
  readonly warnings: readonly string[]
}

/** Media types that bodies may have. */
export const bodyMediaTypes = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'] as const

const protobufType = 'application/vnd.kubernetes.protobuf'

/** `k8s\0`, with which Kubernetes' protobuf begins. We read none: such bodies are 415. */
const protobufMagic = [107, 56, 115, 0]

/** What decoding needs to know of a kind. */
export type DecodableResource = Pick<AnyResource, 'group' | 'version' | 'kind' | 'schema'>

/** Media type without parameters, in lower case; a body without one is JSON. */
export function mediaType(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() || 'application/json'
}

/**
 * The object of a request's body (create and update). Throws StatusError: 415 for other media types, 400 for all that
 * cannot be read as this kind.
 */
export function decodeBody<T extends KubernetesObject = KubernetesObject>(
  bytes: Uint8Array,
  contentType: string | undefined,
  resource: DecodableResource,
  validation: FieldValidation = 'Warn',
): Decoded<T> {
  const type = mediaType(contentType)
  if (type === protobufType && !protobufMagic.every((byte, i) => bytes[i] === byte)) {
    throw unrecognized(resource, bytes, `provided data does not appear to be a protobuf message, expected prefix [${protobufMagic.join(' ')}]`)
  }
  if (type !== 'application/json' && type !== 'application/yaml') throw unsupportedMediaType(bodyMediaTypes)
  const read = type === 'application/yaml' ? readYaml(bytes, resource, validation) : readJson(bytes, resource, validation)
  return decodeAs(read.value, resource, validation, read, bytes)
}

/** The object of an in-process caller: same checks, never the same object. */
export function decodeObject<T extends KubernetesObject = KubernetesObject>(value: unknown, resource: DecodableResource, validation: FieldValidation = 'Ignore'): Decoded<T> {
  return decodeAs(value, resource, validation, noFaults, undefined)
}

/**
 * A patched document as a kind, of which the caller owns nothing. Throws the 422 that Kubernetes answers for patches
 * whose result does not fit; `shown` is what its text repeats, by default the patched document. `faults` are those of the patch itself.
 */
export function decodeValue<T extends KubernetesObject = KubernetesObject>(
  value: unknown,
  resource: DecodableResource,
  validation: FieldValidation = 'Warn',
  shown?: () => string,
  faults: readonly string[] = [],
): Decoded<T> {
  try {
    checkRegistered(value, resource)
    return decodeDocument(value, resource, validation, { ...noFaults, faults })
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw invalid('', '', '', [invalidValue(FieldPath.root('patch'), shown?.() ?? stringifyJson(value), error.message)])
  }
}

/** A patch may not turn an object into another kind. */
function checkRegistered(value: unknown, resource: DecodableResource): void {
  const { apiVersion, kind } = isObject(value) ? value : {}
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || typeof resource.schema !== 'string') return
  if (apiVersion === groupVersion(resource.group, resource.version) && kind === resource.kind) return
  if (!isKnownKind(apiVersion, kind))
    throw new DecodeError(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:111"`)
  const internal = resource.group === '' ? 'core' : (resource.group.split('.')[0] ?? '')
  throw new DecodeError(`converting (${versionOf(apiVersion)}.${kind}) to (${internal}.${resource.kind}): unknown conversion`)
}

/** Faults that reading a text found already, and how they stand in it together with those that its decoding finds. */
interface FieldFaults {
  readonly faults: readonly string[]
  readonly inOrder: (faults: readonly string[]) => readonly string[]
}

const noFaults: FieldFaults = { faults: [], inOrder: faults => faults }

/** A document as a kind: DecodeError (with the bare text) where it does not fit, including `strict decoding error: …`. */
export function decodeDocument<T extends KubernetesObject = KubernetesObject>(
  value: unknown,
  resource: DecodableResource,
  validation: FieldValidation = 'Warn',
  read: FieldFaults = noFaults,
): Decoded<T> {
  const reportUnknown = validation !== 'Ignore'
  const isCustom = typeof resource.schema !== 'string' && isObject(value)
  const converted = isCustom ? coerceCustom(value, resource.schema, reportUnknown) : convertObject(value, schemaOf(resource), { reportUnknown })
  const both = [...read.faults, ...converted.faults]
  // Custom objects are read first and compared with their schema afterwards, as upstream.
  const all = isCustom || read.faults.length === 0 || converted.faults.length === 0 ? both : read.inOrder(both)
  if (validation === 'Strict' && all.length > 0) throw new DecodeError(`strict decoding error: ${all.join(', ')}`)
  return { object: converted.object as unknown as T, warnings: validation === 'Warn' ? all : [] }
}

function decodeAs<T extends KubernetesObject>(
  value: unknown,
  resource: DecodableResource,
  validation: FieldValidation,
  read: FieldFaults,
  bytes: Uint8Array | undefined,
): Decoded<T> {
  const document = value === null ? {} : value
  if (!isObject(document))
    throw unrecognized(resource, bytes, `couldn't get version/kind; json parse error: json: cannot unmarshal ${jsonTypeOf(document)} into Go value of type ${typeMetaType}`)
  const { apiVersion, kind } = typeOf(document, resource, bytes)
  const subject = `${kind} in version ${JSON.stringify(versionOf(apiVersion))} cannot be handled as a ${resource.kind}`
  const name = getOwn(getOwn(document, 'metadata'), 'name')
  checkType(apiVersion, kind, resource, subject, typeof name === 'string' ? name : '')
  try {
    const decoded = decodeDocument<T>(document, resource, validation, read)
    decoded.object.apiVersion = apiVersion
    decoded.object.kind = kind
    return decoded
  } catch (error) {
    throw error instanceof DecodeError ? badRequest(`${subject}: ${error.message}`) : error
  }
}

/** Go's print of the anonymous struct that kind and version are first read into. */
const typeMetaType = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'

function jsonTypeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'boolean') return 'bool'
  return typeof value === 'bigint' ? 'number' : typeof value
}

function versionOf(apiVersion: string): string {
  return apiVersion.slice(apiVersion.indexOf('/') + 1)
}

/** Kind and version of a document. Built-in kinds may leave them out. */
function typeOf(document: Record<string, unknown>, resource: DecodableResource, bytes: Uint8Array | undefined): { apiVersion: string; kind: string } {
  const found = { apiVersion: '', kind: '' }
  for (const field of ['apiVersion', 'kind'] as const) {
    const v = getOwn(document, field)
    if (v === undefined || v === null) continue
    if (typeof v !== 'string')
      throw unrecognized(resource, bytes, `couldn't get version/kind; json parse error: json: cannot unmarshal ${jsonTypeOf(v)} into Go struct field .${field} of type string`)
    found[field] = v
  }
  const custom = typeof resource.schema !== 'string'
  for (const [field, shown] of [
    ['kind', 'Kind'],
    ['apiVersion', 'apiVersion'],
  ] as const) {
    if (found[field] !== '') continue
    if (custom) throw unrecognized(resource, bytes, `Object '${shown}' is missing in '${stringifyJson(document)}'`)
    found[field] = field === 'kind' ? resource.kind : groupVersion(resource.group, resource.version)
  }
  return found
}

function checkType(apiVersion: string, kind: string, resource: DecodableResource, subject: string, name: string): void {
  const expected = groupVersion(resource.group, resource.version)
  if (apiVersion === expected && kind === resource.kind) return
  if (typeof resource.schema !== 'string') {
    if (apiVersion !== expected) throw badRequest(`the API version in the data (${apiVersion}) does not match the expected API version (${expected})`)
    throw invalid(resource.group, kind, name, [invalidValue(FieldPath.root('kind'), kind, `must be ${resource.kind}`)])
  }
  if (!isKnownKind(apiVersion, kind))
    throw badRequest(`${subject}: no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:111"`)
  if (kind === resource.kind && apiVersion !== expected) throw badRequest(`the API version in the data (${apiVersion}) does not match the expected API version (${expected})`)
  const internal = resource.group === '' ? 'core' : (resource.group.split('.')[0] ?? '')
  throw badRequest(`${subject}: converting (${versionOf(apiVersion)}.${kind}) to (${internal}.${resource.kind}): unknown conversion`)
}

interface Read extends FieldFaults {
  readonly value: unknown
}

function readJson(bytes: Uint8Array, resource: DecodableResource, validation: FieldValidation): Read {
  try {
    const text = decodeUtf8(bytes)
    const value = parseJson(text)
    const faults = validation === 'Ignore' ? [] : duplicateKeys(text).map(path => `duplicate field ${JSON.stringify(path)}`)
    return { value, faults, inOrder: all => inOrderOfText(text, all) }
  } catch (error) {
    throw error instanceof JsonError ? unrecognized(resource, bytes, `couldn't get version/kind; json parse error: ${error.message}`) : error
  }
}

function readYaml(bytes: Uint8Array, resource: DecodableResource, validation: FieldValidation): Read {
  try {
    const { value, duplicates } = parseYamlDocument(decodeUtf8(bytes))
    return {
      value,
      inOrder: all => all,
      faults: validation === 'Ignore' || duplicates.length === 0 ? [] : [`yaml: unmarshal errors:\n${duplicates.map(d => `  ${d}`).join('\n')}`],
    }
  } catch (error) {
    throw error instanceof YamlError || error instanceof JsonError ? unrecognized(resource, bytes, error.message) : error
  }
}

/** Bytes of a body that an error message repeats. */
const shownBytes = 30

function unrecognized(resource: DecodableResource, bytes: Uint8Array | undefined, fault: string): Error {
  return badRequest(`the object provided is unrecognized (must be of type ${resource.kind}): ${fault} (${summary(bytes ?? encodeUtf8(''))})`)
}

function summary(bytes: Uint8Array): string {
  if (bytes.length === 0) return '<empty>'
  const head = bytes.subarray(0, shownBytes)
  const shown = head[0] === 0x7b ? new TextDecoder().decode(head) : [...head].map(b => b.toString(16).padStart(2, '0')).join('')
  return bytes.length > shownBytes ? `${shown} ...` : shown
}
