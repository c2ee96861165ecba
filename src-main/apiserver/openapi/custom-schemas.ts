/** Schemas of kinds that definitions declare, put into a document in the place of what is known of all kinds. */
import { publishedSchema } from '../../api/apiextensions/publishing.ts'
import type { MetaProperties } from '../../api/apiextensions/publishing.ts'
import type { AnyResource } from '../../api/resource.ts'
import { isDefinedKind } from '../registry/strategy-facts.ts'
import { textOf } from './descriptions.ts'
import type { Descriptions } from './descriptions.ts'
import { schemaNameOf } from './schemas.ts'

const objectMeta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'
/** Any built-in kind: what it says of apiVersion and kind holds for all. */
const example = 'io.k8s.api.core.v1.ConfigMap'

/** The document's schemas with those of the custom kinds among `resources` as OpenAPI 2 or 3 publishes them. */
export async function withCustomSchemas(
  schemas: Readonly<Record<string, unknown>>,
  resources: readonly AnyResource[],
  version: 2 | 3,
  descriptions: Descriptions,
): Promise<Record<string, unknown>> {
  const custom = resources.filter(isDefinedKind)
  if (custom.length === 0) return schemas
  const texts = (await descriptions([example])).get(example)
  const described = (field: string): Record<string, unknown> => {
    const text = texts && textOf(texts, field)
    return { ...(text === undefined ? {} : { description: text }), type: 'string' }
  }
  const description = "Standard object's metadata."
  const metadata = version === 3 ? { description, allOf: [{ $ref: `#/components/schemas/${objectMeta}` }] } : { description, $ref: `#/definitions/${objectMeta}` }
  const meta: MetaProperties = { apiVersion: described('apiVersion'), kind: described('kind'), metadata }
  const published = custom.map(r => {
    const gvk = { group: r.group, version: r.version, kind: r.kind }
    const fields = Object.keys(r.fields ?? {})
    return [schemaNameOf(r), publishedSchema(r.schema as Record<string, unknown>, { version, meta }, gvk, fields)] as const
  })
  return { ...schemas, ...Object.fromEntries(published) }
}
