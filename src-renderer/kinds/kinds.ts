/** The kinds of the window: those of the one list of kinds, and those that the server has besides (custom and aggregated ones). */
import { computed, shallowRef } from 'vue'
import { allResources } from '../../src-main/api/resources.ts'
import { groupVersion } from '../../src-main/api/meta.ts'
import type { AnyResource } from '../../src-main/api/resource.ts'

export type Area = 'cluster' | 'workloads' | 'network' | 'config' | 'storage' | 'access' | 'custom'
export const areaTitles: Readonly<Record<Area, string>> = {
  cluster: 'Cluster',
  workloads: 'Workloads',
  network: 'Network',
  config: 'Config',
  storage: 'Storage',
  access: 'Access',
  custom: 'Custom',
}

const builtInKinds: readonly AnyResource[] = allResources
  .filter(r => r.menu && (r.verbs === undefined || r.verbs.includes('list')))
  .toSorted((a, b) => (a.menu?.order ?? 0) - (b.menu?.order ?? 0))

/** Kinds that the server has and the list of kinds does not; stores/custom-kinds.ts keeps them. */
export const customKinds = shallowRef<readonly AnyResource[]>([])

/** Kinds that have a list and a place in the menu, in its order. */
export const shownKinds = computed<readonly AnyResource[]>(() => [...builtInKinds, ...customKinds.value])

/** `pods`, `deployments.apps`: as kubectl names a resource; also the page's address. */
export function kindId(resource: AnyResource): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`
}

const byId = computed(() => new Map(shownKinds.value.map(r => [kindId(r), r])))
export function kindById(id: string): AnyResource | undefined {
  return byId.value.get(id)
}

export function isCustomKind(resource: AnyResource): boolean {
  return customKinds.value.includes(resource)
}

/** By plural, singular, kind or short name, as `:` and kubectl take it. */
export function kindByWord(word: string): AnyResource | undefined {
  const w = word.toLowerCase()
  return byId.value.get(w) ?? shownKinds.value.find(r => r.plural === w || r.kind.toLowerCase() === w || r.shortNames?.includes(w))
}

export function kindOf(apiVersion: string | undefined, kind: string): AnyResource | undefined {
  const group = apiVersion?.includes('/') ? apiVersion.split('/')[0] : apiVersion === undefined ? undefined : ''
  const named = [...shownKinds.value, ...allResources].filter(r => r.kind === kind && (group === undefined || r.group === group))
  return named.find(r => apiVersion === groupVersion(r.group, r.version)) ?? named[0]
}

/** `Pods`, `Replica sets`: the title of a kind's page. */
export function kindTitle(resource: AnyResource): string {
  const words = resource.kind
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .split(' ')
  const last = words.pop() ?? ''
  const many = /(s|x|ch|sh)$/.test(last) ? (resource.plural.endsWith(last.toLowerCase()) ? last : `${last}es`) : /[^aeiou]y$/.test(last) ? `${last.slice(0, -1)}ies` : `${last}s`
  return [...words, many].map((w, i) => (i === 0 || /^[A-Z]+s?$/.test(w) ? w : w.toLowerCase())).join(' ')
}
