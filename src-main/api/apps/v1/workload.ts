/** What deployments, replica sets, daemon sets and stateful sets share. */
import type { PodTemplateSpec } from '../../generated/core-v1.ts'
import type { Column } from '../../resource.ts'
import { containerColumns, selectorText } from '../../columns.ts'
import { forbiddenField, invalidValue, notSupported } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { LabelSelector } from '../../meta.ts'
import { podTemplateFaults } from '../../core/v1/pod-validation.ts'
import { podSpecWarnings } from '../../core/v1/pod-warnings.ts'
import { FieldPath as Path } from '../../field-errors.ts'
import { isQualifiedName } from '../../names.ts'
import { immutable, isEmptySelector, templateLabelsFaults, workloadSelectorFaults } from '../../validation.ts'

interface Workload {
  spec?: { template?: PodTemplateSpec; selector?: LabelSelector }
}

/** Wide columns Containers, Images and Selector. */
export function workloadColumns<T extends Workload>(): Column<T>[] {
  return [...containerColumns<T>(o => o.spec?.template?.spec), { name: 'Selector', type: 'string', priority: 1, value: o => selectorText(o.spec?.selector) }]
}

/** Keys are qualified names in any case. */
function annotationsFaults(annotations: Readonly<Record<string, string>> | undefined, path: FieldPath): FieldErrorList {
  return Object.keys(annotations ?? {}).flatMap(key => isQualifiedName(key.toLowerCase()).map(text => invalidValue(path, key, text)))
}

/** Faults of a template whose pods live until somebody deletes them. */
export function longLivedTemplateFaults(selector: LabelSelector | undefined, template: PodTemplateSpec | undefined, at: FieldPath, kind: string): FieldErrorList {
  const path = at.child('template')
  const faults = [
    ...templateLabelsFaults(selector, template?.metadata?.labels, at),
    ...podTemplateFaults(template, path),
    ...annotationsFaults(template?.metadata?.annotations, path.child('annotations')),
  ]
  const spec = template?.spec
  if (spec === undefined) return faults
  if (spec.restartPolicy !== 'Always') faults.push(notSupported(path.child('spec', 'restartPolicy'), spec.restartPolicy ?? '', ['Always']))
  if (spec.activeDeadlineSeconds !== undefined) faults.push(forbiddenField(path.child('spec', 'activeDeadlineSeconds'), `activeDeadlineSeconds in ${kind} is not Supported`))
  return faults
}

/** Selector and template of deployments, replica sets and stateful sets: of a selector that cannot be read it is said again, and the template goes unchecked. */
export function selectorAndTemplateFaults(
  selector: LabelSelector | undefined,
  template: PodTemplateSpec | undefined,
  at: FieldPath,
  kinds: { empty: string; template: string },
): FieldErrorList {
  const faults = workloadSelectorFaults(selector, undefined, at, kinds.empty)
  if (selector !== undefined && !isEmptySelector(selector) && faults.length > 0) return [...faults, invalidValue(at.child('selector'), selector, 'invalid label selector')]
  return [...faults, ...longLivedTemplateFaults(selector, template, at, kinds.template)]
}

export const selectorImmutable = (next: Workload, previous: Workload, at: FieldPath): FieldErrorList =>
  immutable(next.spec?.selector, previous.spec?.selector, at.child('spec', 'selector'))

export const templateWarnings = (workload: Workload): string[] => podSpecWarnings(workload.spec?.template?.spec, Path.root('spec', 'template', 'spec'))

/** Counts in a status are never negative, and parts never exceed their whole. */
export function statusCountFaults(status: Readonly<Record<string, unknown>> | undefined, parts: readonly (readonly [string, string])[], at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const numberOf = (name: string): number => (typeof status?.[name] === 'number' ? status[name] : 0)
  for (const [name, value] of Object.entries(status ?? {}))
    if (typeof value === 'number' && value < 0) faults.push(invalidValue(at.child(name), value, 'must be greater than or equal to 0'))
  for (const [part, whole] of parts)
    if (numberOf(part) > numberOf(whole)) faults.push(invalidValue(at.child(part), numberOf(part), `cannot be greater than ${whole === 'replicas' ? 'status.replicas' : whole}`))
  return faults
}

/** Collisions of template hashes are only ever counted up. */
export function collisionCountFaults(next: number | undefined, previous: number | undefined, at: FieldPath): FieldErrorList {
  return previous !== undefined && (next ?? 0) < previous ? [invalidValue(at, Math.max(next ?? 0, 0), 'cannot be decremented')] : []
}
