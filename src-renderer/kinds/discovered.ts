/**
 * Kinds as the server's discovery tells of them, for those that the window has no declaration of: custom resources and
 * what aggregated API servers bring. Columns of custom resources are those that their definition prints.
 */
import { findJsonPath, jsonPathText, parseJsonPath } from '../../src-main/api/apiextensions/json-path.ts'
import type { CustomResourceColumnDefinition, CustomResourceDefinition } from '../../src-main/api/generated/apiextensions-v1.ts'
import type { KubernetesObject } from '../../src-main/api/meta.ts'
import { allVerbs } from '../../src-main/api/resource.ts'
import type { AnyResource, Column } from '../../src-main/api/resource.ts'

/** apidiscovery.k8s.io/v2 APIGroupDiscoveryList, as far as it is read here. */
export interface GroupDiscoveryList {
  items?: {
    metadata?: { name?: string }
    versions?: { version: string; resources?: ResourceDiscovery[] }[]
  }[]
}
interface ResourceDiscovery {
  resource: string
  responseKind?: { kind: string }
  scope: string
  singularResource?: string
  shortNames?: string[]
  categories?: string[]
  verbs: string[]
  subresources?: { subresource: string }[]
}

/** The preferred version of every kind that can be listed and is not `known`; sorted by group and name. */
export function discoveredKinds(
  list: GroupDiscoveryList,
  known: ReadonlySet<string>,
  columnsOf: (group: string, version: string, plural: string) => readonly Column<KubernetesObject>[],
): AnyResource[] {
  const found = new Map<string, AnyResource>()
  for (const group of list.items ?? [])
    for (const { version, resources = [] } of group.versions ?? [])
      for (const resource of resources) {
        const name = group.metadata?.name ?? ''
        const id = `${resource.resource}.${name}`
        // Versions come in the server's order of preference.
        if (known.has(id) || found.has(id) || !resource.verbs.includes('list')) continue
        found.set(id, declarationOf(resource, name, version, columnsOf(name, version, resource.resource)))
      }
  return [...found.values()].toSorted((a, b) => (a.group === b.group ? (a.kind < b.kind ? -1 : 1) : a.group < b.group ? -1 : 1))
}

function declarationOf(found: ResourceDiscovery, group: string, version: string, columns: readonly Column<KubernetesObject>[]): AnyResource {
  const subresources = new Set(found.subresources?.map(s => s.subresource) ?? [])
  return {
    group,
    version,
    kind: found.responseKind?.kind ?? found.resource,
    plural: found.resource,
    ...(found.singularResource ? { singular: found.singularResource } : {}),
    shortNames: found.shortNames ?? [],
    categories: found.categories ?? [],
    scope: found.scope === 'Namespaced' ? 'Namespaced' : 'Cluster',
    verbs: allVerbs.filter(verb => found.verbs.includes(verb)),
    schema: {},
    subresources: { status: subresources.has('status'), ...(subresources.has('scale') ? { scale: { replicas: 'spec.replicas', current: 'status.replicas' } } : {}) },
    columns,
    menu: { area: 'custom', order: 0 },
  }
}

/** What `value` reads is in it too: as text, two declarations differ where their columns do. */
interface PrintedColumn extends Column<KubernetesObject> {
  readonly path: string
}

/** The columns that a definition prints for one of its versions; a path that cannot be read gives no column. */
export function printedColumns(definition: CustomResourceDefinition | undefined, version: string): Column<KubernetesObject>[] {
  const columns = definition?.spec.versions.find(v => v.name === version)?.additionalPrinterColumns ?? []
  return columns.flatMap(column => printedColumn(column) ?? [])
}

const types: Readonly<Record<string, Column<KubernetesObject>['type']>> = { integer: 'integer', number: 'number', boolean: 'boolean', date: 'date' }

function printedColumn(column: CustomResourceColumnDefinition): PrintedColumn | undefined {
  let path
  try {
    path = parseJsonPath(column.jsonPath)
  } catch {
    return undefined
  }
  const type = types[column.type] ?? 'string'
  const read = path
  return {
    name: column.name,
    type,
    priority: column.priority ?? 0,
    path: column.jsonPath,
    value: object => {
      const [first] = findJsonPath(read, object)
      if (first === undefined || first === null) return undefined
      if (type === 'integer' || type === 'number') return typeof first === 'number' ? first : undefined
      if (type === 'date') return typeof first === 'string' ? first : undefined
      return jsonPathText(first)
    },
  }
}
