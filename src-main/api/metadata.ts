/** Validation of metadata on create and update, with Kubernetes' texts (apimachinery's validation of ObjectMeta). */
import type { FieldErrorList } from './field-errors.ts'
import type { ObjectMeta, OwnerReference } from './generated/meta-v1.ts'
import { FieldPath, duplicate, forbiddenField, invalidValue, required, tooLong } from './field-errors.ts'
import { deepEqual } from './json.ts'
import { parseGroupVersion } from './meta.ts'
import { byteLength, isDns1123Label, isDns1123Subdomain, isQualifiedName } from './names.ts'
import { validateLabels } from './selectors.ts'

/** Bytes of all annotations together (keys and values). */
export const maxAnnotationBytes = 256 * 1024

export interface MetadataRules {
  readonly namespaced: boolean
  /** Faults of a name; default: DNS subdomain. `prefix` is true for generateName. */
  readonly validateName?: (name: string, prefix: boolean) => string[]
  /** Finalizers need no domain: true for the few kinds that Kubernetes checks so. */
  readonly plainFinalizers?: boolean
}

/** For validators of names: a generateName prefix may end with a dash, as a suffix follows. */
export function maskTrailingDash(name: string): string {
  return name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name
}

function nameFaults(rules: MetadataRules, name: string, prefix: boolean): string[] {
  return rules.validateName ? rules.validateName(name, prefix) : isDns1123Subdomain(prefix ? maskTrailingDash(name) : name)
}

/** Faults of an object's metadata by itself. */
export function validateObjectMeta(meta: ObjectMeta, rules: MetadataRules, at: FieldPath = FieldPath.root('metadata')): FieldErrorList {
  const errors: FieldErrorList = []
  if (meta.generateName) errors.push(...nameFaults(rules, meta.generateName, true).map(fault => invalidValue(at.child('generateName'), meta.generateName, fault)))
  if (!meta.name) errors.push(required(at.child('name'), 'name or generateName is required'))
  else errors.push(...nameFaults(rules, meta.name, false).map(fault => invalidValue(at.child('name'), meta.name, fault)))
  errors.push(...validateNamespace(meta, rules, at.child('namespace')))
  return [...errors, ...validateCommon(meta, at, rules.plainFinalizers ?? false)]
}

function validateNamespace(meta: ObjectMeta, rules: MetadataRules, at: FieldPath): FieldErrorList {
  if (!rules.namespaced) return meta.namespace ? [forbiddenField(at, 'not allowed on this type')] : []
  if (!meta.namespace) return [required(at, '')]
  return isDns1123Label(meta.namespace).map(fault => invalidValue(at, meta.namespace, fault))
}

/** What create and update check alike. */
function validateCommon(meta: ObjectMeta, at: FieldPath, plainFinalizers = false): FieldErrorList {
  const errors: FieldErrorList = []
  if ((meta.generation ?? 0) < 0) errors.push(invalidValue(at.child('generation'), meta.generation, 'must be greater than or equal to 0'))
  errors.push(...validateLabels(meta.labels, at.child('labels')))
  errors.push(...validateAnnotations(meta.annotations, at.child('annotations')))
  errors.push(...validateOwnerReferences(meta.ownerReferences, at.child('ownerReferences')))
  errors.push(...validateFinalizers(meta.finalizers, at.child('finalizers'), plainFinalizers))
  return [...errors, ...validateManagedFields(meta, at.child('managedFields'))]
}

/** Keys are qualified names in lower case; the total is bounded. */
export function validateAnnotations(annotations: Readonly<Record<string, string>> | undefined, at: FieldPath): FieldErrorList {
  const errors: FieldErrorList = []
  let total = 0
  for (const [key, value] of Object.entries(annotations ?? {})) {
    errors.push(...isQualifiedName(key.toLowerCase()).map(fault => invalidValue(at, key, fault)))
    total += byteLength(key) + byteLength(value)
  }
  if (total > maxAnnotationBytes) errors.push(tooLong(at, '', maxAnnotationBytes))
  return errors
}

function validateOwnerReferences(references: readonly OwnerReference[] | undefined, at: FieldPath): FieldErrorList {
  const errors: FieldErrorList = []
  let controller: string | undefined
  for (const [i, reference] of (references ?? []).entries()) {
    errors.push(...validateOwnerReference(reference, at.index(i)))
    if (reference.controller !== true) continue
    const shown = `${reference.kind}/${reference.name}`
    if (controller === undefined) controller = shown
    else errors.push(invalidValue(at, references, `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${shown}`))
  }
  return errors
}

function validateOwnerReference(reference: OwnerReference, at: FieldPath): FieldErrorList {
  const errors: FieldErrorList = []
  const { apiVersion = '', kind = '', name = '', uid = '' } = reference
  if (apiVersion === '') errors.push(required(at.child('apiVersion'), 'must not be empty'))
  else if (apiVersion.split('/').length > 2) errors.push(invalidValue(at.child('apiVersion'), apiVersion, `unexpected GroupVersion string: ${apiVersion}`))
  else if (parseGroupVersion(apiVersion).version === '') errors.push(invalidValue(at.child('apiVersion'), apiVersion, 'version must not be empty'))
  if (kind === '') errors.push(required(at.child('kind'), 'must not be empty'))
  if (name === '') errors.push(required(at.child('name'), 'must not be empty'))
  if (uid === '') errors.push(required(at.child('uid'), 'must not be empty'))
  if (apiVersion === 'v1' && kind === 'Event') errors.push(invalidValue(at, reference, 'v1, Kind=Event is disallowed from being an owner'))
  return errors
}

const standardFinalizers: ReadonlySet<string> = new Set(['kubernetes', 'orphan', 'foregroundDeletion'])

function validateFinalizers(finalizers: readonly string[] | undefined, at: FieldPath, plain: boolean): FieldErrorList {
  const errors: FieldErrorList = []
  for (const [i, finalizer] of (finalizers ?? []).entries()) {
    errors.push(...isQualifiedName(finalizer).map(fault => invalidValue(at, finalizer, fault)))
    if (!plain && !finalizer.includes('/') && !standardFinalizers.has(finalizer)) {
      errors.push(invalidValue(at.index(i), finalizer, 'name is neither a standard finalizer name nor is it fully qualified'))
    }
  }
  if (finalizers?.includes('orphan') && finalizers.includes('foregroundDeletion'))
    errors.push(invalidValue(at, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'))
  return errors
}

/** Longest name of a field manager. */
export const maxManagerBytes = 128

/** Faults of a field manager's name. */
export function validateFieldManager(manager: string, at: FieldPath): FieldErrorList {
  const errors: FieldErrorList = byteLength(manager) > maxManagerBytes ? [tooLong(at, manager, maxManagerBytes)] : []
  const bad = [...manager].findIndex(c => !/[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(c))
  if (bad >= 0) errors.push(invalidValue(at, manager, 'should only contain printable characters'))
  return errors
}

function validateManagedFields(meta: ObjectMeta, at: FieldPath): FieldErrorList {
  const errors: FieldErrorList = []
  for (const [i, entry] of (meta.managedFields ?? []).entries()) {
    const place = at.index(i)
    if (entry.operation !== 'Apply' && entry.operation !== 'Update') errors.push(invalidValue(place.child('operation'), entry.operation ?? '', 'must be `Apply` or `Update`'))
    if (entry.fieldsType !== undefined && entry.fieldsType !== '' && entry.fieldsType !== 'FieldsV1')
      errors.push(invalidValue(place.child('fieldsType'), entry.fieldsType, 'must be `FieldsV1`'))
    errors.push(...validateFieldManager(entry.manager ?? '', place.child('manager')))
    if (byteLength(entry.subresource ?? '') > 256) errors.push(tooLong(place.child('subresource'), entry.subresource, 256))
  }
  return errors
}

/**
 * Faults of a change of metadata. Both are as they will be stored: resourceVersion given, name and namespace filled in.
 * Generated fields left out by the client were restored before.
 */
export function validateObjectMetaUpdate(next: ObjectMeta, previous: ObjectMeta, at: FieldPath = FieldPath.root('metadata'), plainFinalizers = false): FieldErrorList {
  const errors: FieldErrorList = []
  if ((previous.deletionTimestamp ?? '') !== '') errors.push(...validateNoNewFinalizers(next, previous, at))
  if (!next.resourceVersion) errors.push(invalidValue(at.child('resourceVersion'), 0, 'must be specified for an update'))
  if ((next.generation ?? 0) < (previous.generation ?? 0)) errors.push(invalidValue(at.child('generation'), next.generation ?? 0, 'must not be decremented'))
  for (const field of ['name', 'namespace', 'uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const) {
    if (!deepEqual(next[field] ?? null, previous[field] ?? null)) errors.push(invalidValue(at.child(field), next[field] ?? emptyOf(field), 'field is immutable'))
  }
  return [...errors, ...validateCommon(next, at, plainFinalizers)]
}

function emptyOf(field: string): unknown {
  return field === 'name' || field === 'namespace' || field === 'uid' ? '' : null
}

function validateNoNewFinalizers(next: ObjectMeta, previous: ObjectMeta, at: FieldPath): FieldErrorList {
  const had = new Set(previous.finalizers ?? [])
  const added = (next.finalizers ?? []).filter(f => !had.has(f))
  if (added.length === 0) return []
  const shown = `[]string{${added.map(f => JSON.stringify(f)).join(', ')}}`
  return [forbiddenField(at.child('finalizers'), `no new finalizers can be added if the object is being deleted, found new finalizers ${shown}`)]
}

/** Faults where an owner is named twice; Kubernetes only warns. */
export function duplicateOwners(references: readonly OwnerReference[] | undefined, at: FieldPath): FieldErrorList {
  const seen = new Set<string>()
  return (references ?? []).flatMap((r, i) => (seen.has(r.uid) ? [duplicate(at.index(i).child('uid'), r.uid)] : (seen.add(r.uid), [])))
}
