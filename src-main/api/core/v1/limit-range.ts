import { defineResource } from '../../resource.ts'
import { createdAtColumn, nameColumn } from '../../columns.ts'
import { duplicate, forbiddenField, invalidValue, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { LimitRange, LimitRangeItem } from '../../generated/core-v1.ts'
import { compareQuantity, milliValue, parseQuantity } from '../../quantity.ts'
import { qualifiedNameFaults } from '../../validation.ts'
import { quantityFaults, quantityOf } from './resource-validation.ts'

export type { LimitRange }

function setItemDefaults(item: LimitRangeItem): void {
  if (item.type !== 'Container') return
  const defaults = { ...item.max, ...item.default }
  if (Object.keys(defaults).length > 0) item.default = defaults
  const requests = { ...item.min, ...defaults, ...item.defaultRequest }
  for (const name of Object.keys(requests)) if (!Object.hasOwn(defaults, name) && item.defaultRequest?.[name] === undefined && item.min?.[name] === undefined) delete requests[name]
  if (Object.keys(requests).length > 0) item.defaultRequest = requests
}

type Bound = 'min' | 'defaultRequest' | 'default' | 'max'

function typeFaults(type: string, path: FieldPath): FieldErrorList {
  const faults = qualifiedNameFaults(type, path)
  if (faults.length > 0 || type.includes('/') || ['Pod', 'Container', 'PersistentVolumeClaim'].includes(type)) return faults
  return [invalidValue(path, type, 'must be a standard limit type or fully qualified')]
}

function itemFaults(item: LimitRangeItem, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = typeFaults(item.type ?? '', at.child('type'))
  if (item.type === 'Pod')
    for (const field of ['default', 'defaultRequest'] as const)
      if (Object.keys(item[field] ?? {}).length > 0) faults.push(forbiddenField(at.child(field), "may not be specified when `type` is 'Pod'"))
  for (const field of ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const)
    for (const [name, text] of Object.entries(item[field] ?? {})) faults.push(...quantityFaults(name, text, at.child(field).key(name)))
  const names = new Set((['min', 'defaultRequest', 'default', 'max'] as const).flatMap(field => Object.keys(item[field] ?? {})))
  const ordered: readonly (readonly [Bound, Bound, string])[] = [
    ['min', 'max', 'min value'],
    ['min', 'defaultRequest', 'min value'],
    ['defaultRequest', 'max', 'default request value'],
    ['defaultRequest', 'default', 'default request value'],
    ['min', 'default', 'min value'],
    ['default', 'max', 'default value'],
  ]
  for (const name of [...names].sort()) {
    for (const [low, high, label] of ordered) {
      const [a, b] = [item[low]?.[name], item[high]?.[name]]
      const [lower, higher] = [a === undefined ? undefined : quantityOf(a), b === undefined ? undefined : quantityOf(b)]
      if (lower === undefined || higher === undefined || compareQuantity(lower, higher) <= 0) continue
      const other = high === 'defaultRequest' ? 'default request' : high === 'default' && low === 'defaultRequest' ? 'default limit' : high
      // A lower bound above a default is told at the default, with the bound as the value shown.
      const field = low === 'min' && high !== 'max' ? high : low
      faults.push(invalidValue(at.child(field).key(name), low === 'min' && high === 'defaultRequest' ? b : a, `${label} ${a ?? ''} is greater than ${other} value ${b ?? ''}`))
    }
  }
  for (const [name, text] of Object.entries(item.maxLimitRequestRatio ?? {}).sort()) faults.push(...ratioFaults(item, name, text, at.child('maxLimitRequestRatio').key(name)))
  if (item.type === 'PersistentVolumeClaim' && item.min?.['storage'] === undefined && item.max?.['storage'] === undefined) {
    faults.push(required(at.child('limits'), 'either minimum or maximum storage value is required, but neither was provided'))
  }
  return faults
}

/** Limits are never below requests, and a ratio that the bounds cannot reach says nothing. */
function ratioFaults(item: LimitRangeItem, name: string, text: string, at: FieldPath): FieldErrorList {
  const ratio = quantityOf(text)
  if (ratio === undefined) return []
  if (compareQuantity(ratio, parseQuantity('1')) < 0) return [invalidValue(at, text, `ratio ${text} is less than 1`)]
  const [least, most] = [item.min?.[name], item.max?.[name]].map(bound => (bound === undefined ? undefined : quantityOf(bound)))
  if (least === undefined || most === undefined || milliValue(least) === 0) return []
  const reach = milliValue(most) / milliValue(least)
  return milliValue(ratio) / 1_000 > reach ? [invalidValue(at, text, `ratio ${text} is greater than max/min = ${reach.toFixed(6)}`)] : []
}

export const limitRanges = defineResource<LimitRange>({
  group: '',
  version: 'v1',
  kind: 'LimitRange',
  plural: 'limitranges',
  scope: 'Namespaced',
  shortNames: ['limits'],
  schema: 'io.k8s.api.core.v1.LimitRange',
  columns: [nameColumn(), createdAtColumn()],
  menu: { area: 'config', order: 40 },
  setDefaults(range) {
    for (const item of range.spec?.limits ?? []) setItemDefaults(item)
  },
  validate(range, at) {
    const faults: FieldErrorList = []
    const seen = new Set<string>()
    for (const [i, item] of (range.spec?.limits ?? []).entries()) {
      const path = at.child('spec', 'limits').index(i)
      if (seen.has(item.type)) faults.push(duplicate(path.child('type'), item.type))
      seen.add(item.type)
      faults.push(...itemFaults(item, path))
    }
    return faults
  },
})
