/** Paths and operations of one group version, in OpenAPI v3's form. Pure. */
import type { AnyResource } from '../../api/resource.ts'
import { subresourceKinds } from '../../api/subresource-kinds.ts'
import type { ResourceEntry, SubresourceEntry, VersionEntry } from '../discovery/resource-lists.ts'
import { returnsDeletedObject } from '../registry/strategy-facts.ts'
import { listSchemaNameOf, reference, schemaNameOf } from './schemas.ts'

interface GroupVersionKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

const metaPrefix = 'io.k8s.apimachinery.pkg.apis.meta.v1.'
const protobufType = 'application/vnd.kubernetes.protobuf'
const customTypes = ['application/json', 'application/yaml']
const plainTypes = [...customTypes, protobufType]
const isCustom = (resource: AnyResource): boolean => typeof resource.schema !== 'string'
const typesOf = (resource: AnyResource): readonly string[] => (isCustom(resource) ? customTypes : plainTypes)
const watchTypesOf = (resource: AnyResource): readonly string[] => [
  ...typesOf(resource),
  'application/json;stream=watch',
  ...(isCustom(resource) ? [] : [`${protobufType};stream=watch`]),
]
const patchTypes = ['application/apply-patch+yaml', 'application/json-patch+json', 'application/merge-patch+json', 'application/strategic-merge-patch+json']
const customPatchTypes = patchTypes.filter(type => type !== 'application/strategic-merge-patch+json')

const query = (name: string, type: 'string' | 'integer' | 'boolean' = 'string'): object => ({ in: 'query', name, schema: { type, uniqueItems: true } })
const inPath = (name: string): object => ({ in: 'path', name, required: true, schema: { type: 'string', uniqueItems: true } })

const pretty = query('pretty')
const listParameters = [
  query('allowWatchBookmarks', 'boolean'),
  query('continue'),
  query('fieldSelector'),
  query('labelSelector'),
  query('limit', 'integer'),
  query('resourceVersion'),
  query('resourceVersionMatch'),
  query('sendInitialEvents', 'boolean'),
  query('shardSelector'),
  query('timeoutSeconds', 'integer'),
  query('watch', 'boolean'),
]
const deleteParameters = [
  query('dryRun'),
  query('gracePeriodSeconds', 'integer'),
  query('ignoreStoreReadErrorWithClusterBreakingPotential', 'boolean'),
  query('orphanDependents', 'boolean'),
  query('propagationPolicy'),
]
const deleteCollectionParameters = [...listParameters.filter(one => !['allowWatchBookmarks', 'watch'].includes((one as { name: string }).name)), ...deleteParameters]
const writeParameters = [query('dryRun'), query('fieldManager'), query('fieldValidation')]
const patchParameters = [...writeParameters, query('force', 'boolean')]

/** Query parameters of the streaming subresources; facts of v1.37. */
const streamParameters: Readonly<Record<string, readonly object[]>> = {
  log: [
    query('container'),
    query('follow', 'boolean'),
    query('insecureSkipTLSVerifyBackend', 'boolean'),
    query('limitBytes', 'integer'),
    query('previous', 'boolean'),
    query('sinceSeconds', 'integer'),
    query('stream'),
    query('tailLines', 'integer'),
    query('timestamps', 'boolean'),
  ],
  exec: [query('command'), query('container'), query('stderr', 'boolean'), query('stdin', 'boolean'), query('stdout', 'boolean'), query('tty', 'boolean')],
  attach: [query('container'), query('stderr', 'boolean'), query('stdin', 'boolean'), query('stdout', 'boolean'), query('tty', 'boolean')],
  portforward: [query('ports', 'integer')],
  proxy: [query('path')],
}

export function openapiPaths(entry: VersionEntry): Record<string, object> {
  const paths: Record<string, object> = {}
  const root = entry.group === '' ? `/api/${entry.version}` : `/apis/${entry.group}/${entry.version}`
  for (const one of entry.resources) {
    const { resource } = one
    const namespaced = resource.scope === 'Namespaced'
    const collection = namespaced ? `${root}/namespaces/{namespace}/${resource.plural}` : `${root}/${resource.plural}`
    const place = namespaced ? [inPath('namespace')] : []
    const named = [inPath('name'), ...place]
    const add = (path: string, operations: Record<string, Operation>, parameters: readonly object[]): void => {
      if (Object.keys(operations).length > 0) paths[path] = pathItem(operations, parameters)
    }
    add(collection, collectionOperations(one), [...place, pretty])
    if (namespaced && one.verbs.includes('list')) add(`${root}/${resource.plural}`, { get: listOperation(resource, 'ForAllNamespaces') }, [pretty])
    add(`${collection}/{name}`, itemOperations(one), [...named, pretty])
    for (const sub of one.subresources) {
      const isStream = isConnected(resource, sub)
      add(`${collection}/{name}/${sub.name}`, subresourceOperations(resource, sub), isStream ? named : [...named, pretty])
      if (sub.name === 'proxy') add(`${collection}/{name}/proxy/{path}`, subresourceOperations(resource, sub, 'WithPath'), [...named, inPath('path')])
    }
    if (!isCustom(resource) && one.verbs.includes('watch')) addWatchPaths(resource, root, add)
  }
  const [first] = entry.resources.map(one => one.resource).filter(resource => !isCustom(resource))
  if (first !== undefined) paths[`${root}/`] = { get: discoveryOperation(first) }
  return Object.fromEntries(Object.entries(paths).sort(([a], [b]) => (a < b ? -1 : 1)))
}

interface Operation {
  readonly parameters?: readonly object[]
  readonly [member: string]: unknown
}

const byName = (a: object, b: object): number => {
  const [x, y] = [a, b].map(one => `${(one as { name: string }).name} ${(one as { in: string }).in}`)
  return (x ?? '') < (y ?? '') ? -1 : 1
}

/** Parameters that all operations of a path have stand at the path. */
function pathItem(operations: Record<string, Operation>, shared: readonly object[]): object {
  const lists = Object.values(operations).map(one => new Map([...shared, ...(one.parameters ?? [])].map(parameter => [JSON.stringify(parameter), parameter])))
  const common = [...(lists[0] ?? new Map<string, object>())].filter(([key]) => lists.every(list => list.has(key)))
  const keys = new Set(common.map(([key]) => key))
  const items = Object.entries(operations).map(([method, one], i) => {
    const own = [...(lists[i] ?? new Map<string, object>())].filter(([key]) => !keys.has(key)).map(([, parameter]) => parameter)
    const { parameters: _parameters, ...rest } = one
    return [method, { ...rest, ...(own.length > 0 ? { parameters: own.sort(byName) } : {}) }] as const
  })
  return { ...Object.fromEntries(items), ...(common.length > 0 ? { parameters: common.map(([, parameter]) => parameter).sort(byName) } : {}) }
}

/** The paths of old, on which a GET watches. */
function addWatchPaths(resource: AnyResource, root: string, add: (path: string, operations: Record<string, Operation>, parameters: readonly object[]) => void): void {
  const namespaced = resource.scope === 'Namespaced'
  const place = namespaced ? [inPath('namespace')] : []
  const collection = `${root}/watch/${namespaced ? 'namespaces/{namespace}/' : ''}${resource.plural}`
  const id = `watch${idPart(resource)}${scopeWord(resource)}${resource.kind}`
  const watching = (action: string, operationId: string): Record<string, Operation> => ({
    get: operation(resource, action, operationId, kindOf(resource), answers(['200'], `${metaPrefix}WatchEvent`, watchTypesOf(resource))),
  })
  add(collection, watching('watchlist', `${id}List`), [...place, pretty, ...listParameters])
  add(`${collection}/{name}`, watching('watch', id), [inPath('name'), ...place, pretty, ...listParameters])
  if (namespaced) add(`${root}/watch/${resource.plural}`, watching('watchlist', `watch${idPart(resource)}${resource.kind}ListForAllNamespaces`), [pretty, ...listParameters])
}

function discoveryOperation(resource: AnyResource): object {
  const { tags } = operation(resource, '', '', kindOf(resource), {}) as { tags: string[] }
  return { tags, operationId: `get${idPart(resource)}APIResources`, ...answers(['200'], `${metaPrefix}APIResourceList`) }
}

/* ---- operations ---- */

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}

/** `AppsV1`: the group's first word and the version, as operation ids carry them. */
function idPart(resource: AnyResource): string {
  const group =
    resource.group === ''
      ? 'core'
      : resource.group
          .replace(/\.k8s\.io$/, '')
          .split('.')
          .map(capital)
          .join('')
  return capital(group) + capital(resource.version)
}

function operation(resource: AnyResource, action: string, id: string, kind: GroupVersionKind, parts: object): Operation {
  const [first = '', ...words] = resource.group.replace(/\.k8s\.io$/, '').split('.')
  const groupTag = resource.group === '' ? 'core' : first + words.map(capital).join('')
  return { tags: [`${groupTag}_${resource.version}`], operationId: id, ...parts, 'x-kubernetes-action': action, 'x-kubernetes-group-version-kind': kind }
}

function answers(codes: readonly string[], schema: string, types: readonly string[] = plainTypes): object {
  const content = Object.fromEntries(types.map(type => [type, { schema: reference(schema) }]))
  return { responses: { ...Object.fromEntries(codes.map(code => [code, { content }])), 401: {} } }
}

function body(schema: string, types: readonly string[] = ['*/*'], required = true): object {
  return { requestBody: { content: Object.fromEntries(types.map(type => [type, { schema: reference(schema) }])), ...(required ? { required: true } : {}) } }
}

function kindOf(resource: AnyResource): GroupVersionKind {
  return { group: resource.group, version: resource.version, kind: resource.kind }
}

function scopeWord(resource: AnyResource): string {
  return resource.scope === 'Namespaced' ? 'Namespaced' : ''
}

function listOperation(resource: AnyResource, suffix = ''): Operation {
  const id = `list${idPart(resource)}${suffix === '' ? scopeWord(resource) : ''}${resource.kind}${suffix}`
  return operation(resource, 'list', id, kindOf(resource), { parameters: listParameters, ...answers(['200'], listSchemaNameOf(resource), watchTypesOf(resource)) })
}

function collectionOperations(entry: ResourceEntry): Record<string, Operation> {
  const { resource, verbs } = entry
  const schema = schemaNameOf(resource)
  const types = typesOf(resource)
  const out: Record<string, Operation> = {}
  if (verbs.includes('list')) out['get'] = listOperation(resource)
  if (verbs.includes('create')) {
    out['post'] = operation(resource, 'post', `create${idPart(resource)}${scopeWord(resource)}${resource.kind}`, kindOf(resource), {
      parameters: writeParameters,
      ...body(schema),
      ...answers(['200', '201', '202'], schema, types),
    })
  }
  if (verbs.includes('deletecollection')) {
    out['delete'] = operation(resource, 'deletecollection', `delete${idPart(resource)}Collection${scopeWord(resource)}${resource.kind}`, kindOf(resource), {
      parameters: deleteCollectionParameters,
      ...body(`${metaPrefix}DeleteOptions`, ['*/*'], false),
      ...answers(['200'], `${metaPrefix}Status`, types),
    })
  }
  return out
}

function itemOperations(entry: ResourceEntry): Record<string, Operation> {
  const { resource, verbs } = entry
  const schema = schemaNameOf(resource)
  const types = typesOf(resource)
  const id = (verb: string): string => `${verb}${idPart(resource)}${scopeWord(resource)}${resource.kind}`
  const out: Record<string, Operation> = {}
  if (verbs.includes('get')) out['get'] = operation(resource, 'get', id('read'), kindOf(resource), answers(['200'], schema, types))
  if (verbs.includes('update'))
    out['put'] = operation(resource, 'put', id('replace'), kindOf(resource), { parameters: writeParameters, ...body(schema), ...answers(['200', '201'], schema, types) })
  if (verbs.includes('patch')) out['patch'] = patchOperation(resource, id('patch'), kindOf(resource), schema)
  if (verbs.includes('delete'))
    out['delete'] = operation(resource, 'delete', id('delete'), kindOf(resource), {
      parameters: deleteParameters,
      ...body(`${metaPrefix}DeleteOptions`, ['*/*'], false),
      ...answers(['200', '202'], returnsDeletedObject(resource) ? schema : `${metaPrefix}Status`, types),
    })
  return out
}

function patchOperation(resource: AnyResource, id: string, kind: GroupVersionKind, schema: string): Operation {
  const types = typeof resource.schema === 'string' ? patchTypes : customPatchTypes
  return operation(resource, 'patch', id, kind, { parameters: patchParameters, ...body(`${metaPrefix}Patch`, types), ...answers(['200', '201'], schema, typesOf(resource)) })
}

/** Answered with a stream rather than an object. */
function isConnected(resource: AnyResource, sub: SubresourceEntry): boolean {
  const foreign = subresourceKinds.get(`${resource.plural}/${sub.name}`)
  return foreign !== undefined && foreign.schema === undefined && sub.name !== 'log'
}

function subresourceOperations(resource: AnyResource, sub: SubresourceEntry, suffix = ''): Record<string, Operation> {
  const kind: GroupVersionKind = { group: sub.group, version: sub.version, kind: sub.kind }
  const foreign = subresourceKinds.get(`${resource.plural}/${sub.name}`)
  const schema = foreign ? foreign.schema : sub.name === 'scale' ? 'io.k8s.api.autoscaling.v1.Scale' : schemaNameOf(resource)
  const id = (verb: string): string => `${verb}${idPart(resource)}${scopeWord(resource)}${resource.kind}${capital(sub.name)}${suffix}`
  const connectId = (word: string): string => `connect${idPart(resource)}${word}${scopeWord(resource)}${resource.kind}${capital(sub.name)}${suffix}`
  const types = typesOf(resource)
  const out: Record<string, Operation> = {}
  if (schema === undefined || sub.name === 'log') {
    const contentTypes = sub.name === 'log' ? [...types, 'text/plain'] : ['*/*']
    const content = Object.fromEntries(contentTypes.map(type => [type, { schema: { type: 'string' } }]))
    const parts = { parameters: streamParameters[sub.name] ?? [], responses: { 200: { content }, 401: {} } }
    const verbsOf: Readonly<Record<string, readonly [string, string]>> = {
      get: ['get', 'Get'],
      create: ['post', 'Post'],
      update: ['put', 'Put'],
      patch: ['patch', 'Patch'],
      delete: ['delete', 'Delete'],
    }
    // A proxy passes on what Kubernetes has no verb for, too.
    if (sub.name === 'proxy') for (const method of ['head', 'options']) out[method] = operation(resource, 'connect', connectId(capital(method)), kind, parts)
    for (const verb of sub.verbs) {
      const [method, word] = verbsOf[verb] ?? []
      if (method !== undefined && word !== undefined)
        out[method] = operation(resource, sub.name === 'log' ? 'get' : 'connect', sub.name === 'log' ? id('read') : connectId(word), kind, parts)
    }
    return out
  }
  if (sub.verbs.includes('get')) out['get'] = operation(resource, 'get', id('read'), kind, answers(['200'], schema, types))
  if (sub.verbs.includes('create'))
    out['post'] = operation(resource, 'post', id('create'), kind, { parameters: writeParameters, ...body(schema), ...answers(['200', '201', '202'], schema, types) })
  if (sub.verbs.includes('update'))
    out['put'] = operation(resource, 'put', id('replace'), kind, { parameters: writeParameters, ...body(schema), ...answers(['200', '201'], schema, types) })
  if (sub.verbs.includes('patch')) out['patch'] = patchOperation(resource, id('patch'), kind, schema)
  return out
}
