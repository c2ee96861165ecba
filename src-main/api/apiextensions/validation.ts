/** Objects of a custom kind against its definition: schema, scale paths, embedded objects, sets and maps, rules. Pure. */
import type { CustomResourceDefinition, CustomResourceDefinitionVersion, CustomResourceSubresourceScale } from '../generated/apiextensions-v1.ts'
import { FieldPath, invalidValue, invalidWithoutValue } from '../field-errors.ts'
import type { FieldErrorList, FieldErrorType } from '../field-errors.ts'
import { isObject, stringifyJson } from '../json.ts'
import type { JsonObject } from '../json.ts'
import type { KubernetesObject } from '../meta.ts'
import { isQualifiedName } from '../names.ts'
import type { ResourceDefinition } from '../resource.ts'
import { Correlation } from './correlation.ts'
import { embeddedFaults } from './embedded-resources.ts'
import { goTypeOf } from './go-type.ts'
import { listTypeFaults } from './list-types.ts'
import { ruleFaults } from './rules.ts'
import type { StructuralSchema } from './structural-schema.ts'
import { fieldErrorsOf, validateValue } from './value-validation.ts'

export interface ValidatorOptions {
  readonly definition: CustomResourceDefinition
  readonly version: CustomResourceDefinitionVersion
  readonly schema: StructuralSchema
}

const maxInt32 = 2 ** 31 - 1

/** The validating part of a declaration. */
export function customResourceValidator({ version, schema }: ValidatorOptions): Pick<ResourceDefinition, 'validate' | 'validateStatusUpdate' | 'warnings'> {
  const scale = version.subresources?.scale
  return {
    validate: (object, at, previous) => objectFaults(object, previous, schema, scale, at),
    validateStatusUpdate: (next, previous, at) => statusFaults(next, previous, schema, scale, at),
    warnings: finalizerWarnings,
  }
}

function objectFaults(
  object: KubernetesObject,
  previous: KubernetesObject | undefined,
  schema: StructuralSchema,
  scale: CustomResourceSubresourceScale | undefined,
  at: FieldPath,
): FieldErrorList {
  const data = object as unknown as JsonObject
  const old = previous as unknown as JsonObject | undefined
  const correlation = old && new Correlation(data, old, schema)
  const faults = [
    ...fieldErrorsOf(validateValue(schema.raw, data, correlation), at),
    ...specScaleFaults(data, scale),
    ...statusScaleFaults(data, scale),
    ...embeddedFaults(data, schema, at),
    ...(old && listTypeFaults(old, schema, at).length > 0 ? [] : listTypeFaults(data, schema, at)),
  ]
  return [...faults, ...checkedRules(faults, data, old, schema, at, correlation)]
}

function statusFaults(
  next: KubernetesObject,
  previous: KubernetesObject,
  schema: StructuralSchema,
  scale: CustomResourceSubresourceScale | undefined,
  at: FieldPath,
): FieldErrorList {
  const data = next as unknown as JsonObject
  const old = previous as unknown as JsonObject
  const correlation = new Correlation(data, old, schema)
  const status = schema.properties.get('status')
  const faults = [
    ...(status && data['status'] !== undefined ? fieldErrorsOf(validateValue(status.raw, data['status'], correlation.key('status')), at.child('status')) : []),
    ...statusScaleFaults(data, scale),
    ...(listTypeFaults(old, schema, at).length > 0 ? [] : listTypeFaults(data, schema, at)),
  ]
  return [...faults, ...checkedRules(faults, data, old, schema, at, correlation)]
}

/** Faults after which rules could not be understood. */
const blocking: ReadonlySet<FieldErrorType> = new Set<FieldErrorType>([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
])

function checkedRules(
  faults: FieldErrorList,
  data: JsonObject,
  old: JsonObject | undefined,
  schema: StructuralSchema,
  at: FieldPath,
  correlation: Correlation | undefined,
): FieldErrorList {
  if (!schema.hasValidations) return []
  if (faults.some(fault => blocking.has(fault.type)))
    return [
      {
        ...invalidWithoutValue(FieldPath.root(), ''),
        message: 'Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
      },
    ]
  return ruleFaults(data, old, schema, at, { correlation }).faults
}

function specScaleFaults(data: JsonObject, scale: CustomResourceSubresourceScale | undefined): FieldErrorList {
  return scale ? replicaFaults(data, scale.specReplicasPath) : []
}

function statusScaleFaults(data: JsonObject, scale: CustomResourceSubresourceScale | undefined): FieldErrorList {
  if (!scale) return []
  const faults = replicaFaults(data, scale.statusReplicasPath)
  const { labelSelectorPath } = scale
  if (labelSelectorPath === undefined || labelSelectorPath === '') return faults
  const selector = nested(data, labelSelectorPath)
  if ('fault' in selector) faults.push(invalidValue(FieldPath.root(labelSelectorPath), '', selector.fault))
  else if (selector.value !== undefined && typeof selector.value !== 'string')
    faults.push(invalidValue(FieldPath.root(labelSelectorPath), '', accessor(labelSelectorPath, selector.value, 'string')))
  return faults
}

function replicaFaults(data: JsonObject, path: string): FieldErrorList {
  const at = FieldPath.root(path)
  const found = nested(data, path)
  if ('fault' in found) return [invalidValue(at, 0, found.fault)]
  const { value } = found
  if (value === undefined) return []
  if ((typeof value !== 'number' || !Number.isInteger(value)) && typeof value !== 'bigint') return [invalidValue(at, 0, accessor(path, value, 'int64'))]
  if (value < 0) return [invalidValue(at, value, 'should be a non-negative integer')]
  return value > maxInt32 ? [invalidValue(at, value, `should be less than or equal to ${maxInt32}`)] : []
}

/** How Go tells of a value of the wrong type. */
function accessor(path: string, value: unknown, wanted: string): string {
  const shown = typeof value === 'string' ? value : stringifyJson(value ?? null)
  return `${path.startsWith('.') ? path : `.${path}`} accessor error: ${value === null ? '<nil>' : shown} is of the type ${goTypeOf(value)}, expected ${wanted}`
}

function nested(data: JsonObject, path: string): { readonly value: unknown } | { readonly fault: string } {
  const parts = path.replace(/^\./, '').split('.')
  let value: unknown = data
  for (const [i, part] of parts.entries()) {
    if (!isObject(value)) return { fault: accessor(parts.slice(0, i + 1).join('.'), value, 'map[string]interface{}') }
    if (!Object.hasOwn(value, part) || value[part] === undefined) return { value: undefined }
    value = value[part]
  }
  return { value }
}

const standardFinalizers: ReadonlySet<string> = new Set(['orphan', 'foregroundDeletion', 'kubernetes'])

/** Finalizers of custom objects may be called anything, but not without a word. */
function finalizerWarnings(object: KubernetesObject, previous?: KubernetesObject): string[] {
  const had = new Set(previous?.metadata.finalizers ?? [])
  const added = [...new Set(object.metadata.finalizers ?? [])].filter(finalizer => !had.has(finalizer)).sort()
  return added.flatMap(finalizer => {
    const start = `metadata.finalizers: ${JSON.stringify(finalizer)}: `
    const texts = isQualifiedName(finalizer).map(text => start + text)
    if (finalizer.includes('/') || standardFinalizers.has(finalizer)) return texts
    const name = finalizer.includes('.') ? 'name including a path (/)' : 'name'
    return [...texts, `${start}prefer a domain-qualified finalizer ${name} to avoid accidental conflicts with other finalizer writers`]
  })
}
