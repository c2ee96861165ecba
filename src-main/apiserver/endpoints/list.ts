/** LIST: consistent snapshots, pages, resourceVersion and its match, selectors, Table and metadata-only forms. */
import type { KubernetesObject, ListMeta } from '../../api/meta.ts'
import { groupVersion } from '../../api/meta.ts'
import type { ApiResponse } from '../../api/request.ts'
import type { AnyResource } from '../../api/resource.ts'
import { parseJson } from '../../api/json.ts'
import { badRequest, continueExpired, expired, StatusError } from '../../api/status-error.ts'
import { StoreError } from '../../store/store.ts'
import type { ListResult, StoredEntry } from '../../store/store.ts'
import { keyFor, objectOf, prefixFor, prepareEntries, storeFault } from '../registry/storage.ts'
import { isDefinedKind } from '../registry/strategy-facts.ts'
import type { Call } from './call.ts'
import { waitForRevision } from './freshness.ts'
import { arrayBytes, listBytes, listItem, nextTurn } from './list-bytes.ts'
import { listStream } from './list-stream.ts'
import { acceptsGzip, collectionForms, negotiate } from './negotiation.ts'
import type { Form } from './negotiation.ts'
import { listQuery } from './query-options.ts'
import type { ListQuery } from './query-options.ts'
import { protobufMediaType } from '../protobuf/protobuf.ts'
import { listProtobuf } from './protobuf-forms.ts'
import { bytesResponse, formsOf, headersFor, partialOf, tableOf, valueResponse } from './respond.ts'
import { selectionOf } from './selection.ts'
import type { Selection } from './selection.ts'

interface Token {
  readonly revision: number
  readonly after: string
}

/** Same shape as Kubernetes' tokens: base64 of version, revision and first key. */
function encodeToken(revision: number, after: string): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start: `${after}\u0000` })).toString('base64url')
}

function decodeToken(text: string): Token {
  const bad = text.search(/[^A-Za-z0-9_-]/)
  if (bad >= 0 || text.length % 4 === 1)
    throw badRequest(`invalid continue token: continue key is not valid: illegal base64 data at input byte ${bad >= 0 ? bad : Math.max(0, text.length - 1)}`)
  let token: unknown
  try {
    token = parseJson(Buffer.from(text, 'base64url').toString('latin1'))
  } catch (fault) {
    throw badRequest(`invalid continue token: continue key is not valid: ${fault instanceof Error ? fault.message : String(fault)}`)
  }
  const { v, rv, start } = (token ?? {}) as { v?: unknown; rv?: unknown; start?: unknown }
  if (v !== 'meta.k8s.io/v1') throw badRequest(`invalid continue token: continue key is not valid: server does not recognize this encoded version ${JSON.stringify(v ?? '')}`)
  if (typeof rv !== 'number' || !Number.isSafeInteger(rv) || rv === 0)
    throw badRequest('invalid continue token: continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)')
  if (typeof start !== 'string' || start === '' || !start.endsWith('\u0000'))
    throw badRequest('invalid continue token: continue key is not valid: encoded start key empty (version meta.k8s.io/v1)')
  return { revision: rv, after: start.slice(0, -1) }
}

export async function listEndpoint(call: Call): Promise<ApiResponse> {
  const { resource: r } = call
  const form = negotiate(call.request.headers['accept'], formsOf(r, collectionForms))
  if (form.as === 'PartialObjectMetadata') {
    throw new StatusError(
      406,
      'NotAcceptable',
      `you requested PartialObjectMetadata, but the requested object is a list (*${r.group === '' ? 'core' : r.group.split('.')[0]}.${r.listKind ?? `${r.kind}List`})`,
    )
  }
  const query = listQuery(call.info.query, false)
  const selection = selectionOf(r, query.labelSelector, query.fieldSelector)
  const { result, metadata: read } = await readList(call, query, selection)
  const metadata = form.as === 'object' ? listMetadataOf(r, read) : read
  if (call.request.answer !== 'objects' && form.as === 'object' && form.mediaType === 'application/json' && !call.info.query.has('pretty')) {
    const headers = headersFor('application/json', call.warnings)
    const stream = call.request.reusesChunks && !acceptsGzip(call.request.headers['accept-encoding']) ? await listStream(r, metadata, result.entries) : undefined
    if (stream) return { status: 200, headers, body: { kind: 'stream', ...stream } }
    return bytesResponse(call.request, 200, headers, await listBytes(r, metadata, result.entries))
  }
  if (call.request.answer !== 'objects' && form.as === 'object' && form.mediaType === protobufMediaType) {
    return bytesResponse(call.request, 200, headersFor(protobufMediaType, call.warnings), await listProtobuf(r, metadata, result.entries))
  }
  const objects = await objectsOf(r, result.entries)
  if (form.as === 'Table') return tableResponse(call, objects, form, metadata)
  if (form.as === 'PartialObjectMetadataList') {
    return valueResponse(
      call,
      200,
      {
        kind: 'PartialObjectMetadataList',
        apiVersion: `meta.k8s.io/${form.metaVersion}`,
        metadata,
        items: objects.length === 0 ? null : objects.map(object => partialOf(object, form.metaVersion)),
      },
      form.mediaType,
    )
  }
  const items = call.request.answer === 'objects' ? objects : objects.map(object => listItem(r, object))
  return valueResponse(call, 200, { kind: r.listKind ?? `${r.kind}List`, apiVersion: groupVersion(r.group, r.version), metadata, items }, form.mediaType)
}

/** Lists of custom kinds always say where they go on. */
export function listMetadataOf(r: AnyResource, metadata: ListMeta): ListMeta {
  return isDefinedKind(r) ? { continue: '', ...metadata } : metadata
}

/** Objects that are decoded before other requests get their turn: up to ten milliseconds when none was read before. */
const DECODE_TURN_OBJECTS = 200

/** Controllers list everything at a start, page by page and in this very process: without turns nobody else would get a word in. */
async function objectsOf(r: AnyResource, entries: readonly StoredEntry[]): Promise<KubernetesObject[]> {
  const objects: KubernetesObject[] = []
  for (const entry of entries) {
    objects.push(objectOf(r, entry))
    if (objects.length % DECODE_TURN_OBJECTS === 0) await nextTurn()
  }
  return objects
}

/** Rows that are rendered before other requests get their turn. */
const TABLE_TURN_ROWS = 250

/** A Table of many objects, rendered and encoded in turns. */
export async function tableResponse(call: Call, objects: readonly KubernetesObject[], form: Form, metadata: ListMeta): Promise<ApiResponse> {
  const { rows: first, ...head } = tableOf(call, objects.slice(0, TABLE_TURN_ROWS), form, { metadata })
  const rows = [...first]
  for (let from = TABLE_TURN_ROWS; from < objects.length; from += TABLE_TURN_ROWS) {
    await nextTurn()
    rows.push(...tableOf(call, objects.slice(from, from + TABLE_TURN_ROWS), form, { metadata }).rows)
  }
  const isPlain = call.request.answer !== 'objects' && form.mediaType === 'application/json' && !call.info.query.has('pretty') && rows.length > TABLE_TURN_ROWS
  if (!isPlain) return valueResponse(call, 200, { ...head, rows }, form.mediaType)
  return bytesResponse(call.request, 200, headersFor('application/json', call.warnings), await arrayBytes(head, 'rows', rows))
}

/** The entries that a list or a deletecollection asks for. */
export async function readList(call: Call, query: ListQuery, selection: Selection): Promise<{ result: ListResult; metadata: ListMeta }> {
  const { resource: r } = call
  const prefix = prefixFor(r, call.info.namespace)
  const token = query.continue === '' ? undefined : decodeToken(query.continue)
  if (token && query.resourceVersion !== '' && query.resourceVersion !== '0') throw badRequest('specifying resource version is not allowed when using continue')
  if (!/^[0-9]*$/.test(query.resourceVersion)) {
    throw badRequest(
      `invalid resource version: resourceVersion: Invalid value: ${JSON.stringify(query.resourceVersion)}: strconv.ParseUint: parsing ${JSON.stringify(query.resourceVersion)}: invalid syntax`,
    )
  }
  const revision = token ? tokenRevision(token) : await askedRevision(call, query)
  const limit = query.limit > 0 && !(query.resourceVersion === '0' && !token) ? query.limit : undefined
  try {
    const result = await readEntries(call, prefix, revision, token ? prefix + token.after : undefined, limit, selection)
    const last = result.entries[result.entries.length - 1]
    const metadata: ListMeta = { resourceVersion: String(result.revision) }
    if (result.more && last) {
      metadata.continue = encodeToken(result.revision, last.key.slice(prefix.length))
      if (selection.isEverything) metadata.remainingItemCount = result.remaining
    }
    return { result, metadata }
  } catch (fault) {
    if (!(fault instanceof StoreError) || fault.code !== 'compacted') throw storeFault(fault, r, '')
    throw token ? continueExpired(encodeToken(-1, token.after)) : expired('The resourceVersion for the provided list is too old.')
  }
}

function tokenRevision(token: Token): number | undefined {
  return token.revision > 0 ? token.revision : undefined
}

/** undefined: the newest. */
async function askedRevision(call: Call, query: ListQuery): Promise<number | undefined> {
  const { resourceVersion } = query
  if (resourceVersion === '' || resourceVersion === '0') return undefined
  await waitForRevision(call, resourceVersion)
  const isExact = query.resourceVersionMatch === 'Exact' || (query.resourceVersionMatch === '' && query.limit > 0)
  return isExact ? Number(resourceVersion) : undefined
}

async function readEntries(
  call: Call,
  prefix: string,
  revision: number | undefined,
  after: string | undefined,
  limit: number | undefined,
  selection: Selection,
): Promise<ListResult> {
  const { resource: r, registry } = call
  // One named object in one namespace needs no scan.
  if (selection.name !== undefined && revision === undefined && after === undefined && (call.info.namespace !== '' || r.scope === 'Cluster')) {
    const entry = selection.name === '' ? undefined : await registry.store.get(keyFor(r, call.info.namespace, selection.name))
    if (entry) await prepareEntries(r, [entry])
    return { entries: entry && selection.matches(objectOf(r, entry)) ? [entry] : [], revision: registry.store.revision, more: false, remaining: 0 }
  }
  if (r.conversion?.prepare) {
    // What a webhook converts is converted in one question, before selectors look at it.
    const all = await registry.store.list(prefix, {
      ...(revision === undefined ? {} : { revision }),
      ...(after === undefined ? {} : { after }),
      ...(limit !== undefined && selection.isEverything ? { limit } : {}),
    })
    await prepareEntries(r, all.entries)
    if (selection.isEverything) return all
    revision = all.revision
  }
  return registry.store.list(prefix, {
    ...(revision === undefined ? {} : { revision }),
    ...(after === undefined ? {} : { after }),
    ...(limit === undefined ? {} : { limit }),
    ...(selection.isEverything ? {} : { filter: entry => selection.matches(objectOf(r, entry)) }),
  })
}
