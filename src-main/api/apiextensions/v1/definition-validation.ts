/**
 * CustomResourceDefinitions against Kubernetes' rules. What all versions say alike is judged once, at the place where
 * Kubernetes' internal form keeps it (`spec.validation` rather than `spec.versions[0].schema`).
 */
import type {
  CustomResourceColumnDefinition,
  CustomResourceConversion,
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
  CustomResourceSubresources,
  SelectableField,
} from '../../generated/apiextensions-v1.ts'
import { serviceFaults, urlFaults } from '../../admissionregistration/v1/webhook-validation.ts'
import { duplicate, FieldPath, forbiddenField, invalidValue, invalidWithoutValue, notSupportedInOrder, required, tooMany } from '../../field-errors.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import { deepEqual, isObject } from '../../json.ts'
import type { JsonObject } from '../../json.ts'
import { isDns1035Label, isDns1123Subdomain } from '../../names.ts'
import { findField } from '../field-paths.ts'
import { goJson, goVersion } from '../go-shape.ts'
import { schemaNodes } from '../schema-walk.ts'
import { hasNonAtomicItems, mapKeyFaults, schemaFaults } from '../schema-validation.ts'
import type { SchemaAllowances } from '../schema-validation.ts'
import { structuralOf } from '../structural-schema.ts'
import { approvalOf, approvedAnnotation, isProtectedGroup } from './approval.ts'
import { caBundleFaults } from './ca-bundle.ts'

const maxSelectableFields = 8

type Version = CustomResourceDefinitionVersion
type Shared = Pick<Version, 'schema' | 'subresources' | 'additionalPrinterColumns' | 'selectableFields'>

/** Faults of a definition; `previous` is what a change starts from. */
export function definitionFaults(definition: CustomResourceDefinition, previous: CustomResourceDefinition | undefined, at: FieldPath): FieldErrorList {
  const { spec } = definition
  if (!isObject(spec) || !isObject(spec.names)) return [required(at.child('spec'), '')]
  return [
    ...(previous ? [] : nameFaults(definition, at)),
    ...specFaults(spec, previous?.spec, definition, previous, at.child('spec')),
    ...(previous ? immutableFaults(definition, previous, at.child('spec')) : []),
    ...definitionStatusFaults(definition, at),
    ...storedVersionFaults(definition, at.child('status', 'storedVersions')),
    ...approvalFaults(definition, previous, at),
    ...(spec.preserveUnknownFields === true && previous?.spec.preserveUnknownFields !== true
      ? [invalidValue(at.child('spec', 'preserveUnknownFields'), true, 'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead')]
      : []),
  ]
}

export function definitionStatusFaults(definition: CustomResourceDefinition, at: FieldPath): FieldErrorList {
  const names = definition.status?.acceptedNames
  return names ? namesFaults(names, at.child('status', 'acceptedNames')) : []
}

function nameFaults({ metadata, spec }: CustomResourceDefinition, at: FieldPath): FieldErrorList {
  const name = metadata.name ?? ''
  return name === '' || name === `${spec.names.plural}.${spec.group}` ? [] : [invalidValue(at.child('metadata', 'name'), name, 'must be spec.names.plural+"."+spec.group')]
}

function labelFaults(value: string, at: FieldPath): FieldErrorList {
  const texts = isDns1035Label(value)
  return texts.length > 0 ? [invalidValue(at, value, texts.join(','))] : []
}

function specFaults(
  spec: CustomResourceDefinitionSpec,
  oldSpec: CustomResourceDefinitionSpec | undefined,
  definition: CustomResourceDefinition,
  previous: CustomResourceDefinition | undefined,
  at: FieldPath,
): FieldErrorList {
  const { versions } = spec
  const shared = sharedParts(versions)
  const place = (i: number): FieldPath => at.child('versions').index(i)
  const faults: FieldErrorList = [...groupFaults(spec.group, at.child('group')), ...enumFaults(spec.scope, ['Cluster', 'Namespaced'], at.child('scope'))]
  for (const [i, version] of versions.entries()) if (!version.schema?.openAPIV3Schema) faults.push(required(place(i).child('schema', 'openAPIV3Schema'), ''))
  if (spec.preserveUnknownFields === true && versions.some(hasDefaults))
    faults.push(invalidValue(at.child('preserveUnknownFields'), true, 'must be false in order to use defaults in the schema'))
  for (const [i, version] of versions.entries()) {
    faults.push(...labelFaults(version.name ?? '', place(i).child('name')), ...deprecationFaults(version, place(i).child('deprecationWarning')))
    const own: Shared = Object.fromEntries(Object.entries(version).filter(([key]) => sharable.has(key as keyof Shared) && !(key in shared)))
    faults.push(...partFaults(own, version.subresources?.status !== undefined, allowances(version.name, spec, oldSpec), place(i), 'schema', previous, version.name))
  }
  const print = (): string => goJson(versions.map(version => goVersion(Object.fromEntries(Object.entries(version).filter(([key]) => !(key in shared))) as JsonObject)))
  const wrong = (detail: string): void => {
    faults.push({ ...invalidWithoutValue(at.child('versions'), ''), message: `Invalid value: ${print()}: ${detail}` })
  }
  if (new Set(versions.map(version => version.name)).size !== versions.length) wrong('must contain unique version names')
  if (versions.filter(version => version.storage).length !== 1) wrong('must have exactly one version marked as storage version')
  const [first] = versions
  if (first?.name) faults.push(...labelFaults(first.name, at.child('version')))
  faults.push(...neededNames(spec.names, at.child('names')), ...namesFaults(spec.names, at.child('names')))
  const hasStatus = versions.some(version => version.subresources?.status !== undefined)
  if (first) faults.push(...partFaults(shared, hasStatus, allowances(first.name, spec, oldSpec), at, 'validation', previous, first.name))
  return [...faults, ...conversionFaults(spec.conversion, oldSpec?.conversion, definition, previous, at.child('conversion'))]
}

function hasDefaults({ schema }: Version): boolean {
  return isObject(schema?.openAPIV3Schema) && structuralOf(schema.openAPIV3Schema as JsonObject).hasDefaults
}

const sharable: ReadonlySet<keyof Shared> = new Set(['schema', 'subresources', 'additionalPrinterColumns', 'selectableFields'] as const)

/** What all versions say alike. */
function sharedParts(versions: readonly Version[]): Shared {
  const [first] = versions
  if (!first) return {}
  return Object.fromEntries(
    [...sharable].flatMap(key => (first[key] !== undefined && versions.every(version => deepEqual(version[key] ?? null, first[key] ?? null)) ? [[key, first[key]]] : [])),
  )
}

function partFaults(
  part: Shared,
  hasStatus: boolean,
  allow: SchemaAllowances,
  at: FieldPath,
  schemaField: 'schema' | 'validation',
  previous: CustomResourceDefinition | undefined,
  versionName: string,
): FieldErrorList {
  const { schema, subresources, additionalPrinterColumns, selectableFields } = part
  const old = previous?.spec.versions.find(version => version.name === versionName)
  const allowMany = (old?.selectableFields?.length ?? 0) > maxSelectableFields && deepEqual(old?.selectableFields, selectableFields)
  return [
    ...schemaFaults(schema as JsonObject | undefined, hasStatus, allow, at.child(schemaField)),
    ...subresourceFaults(subresources, at.child('subresources')),
    ...(additionalPrinterColumns ?? []).flatMap((column, i) => columnFaults(column, at.child('additionalPrinterColumns').index(i))),
    ...(selectableFields && selectableFields.length > 0 ? selectableFaults(selectableFields, schema?.openAPIV3Schema, allowMany, at.child('selectableFields')) : []),
  ]
}

/** What an old definition has that a new one may not have stays allowed. */
function allowances(version: string, spec: CustomResourceDefinitionSpec, oldSpec: CustomResourceDefinitionSpec | undefined): SchemaAllowances {
  if (!oldSpec) return { unprunedDefaults: false, nonAtomicSets: false, looseMapKeys: false, expensiveRules: false }
  const nodes = oldSpec.versions.flatMap(one => (isObject(one.schema?.openAPIV3Schema) ? schemaNodes(one.schema.openAPIV3Schema as JsonObject) : []))
  const schemaOf = (from: CustomResourceDefinitionSpec): unknown => from.versions.find(one => one.name === version)?.schema
  return {
    unprunedDefaults: false,
    nonAtomicSets: nodes.some(hasNonAtomicItems),
    looseMapKeys: nodes.some(node => mapKeyFaults(node, FieldPath.root()).length > 0),
    expensiveRules: deepEqual(schemaOf(spec), schemaOf(oldSpec)),
  }
}

function groupFaults(group: string, at: FieldPath): FieldErrorList {
  if (group === '') return [required(at, '')]
  const texts = isDns1123Subdomain(group)
  if (texts.length > 0) return [invalidValue(at, group, texts.join(','))]
  return group.includes('.') ? [] : [invalidValue(at, group, 'should be a domain with at least one dot')]
}

function enumFaults(value: string, accepted: readonly string[], at: FieldPath): FieldErrorList {
  if (value === '') return [required(at, '')]
  return accepted.includes(value) ? [] : [notSupportedInOrder(at, value, accepted)]
}

function deprecationFaults({ deprecated, deprecationWarning: text }: Version, at: FieldPath): FieldErrorList {
  if (text === undefined) return []
  const texts: string[] = []
  if (!deprecated) texts.push('can only be set for deprecated versions')
  else {
    if (new TextEncoder().encode(text).length > 256) texts.push('must be <= 256 characters long')
    if (text === '') texts.push('must not be an empty string')
    let offset = 0
    for (const c of text) {
      if (!/[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(c)) {
        texts.push(`must only contain printable UTF-8 characters; non-printable character found at index ${offset}`)
        break
      }
      offset += new TextEncoder().encode(c).length
    }
  }
  return texts.map(one => invalidValue(at, text, one))
}

function neededNames(names: CustomResourceDefinitionNames, at: FieldPath): FieldErrorList {
  return (['plural', 'singular', 'kind', 'listKind'] as const).flatMap(field => (names[field] ? [] : [required(at.child(field), '')]))
}

function namesFaults(names: CustomResourceDefinitionNames, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  for (const field of ['plural', 'singular'] as const) if (names[field]) faults.push(...labelFaults(names[field], at.child(field)))
  for (const field of ['kind', 'listKind'] as const) {
    const kind = names[field]
    const texts = kind ? isDns1035Label(kind.toLowerCase()) : []
    if (texts.length > 0) faults.push(invalidValue(at.child(field), kind, `may have mixed case, but should otherwise match: ${texts.join(',')}`))
  }
  for (const [i, name] of (names.shortNames ?? []).entries()) faults.push(...labelFaults(name, at.child('shortNames').index(i)))
  if (names.kind && names.kind === names.listKind) faults.push(invalidValue(at.child('listKind'), names.listKind, 'kind and listKind may not be the same'))
  for (const [i, name] of (names.categories ?? []).entries()) faults.push(...labelFaults(name, at.child('categories').index(i)))
  return faults
}

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string']
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password']

function columnFaults(column: CustomResourceColumnDefinition, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const typeText = `must be one of ${columnTypes.join(',')}`
  if (!column.name) faults.push(required(at.child('name'), ''))
  if (!column.type) faults.push(required(at.child('type'), typeText))
  else if (!columnTypes.includes(column.type)) faults.push(invalidValue(at.child('type'), column.type, typeText))
  if (column.format && !columnFormats.includes(column.format)) faults.push(invalidValue(at.child('format'), column.format, `must be one of ${columnFormats.join(',')}`))
  return [...faults, ...(column.jsonPath ? pathFaults(column.jsonPath, at.child('JSONPath')) : [required(at.child('JSONPath'), '')])]
}

function pathFaults(path: string, at: FieldPath): FieldErrorList {
  return path.startsWith('.') ? [] : [invalidValue(at, path, 'must be a simple json path starting with .')]
}

function subresourceFaults(subresources: CustomResourceSubresources | undefined, at: FieldPath): FieldErrorList {
  const scale = subresources?.scale
  if (!scale) return []
  const check = (path: string, field: string, starts: readonly string[], text: string): FieldErrorList => {
    const place = at.child(`scale.${field}`)
    if (path === '') return [required(place, '')]
    const faults = pathFaults(path, place)
    return faults.length > 0 || starts.some(start => path.startsWith(start)) ? faults : [invalidValue(place, path, text)]
  }
  return [
    ...check(scale.specReplicasPath ?? '', 'specReplicasPath', ['.spec.'], 'should be a json path under .spec'),
    ...check(scale.statusReplicasPath ?? '', 'statusReplicasPath', ['.status.'], 'should be a json path under .status'),
    ...(scale.labelSelectorPath ? check(scale.labelSelectorPath, 'labelSelectorPath', ['.spec.', '.status.'], 'should be a json path under either .spec or .status') : []),
  ]
}

function selectableFaults(fields: readonly SelectableField[], schema: unknown, allowMany: boolean, at: FieldPath): FieldErrorList {
  if (!isObject(schema)) return [invalidValue(at, '', 'may only be set when validations.schema is included')]
  const faults: FieldErrorList = []
  const seen = new Set<string>()
  for (const [i, { jsonPath = '' }] of fields.entries()) {
    const place = at.index(i).child('jsonPath')
    if (jsonPath === '') {
      faults.push(required(place, ''))
      continue
    }
    const found = findField(jsonPath, structuralOf(schema), { brackets: false })
    if ('fault' in found) {
      faults.push(invalidValue(place, jsonPath, `is an invalid path: ${found.fault}`))
      continue
    }
    if (found.first === 'metadata') faults.push(invalidValue(place, jsonPath, 'must not point to fields in metadata'))
    if (!['string', 'boolean', 'integer'].includes(found.schema?.type ?? ''))
      faults.push(invalidValue(place, jsonPath, 'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.'))
    if (seen.has(found.path)) faults.push(duplicate(place, jsonPath))
    seen.add(found.path)
  }
  if (seen.size > maxSelectableFields && !allowMany) faults.push(tooMany(at, seen.size, maxSelectableFields))
  return faults
}

const reviewVersions = ['v1', 'v1beta1']

function conversionFaults(
  conversion: CustomResourceConversion | undefined,
  oldConversion: CustomResourceConversion | undefined,
  definition: CustomResourceDefinition,
  previous: CustomResourceDefinition | undefined,
  at: FieldPath,
): FieldErrorList {
  if (!conversion) return []
  const faults: FieldErrorList = []
  const { strategy, webhook } = conversion
  if (strategy !== 'None' && definition.spec.preserveUnknownFields === true)
    faults.push(invalidValue(at.child('strategy'), strategy, 'must be None if spec.preserveUnknownFields is true'))
  faults.push(...enumFaults(strategy ?? '', ['None', 'Webhook'], at.child('strategy')))
  const config = webhook?.clientConfig
  const place = at.child('webhookClientConfig')
  if (strategy !== 'Webhook') {
    if (config) faults.push(forbiddenField(place, 'should not be set when strategy is not set to Webhook'))
    if ((webhook?.conversionReviewVersions ?? []).length > 0)
      faults.push(forbiddenField(at.child('conversionReviewVersions'), 'should not be set when strategy is not set to Webhook'))
    return faults
  }
  if (!config) faults.push(required(place, 'required when strategy is set to Webhook'))
  else {
    if ((config.url === undefined) === (config.service === undefined)) faults.push(required(place, 'exactly one of url or service is required'))
    else if (config.url !== undefined) faults.push(...urlFaults(config.url, place.child('url')))
    else faults.push(...serviceFaults(config.service ?? {}, place.child('service')))
    if (config.caBundle && !allowsBadBundle(oldConversion, previous)) faults.push(...caBundleFaults(config.caBundle, place.child('caBundle')))
  }
  const requireKnown = !oldConversion?.webhook?.conversionReviewVersions?.length || oldConversion.webhook.conversionReviewVersions.some(one => reviewVersions.includes(one))
  return [...faults, ...reviewVersionFaults(webhook?.conversionReviewVersions ?? [], requireKnown, at.child('conversionReviewVersions'))]
}

/** Before a definition is established nobody asks its webhook. */
function allowsBadBundle(oldConversion: CustomResourceConversion | undefined, previous: CustomResourceDefinition | undefined): boolean {
  const isEstablished = previous?.status?.conditions?.some(condition => condition.type === 'Established' && condition.status === 'True') === true
  const bundle = oldConversion?.webhook?.clientConfig?.caBundle
  return !isEstablished || (bundle !== undefined && bundle !== '' && caBundleFaults(bundle, FieldPath.root()).length > 0)
}

function reviewVersionFaults(versions: readonly string[], requireKnown: boolean, at: FieldPath): FieldErrorList {
  if (versions.length === 0) return [required(at, '')]
  const faults: FieldErrorList = []
  const seen = new Set<string>()
  for (const [i, version] of versions.entries()) {
    if (seen.has(version)) faults.push(invalidValue(at.index(i), version, 'duplicate version'))
    else faults.push(...isDns1035Label(version).map(text => invalidValue(at.index(i), version, text)))
    seen.add(version)
  }
  if (requireKnown && !versions.some(version => reviewVersions.includes(version)))
    faults.push(invalidValue(at, [...versions], `must include at least one of ${reviewVersions.join(', ')}`))
  return faults
}

function immutableFaults(next: CustomResourceDefinition, previous: CustomResourceDefinition, at: FieldPath): FieldErrorList {
  const same = (a: unknown, b: unknown, place: FieldPath): FieldErrorList => (a === b ? [] : [invalidValue(place, a ?? '', 'field is immutable')])
  const isEstablished = previous.status?.conditions?.some(condition => condition.type === 'Established' && condition.status === 'True') === true
  return [
    ...(isEstablished
      ? [...same(next.spec.scope, previous.spec.scope, at.child('scope')), ...same(next.spec.names.kind, previous.spec.names.kind, at.child('names', 'kind'))]
      : []),
    ...same(next.spec.group, previous.spec.group, at.child('group')),
    ...same(next.spec.names.plural, previous.spec.names.plural, at.child('names', 'plural')),
  ]
}

function storedVersionFaults({ spec, status }: CustomResourceDefinition, at: FieldPath): FieldErrorList {
  const stored = status?.storedVersions ?? []
  if (stored.length === 0) return [invalidValue(at, null, 'must have at least one stored version')]
  const faults: FieldErrorList = []
  const names = new Set(spec.versions.map(version => version.name))
  for (const version of spec.versions)
    if (version.storage && !stored.includes(version.name)) faults.push(invalidValue(at, [...stored], `must have the storage version ${version.name}`))
  for (const [i, version] of stored.entries())
    if (!names.has(version))
      faults.push(
        invalidValue(
          at.index(i),
          version,
          `missing from spec.versions; ${version} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${version} and removes ${version} from status.storedVersions`,
        ),
      )
  return faults
}

function approvalFaults(next: CustomResourceDefinition, previous: CustomResourceDefinition | undefined, at: FieldPath): FieldErrorList {
  if (!isProtectedGroup(next.spec.group)) return []
  const { state, message } = approvalOf(next.metadata.annotations)
  if (previous && approvalOf(previous.metadata.annotations).state === state) return []
  const place = at.child('metadata', 'annotations').key(approvedAnnotation)
  if (state === 'missing') return [required(place, message)]
  return state === 'invalid' ? [invalidValue(place, next.metadata.annotations?.[approvedAnnotation] ?? '', message)] : []
}
