/** Adds the groups and versions of aggregated servers to discovery and to the index of OpenAPI v3. */
import { createHash } from 'node:crypto'
import { isObject, stringifyJson } from '../../api/json.ts'
import type { JsonObject } from '../../api/json.ts'
import { compareBytes } from '../../api/json.ts'
import { groupVersion } from '../../api/meta.ts'
import type { NonResourceHandler } from '../contracts.ts'
import { objectResponse } from '../respond.ts'
import type { Aggregation, DelegatedVersion } from './aggregation.ts'

/** A discovery document with what others serve; itself where nobody does. */
export function withDelegated(path: string, document: object, delegated: readonly DelegatedVersion[]): object {
  if (delegated.length === 0) return document
  const copy = document as JsonObject
  if (path === '/apis') return { ...copy, groups: mergedGroups(listOf(copy['groups']), delegated) }
  const match = /^\/apis\/([^/]+)$/.exec(path)
  const [group] = match ? mergedGroups([copy], delegated).filter(one => one['name'] === match[1]) : []
  return group ? { kind: 'APIGroup', apiVersion: 'v1', ...group } : document
}

/** The APIGroup of a group that only others serve. */
export function delegatedGroup(path: string, delegated: readonly DelegatedVersion[]): object | undefined {
  const name = /^\/apis\/([^/]+)$/.exec(path)?.[1]
  if (name === undefined || !delegated.some(one => one.group === name)) return undefined
  const [group] = mergedGroups([], delegated).filter(one => one['name'] === name)
  return group && { kind: 'APIGroup', apiVersion: 'v1', ...group }
}

function listOf(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : []
}

function ordered(delegated: readonly DelegatedVersion[]): DelegatedVersion[] {
  return [...delegated].sort((a, b) => b.priority - a.priority || compareBytes(a.group, b.group) || compareBytes(a.version, b.version))
}

function mergedGroups(groups: readonly JsonObject[], delegated: readonly DelegatedVersion[]): JsonObject[] {
  const merged = groups.map(group => ({ ...group, versions: [...listOf(group['versions'])] }) as JsonObject & { versions: JsonObject[] })
  for (const one of ordered(delegated)) {
    const version = { groupVersion: groupVersion(one.group, one.version), version: one.version }
    const group = merged.find(candidate => candidate['name'] === one.group)
    if (!group) merged.push({ name: one.group, versions: [version], preferredVersion: version } as JsonObject & { versions: JsonObject[] })
    else if (!group.versions.some(present => present['version'] === one.version)) group.versions.push(version)
  }
  return merged
}

/** Aggregated discovery of /apis. */
export function withDelegatedItems(document: object, delegated: readonly DelegatedVersion[]): object {
  if (delegated.length === 0) return document
  const items = listOf((document as JsonObject)['items']).map(item => ({ ...item, versions: [...listOf(item['versions'])] }) as JsonObject & { versions: JsonObject[] })
  for (const one of ordered(delegated)) {
    const entry = aggregatedEntry(one)
    const item = items.find(candidate => isObject(candidate['metadata']) && candidate['metadata']['name'] === one.group)
    const at = item?.versions.findIndex(version => version['version'] === one.version) ?? -1
    if (!item) items.push({ metadata: { name: one.group }, versions: [entry] } as JsonObject & { versions: JsonObject[] })
    else if (at < 0) item.versions.push(entry)
    else item.versions[at] = entry
  }
  return { ...document, items }
}

function aggregatedEntry(one: DelegatedVersion): JsonObject {
  const kindOf = (resource: JsonObject): JsonObject => ({ group: resource['group'] ?? one.group, version: resource['version'] ?? one.version, kind: resource['kind'] })
  const resources = one.resources
    .filter(resource => typeof resource['name'] === 'string' && !resource['name'].includes('/'))
    .map(resource => {
      const name = String(resource['name'])
      const subresources = one.resources
        .filter(sub => typeof sub['name'] === 'string' && sub['name'].startsWith(`${name}/`))
        .map(sub => ({ subresource: String(sub['name']).slice(name.length + 1), responseKind: kindOf(sub), verbs: sub['verbs'] ?? [] }))
      return {
        resource: name,
        responseKind: kindOf(resource),
        scope: resource['namespaced'] === true ? 'Namespaced' : 'Cluster',
        singularResource: resource['singularName'] ?? '',
        verbs: resource['verbs'] ?? [],
        ...(resource['shortNames'] ? { shortNames: resource['shortNames'] } : {}),
        ...(resource['categories'] ? { categories: resource['categories'] } : {}),
        ...(subresources.length > 0 ? { subresources } : {}),
      }
    })
  return { version: one.version, resources, freshness: one.available ? 'Current' : 'Stale' }
}

/** /openapi/v3 with an entry for each group version that others serve; their documents are theirs. */
export function delegatedOpenapi(aggregation: Aggregation, own: NonResourceHandler): NonResourceHandler {
  return async context => {
    const delegated = aggregation.delegated().filter(one => one.available)
    const { request, info } = context
    if (delegated.length === 0 || info.path !== '/openapi/v3') return own(context)
    const answer = await own({ ...context, request: { ...request, answer: 'objects' } })
    const document = answer?.body.kind === 'object' && isObject(answer.body.object) ? answer.body.object : undefined
    if (!document) return own(context)
    const paths = { ...(isObject(document['paths']) ? document['paths'] : {}) }
    for (const one of delegated) {
      const hash = createHash('sha512').update(stringifyJson(one.resources)).digest('hex').toUpperCase()
      const path = `apis/${one.group}/${one.version}`
      paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }
    }
    return objectResponse(request, { ...document, paths }, { contentType: 'application/json' })
  }
}
