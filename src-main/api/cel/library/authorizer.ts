/** The `authorizer` variable: checks that an expression makes against the cluster's own authorizers. */
import { isDns1123Label, isDns1123Subdomain } from '../../names.ts'
import { CelError } from '../errors.ts'
import { member } from '../functions.ts'
import type { Library } from '../functions.ts'
import { boolType, stringType, structType } from '../types.ts'
import { CelOpaque } from '../values.ts'

export const authorizerType = structType('kubernetes.authorization.Authorizer')
const pathCheckType = structType('kubernetes.authorization.PathCheck')
const groupCheckType = structType('kubernetes.authorization.GroupCheck')
export const resourceCheckType = structType('kubernetes.authorization.ResourceCheck')
export const decisionType = structType('kubernetes.authorization.Decision')
export const authorizerTypes = [authorizerType, pathCheckType, groupCheckType, resourceCheckType, decisionType]

export interface AuthorizationCheck {
  /** Set where the expression asks for another user than the one of the request. */
  readonly serviceAccount?: { readonly namespace: string; readonly name: string }
  readonly path?: string
  readonly group?: string
  readonly resource?: string
  readonly subresource?: string
  readonly namespace?: string
  readonly name?: string
  readonly fieldSelector?: string
  readonly labelSelector?: string
  readonly verb: string
}

export interface AuthorizationAnswer {
  readonly allowed: boolean
  readonly reason: string
  readonly error?: string
}

/** Answers at once: expressions are evaluated synchronously. */
export type AuthorizationOracle = (check: AuthorizationCheck) => AuthorizationAnswer

class Check extends CelOpaque {
  readonly type: ReturnType<typeof structType>
  readonly oracle: AuthorizationOracle
  readonly parts: Omit<AuthorizationCheck, 'verb'>
  constructor(type: ReturnType<typeof structType>, oracle: AuthorizationOracle, parts: Omit<AuthorizationCheck, 'verb'>) {
    super()
    this.type = type
    this.oracle = oracle
    this.parts = parts
  }
  equals(other: CelOpaque): boolean {
    return this === other
  }
  with(type: ReturnType<typeof structType>, more: Omit<AuthorizationCheck, 'verb'>): Check {
    return new Check(type, this.oracle, { ...this.parts, ...more })
  }
}

class Decision extends CelOpaque {
  readonly type = decisionType
  readonly answer: AuthorizationAnswer
  constructor(answer: AuthorizationAnswer) {
    super()
    this.answer = answer
  }
  equals(other: CelOpaque): boolean {
    return this === other
  }
}

/** The value of `authorizer`. */
export function authorizerValue(oracle: AuthorizationOracle): CelOpaque {
  return new Check(authorizerType, oracle, {})
}

/** The value of `authorizer.requestResource`. */
export function resourceCheckValue(oracle: AuthorizationOracle, parts: Omit<AuthorizationCheck, 'verb'>): CelOpaque {
  return new Check(resourceCheckType, oracle, parts)
}

function notEmpty(text: string, what: string): string {
  if (text.trim() === '') throw new CelError(`${what} must not be empty`)
  return text
}

function serviceAccount(authorizer: Check, namespace: string, name: string): Check {
  if (isDns1123Subdomain(name).length > 0) throw new CelError('Invalid service account name')
  if (isDns1123Label(namespace).length > 0) throw new CelError('Invalid service account namespace')
  return authorizer.with(authorizerType, { serviceAccount: { namespace, name } })
}

const s = stringType
const r = resourceCheckType
const narrowed = (part: 'subresource' | 'namespace' | 'name' | 'fieldSelector' | 'labelSelector') => (check: Check, value: string) => check.with(r, { [part]: value })
const ask = (check: Check, verb: string): Decision => new Decision(check.oracle({ ...check.parts, verb }))

export const authorizerLibrary: Library = {
  path: [member('authorizer_path', [authorizerType, s], pathCheckType, (a: Check, path: string) => a.with(pathCheckType, { path: notEmpty(path, 'path') }))],
  group: [member('authorizer_group', [authorizerType, s], groupCheckType, (a: Check, group: string) => a.with(groupCheckType, { group }))],
  serviceAccount: [member('authorizer_serviceaccount', [authorizerType, s, s], authorizerType, serviceAccount)],
  resource: [member('groupcheck_resource', [groupCheckType, s], r, (g: Check, resource: string) => g.with(r, { resource: notEmpty(resource, 'resource') }))],
  subresource: [member('resourcecheck_subresource', [r, s], r, narrowed('subresource'))],
  namespace: [member('resourcecheck_namespace', [r, s], r, narrowed('namespace'))],
  name: [member('resourcecheck_name', [r, s], r, narrowed('name'))],
  check: [member('pathcheck_check', [pathCheckType, s], decisionType, ask), member('resourcecheck_check', [r, s], decisionType, ask)],
  errored: [member('decision_errored', [decisionType], boolType, (d: Decision) => d.answer.error !== undefined)],
  error: [member('decision_error', [decisionType], stringType, (d: Decision) => d.answer.error ?? '')],
  allowed: [member('decision_allowed', [decisionType], boolType, (d: Decision) => d.answer.allowed)],
  reason: [member('decision_reason', [decisionType], stringType, (d: Decision) => d.answer.reason)],
  fieldSelector: [member('authorizer_fieldselector', [r, s], r, narrowed('fieldSelector'))],
  labelSelector: [member('authorizer_labelselector', [r, s], r, narrowed('labelSelector'))],
}
