import { defineResource } from '../../resource.ts'
import type { Column } from '../../resource.ts'
import { ageColumn, nameColumn, none, unknown, unset } from '../../columns.ts'
import { forbiddenField, invalidValue, notSupported, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { HPAScalingRules, HorizontalPodAutoscaler, MetricSpec, MetricStatus, MetricTarget } from '../../generated/autoscaling-v2.ts'
import { isPathSegmentName } from '../../names.ts'

export type { HorizontalPodAutoscaler }

const metricTypes = ['ContainerResource', 'External', 'Object', 'Pods', 'Resource']
const defaultUtilization = 80
const maxShown = 2

function currentText(current: { averageUtilization?: number; averageValue?: string; value?: string } | undefined, target: MetricTarget | undefined): string {
  if (target?.averageUtilization !== undefined) return `${current?.averageUtilization === undefined ? unknown : `${current.averageUtilization}%`}/${target.averageUtilization}%`
  if (target?.averageValue !== undefined) return `${current?.averageValue ?? unknown}/${target.averageValue}`
  return `${current?.value ?? unknown}/${target?.value ?? '<auto>'}`
}

function metricText(spec: MetricSpec, status: MetricStatus | undefined): string {
  switch (spec.type) {
    case 'Resource':
      return `${spec.resource?.name ?? ''}: ${currentText(status?.resource?.current, spec.resource?.target)}`
    case 'ContainerResource':
      return `${spec.containerResource?.name ?? ''}: ${currentText(status?.containerResource?.current, spec.containerResource?.target)}`
    case 'Pods':
      return currentText({ ...(status?.pods?.current.averageValue === undefined ? {} : { averageValue: status.pods.current.averageValue }) }, spec.pods?.target)
    case 'Object': {
      const average = spec.object?.target.averageValue !== undefined
      const text = currentText(status?.object?.current, spec.object?.target)
      return average ? `${text} (avg)` : text
    }
    case 'External':
      return spec.external?.target.averageValue === undefined
        ? currentText(status?.external?.current, spec.external?.target)
        : `${currentText(status?.external?.current, spec.external.target)} (avg)`
    default:
      return '<unknown type>'
  }
}

function targetsText(autoscaler: HorizontalPodAutoscaler): string {
  const specs = autoscaler.spec?.metrics ?? []
  if (specs.length === 0) return none
  const statuses = autoscaler.status?.currentMetrics ?? []
  const texts = specs.map((spec, i) => metricText(spec, statuses[i]))
  return texts.length > maxShown ? `${texts.slice(0, maxShown).join(', ')} + ${texts.length - maxShown} more...` : texts.join(', ')
}

export const autoscalerColumns: readonly Column<HorizontalPodAutoscaler>[] = [
  nameColumn(),
  { name: 'Reference', type: 'string', value: h => `${h.spec?.scaleTargetRef?.kind ?? ''}/${h.spec?.scaleTargetRef?.name ?? ''}` },
  { name: 'Targets', type: 'string', value: targetsText },
  { name: 'MinPods', type: 'string', value: h => (h.spec?.minReplicas === undefined ? unset : String(h.spec.minReplicas)) },
  { name: 'MaxPods', type: 'string', value: h => h.spec?.maxReplicas ?? 0 },
  { name: 'Replicas', type: 'string', value: h => h.status?.currentReplicas ?? 0 },
  ageColumn(),
]

export function setAutoscalerDefaults(autoscaler: HorizontalPodAutoscaler): void {
  const spec = autoscaler.spec
  if (spec === undefined) return
  spec.minReplicas ??= 1
  if ((spec.metrics?.length ?? 0) === 0) spec.metrics = [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: defaultUtilization } } }]
  if (spec.behavior !== undefined) {
    spec.behavior.scaleUp = withDefaults(spec.behavior.scaleUp, {
      stabilizationWindowSeconds: 0,
      policies: [
        { type: 'Pods', value: 4, periodSeconds: 15 },
        { type: 'Percent', value: 100, periodSeconds: 15 },
      ],
    })
    spec.behavior.scaleDown = withDefaults(spec.behavior.scaleDown, { policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] })
  }
}

function withDefaults(rules: HPAScalingRules | undefined, defaults: HPAScalingRules): HPAScalingRules {
  const policies = rules?.policies ?? defaults.policies
  return { selectPolicy: 'Max', ...defaults, ...rules, ...(policies === undefined ? {} : { policies }) }
}

function targetFaults(target: MetricTarget | undefined, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const type = target?.type ?? ''
  if (type === '') faults.push(required(at.child('type'), 'must specify a metric target type'))
  if (!['Utilization', 'Value', 'AverageValue'].includes(type)) faults.push(invalidValue(at.child('type'), type, 'must be either Utilization, Value, or AverageValue'))
  if (target?.averageUtilization !== undefined && target.averageUtilization < 1)
    faults.push(invalidValue(at.child('averageUtilization'), target.averageUtilization, 'must be greater than 0'))
  return faults
}

function metricFaults(metric: MetricSpec, at: FieldPath): FieldErrorList {
  if (!metric.type) return [required(at.child('type'), 'must specify a metric source type'), notSupported(at.child('type'), '', metricTypes)]
  if (!metricTypes.includes(metric.type)) return [notSupported(at.child('type'), metric.type, metricTypes)]
  const field = `${metric.type.charAt(0).toLowerCase()}${metric.type.slice(1)}` as 'containerResource' | 'external' | 'object' | 'pods' | 'resource'
  const source = metric[field]
  if (source === undefined) return [required(at.child(field), `must populate information for the given metric source`)]
  const faults: FieldErrorList = []
  if ('name' in source && !source.name) faults.push(required(at.child(field, 'name'), 'must specify a resource name'))
  if ('metric' in source && !source.metric?.name) faults.push(required(at.child(field, 'metric', 'name'), 'must specify a metric name'))
  faults.push(...targetFaults(source.target, at.child(field, 'target')))
  if (field === 'resource' || field === 'containerResource') {
    const target = source.target
    const path = at.child(field, 'target')
    if (target?.averageUtilization === undefined && target?.averageValue === undefined)
      faults.push(required(path.child('averageUtilization'), `must set either a target raw value or a target utilization`))
    if (target?.averageUtilization !== undefined && target.averageValue !== undefined)
      faults.push({ type: 'FieldValueForbidden', field: path.child('averageValue').toString(), message: 'Forbidden: may not set both a target raw value and a target utilization' })
  }
  return faults
}

/** Only replication controllers live in the core group. */
function scaleTargetVersionFaults(apiVersion: string, at: FieldPath): FieldErrorList {
  if (apiVersion === 'v1') return []
  if (apiVersion.split('/').length > 2) return [invalidValue(at, apiVersion, `unexpected GroupVersion string: ${apiVersion}`)]
  return apiVersion.includes('/') && !apiVersion.startsWith('/') ? [] : [invalidValue(at, apiVersion, 'apiVersion must specify API group')]
}

const longestPeriodSeconds = 1_800
const longestWindowSeconds = 3_600
const selectPolicies = ['Disabled', 'Max', 'Min']
const policyTypes = ['Percent', 'Pods']

function rulesFaults(rules: HPAScalingRules | undefined, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if (rules === undefined) return faults
  const window = rules.stabilizationWindowSeconds
  if (window !== undefined && window < 0) faults.push(invalidValue(at.child('stabilizationWindowSeconds'), window, 'must be greater than or equal to zero'))
  if (window !== undefined && window > longestWindowSeconds)
    faults.push(invalidValue(at.child('stabilizationWindowSeconds'), window, `must be less than or equal to ${longestWindowSeconds}`))
  if (rules.selectPolicy !== undefined && !selectPolicies.includes(rules.selectPolicy)) faults.push(notSupported(at.child('selectPolicy'), rules.selectPolicy, selectPolicies))
  if ((rules.policies ?? []).length === 0) faults.push(required(at.child('policies'), 'must specify at least one Policy'))
  for (const [i, policy] of (rules.policies ?? []).entries()) {
    const path = at.child('policies').index(i)
    const { type, value = 0, periodSeconds = 0 } = policy
    if (!policyTypes.includes(type)) faults.push(notSupported(path.child('type'), type ?? '', policyTypes))
    if (value <= 0) faults.push(invalidValue(path.child('value'), value, 'must be greater than zero'))
    if (periodSeconds <= 0) faults.push(invalidValue(path.child('periodSeconds'), periodSeconds, 'must be greater than zero'))
    if (periodSeconds > longestPeriodSeconds) faults.push(invalidValue(path.child('periodSeconds'), periodSeconds, `must be less than or equal to ${longestPeriodSeconds}`))
  }
  if (rules.tolerance?.startsWith('-')) faults.push(invalidValue(at.child('tolerance'), rules.tolerance, 'must be greater than or equal to 0'))
  return faults
}

export function autoscalerFaults(autoscaler: HorizontalPodAutoscaler, at: FieldPath): FieldErrorList {
  const spec: Partial<HorizontalPodAutoscaler['spec']> = autoscaler.spec ?? {}
  const path = at.child('spec')
  const faults: FieldErrorList = []
  const fromZero = (spec.metrics ?? []).some(metric => metric.type === 'Object' || metric.type === 'External')
  if (spec.minReplicas !== undefined && spec.minReplicas < 0) faults.push(invalidValue(path.child('minReplicas'), spec.minReplicas, 'must be greater than or equal to 0'))
  if (spec.minReplicas === 0 && !fromZero)
    faults.push(forbiddenField(path.child('metrics'), 'must specify at least one Object or External metric to support scaling to zero replicas'))
  if (!spec.maxReplicas) faults.push(required(path.child('maxReplicas'), ''))
  else if (spec.maxReplicas < 1) faults.push(invalidValue(path.child('maxReplicas'), spec.maxReplicas, 'must be greater than 0'))
  if (spec.minReplicas !== undefined && (spec.maxReplicas ?? 0) < spec.minReplicas)
    faults.push(invalidValue(path.child('maxReplicas'), spec.maxReplicas ?? 0, 'must be greater than or equal to `minReplicas`'))
  const ref = path.child('scaleTargetRef')
  for (const field of ['kind', 'name'] as const) {
    const value = spec.scaleTargetRef?.[field]
    if (!value) faults.push(required(ref.child(field), ''))
    else faults.push(...isPathSegmentName(value).map(text => invalidValue(ref.child(field), value, text)))
  }
  faults.push(...scaleTargetVersionFaults(spec.scaleTargetRef?.apiVersion ?? '', ref.child('apiVersion')))
  for (const direction of ['scaleUp', 'scaleDown'] as const) faults.push(...rulesFaults(spec.behavior?.[direction], path.child('behavior', direction)))
  for (const [i, metric] of (spec.metrics ?? []).entries()) faults.push(...metricFaults(metric, path.child('metrics').index(i)))
  return faults
}

export const horizontalPodAutoscalers = defineResource<HorizontalPodAutoscaler>({
  group: 'autoscaling',
  version: 'v2',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  scope: 'Namespaced',
  shortNames: ['hpa'],
  categories: ['all'],
  generation: true,
  schema: 'io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler',
  subresources: { status: true },
  columns: autoscalerColumns,
  menu: { area: 'workloads', order: 90 },
  setDefaults: setAutoscalerDefaults,
  prepareForCreate(autoscaler) {
    autoscaler.status = { desiredReplicas: 0 }
  },
  validate: autoscalerFaults,
})
