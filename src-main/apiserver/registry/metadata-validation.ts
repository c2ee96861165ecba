/** Checks of object metadata that every kind shares, with the wording of Kubernetes' ValidateObjectMeta. */
import type { ObjectMeta, OwnerReference } from '../../api/meta.ts'
import { parseGroupVersion } from '../../api/meta.ts'
import { FieldPath, forbiddenField, invalidValue, required, tooLong } from '../../api/field-errors.ts'
import type { FieldErrorList } from '../../api/field-errors.ts'
import { isDns1123Label, isDns1123Subdomain, isQualifiedName, isValidLabelValue } from '../../api/names.ts'

/** All annotations of an object together: 256 KiB. */
const TOTAL_ANNOTATION_BYTES = 256 * 1024

/** Finalizers that may stand without a domain. */
const standardFinalizers: ReadonlySet<string> = new Set(['kubernetes', 'orphan', 'foregroundDeletion'])

const metadata = FieldPath.root('metadata')

export interface MetadataRules {
  readonly namespaced: boolean
  /** Faults of a name. */
  readonly validateName: (name: string) => string[]
  /** Custom kinds leave finalizers without a domain to the warnings. */
  readonly strictFinalizers: boolean
}

/** The default name check: a DNS subdomain. */
export function defaultValidateName(name: string): string[] {
  return isDns1123Subdomain(name)
}

/** A prefix may end in a dash, because a suffix follows. */
function maskTrailingDash(prefix: string): string {
  return prefix.length > 1 && prefix.endsWith('-') ? `${prefix.slice(0, -2)}a` : prefix
}

/** Faults of an object's metadata by itself. */
export function validateMetadata(meta: ObjectMeta, rules: MetadataRules): FieldErrorList {
  const faults: FieldErrorList = []
  if (meta.generateName) for (const text of rules.validateName(maskTrailingDash(meta.generateName))) faults.push(invalidValue(metadata.child('generateName'), meta.generateName, text))
  if (!meta.name) faults.push(required(metadata.child('name'), 'name or generateName is required'))
  else for (const text of rules.validateName(meta.name)) faults.push(invalidValue(metadata.child('name'), meta.name, text))
  if (rules.namespaced) {
    if (!meta.namespace) faults.push(required(metadata.child('namespace'), ''))
    else for (const text of isDns1123Label(meta.namespace)) faults.push(invalidValue(metadata.child('namespace'), meta.namespace, text))
  } else if (meta.namespace) faults.push(forbiddenField(metadata.child('namespace'), 'not allowed on this type'))
  if (meta.generation !== undefined && meta.generation < 0) faults.push(invalidValue(metadata.child('generation'), meta.generation, 'must be greater than or equal to 0'))
  faults.push(...validateLabels(meta.labels, metadata.child('labels')))
  faults.push(...validateAnnotations(meta.annotations, metadata.child('annotations')))
  faults.push(...validateOwners(meta.ownerReferences ?? [], metadata.child('ownerReferences')))
  faults.push(...validateFinalizers(meta.finalizers ?? [], metadata.child('finalizers'), rules.strictFinalizers))
  return faults
}

/** Faults of labels, also of those in pod templates. */
export function validateLabels(labels: Readonly<Record<string, string>> | undefined, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  for (const [key, value] of Object.entries(labels ?? {})) {
    for (const text of isQualifiedName(key)) faults.push(invalidValue(at, key, text))
    for (const text of isValidLabelValue(value)) faults.push(invalidValue(at.key(key), value, text))
  }
  return faults
}

/** Faults of annotations. */
export function validateAnnotations(annotations: Readonly<Record<string, string>> | undefined, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  let bytes = 0
  for (const [key, value] of Object.entries(annotations ?? {})) {
    for (const text of isQualifiedName(key.toLowerCase())) faults.push(invalidValue(at, key, text))
    bytes += byteLength(key) + byteLength(value)
  }
  if (bytes > TOTAL_ANNOTATION_BYTES) faults.push(tooLong(at, '', TOTAL_ANNOTATION_BYTES))
  return faults
}

function byteLength(text: string): number { return Buffer.byteLength(text) }

function validateOwners(owners: readonly OwnerReference[], at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  let controller: string | undefined
  for (const owner of owners) {
    const { group, version } = parseGroupVersion(owner.apiVersion ?? '')
    if (version === '') faults.push(invalidValue(at.child('apiVersion'), owner.apiVersion ?? '', 'version must not be empty'))
    if (!owner.kind) faults.push(invalidValue(at.child('kind'), owner.kind ?? '', 'must not be empty'))
    if (!owner.name) faults.push(invalidValue(at.child('name'), owner.name ?? '', 'must not be empty'))
    if (!owner.uid) faults.push(invalidValue(at.child('uid'), owner.uid ?? '', 'must not be empty'))
    if (group === '' && version === 'v1' && owner.kind === 'Event') faults.push(invalidValue(at, owner, '/v1, Kind=Event is disallowed from being an owner'))
    if (owner.controller !== true) continue
    if (controller !== undefined) {
      faults.push(invalidValue(at, owners, `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${owner.name}`))
    } else controller = owner.name
  }
  return faults
}

function validateFinalizers(finalizers: readonly string[], at: FieldPath, strict: boolean): FieldErrorList {
  const faults: FieldErrorList = []
  for (const finalizer of finalizers) {
    for (const text of isQualifiedName(finalizer)) faults.push(invalidValue(at, finalizer, text))
  }
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    faults.push(invalidValue(at, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'))
  }
  if (strict) finalizers.forEach((finalizer, i) => {
    if (!finalizer.includes('/') && !standardFinalizers.has(finalizer)) faults.push(invalidValue(at.index(i), finalizer, 'name is neither a standard finalizer name nor is it fully qualified'))
  })
  return faults
}

/** Faults of a change of metadata. */
export function validateMetadataUpdate(next: ObjectMeta, previous: ObjectMeta): FieldErrorList {
  const faults: FieldErrorList = []
  if (previous.deletionTimestamp) {
    const extra = (next.finalizers ?? []).filter(finalizer => !(previous.finalizers ?? []).includes(finalizer))
    if (extra.length > 0) {
      const list = [...extra].sort().map(text => JSON.stringify(text)).join(', ')
      faults.push(forbiddenField(metadata.child('finalizers'), `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`))
    }
  }
  if ((next.generation ?? 0) < (previous.generation ?? 0)) faults.push(invalidValue(metadata.child('generation'), next.generation ?? 0, 'must not be decremented'))
  const fixed = ['name', 'namespace', 'uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const
  for (const field of fixed) {
    if ((next[field] ?? '') !== (previous[field] ?? '')) faults.push(invalidValue(metadata.child(field), next[field] ?? null, 'field is immutable'))
  }
  return faults
}
