/**
 * A CustomResourceDefinition as declarations of resources: the same thing that built-in kinds are written as, one a
 * version. Everything generic follows from them: routes, discovery, OpenAPI, tables, clients, garbage collection.
 */
import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '../generated/apiextensions-v1.ts'
import { isObject } from '../json.ts'
import type { JsonObject } from '../json.ts'
import type { KubernetesObject } from '../meta.ts'
import type { AnyResource, ResourceDefinition, Verb } from '../resource.ts'
import { printerColumns } from './printer-columns.ts'
import { compareVersionNames } from './versions.ts'
import { conversionOf } from './conversion.ts'
import type { ConvertObjects } from './conversion.ts'
import { findJsonPath, jsonPathText, tryParseJsonPath } from './json-path.ts'
import type { JsonPath } from './json-path.ts'
import { applyDefaults } from './pruning.ts'
import { structuralOf } from './structural-schema.ts'
import { customResourceValidator } from './validation.ts'

export interface CustomKind {
  /** A declaration for each served version. */
  readonly served: readonly AnyResource[]
  /** The declaration in whose shape objects are stored; it may not be served. */
  readonly storage: AnyResource
}

/** As upstream's discovery lists them. */
const verbs: readonly Verb[] = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch']

export interface CustomKindOptions {
  /** Asks the definition's webhook; without it only apiVersion changes. */
  readonly convert?: ConvertObjects
  /** Ends when the definition declares something else. */
  readonly signal?: AbortSignal
}

/** What a definition declares, under the names that were accepted for it. */
export function customKind(definition: CustomResourceDefinition, options: CustomKindOptions = {}): CustomKind {
  const byVersion = new Map<string, AnyResource>()
  const storageVersion = definition.spec.versions.find(version => version.storage)?.name ?? ''
  const storage = (): AnyResource => byVersion.get(storageVersion) as AnyResource
  for (const version of definition.spec.versions) byVersion.set(version.name, declaration(definition, version, storage, options))
  const served = definition.spec.versions.filter(version => version.served).flatMap(version => byVersion.get(version.name) ?? [])
  return { served, storage: storage() }
}

function declaration(
  definition: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
  storage: () => AnyResource,
  { convert, signal }: CustomKindOptions,
): AnyResource {
  const { spec, status } = definition
  const names = status?.acceptedNames ?? spec.names
  const raw = (isObject(version.schema?.openAPIV3Schema) ? version.schema.openAPIV3Schema : emptySchema) as JsonObject
  const schema = structuralOf(raw)
  const { subresources, selectableFields } = version
  const scale = subresources?.scale
  const made: ResourceDefinition = {
    group: spec.group,
    version: version.name,
    kind: names.kind,
    plural: names.plural,
    singular: names.singular ?? names.kind.toLowerCase(),
    listKind: names.listKind ?? `${names.kind}List`,
    ...(names.shortNames ? { shortNames: names.shortNames } : {}),
    ...(names.categories ? { categories: names.categories } : {}),
    scope: spec.scope === 'Namespaced' ? 'Namespaced' : 'Cluster',
    verbs,
    schema: raw,
    subresources: {
      status: subresources?.status !== undefined,
      ...(scale
        ? {
            scale: {
              replicas: scale.specReplicasPath,
              current: scale.statusReplicasPath,
              // Without a path there is no selector to tell.
              selector: scale.labelSelectorPath ?? '',
            },
          }
        : {}),
    },
    columns: printerColumns(version.additionalPrinterColumns),
    menu: { area: 'custom', order: 10 },
    fields: fieldsOf((selectableFields ?? []).map(field => field.jsonPath)),
    generation: true,
    conversion: conversionOf(definition, version, storage, convert),
    ...(signal ? { retired: signal } : {}),
    deprecation: deprecationText(definition, version),
    closed: definition.metadata.deletionTimestamp ? 'create not allowed while custom resource definition is terminating' : undefined,
    setDefaults(object) {
      Object.assign(object, applyDefaults(object, schema))
    },
    ...customResourceValidator({ definition, version, schema }),
  }
  return made as AnyResource
}

const emptySchema: JsonObject = { type: 'object' }

/** Selectable fields by the name that selectors use: the path without its first dot. */
function fieldsOf(paths: readonly string[]): Readonly<Record<string, (object: KubernetesObject) => string>> {
  return Object.fromEntries(
    paths.flatMap(text => {
      const path = tryParseJsonPath(text)
      return path ? [[text.replace(/^\./, ''), (object: KubernetesObject) => firstText(path, object)] as const] : []
    }),
  )
}

function firstText(path: JsonPath, object: KubernetesObject): string {
  const [value] = findJsonPath(path, object)
  return value === undefined || value === null ? '' : jsonPathText(value)
}

/** What each request on a deprecated version is warned with. */
function deprecationText({ spec }: CustomResourceDefinition, version: CustomResourceDefinitionVersion): string | undefined {
  if (!version.deprecated) return undefined
  if (version.deprecationWarning !== undefined) return version.deprecationWarning
  const text = `${spec.group}/${version.name} ${spec.names.kind} is deprecated`
  const [newer] = spec.versions
    .filter(one => one.served && !one.deprecated && compareVersionNames(version.name, one.name) > 0)
    .map(one => one.name)
    .sort(compareVersionNames)
  return newer === undefined ? text : `${text}; use ${spec.group}/${newer} ${spec.names.kind}`
}
