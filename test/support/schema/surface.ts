/**
 * What an API server shows of its shape, as facts by name: discovery, columns of tables, OpenAPI. The facts of a real
 * kube-apiserver v1.37.2 are kept in test/conformance/surface/surface.json (digests for what is long);
 * test/conformance/surface compares ours with them.
 *
 *   npm run schema -- surface DIRECTORY            compare with a recording and print every difference in full
 *   npm run schema -- surface DIRECTORY --write    rewrite the kept facts from the recording
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'

export const keptFacts = fileURLToPath(new URL('../../conformance/surface/surface.json', import.meta.url))

/** Value by name of the fact; JSON values. */
export type Surface = Map<string, unknown>

/** Asks a server; undefined for a 404. */
export type Ask = (path: string, accept?: string) => Promise<unknown>

interface ApiResource {
  readonly name: string
  readonly verbs?: readonly string[]
}
interface OpenApi {
  readonly paths?: Readonly<Record<string, unknown>>
  readonly components?: { readonly schemas?: Readonly<Record<string, unknown>> }
}

/** Keys in order, without texts: two servers say the same when this is the same. */
function normal(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normal)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, child]) => !(key === 'description' && typeof child === 'string'))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, child]) => [key, normal(child)]),
  )
}

/** Long values are kept as a digest. */
export function digestOf(value: unknown): string {
  const text = JSON.stringify(normal(value))
  return text.length <= 300 ? text : createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** Addresses differ between servers. */
function masked(api: unknown): unknown {
  const { serverAddressByClientCIDRs = [], ...rest } = api as { serverAddressByClientCIDRs?: object[] }
  return { ...rest, serverAddressByClientCIDRs: serverAddressByClientCIDRs.map(one => ({ ...one, serverAddress: '<host:port>' })) }
}

function addResources(surface: Surface, groupVersion: string, list: unknown): void {
  for (const resource of (list as { resources?: ApiResource[] }).resources ?? []) surface.set(`resource ${groupVersion} ${resource.name}`, resource)
}

function addColumns(surface: Surface, key: string, columns: readonly { name: string; type: string; format: string; priority: number }[]): void {
  surface.set(
    `columns ${key}`,
    columns.map(({ name, type, format, priority }) => [name, type, format, priority]),
  )
}

function addOpenApi(surface: Surface, document: string, api: OpenApi): void {
  for (const [path, item] of Object.entries(api.paths ?? {})) surface.set(`path ${path}`, item)
  for (const [name, schema] of Object.entries(api.components?.schemas ?? {})) surface.set(`schema ${document} ${name}`, schema)
}

/** The recording: files beside one another as the recorder wrote them. */
export function recordedSurface(directory: string): Surface {
  const surface: Surface = new Map()
  const json = (...path: string[]): unknown => JSON.parse(readFileSync(join(directory, ...path), 'utf8'))
  addResources(surface, 'v1', json('discovery/api/v1.json'))
  surface.set('discovery /api', json('discovery/api.json'))
  surface.set('discovery /apis', json('discovery/apis.json'))
  surface.set('aggregated /api', json('discovery/aggregated-api.json'))
  surface.set('aggregated /apis', json('discovery/aggregated-apis.json'))
  const groups = join(directory, 'discovery/apis')
  for (const group of readdirSync(groups).filter(name => !name.endsWith('.json')))
    for (const version of readdirSync(join(groups, group))) addResources(surface, `${group}/${version.replace('.json', '')}`, json('discovery/apis', group, version))
  const columns = json('tables/columns.json') as Record<string, { columns: never[] }>
  for (const [key, table] of Object.entries(columns)) addColumns(surface, key, table.columns)
  const documents = join(directory, 'openapi-v1.37/v3')
  for (const file of readdirSync(documents).filter(name => name.endsWith('.gz') && name.split('__').length > 1 && /^apis?__/.test(name))) {
    const document = file.replace('.json.gz', '').replaceAll('__', '/')
    // Documents of a group alone describe no kind.
    if (!/\/v\d/.test(document)) continue
    addOpenApi(surface, document, JSON.parse(gunzipSync(readFileSync(join(documents, file))).toString('utf8')) as OpenApi)
  }
  return surface
}

/** As recordedSurface, of a running server; groups that only it has are left out. */
export async function servedSurface(ask: Ask, isForeign: (groupVersion: string) => boolean): Promise<Surface> {
  const surface: Surface = new Map()
  const aggregatedType = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
  const apis = (await ask('/apis')) as { groups: { name: string; versions: { groupVersion: string }[] }[] }
  const groups = apis.groups.filter(group => !isForeign(group.name))
  surface.set('discovery /api', masked(await ask('/api')))
  surface.set('discovery /apis', { ...apis, groups })
  surface.set('aggregated /api', await ask('/api', aggregatedType))
  const aggregated = (await ask('/apis', aggregatedType)) as { items: { metadata: { name: string } }[] }
  surface.set('aggregated /apis', { ...aggregated, items: aggregated.items.filter(item => !isForeign(item.metadata.name)) })
  const versions = ['v1', ...groups.flatMap(group => group.versions.map(version => version.groupVersion))]
  for (const groupVersion of versions) {
    const root = groupVersion === 'v1' ? '/api/v1' : `/apis/${groupVersion}`
    const list = await ask(root)
    addResources(surface, groupVersion, list)
    for (const { name, verbs } of (list as { resources: ApiResource[] }).resources) {
      if (name.includes('/') || !verbs?.includes('list')) continue
      const table = (await ask(`${root}/${name}?limit=1`, 'application/json;as=Table;v=v1;g=meta.k8s.io')) as { columnDefinitions: never[] }
      addColumns(surface, `${groupVersion}/${name}`, table.columnDefinitions)
    }
    addOpenApi(surface, root.slice(1), (await ask(`/openapi/v3${root}`)) as OpenApi)
  }
  return surface
}

export interface SurfaceDifference {
  readonly fact: string
  /** Undefined: only ours. */
  readonly theirs: string | undefined
  /** Undefined: missing. */
  readonly ours: string | undefined
}

/** Compares digests; either side may hold values or digests already. */
export function surfaceDifferences(theirs: ReadonlyMap<string, string>, ours: ReadonlyMap<string, string>): SurfaceDifference[] {
  const facts = [...new Set([...theirs.keys(), ...ours.keys()])].sort()
  return facts.filter(fact => theirs.get(fact) !== ours.get(fact)).map(fact => ({ fact, theirs: theirs.get(fact), ours: ours.get(fact) }))
}

export const digested = (surface: Surface): Map<string, string> => new Map([...surface].map(([fact, value]) => [fact, digestOf(value)]))

export function readKeptFacts(): Map<string, string> {
  return new Map(Object.entries(existsSync(keptFacts) ? (JSON.parse(readFileSync(keptFacts, 'utf8')) as Record<string, string>) : {}))
}

export function writeKeptFacts(surface: Surface): number {
  const lines = [...digested(surface)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([fact, value]) => `${JSON.stringify(fact)}:${JSON.stringify(value)}`)
  writeFileSync(keptFacts, `{\n${lines.join(',\n')}\n}\n`)
  return lines.length
}

/** Where two values differ, a line a place. */
export function explain(theirs: unknown, ours: unknown, at = ''): string[] {
  const [a, b] = [JSON.stringify(normal(theirs)), JSON.stringify(normal(ours))]
  if (a === b) return []
  const areMaps = [theirs, ours].every(value => value !== null && typeof value === 'object' && !Array.isArray(value))
  const areLists = Array.isArray(theirs) && Array.isArray(ours)
  if (!areMaps && !areLists) return [`${at}: theirs ${(a ?? 'absent').slice(0, 200)}, ours ${(b ?? 'absent').slice(0, 200)}`]
  const [x, y] = [theirs as Record<string, unknown>, ours as Record<string, unknown>]
  return [...new Set([...Object.keys(x), ...Object.keys(y)])].filter(key => key !== 'description').flatMap(key => explain(x[key], y[key], `${at}.${key}`))
}
