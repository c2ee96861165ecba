/** The rows that a list shows: namespaces, filter and sort over the live objects. */
import { computed } from 'vue'
import type { ComputedRef, Ref } from 'vue'
import type { KubernetesObject } from '../../src-main/api/meta.ts'
import { compareCells } from '../kinds/columns.ts'
import type { CellContext, WindowColumn } from '../kinds/columns.ts'
import { parseFilter } from '../kinds/filter.ts'
import type { Filterable } from '../kinds/filter.ts'

export interface Sort {
  column: string
  descending: boolean
}
export interface ShownRows {
  rows: ComputedRef<readonly KubernetesObject[]>
  error: ComputedRef<string>
}

export function useRows(input: {
  objects: Readonly<Ref<readonly KubernetesObject[]>>
  columns: Readonly<Ref<readonly WindowColumn[]>>
  namespaced: Readonly<Ref<boolean>>
  namespaces: Ref<string[]>
  filter: Ref<string>
  sort: Ref<Sort>
  context: () => CellContext
}): ShownRows {
  const parsed = computed(() => parseFilter(input.filter.value))
  const filtered = computed(() => {
    const wanted = input.namespaced.value && input.namespaces.value.length > 0 ? new Set(input.namespaces.value) : undefined
    const filter = parsed.value.filter
    if (!wanted && !filter) return input.objects.value
    const columns = input.columns.value
    const context = input.context()
    const byId = new Map(
      columns.flatMap(c => [
        [c.id, c],
        [c.id.replaceAll('-', ''), c],
      ]),
    )
    return input.objects.value.filter(object => (!wanted || wanted.has(object.metadata.namespace ?? '')) && (!filter || filter(filterable(object, columns, byId, context))))
  })
  const rows = computed(() => {
    const { column: id, descending } = input.sort.value
    const column = input.columns.value.find(c => c.id === id) ?? input.columns.value[0]
    if (!column) return filtered.value
    const context = input.context()
    // Cells are worked out once a row, not once a comparison.
    const keyed = filtered.value.map(object => ({ object, key: column.value(object, context) }))
    const sign = (descending ? -1 : 1) * (column.type === 'age' && typeof keyed[0]?.key === 'number' ? -1 : 1)
    keyed.sort(
      (a, b) =>
        (a.key === undefined || b.key === undefined ? compareCells(a.key, b.key) : sign * compareCells(a.key, b.key)) ||
        compareCells(a.object.metadata.name, b.object.metadata.name),
    )
    return keyed.map(k => k.object)
  })
  return { rows, error: computed(() => parsed.value.error) }
}

/** What a row says in words, made once an object: typing in the filter asks it of every row. Ages and measurements are not words. */
const texts = new WeakMap<KubernetesObject, string>()
const measured: ReadonlySet<string> = new Set(['age', 'cores', 'bytes', 'node-cpu', 'node-memory', 'node-pods'])
function textOf(object: KubernetesObject, columns: readonly WindowColumn[], context: CellContext): string {
  let text = texts.get(object)
  if (text === undefined) {
    text = columns
      .filter(c => !measured.has(c.type))
      .map(c => c.value(object, context) ?? '')
      .join(' ')
    texts.set(object, text)
  }
  return text
}

function filterable(object: KubernetesObject, columns: readonly WindowColumn[], byId: Map<string, WindowColumn>, context: CellContext): Filterable {
  return {
    cell: id => {
      const column = byId.get(id)
      const value = column?.value(object, context)
      // Millicores are compared as `cpu>500m` says it.
      return column?.type === 'cores' && typeof value === 'number' ? value / 1000 : value
    },
    text: () => textOf(object, columns, context),
    labels: () => object.metadata.labels ?? {},
    namespace: () => object.metadata.namespace ?? '',
  }
}
