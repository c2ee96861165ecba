/** Printer columns of custom kinds: JSON paths as cells, with the texts of Kubernetes' table convertor. Pure. */
import type { CustomResourceColumnDefinition } from '../generated/apiextensions-v1.ts'
import { ageText } from '../columns.ts'
import type { KubernetesObject } from '../meta.ts'
import type { Column } from '../resource.ts'
import { tryParseTime } from '../time.ts'
import { findJsonPath, JsonPathError, jsonPathText, tryParseJsonPath } from './json-path.ts'
import type { JsonPath } from './json-path.ts'

const ageColumn: CustomResourceColumnDefinition = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }

/** The name, then the columns that the definition asks for (the age where it asks for none); one that cannot be read ends the list, as upstream. */
export function printerColumns(asked: readonly CustomResourceColumnDefinition[] | undefined): readonly Column<KubernetesObject>[] {
  const given = asked && asked.length > 0 ? asked : [ageColumn]
  const columns: Column<KubernetesObject>[] = [{ name: 'Name', type: 'string', format: 'name', value: object => object.metadata.name ?? '' }]
  for (const one of given) {
    const path = tryParseJsonPath(one.jsonPath)
    if (!path) return columns
    columns.push({
      name: one.name,
      type: one.type as Column<KubernetesObject>['type'],
      format: one.format ?? '',
      priority: one.priority ?? 0,
      value: (object, now) => cellOf(path, one.type, object, now),
    })
  }
  return columns
}

function cellOf(path: JsonPath, type: string, object: KubernetesObject, now: number): unknown {
  let found: readonly unknown[]
  try {
    found = findJsonPath(path, object)
  } catch (fault) {
    if (fault instanceof JsonPathError) return null
    throw fault
  }
  if (found.length === 0) return null
  const [value] = found
  if (type === 'string') return jsonPathText(value)
  const isNumber = typeof value === 'number' || typeof value === 'bigint'
  if (type === 'integer') return isNumber ? (typeof value === 'number' ? Math.trunc(value) : value) : null
  if (type === 'number') return isNumber ? Number(value) : null
  if (type === 'boolean') return typeof value === 'boolean' ? value : null
  if (type !== 'date' || typeof value !== 'string') return null
  return tryParseTime(value) === undefined ? '<invalid>' : ageText(value, now)
}
