/** PATCH: JSON patch, merge patch, strategic merge patch and server-side apply. */
import { applyJsonPatch } from '../../api/patch/json-patch.ts'
import { applyMergePatch } from '../../api/patch/merge-patch.ts'
import { applyStrategicMergePatch } from '../../api/patch/strategic-merge-patch.ts'
import { applyServerSide } from '../../api/managed-fields/apply.ts'
import { DecodeError, decodeValue } from '../../api/decode.ts'
import { FieldPath, invalidValue } from '../../api/field-errors.ts'
import { cloneJson, duplicateKeys, isObject, parseJson, stringifyJson } from '../../api/json.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import { groupVersion } from '../../api/meta.ts'
import { goMap } from '../../api/patch/go-format.ts'
import type { ApiResponse } from '../../api/request.ts'
import { schemaOf } from '../../api/schema.ts'
import { badRequest, invalid, StatusError } from '../../api/status-error.ts'
import { parseYaml, parseYamlDocument } from '../../api/yaml.ts'
import { isCustom } from '../registry/strategy-facts.ts'
import { checkBodySize, checkNamespace, prepared } from './body.ts'
import type { Call } from './call.ts'
import { admissionAttributes, mutate, warn, writeScope } from './call.ts'
import { dropRepeatedOwners } from './create.ts'
import { recordManager } from './managed.ts'
import { contentTypeOf } from './negotiation.ts'
import { writeQuery } from './query-options.ts'
import type { WriteQuery } from './query-options.ts'
import { checkAcceptable, objectResponse } from './respond.ts'
import { checkName } from './update.ts'

export type PatchKind = 'json' | 'merge' | 'strategic' | 'apply'

const kinds: ReadonlyMap<string, PatchKind> = new Map<string, PatchKind>([
  ['application/json-patch+json', 'json'],
  ['application/merge-patch+json', 'merge'],
  ['application/strategic-merge-patch+json', 'strategic'],
  ['application/apply-patch+yaml', 'apply'],
])

/** The patch type of a Content-Type header. Throws a 415. */
export function patchKindOf(header: string | undefined, custom: boolean): PatchKind {
  const kind = kinds.get(contentTypeOf(header))
  if (!kind) throw new StatusError(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {})
  if (custom && kind === 'strategic') {
    const offered = [...kinds.keys()].filter(type => type !== 'application/strategic-merge-patch+json')
    throw new StatusError(415, 'UnsupportedMediaType', `the body of the request was in an unknown format - accepted media types include: ${offered.join(', ')}`)
  }
  return kind
}

/** The patch document. Throws badRequest. */
export function readPatch(call: Call, kind: PatchKind): unknown {
  const { request } = call
  checkBodySize(request)
  if (!request.body) return kind === 'apply' ? undefined : badDocument('unexpected end of JSON input')
  if ('object' in request.body) return cloneJson(request.body.object)
  try {
    return kind === 'apply' ? parseYaml(new TextDecoder().decode(request.body.bytes))[0] : parseJson(request.body.bytes)
  } catch (fault) {
    return badDocument(
      kind === 'apply'
        ? `error encoding patch: ${fault instanceof Error ? fault.message : String(fault)}`
        : kind === 'merge'
          ? 'invalid JSON patch'
          : `error decoding patch: ${fault instanceof Error ? fault.message : String(fault)}`,
    )
  }
}

/** Keys that a patch gives more than once, in the words of the decoder that upstream reads it with. */
function repeatedKeys(call: Call, kind: PatchKind, query: WriteQuery): readonly string[] {
  const { body } = call.request
  if (!body || 'object' in body || query.fieldValidation === 'Ignore') return []
  const text = new TextDecoder().decode(body.bytes)
  if (kind !== 'apply') return duplicateKeys(text).map(path => `duplicate field ${JSON.stringify(path)}`)
  const { duplicates } = parseYamlDocument(text)
  return duplicates.length === 0 ? [] : [`error converting YAML to JSON: yaml: unmarshal errors:\n${duplicates.map(line => `  ${line}`).join('\n')}`]
}

/** What a patch made of the object does not fit its kind. */
function badPatch(patched: unknown, message: string): StatusError {
  return invalid('', '', '', [invalidValue(FieldPath.root('patch'), stringifyJson(patched), message)])
}

function badDocument(message: string): never {
  throw badRequest(message)
}

/** One function from the present object to the patched one, both in the version of the request. */
export function patcher(
  call: Call,
  kind: PatchKind,
  document: unknown,
  query: WriteQuery,
  repeated: readonly string[] = [],
): (previous: KubernetesObject | undefined) => KubernetesObject {
  const { resource: r } = call
  const schema = schemaOf(r)
  if (kind === 'apply') {
    return previous => {
      const { object } = applyServerSide({
        live: previous,
        applied: document as KubernetesObject,
        manager: query.fieldManager,
        force: query.force,
        subresource: call.info.subresource,
        apiVersion: groupVersion(r.group, r.version),
        schema,
        now: call.env.clock.now(),
        hasStatus: !isCustom(r) || r.subresources?.status === true,
      })
      if (query.fieldValidation === 'Strict' && repeated[0] !== undefined) throw badRequest(`error strict decoding patch: ${repeated[0]}`)
      for (const text of repeated) warn(call, text)
      return object
    }
  }
  return previous => {
    // Managers make up much of an object and few patches touch them: they are neither copied nor read again.
    const managed = touchesManagers(document, kind) ? undefined : previous?.metadata.managedFields
    if (managed === undefined || managed.length === 0) return patchedObject(call, kind, document, query, previous, repeated)
    const { managedFields: _kept, ...metadata } = previous?.metadata ?? {}
    try {
      const object = patchedObject(call, kind, document, query, { ...previous, metadata } as KubernetesObject, repeated)
      if (object.metadata) object.metadata.managedFields = managed
      return object
    } catch {
      // A refusal shows the whole object.
      return patchedObject(call, kind, document, query, previous, repeated)
    }
  }
}

/** Whether a patch may see or change metadata.managedFields. */
function touchesManagers(document: unknown, kind: PatchKind): boolean {
  if (kind === 'json')
    return (
      !Array.isArray(document) ||
      document.some(
        op => !isObject(op) || [op['path'], op['from']].some(path => path !== undefined && (typeof path !== 'string' || /^(\/metadata)?(\/managedFields.*)?$/.test(path))),
      )
    )
  if (!isObject(document)) return true
  const { metadata } = document
  if (Object.keys(document).some(key => key.startsWith('$'))) return true
  return metadata !== undefined && (!isObject(metadata) || Object.keys(metadata).some(key => key === 'managedFields' || key.startsWith('$')))
}

/** The patched object in the form of its kind. Throws. */
function patchedObject(call: Call, kind: PatchKind, document: unknown, query: WriteQuery, previous: KubernetesObject | undefined, repeated: readonly string[]): KubernetesObject {
  const { resource: r } = call
  const schema = schemaOf(r)
  const live = cloneJson(previous) as unknown
  const patched = kind === 'json' ? applyJsonPatch(live, document as never) : kind === 'merge' ? applyMergePatch(live, document) : applyStrategicMergePatch(live, document, schema)
  if (!isObject(patched)) throw badRequest('the patched object is no object')
  const expected = groupVersion(r.group, r.version)
  // A strategic patch works on the typed object, which cannot lose its kind.
  if (kind === 'strategic') {
    patched['apiVersion'] ??= expected
    patched['kind'] ??= r.kind
  }
  const { apiVersion, kind: patchedKind } = patched
  if (apiVersion !== expected || patchedKind !== r.kind)
    throw badPatch(patched, `${String(patchedKind)} in version ${JSON.stringify(String(apiVersion))} cannot be handled as a ${r.kind}: expected ${expected}, Kind=${r.kind}`)
  try {
    const shown = (): string => (kind === 'strategic' ? goMap(document) : stringifyJson(kind === 'merge' ? sortedWhereTouched(patched, document) : patched))
    const decoded = decodeValue(patched, r, query.fieldValidation, shown, repeated)
    for (const text of decoded.warnings) warn(call, text)
    return decoded.object
  } catch (fault) {
    throw fault instanceof DecodeError ? badPatch(patched, fault.message) : fault
  }
}

/** Objects that a merge patch went into have their keys sorted, as the library that Kubernetes uses leaves them; shown in refusals only. */
function sortedWhereTouched(value: unknown, patch: unknown): unknown {
  if (!isObject(value) || !isObject(patch)) return value
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map(key => [key, sortedWhereTouched(value[key], patch[key])]),
  )
}

export async function patchEndpoint(call: Call): Promise<ApiResponse> {
  const { resource: r } = call
  const kind = patchKindOf(call.request.headers['content-type'], isCustom(r))
  checkAcceptable(call)
  const query = writeQuery(call.info.query, 'PatchOptions', kind === 'apply')
  const document = readPatch(call, kind)
  if (kind === 'apply') checkApplied(call, document)
  const change = patcher(call, kind, document, query, repeatedKeys(call, kind, query))
  const outcome = await call.registry.update(writeScope(call, query.dryRun, query.object), {
    name: call.info.name,
    whenMissing: kind === 'apply' && call.info.subresource === '' ? 'apply' : 'never',
    retry: !namesVersion(document, kind),
    next: async previous => {
      const object = prepared(r, change(previous))
      checkName(call, object)
      checkNamespace(call, object)
      dropRepeatedOwners(call, object)
      if (kind !== 'apply') recordManager(call, previous, object, call.info.subresource)
      const attributes = admissionAttributes(call, {
        operation: previous ? 'UPDATE' : 'CREATE',
        name: call.info.name,
        object,
        previous,
        options: query.object,
        dryRun: query.dryRun,
      })
      return (await mutate(call, attributes)) ?? object
    },
  })
  return objectResponse(call, outcome.created ? 201 : 200, outcome.result)
}

/** A patch that names a resourceVersion is meant for that version only. */
function namesVersion(document: unknown, kind: PatchKind): boolean {
  if (kind === 'json') return Array.isArray(document) && document.some(op => isObject(op) && op['path'] === '/metadata/resourceVersion')
  const metadata = isObject(document) ? document['metadata'] : undefined
  return isObject(metadata) && typeof metadata['resourceVersion'] === 'string' && metadata['resourceVersion'] !== ''
}

function checkApplied(call: Call, document: unknown): void {
  if (document !== undefined && document !== null && !isObject(document))
    throw badRequest(
      `error decoding patch: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${Array.isArray(document) ? 'array' : typeof document} into Go value of type map[string]interface {}`,
    )
  const { apiVersion = '', kind = '', metadata } = document ?? {}
  // Go prints group, version and kind; the core group is an empty one.
  if (apiVersion === '' || kind === '' || kind !== call.resource.kind)
    throw badRequest(`invalid object type: ${String(apiVersion).includes('/') ? String(apiVersion) : `/${String(apiVersion)}`}, Kind=${String(kind)}`)
  const expected = groupVersion(call.resource.group, call.resource.version)
  if (apiVersion !== expected) throw badRequest(`incorrect version specified in apply patch. Specified patch version: ${String(apiVersion)}, expected: ${expected}`)
  if (isObject(metadata) && metadata['managedFields'] !== undefined) throw badRequest('metadata.managedFields must be nil')
  if (!isObject(metadata)) throw badRequest(`the name of the object (${call.info.name} based on URL) was undeterminable: name must be provided`)
}
