/** Paths and operations of one group version, in OpenAPI v3's form. Pure. */
import type { AnyResource } from '../../api/resource.ts'
import { subresourceKinds } from '../../api/subresource-kinds.ts'
import type { ResourceEntry, SubresourceEntry, VersionEntry } from '../discovery/resource-lists.ts'
import { listSchemaNameOf, reference, schemaNameOf } from './schemas.ts'

interface GroupVersionKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

const metaPrefix = 'io.k8s.apimachinery.pkg.apis.meta.v1.'
const plainTypes = ['application/json', 'application/yaml']
const watchTypes = [...plainTypes, 'application/json;stream=watch']
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
    const shared = namespaced ? [inPath('namespace'), pretty] : [pretty]
    const collectionItem = collectionOperations(one)
    if (Object.keys(collectionItem).length > 0) paths[collection] = { ...collectionItem, parameters: shared }
    if (namespaced && one.verbs.includes('list')) paths[`${root}/${resource.plural}`] = { get: listOperation(resource, 'ForAllNamespaces'), parameters: [pretty] }
    const item = itemOperations(one)
    if (Object.keys(item).length > 0) paths[`${collection}/{name}`] = { ...item, parameters: [inPath('name'), ...shared] }
    for (const sub of one.subresources) paths[`${collection}/{name}/${sub.name}`] = { ...subresourceOperations(resource, sub), parameters: [inPath('name'), ...shared] }
  }
  return Object.fromEntries(Object.entries(paths).sort(([a], [b]) => (a < b ? -1 : 1)))
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

function operation(resource: AnyResource, action: string, id: string, kind: GroupVersionKind, parts: object): object {
  const groupTag = resource.group === '' ? 'core' : (resource.group.split('.')[0] ?? '')
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

function listOperation(resource: AnyResource, suffix = ''): object {
  const id = `list${idPart(resource)}${suffix === '' ? scopeWord(resource) : ''}${resource.kind}${suffix}`
  return operation(resource, 'list', id, kindOf(resource), { parameters: listParameters, ...answers(['200'], listSchemaNameOf(resource), watchTypes) })
}

function collectionOperations(entry: ResourceEntry): Record<string, object> {
  const { resource, verbs } = entry
  const schema = schemaNameOf(resource)
  const out: Record<string, object> = {}
  if (verbs.includes('list')) out['get'] = listOperation(resource)
  if (verbs.includes('create')) {
    out['post'] = operation(resource, 'post', `create${idPart(resource)}${scopeWord(resource)}${resource.kind}`, kindOf(resource), {
      parameters: writeParameters,
      ...body(schema),
      ...answers(['200', '201', '202'], schema),
    })
  }
  if (verbs.includes('deletecollection')) {
    out['delete'] = operation(resource, 'deletecollection', `delete${idPart(resource)}Collection${scopeWord(resource)}${resource.kind}`, kindOf(resource), {
      parameters: deleteCollectionParameters,
      ...body(`${metaPrefix}DeleteOptions`, ['*/*'], false),
      ...answers(['200'], `${metaPrefix}Status`),
    })
  }
  return out
}

function itemOperations(entry: ResourceEntry): Record<string, object> {
  const { resource, verbs } = entry
  const schema = schemaNameOf(resource)
  const id = (verb: string): string => `${verb}${idPart(resource)}${scopeWord(resource)}${resource.kind}`
  const out: Record<string, object> = {}
  if (verbs.includes('get')) out['get'] = operation(resource, 'get', id('read'), kindOf(resource), answers(['200'], schema))
  if (verbs.includes('update'))
    out['put'] = operation(resource, 'put', id('replace'), kindOf(resource), { parameters: writeParameters, ...body(schema), ...answers(['200', '201'], schema) })
  if (verbs.includes('patch')) out['patch'] = patchOperation(resource, id('patch'), kindOf(resource), schema)
  if (verbs.includes('delete'))
    out['delete'] = operation(resource, 'delete', id('delete'), kindOf(resource), {
      parameters: deleteParameters,
      ...body(`${metaPrefix}DeleteOptions`, ['*/*'], false),
      ...answers(['200', '202'], `${metaPrefix}Status`),
    })
  return out
}

function patchOperation(resource: AnyResource, id: string, kind: GroupVersionKind, schema: string): object {
  const types = typeof resource.schema === 'string' ? patchTypes : customPatchTypes
  return operation(resource, 'patch', id, kind, { parameters: patchParameters, ...body(`${metaPrefix}Patch`, types), ...answers(['200', '201'], schema) })
}

function subresourceOperations(resource: AnyResource, sub: SubresourceEntry): Record<string, object> {
  const kind: GroupVersionKind = { group: sub.group, version: sub.version, kind: sub.kind }
  const foreign = subresourceKinds.get(`${resource.plural}/${sub.name}`)
  const schema = foreign ? foreign.schema : sub.name === 'scale' ? 'io.k8s.api.autoscaling.v1.Scale' : schemaNameOf(resource)
  const id = (verb: string): string => `${verb}${idPart(resource)}${scopeWord(resource)}${resource.kind}${capital(sub.name)}`
  const out: Record<string, object> = {}
  if (schema === undefined || sub.name === 'log') {
    const parts = { parameters: streamParameters[sub.name] ?? [], responses: { 200: { content: { '*/*': { schema: { type: 'string' } } } }, 401: {} } }
    const verbsOf: Readonly<Record<string, readonly [string, string]>> = {
      get: ['get', 'connectGet'],
      create: ['post', 'connectPost'],
      update: ['put', 'connectPut'],
      patch: ['patch', 'connectPatch'],
      delete: ['delete', 'connectDelete'],
    }
    for (const verb of sub.verbs) {
      const [method, word] = verbsOf[verb] ?? []
      if (method !== undefined && word !== undefined) out[method] = operation(resource, sub.name === 'log' ? 'get' : 'connect', id(sub.name === 'log' ? 'read' : word), kind, parts)
    }
    return out
  }
  if (sub.verbs.includes('get')) out['get'] = operation(resource, 'get', id('read'), kind, answers(['200'], schema))
  if (sub.verbs.includes('create'))
    out['post'] = operation(resource, 'post', id('create'), kind, { parameters: writeParameters, ...body(schema), ...answers(['200', '201', '202'], schema) })
  if (sub.verbs.includes('update'))
    out['put'] = operation(resource, 'put', id('replace'), kind, { parameters: writeParameters, ...body(schema), ...answers(['200', '201'], schema) })
  if (sub.verbs.includes('patch')) out['patch'] = patchOperation(resource, id('patch'), kind, schema)
  return out
}
