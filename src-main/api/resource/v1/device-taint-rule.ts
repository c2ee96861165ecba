import { defineResource } from '../../resource.ts'
import { ageColumn, ageText, nameColumn } from '../../columns.ts'
import { conditionsFaults } from '../../conditions-validation.ts'
import { tooMany } from '../../field-errors.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import type { DeviceTaintRule } from '../../generated/resource-v1.ts'
import { isDns1123Label } from '../../names.ts'
import { formatTime } from '../../time.ts'
import { nameFaults } from '../../validation.ts'
import { driverNameFaults, poolNameFaults } from './device-names.ts'
import { deviceTaintFaults } from './device-validation.ts'

export type { DeviceTaintRule }

const maxConditions = 8

export const deviceTaintRules = defineResource<DeviceTaintRule>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'DeviceTaintRule',
  plural: 'devicetaintrules',
  scope: 'Cluster',
  schema: 'io.k8s.api.resource.v1.DeviceTaintRule',
  subresources: { status: true },
  generation: true,
  columns: [
    nameColumn(),
    { name: 'Key', type: 'string', value: r => r.spec?.taint?.key ?? '' },
    { name: 'Value', type: 'string', value: r => r.spec?.taint?.value ?? '' },
    { name: 'Effect', type: 'string', value: r => r.spec?.taint?.effect ?? '' },
    { name: 'TimeAdded', type: 'string', value: (r, now) => ageText(r.spec?.taint?.timeAdded, now) },
    ageColumn(),
  ],
  menu: { area: 'cluster', order: 80 },
  prepareForCreate(rule, { now }) {
    rule.status = {}
    if (rule.spec?.taint !== undefined) rule.spec.taint.timeAdded ??= formatTime(now)
  },
  prepareForUpdate(next, previous, { now }) {
    const [taint, before] = [next.spec?.taint, previous.spec?.taint]
    if (taint === undefined) return
    // The time tells since when this effect holds.
    if (taint.timeAdded === undefined || (taint.effect !== before?.effect && taint.timeAdded === before?.timeAdded)) taint.timeAdded = formatTime(now)
  },
  validate(rule, at) {
    const { driver, pool, device } = rule.spec?.deviceSelector ?? {}
    const path = at.child('spec', 'deviceSelector')
    const faults: FieldErrorList = []
    if (driver !== undefined) faults.push(...driverNameFaults(driver, path.child('driver')))
    if (pool !== undefined) faults.push(...poolNameFaults(pool, path.child('pool')))
    if (device !== undefined) faults.push(...nameFaults(device, path.child('device'), isDns1123Label))
    return [...faults, ...deviceTaintFaults(rule.spec?.taint ?? {}, at.child('spec', 'taint'))]
  },
  validateStatusUpdate(next, _previous, at) {
    const path = at.child('status', 'conditions')
    const conditions = next.status?.conditions ?? []
    return [...conditionsFaults(conditions, path), ...(conditions.length > maxConditions ? [tooMany(path, conditions.length, maxConditions)] : [])]
  },
})
