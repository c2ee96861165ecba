/** Warnings about definitions: formats that nobody checks, sets of things that cannot be compared. Pure. */
import type { CustomResourceDefinition } from '../../generated/apiextensions-v1.ts'
import { isObject } from '../../json.ts'
import { supportedFormats } from '../formats.ts'
import { schemaNodes } from '../schema-walk.ts'

/** Formats of a definition that this server does not check, in order of appearance. */
function unrecognizedFormats(definition: CustomResourceDefinition): string[] {
  return nodesOf(definition).flatMap(node => {
    const { format, type } = node
    if (typeof format !== 'string' || format === '') return []
    if (type === undefined || type === '' || type === 'string') return supportedFormats.has(format.replaceAll('-', '')) ? [] : [format]
    if (type === 'integer') return format === 'int32' || format === 'int64' ? [] : [format]
    if (type === 'number') return format === 'float' || format === 'double' ? [] : [format]
    return [format]
  })
}

function setsOfComposites(definition: CustomResourceDefinition): string[] {
  const types = nodesOf(definition).flatMap(node => {
    const items = node['items']
    if (node['x-kubernetes-list-type'] !== 'set' || !isObject(items)) return []
    return items['type'] === 'object' || items['type'] === 'array' ? [items['type']] : []
  })
  return [...new Set(types)]
    .sort()
    .map(type => `x-kubernetes-list-type: set for items of type ${JSON.stringify(type)} is not supported by server-side apply or CEL validation rules`)
}

function nodesOf(definition: CustomResourceDefinition): Record<string, unknown>[] {
  return (definition.spec?.versions ?? []).flatMap(version =>
    isObject(version.schema?.openAPIV3Schema) ? schemaNodes(version.schema.openAPIV3Schema as Record<string, unknown>) : [],
  )
}

/** Texts for Warning headers: what a change brings anew. */
export function definitionWarnings(next: CustomResourceDefinition, previous?: CustomResourceDefinition): string[] {
  const known = new Set(previous ? [...unrecognizedFormats(previous).map(formatText), ...setsOfComposites(previous)] : [])
  return [...unrecognizedFormats(next).map(formatText), ...setsOfComposites(next)].filter(text => !known.has(text))
}

function formatText(format: string): string {
  return `unrecognized format ${JSON.stringify(format)}`
}
