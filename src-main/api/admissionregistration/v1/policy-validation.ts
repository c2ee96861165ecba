/** Faults of admission policies of both kinds. */
import { FieldPath, duplicate, invalidValue, notSupported, required } from '../../field-errors.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import type {
  AuditAnnotation,
  MatchResources,
  MutatingAdmissionPolicy,
  Mutation,
  ParamKind,
  ValidatingAdmissionPolicy,
  Validation,
  Variable,
} from '../../generated/admissionregistration-v1.ts'
import { byteLength, isQualifiedName } from '../../names.ts'
import type { CelEnvironment } from '../../cel/cel.ts'
import type { CelType } from '../../cel/types.ts'
import { dynType } from '../../cel/types.ts'
import { admissionEnvironment, compileExpression, givesBool, givesJsonPatch, givesObject, givesString, givesStringOrNull } from '../expressions.ts'
import type { ReturnTypes } from '../expressions.ts'
import { failurePolicies, matchConditionFaults, matchResourcesFaults, oneOf, paramKindFaults, reinvocationPolicies } from '../rules.ts'

const maxAuditAnnotations = 20
const maxValueExpressionBytes = 5 * 1024
const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge']
const reservedNames = new Set('true false null in as break const continue else for function if import let loop package namespace return var void while'.split(' '))

interface Composition {
  readonly params: boolean
  readonly variables: ReadonlyMap<string, CelType> | undefined
}

function environment({ params, variables }: Composition, more: { authorizer?: boolean; patch?: boolean } = {}): CelEnvironment {
  return admissionEnvironment({ params, authorizer: more.authorizer ?? true, patch: more.patch ?? false, ...(variables ? { composed: variables } : {}) })
}

function expressionFaults(env: CelEnvironment, expression: string, returns: ReturnTypes, at: FieldPath, shown = expression): FieldErrorList {
  const result = compileExpression(env, expression, returns)
  return typeof result === 'string' ? [invalidValue(at, shown, result)] : []
}

/** The faults of variables and their types; each sees those before it. */
function variableFaults(variables: readonly Variable[] | undefined, params: boolean, at: FieldPath): { faults: FieldErrorList; types: Map<string, CelType> } {
  const faults: FieldErrorList = []
  const types = new Map<string, CelType>()
  for (const [i, { name, expression }] of (variables ?? []).entries()) {
    const place = at.index(i)
    if (!name?.trim()) faults.push(required(place.child('name'), 'name is not specified'))
    else if (!/^[_a-zA-Z][_a-zA-Z0-9]*$/.test(name) || reservedNames.has(name)) faults.push(invalidValue(place.child('name'), name, 'must be a valid CEL identifier'))
    if (!expression?.trim()) {
      faults.push(required(place.child('expression'), 'expression is not specified'))
      continue
    }
    const result = compileExpression(environment({ params, variables: types }), expression, 'any')
    if (typeof result === 'string') faults.push(invalidValue(place.child('expression'), expression, result))
    types.set(name ?? '', typeof result === 'string' ? dynType : result.resultType)
  }
  return { faults, types }
}

interface CommonSpec {
  readonly failurePolicy?: string
  readonly paramKind?: ParamKind
  readonly matchConstraints?: MatchResources
}

function commonFaults(spec: CommonSpec, at: FieldPath): FieldErrorList {
  const constraints = at.child('matchConstraints')
  return [
    ...(spec.failurePolicy ? oneOf(spec.failurePolicy, failurePolicies, at.child('failurePolicy')) : [required(at.child('failurePolicy'), '')]),
    ...paramKindFaults(spec.paramKind, at.child('paramKind')),
    ...(spec.matchConstraints
      ? [
          ...matchResourcesFaults(spec.matchConstraints, constraints),
          ...((spec.matchConstraints.resourceRules?.length ?? 0) === 0 ? [required(constraints.child('resourceRules'), '')] : []),
        ]
      : [required(constraints, '')]),
  ]
}

export function validatingPolicyFaults(policy: ValidatingAdmissionPolicy): FieldErrorList {
  const at = FieldPath.root('spec')
  const spec = policy.spec ?? {}
  const params = spec.paramKind !== undefined
  const { faults: ofVariables, types } = variableFaults(spec.variables, params, at.child('variables'))
  const composition = { params, variables: (spec.variables?.length ?? 0) > 0 ? types : undefined }
  const faults = [...commonFaults(spec, at), ...matchConditionFaults(spec.matchConditions, params, at.child('matchConditions')), ...ofVariables]
  const { validations = [], auditAnnotations = [] } = spec
  if (validations.length === 0 && auditAnnotations.length === 0) {
    const text = 'validations or auditAnnotations must contain at least one item'
    return [...faults, required(at.child('validations'), text), required(at.child('auditAnnotations'), text)]
  }
  for (const [i, validation] of validations.entries()) faults.push(...validationFaults(validation, composition, at.child('validations').index(i)))
  const annotations = at.child('auditAnnotations')
  if (auditAnnotations.length > maxAuditAnnotations) faults.push(invalidValue(annotations, auditAnnotations, `must not have more than ${maxAuditAnnotations} auditAnnotations`))
  const keys = new Set<string>()
  for (const [i, annotation] of auditAnnotations.entries()) {
    faults.push(...auditAnnotationFaults(policy.metadata?.name ?? '', annotation, composition, annotations.index(i)))
    if (keys.has(annotation.key)) faults.push(duplicate(annotations.index(i).child('key'), annotation.key))
    keys.add(annotation.key)
  }
  return faults
}

function validationFaults(validation: Validation, composition: Composition, at: FieldPath): FieldErrorList {
  const { expression = '', message = '', messageExpression = '' } = validation
  const faults: FieldErrorList = []
  if (expression.trim() === '') faults.push(required(at.child('expression'), 'expression is not specified'))
  else faults.push(...expressionFaults(environment(composition), expression, givesBool, at.child('expression')))
  if (messageExpression !== '') {
    const place = at.child('messageExpression')
    if (messageExpression.trim() === '') faults.push(invalidValue(place, messageExpression, 'must be non-empty if specified'))
    else faults.push(...expressionFaults(environment(composition, { authorizer: false }), messageExpression, givesString, place))
  }
  if (message !== '' && message.trim() === '') faults.push(invalidValue(at.child('message'), message, 'must be non-empty if specified'))
  else if (/[\n\r]/.test(message.trim())) faults.push(invalidValue(at.child('message'), message, 'must not contain line breaks'))
  return [...faults, ...oneOf(validation.reason, reasons, at.child('reason'))]
}

function auditAnnotationFaults(policy: string, { key = '', valueExpression = '' }: AuditAnnotation, composition: Composition, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const whole = `${policy}/${key}`
  if (policy === '') faults.push(invalidValue(at.child('key'), key, 'requires metadata.name be non-empty'))
  else for (const text of isQualifiedName(whole)) faults.push(invalidValue(at.child('key'), whole, text))
  const trimmed = valueExpression.trim()
  const place = at.child('valueExpression')
  if (trimmed === '') faults.push(required(place, 'valueExpression is not specified'))
  else if (byteLength(trimmed) > maxValueExpressionBytes) faults.push(required(place, `must not exceed ${maxValueExpressionBytes} bytes in length`))
  else faults.push(...expressionFaults(environment(composition), trimmed, givesStringOrNull, place, valueExpression))
  return faults
}

export function mutatingPolicyFaults(policy: MutatingAdmissionPolicy): FieldErrorList {
  const at = FieldPath.root('spec')
  const spec = policy.spec ?? {}
  const params = spec.paramKind !== undefined
  const faults = commonFaults(spec, at)
  const operations = ['*', 'CONNECT', 'CREATE', 'UPDATE']
  for (const rule of spec.matchConstraints?.resourceRules ?? []) {
    for (const operation of rule.operations ?? [])
      if (!operations.includes(operation)) faults.push(notSupported(at.child('matchConstraints').child('resourceRules').child('operations'), operation, operations))
  }
  const { faults: ofVariables, types } = variableFaults(spec.variables, params, at.child('variables'))
  faults.push(...matchConditionFaults(spec.matchConditions, params, at.child('matchConditions')), ...ofVariables)
  const mutations = spec.mutations ?? []
  if (mutations.length === 0) faults.push(required(at.child('mutations'), 'mutations must contain at least one item'))
  for (const [i, mutation] of mutations.entries()) faults.push(...mutationFaults(mutation, { params, variables: types }, at.child('mutations').index(i)))
  const place = at.child('reinvocationPolicy')
  return [...faults, ...(spec.reinvocationPolicy ? oneOf(spec.reinvocationPolicy, reinvocationPolicies, place) : [required(place, '')])]
}

function mutationFaults(mutation: Mutation, composition: Composition, at: FieldPath): FieldErrorList {
  const { patchType, jsonPatch, applyConfiguration } = mutation
  if (!patchType) return [required(at.child('patchType'), '')]
  const patch = (expression: string | undefined, returns: ReturnTypes, place: FieldPath): FieldErrorList => {
    const trimmed = (expression ?? '').trim()
    return trimmed === '' ? [required(place.child('expression'), '')] : expressionFaults(environment(composition, { patch: true }), trimmed, returns, place.child('expression'))
  }
  const faults: FieldErrorList = []
  if (patchType === 'JSONPatch') {
    if (jsonPatch) faults.push(...patch(jsonPatch.expression, givesJsonPatch, at.child('jsonPatch')))
    else faults.push(required(at.child('jsonPatch'), 'must be specified when patchType is JSONPatch'))
    if (applyConfiguration) faults.push(invalidValue(at.child('applyConfiguration'), '{applyConfiguration}', 'must not be specified when patchType is JSONPatch'))
    return faults
  }
  if (patchType === 'ApplyConfiguration') {
    if (applyConfiguration) faults.push(...patch(applyConfiguration.expression, givesObject, at.child('applyConfiguration')))
    else faults.push(required(at.child('applyConfiguration'), 'must be specified when patchType is ApplyConfiguration'))
    if (jsonPatch) faults.push(invalidValue(at.child('jsonPatch'), '{jsonPatch}', 'must not be specified when patchType is ApplyConfiguration'))
    return faults
  }
  return oneOf(patchType, ['ApplyConfiguration', 'JSONPatch'], at.child('patchType'))
}
