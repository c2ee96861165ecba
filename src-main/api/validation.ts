/** Checks that many kinds share, as faults with Kubernetes' wording. Pure. */
import { deepEqual, isObject } from './json.ts'
import { invalidValue, notSupported, required } from './field-errors.ts'
import type { FieldErrorList, FieldPath } from './field-errors.ts'
import type { LabelSelector } from './meta.ts'
import { isDns1123Label, isDns1123Subdomain, isQualifiedName, isValidLabelValue } from './names.ts'
import { labelSelectorMatches, validateLabelSelector } from './selectors.ts'

export const immutableText = 'field is immutable'
export const nonNegativeText = 'must be greater than or equal to 0'
const maxPort = 65535

/** Faults of a name by one of names.ts' checks. */
export function nameFaults(value: string, path: FieldPath, check: (value: string) => readonly string[]): FieldErrorList {
  return check(value).map(text => invalidValue(path, value, text))
}

export const subdomainFaults = (value: string, path: FieldPath): FieldErrorList => nameFaults(value, path, isDns1123Subdomain)
export const labelFaults = (value: string, path: FieldPath): FieldErrorList => nameFaults(value, path, isDns1123Label)
export const qualifiedNameFaults = (value: string, path: FieldPath): FieldErrorList => nameFaults(value, path, isQualifiedName)

export function nonNegative(value: number | undefined, path: FieldPath): FieldErrorList {
  return value !== undefined && value < 0 ? [invalidValue(path, value, nonNegativeText)] : []
}

export function positive(value: number | undefined, path: FieldPath): FieldErrorList {
  return value !== undefined && value <= 0 ? [invalidValue(path, value, 'must be greater than 0')] : []
}

export function inRange(value: number, low: number, high: number, path: FieldPath): FieldErrorList {
  return value < low || value > high ? [invalidValue(path, value, `must be between ${low} and ${high}, inclusive`)] : []
}

export const portFaults = (port: number, path: FieldPath): FieldErrorList => inRange(port, 1, maxPort, path)

export function oneOf(value: string | undefined, supported: readonly string[], path: FieldPath): FieldErrorList {
  return supported.includes(value ?? '') ? [] : [notSupported(path, value ?? '', supported)]
}

/** `field is immutable` unless both are deeply equal. */
export function immutable(next: unknown, previous: unknown, path: FieldPath): FieldErrorList {
  return deepEqual(withoutEmpty(next), withoutEmpty(previous)) ? [] : [invalidValue(path, sortedKeys(next), immutableText)]
}

/** Absent and empty lists, maps and strings are the same to Kubernetes. */
export function sameValue(a: unknown, b: unknown): boolean {
  return deepEqual(isEmpty(a) ? null : withoutEmpty(a), isEmpty(b) ? null : withoutEmpty(b))
}

/** Without nulls and empty lists at any depth: what is stored says null where a request says nothing. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? null : value.map(withoutEmpty)
  if (!isObject(value)) return value ?? null
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, child]) => [key, withoutEmpty(child)] as const)
      .filter(([, child]) => child !== null),
  )
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true
  if (Array.isArray(value)) return value.length === 0
  return typeof value === 'object' && Object.keys(value).length === 0
}

/** A map as Go prints it: keys in byte order, `null` when absent. */
export function sortedKeys(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value ?? null
  const source = value as Record<string, unknown>
  return Object.fromEntries(
    Object.keys(source)
      .sort()
      .map(key => [key, source[key]]),
  )
}

/** Keys are qualified names, values label values. */
export function labelsFaults(labels: Readonly<Record<string, string>> | undefined, path: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  for (const [key, value] of Object.entries(labels ?? {})) {
    faults.push(...nameFaults(key, path, isQualifiedName), ...nameFaults(value, path, isValidLabelValue))
  }
  return faults
}

/** The selector of a workload: required, legal, not empty, and matching the labels of its template. */
export function workloadSelectorFaults(
  selector: LabelSelector | undefined,
  templateLabels: Readonly<Record<string, string>> | undefined,
  at: FieldPath,
  kind: string,
): FieldErrorList {
  const path = at.child('selector')
  const faults: FieldErrorList = []
  if (selector === undefined) faults.push(required(path, ''))
  else {
    faults.push(...validateLabelSelector(selector, path))
    if (isEmptySelector(selector)) faults.push(invalidValue(path, selector, `empty selector is invalid for ${kind}`))
  }
  return faults
}

/** `selector` does not match template `labels`. */
export function templateLabelsFaults(selector: LabelSelector | undefined, labels: Readonly<Record<string, string>> | undefined, at: FieldPath): FieldErrorList {
  const path = at.child('template', 'metadata', 'labels')
  if (selector === undefined || isEmptySelector(selector))
    return selector === undefined ? [invalidValue(path, sortedKeys(labels), '`selector` does not match template `labels`')] : []
  return labelSelectorMatches(selector, labels ?? {}) ? [] : [invalidValue(path, sortedKeys(labels), '`selector` does not match template `labels`')]
}

export function isEmptySelector(selector: LabelSelector): boolean {
  return Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions?.length ?? 0) === 0
}

const percentText = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"

/** An int-or-percent that is not negative. */
export function intOrPercentFaults(value: number | string | undefined, path: FieldPath): FieldErrorList {
  if (value === undefined) return []
  if (typeof value === 'number') return nonNegative(value, path)
  return /^[0-9]+%$/.test(value) ? [] : [invalidValue(path, value, percentText)]
}

export function percentAtMost100(value: number | string | undefined, path: FieldPath): FieldErrorList {
  return typeof value === 'string' && /^[0-9]+%$/.test(value) && Number.parseInt(value, 10) > 100 ? [invalidValue(path, value, 'must not be greater than 100%')] : []
}

/** Value of an int-or-percent: percentages of `total`, rounded up or down. */
export function resolveIntOrPercent(value: number | string | undefined, total: number, roundUp: boolean): number {
  if (value === undefined) return 0
  if (typeof value === 'number') return value
  const part = (Number.parseInt(value, 10) * total) / 100
  return roundUp ? Math.ceil(part) : Math.floor(part)
}
