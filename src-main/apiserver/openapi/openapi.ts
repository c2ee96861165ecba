/**
 * /openapi/v3 (index and one document a group version) and /openapi/v2, made from the declarations and the schema facts.
 * Documents are made when asked for and not kept: clients keep them by the hash in the index, which is made of the
 * declarations, so that answering the index costs nothing.
 */
import { createHash } from 'node:crypto'
import { stringifyJson } from '../../api/json.ts'
import { methodNotAllowedHere, StatusError } from '../../api/status-error.ts'
import type { AnyResource } from '../../api/resource.ts'
import type { ApiRequest, ApiResponse } from '../../api/request.ts'
import type { NonResourceHandler } from '../contracts.ts'
import { groupsOf, type VersionEntry } from '../discovery/resource-lists.ts'
import { bytesResponse } from '../endpoints/respond.ts'
import { objectResponse } from '../respond.ts'
import { describe, type Descriptions } from './descriptions.ts'
import { withCustomSchemas } from './custom-schemas.ts'
import { openapiPaths } from './paths.ts'
import { collectSchemas, loadDefaults, loadFacts, toVersion2, type Schema, type SchemaFacts } from './schemas.ts'
import { encodeVersion2, protobufVersion2Type, protobufVersion2Types } from './version2-protobuf.ts'

const info = { title: 'Kubernetes', version: '1.37' }
/** Part of every hash: raise it when this code makes other documents of the same declarations. */
const documentVersion = 4

interface Known {
  readonly of: readonly AnyResource[]
  readonly versions: Map<string, { entry: VersionEntry; hash: string }>
}

interface Sources {
  readonly facts: () => Promise<SchemaFacts>
  /** Texts by definition and field. */
  readonly descriptions: Descriptions
}

/** `resources` must return the same array until the kinds change. Without `descriptions` documents have no texts. */
export function openapiHandler(options: { resources: () => readonly AnyResource[]; facts?: () => Promise<SchemaFacts>; descriptions?: Descriptions }): NonResourceHandler {
  const sources: Sources = { facts: options.facts ?? loadFacts, descriptions: options.descriptions ?? (() => Promise.resolve(new Map())) }
  let known: Known | undefined
  const current = (): Known => {
    const resources = options.resources()
    if (known?.of !== resources) known = { of: resources, versions: versionsOf(resources) }
    return known
  }

  return async ({ request, info: asked }) => {
    if (asked.path !== '/openapi/v2' && asked.path !== '/openapi/v3' && !asked.path.startsWith('/openapi/v3/')) return undefined
    if (request.method !== 'GET' && request.method !== 'HEAD') throw methodNotAllowedHere()
    const { versions } = current()
    if (asked.path === '/openapi/v3') {
      const paths = Object.fromEntries([...versions].map(([path, { hash }]) => [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }]))
      return objectResponse(request, { paths }, { contentType: 'application/json' })
    }
    if (asked.path === '/openapi/v2') return version2(request, [...versions.values()], sources)
    const found = versions.get(asked.path.slice('/openapi/v3/'.length))
    if (!found) return undefined
    return version3(request, asked.query.get('hash'), asked.path, found, sources)
  }
}

function versionsOf(resources: readonly AnyResource[]): Known['versions'] {
  const out: Known['versions'] = new Map()
  for (const group of groupsOf(resources)) {
    for (const entry of group.versions) {
      const text = stringifyJson([
        documentVersion,
        entry.group,
        entry.version,
        entry.resources.map(one => [one.resource.plural, one.resource.kind, one.resource.scope, one.resource.schema, one.verbs, one.subresources]),
      ])
      const hash = createHash('sha512').update(text).digest('hex').toUpperCase()
      out.set(entry.group === '' ? `api/${entry.version}` : `apis/${entry.group}/${entry.version}`, { entry, hash })
    }
  }
  return out
}

async function version3(request: ApiRequest, askedHash: string | null, path: string, found: { entry: VersionEntry; hash: string }, sources: Sources): Promise<ApiResponse> {
  if (askedHash !== null && askedHash !== found.hash) return { status: 301, headers: { location: `${path}?hash=${found.hash}` }, body: { kind: 'none' } }
  const headers: Record<string, string> = { etag: `"${found.hash}"`, vary: 'Accept', ...(askedHash === null ? {} : { 'cache-control': 'public, immutable' }) }
  if (request.headers['if-none-match'] === headers['etag']) return { status: 304, headers, body: { kind: 'none' } }
  return objectResponse(request, await document3(found.entry, sources), { contentType: 'application/json', headers })
}

async function document3(entry: VersionEntry, sources: Sources): Promise<object> {
  const [loaded, defaults] = await Promise.all([sources.facts(), loadDefaults()])
  const paths = openapiPaths(entry)
  const resources = entry.resources.map(one => one.resource)
  const schemas = await describe(collectSchemas(loaded, resources, paths, { group: entry.group, version: entry.version, defaults }), sources.descriptions)
  return {
    openapi: '3.0.0',
    info,
    paths,
    components: {
      schemas: await withCustomSchemas(schemas, resources, 3, sources.descriptions),
      securitySchemes: { BearerToken: { in: 'header', name: 'authorization', type: 'apiKey' } },
    },
  }
}

async function version2(request: ApiRequest, versions: readonly { entry: VersionEntry; hash: string }[], sources: Sources): Promise<ApiResponse> {
  const accept = request.headers['accept'] ?? '*/*'
  const asProtobuf = protobufVersion2Types.some(type => accept.includes(type))
  if (!asProtobuf && !/(application\/json|application\/\*|\*\/\*)/.test(accept))
    throw new StatusError(406, 'NotAcceptable', `only the following media types are accepted: application/json, ${protobufVersion2Types.join(', ')}`)
  const etag = `"${createHash('sha512')
    .update(versions.map(one => one.hash).join())
    .digest('hex')
    .toUpperCase()}"`
  const headers = { etag, vary: 'Accept' }
  if (request.headers['if-none-match'] === etag) return { status: 304, headers, body: { kind: 'none' } }
  const loaded = await sources.facts()
  const definitions: Record<string, Schema> = {}
  const paths: Record<string, object> = {}
  for (const { entry } of versions) {
    const own = openapiPaths(entry)
    Object.assign(
      definitions,
      collectSchemas(
        loaded,
        entry.resources.map(one => one.resource),
        own,
      ),
    )
    Object.assign(paths, own)
  }
  const general = toVersion2({ definitions: asProtobuf ? definitions : await describe(definitions, sources.descriptions), paths })
  const resources = versions.flatMap(one => one.entry.resources.map(({ resource }) => resource))
  const document = { ...general, definitions: await withCustomSchemas(general.definitions, resources, 2, asProtobuf ? () => Promise.resolve(new Map()) : sources.descriptions) }
  if (asProtobuf) return bytesResponse(request, 200, { 'content-type': protobufVersion2Type, ...headers }, [encodeVersion2({ swagger: '2.0', info, ...document })])
  return objectResponse(
    request,
    { swagger: '2.0', info, ...document, securityDefinitions: { BearerToken: { in: 'header', name: 'authorization', type: 'apiKey' } }, security: [{ BearerToken: [] }] },
    { contentType: 'application/json', headers },
  )
}
