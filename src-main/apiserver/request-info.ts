/** Reads what a request asks for from its method and URL, by the rules of Kubernetes' RequestInfo resolver. */
import { badRequest } from '../api/status-error.ts'
import { parseFieldSelector } from '../api/selectors.ts'
import type { RequestInfo } from './contracts.ts'

const verbOfMethod: Readonly<Record<string, string>> = { POST: 'create', GET: 'get', HEAD: 'get', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }

/** Subresources of a namespace; any other word after its name is a resource inside it. */
const namespaceSubresources: ReadonlySet<string> = new Set(['status', 'finalize'])

/** Subresources whose calls are verbs of their own right: a GET of them with a name is never a list. */
const specialVerbs: ReadonlySet<string> = new Set(['proxy', 'watch'])

/** Go's strconv.ParseBool with the API's reading of an empty value as true; undefined for anything else. */
export function parseBoolean(text: string | null): boolean | undefined {
  if (text === null) return undefined
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true
  if (/^(0|f|F|FALSE|false|False)$/.test(text)) return false
  return undefined
}

/** The API's reading of a flag in a query: absent, `false` and `0` are false, everything else is true. */
export function queryFlag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name)
  return value !== null && value !== 'false' && value !== '0'
}

/** Of the many requests without one. Nobody alters a query. */
const noQuery = new URLSearchParams()

/** Splits `url` into its decoded path and query. Throws badRequest for escapes that are no UTF-8. */
export function splitUrl(url: string): { path: string; query: URLSearchParams } {
  const mark = url.indexOf('?')
  const raw = mark < 0 ? url : url.slice(0, mark)
  let path: string
  try {
    path = raw.includes('%') ? decodeURIComponent(raw) : raw
  } catch {
    throw badRequest('the request URL is not valid')
  }
  return { path, query: mark < 0 ? noQuery : new URLSearchParams(url.slice(mark + 1)) }
}

interface Draft {
  verb: string
  group: string
  version: string
  resource: string
  subresource: string
  namespace: string
  name: string
}

function nonResource(method: string, path: string, query: URLSearchParams): RequestInfo {
  return { isResource: false, path, verb: method.toLowerCase(), group: '', version: '', resource: '', subresource: '', namespace: '', name: '', query }
}

/** Between the slashes; an empty first or last part is none. */
function partsOf(path: string): string[] {
  const parts = path.split('/')
  if (parts[parts.length - 1] === '') parts.pop()
  if (parts[0] === '') parts.shift()
  return parts
}

/** What `method url` asks for. Throws badRequest. */
export function requestInfo(method: string, url: string): RequestInfo {
  const { path, query } = splitUrl(url)
  const parts = partsOf(path)
  const isCore = parts[0] === 'api'
  if ((!isCore && parts[0] !== 'apis') || parts.length < (isCore ? 3 : 4)) return nonResource(method, path, query)
  const draft: Draft = {
    verb: verbOfMethod[method] ?? '',
    group: isCore ? '' : (parts[1] ?? ''),
    version: parts[isCore ? 1 : 2] ?? '',
    resource: '',
    subresource: '',
    namespace: '',
    name: '',
  }
  let rest = parts.slice(isCore ? 2 : 3)
  if (specialVerbs.has(rest[0] ?? '')) {
    if (rest.length < 2) return nonResource(method, path, query)
    draft.verb = rest[0] ?? ''
    rest = rest.slice(1)
  }
  readScope(draft, rest)
  if (draft.verb === 'get' || draft.verb === 'delete' || draft.verb === 'watch') readCollectionVerb(draft, query)
  const { verb, group, version, resource, subresource, namespace, name } = draft
  return { isResource: true, path, verb, group, version, resource, subresource, namespace, name, query }
}

function readScope(draft: Draft, given: readonly string[]): void {
  let rest = given
  if (rest[0] === 'namespaces') {
    if (rest.length > 1) {
      draft.namespace = rest[1] ?? ''
      if (rest.length > 2 && !namespaceSubresources.has(rest[2] ?? '')) rest = rest.slice(2)
    }
  }
  draft.resource = rest[0] ?? ''
  draft.name = rest[1] ?? ''
  draft.subresource = rest[2] ?? ''
}

function readCollectionVerb(draft: Draft, query: URLSearchParams): void {
  if (draft.name === '' && draft.verb === 'get') draft.verb = queryFlag(query, 'watch') ? 'watch' : 'list'
  if (draft.name === '' && draft.verb === 'delete') draft.verb = 'deletecollection'
  // A list of one named object is authorized like that object, so that a node may watch its own pod's secret.
  const selector = query.get('fieldSelector')
  if (draft.name !== '' || selector === null || selector === '') return
  if (draft.verb !== 'list' && draft.verb !== 'watch' && draft.verb !== 'deletecollection') return
  try {
    const name = parseFieldSelector(selector).find(term => term.field === 'metadata.name' && term.op !== '!=')
    if (name && !name.value.includes('/')) draft.name = name.value
  } catch {
    // The verb's own handler answers a selector that cannot be read.
  }
}
