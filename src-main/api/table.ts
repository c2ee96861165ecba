/** The server-side table that kubectl prints, and metadata-only forms of objects (meta.k8s.io). */
import type { AnyResource, Column } from './resource.ts'
import type { KubernetesObject } from './meta.ts'
import { ageOf } from './time.ts'

export interface TableColumnDefinition {
  name: string
  type: string
  format: string
  description: string
  priority: number
}
export interface TableRow {
  cells: unknown[]
  conditions?: readonly unknown[]
  object?: unknown
}

export interface Table {
  kind: 'Table'
  apiVersion: 'meta.k8s.io/v1'
  metadata: Record<string, unknown>
  columnDefinitions: TableColumnDefinition[]
  rows: TableRow[]
}

export interface TableOptions {
  /** Wall clock, milliseconds: ages count from it. */
  readonly now: number
  /** What stands beside the cells; default Metadata. */
  readonly includeObject?: 'None' | 'Metadata' | 'Object'
  /** The objects are (part of) a list. */
  readonly isList?: boolean
}

const columnTypes: Readonly<Record<Column<unknown>['type'], string>> = { string: 'string', integer: 'integer', number: 'number', boolean: 'boolean', date: 'date' }

/** Definitions of a kind's columns; a kind without columns has name and age. */
export function columnDefinitions(resource: Pick<AnyResource, 'columns'>): TableColumnDefinition[] {
  const columns = columnsOf(resource).filter(column => column.unlisted !== true)
  return columns.map((column, i) => ({
    name: column.name,
    type: columnTypes[column.type],
    format: column.format ?? (i === 0 ? 'name' : ''),
    description: '',
    priority: column.priority ?? 0,
  }))
}

const fallbackColumns: readonly Column<KubernetesObject>[] = [
  { name: 'Name', type: 'string', format: 'name', value: object => object.metadata.name },
  { name: 'Created At', type: 'date', value: object => object.metadata.creationTimestamp },
]

function columnsOf(resource: Pick<AnyResource, 'columns'>): readonly Column<KubernetesObject>[] {
  return resource.columns.length > 0 ? resource.columns : fallbackColumns
}

/** A Table of objects. `metadata` is for the caller to fill (resourceVersion, continue). */
export function renderTable(resource: Pick<AnyResource, 'columns' | 'rowConditions'>, objects: readonly KubernetesObject[], options: TableOptions): Table {
  const columns = columnsOf(resource)
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: {},
    columnDefinitions: columnDefinitions(resource),
    rows: objects.map(object => ({
      cells: columns.map(column => column.value(object, options.now, options.isList ? objects : undefined) ?? null),
      ...conditionsOf(resource, object),
      ...includedObject(object, options),
    })),
  }
}

function conditionsOf({ rowConditions }: Pick<AnyResource, 'rowConditions'>, object: KubernetesObject): { conditions?: readonly unknown[] } {
  const conditions = rowConditions?.(object) ?? []
  return conditions.length === 0 ? {} : { conditions }
}

function includedObject(object: KubernetesObject, { includeObject = 'Metadata' }: TableOptions): { object?: unknown } {
  if (includeObject === 'None') return {}
  return { object: includeObject === 'Object' ? object : partialMetadata(object) }
}

/** An annotation that only whole daemon sets show. */
const shownOnly = 'deprecated.daemonset.template.generation'

function withoutShownOnly(metadata: KubernetesObject['metadata']): KubernetesObject['metadata'] {
  if (metadata.annotations?.[shownOnly] === undefined) return metadata
  const {
    annotations: { [shownOnly]: _shown, ...annotations },
    ...rest
  } = metadata
  return Object.keys(annotations).length === 0 ? rest : { ...rest, annotations }
}

/** The object with nothing but its metadata. */
export function partialMetadata(object: KubernetesObject): { kind: 'PartialObjectMetadata'; apiVersion: 'meta.k8s.io/v1'; metadata: KubernetesObject['metadata'] } {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: withoutShownOnly(object.metadata) }
}

/** The usual last column: age of the object. */
export function ageColumn<T extends KubernetesObject>(): Column<T> {
  return { name: 'Age', type: 'string', value: (object, now) => ageOf(object.metadata.creationTimestamp, now) }
}
