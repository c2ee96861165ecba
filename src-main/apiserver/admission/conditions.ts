/** Evaluates admission's expressions: their variables, authorization checks, match conditions. */
import { CelError } from '../../api/cel/cel.ts'
import type { Bindings, CelProgram } from '../../api/cel/cel.ts'
import { authorizerValue, resourceCheckValue } from '../../api/cel/library/authorizer.ts'
import type { AuthorizationAnswer, AuthorizationCheck } from '../../api/cel/library/authorizer.ts'
import { matchConditionsBudget, perCallLimit } from '../../api/cel/limits.ts'
import { celValue } from '../../api/cel/schema-types.ts'
import type { CelValue } from '../../api/cel/values.ts'
import { admissionEnvironment, compileExpression, givesBool, namespaceDecl, requestDecl } from '../../api/admissionregistration/expressions.ts'
import type { MatchCondition } from '../../api/generated/admissionregistration-v1.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import type { AnyResource } from '../../api/resource.ts'
import type { UserInfo } from '../../api/request.ts'
import type { AdmissionAttributes, Authorizer } from '../contracts.ts'

/** A check whose answer is not known yet: the expression is evaluated again when it is. Not a CelError, so that no operator absorbs it. */
class PendingCheck extends Error {
  readonly key: string
  readonly check: AuthorizationCheck
  constructor(key: string, check: AuthorizationCheck) {
    super('pending')
    this.key = key
    this.check = check
  }
}

/** Checks of one request, each asked once. */
export class Authorizations {
  readonly #authorizer: Authorizer | undefined
  readonly #user: UserInfo
  readonly #answers = new Map<string, AuthorizationAnswer>()

  constructor(authorizer: Authorizer | undefined, user: UserInfo) {
    this.#authorizer = authorizer
    this.#user = user
  }

  readonly oracle = (check: AuthorizationCheck): AuthorizationAnswer => {
    const key = JSON.stringify(check)
    const answer = this.#answers.get(key)
    if (!answer) throw new PendingCheck(key, check)
    return answer
  }

  /** Runs until every check that `run` makes is answered. */
  async settle<T>(run: () => T): Promise<T> {
    for (;;) {
      try {
        return run()
      } catch (fault) {
        if (!(fault instanceof PendingCheck)) throw fault
        this.#answers.set(fault.key, await this.#ask(fault.check))
      }
    }
  }

  async #ask(check: AuthorizationCheck): Promise<AuthorizationAnswer> {
    if (!this.#authorizer) return { allowed: true, reason: '' }
    const account = check.serviceAccount
    const user: UserInfo = account
      ? {
          name: `system:serviceaccount:${account.namespace}:${account.name}`,
          groups: ['system:serviceaccounts', `system:serviceaccounts:${account.namespace}`, 'system:authenticated'],
        }
      : this.#user
    try {
      const decision = await this.#authorizer.authorize({
        user,
        isResource: check.path === undefined,
        path: check.path ?? '',
        verb: check.verb,
        group: check.group ?? '',
        version: '*',
        resource: check.resource ?? '',
        subresource: check.subresource ?? '',
        namespace: check.namespace ?? '',
        name: check.name ?? '',
        ...(check.fieldSelector === undefined ? {} : { fieldSelector: check.fieldSelector }),
        ...(check.labelSelector === undefined ? {} : { labelSelector: check.labelSelector }),
      })
      return { allowed: decision.allowed, reason: decision.reason }
    } catch (fault) {
      return { allowed: false, reason: '', error: fault instanceof Error ? fault.message : String(fault) }
    }
  }
}

/** A kind's name of a request's object: of a subresource's own kind where its body is one. */
export function kindOf(a: AdmissionAttributes, shown: AnyResource): { group: string; version: string; kind: string } {
  const body = a.object ?? a.previous
  if (body && body.kind !== a.resource.kind && body.apiVersion) {
    const slash = body.apiVersion.indexOf('/')
    return { group: slash < 0 ? '' : body.apiVersion.slice(0, slash), version: body.apiVersion.slice(slash + 1), kind: body.kind }
  }
  return { group: shown.group, version: shown.version, kind: shown.kind }
}

/** The parts of an AdmissionRequest that both reviews and the variable `request` show. */
export function requestFacts(a: AdmissionAttributes, shown: AnyResource): Record<string, unknown> {
  const { user } = a
  return {
    kind: kindOf(a, shown),
    resource: { group: shown.group, version: shown.version, resource: shown.plural },
    ...(a.subresource === '' ? {} : { subResource: a.subresource }),
    requestKind: kindOf(a, a.resource),
    requestResource: { group: a.resource.group, version: a.resource.version, resource: a.resource.plural },
    ...(a.subresource === '' ? {} : { requestSubResource: a.subresource }),
    ...(a.name === '' ? {} : { name: a.name }),
    ...(a.namespace === '' ? {} : { namespace: a.namespace }),
    operation: a.operation,
    userInfo: {
      username: user.name,
      ...(user.uid ? { uid: user.uid } : {}),
      groups: [...user.groups],
      ...(user.extra && Object.keys(user.extra).length > 0 ? { extra: user.extra } : {}),
    },
    dryRun: a.dryRun,
    options: optionsOf(a),
  }
}

const optionKinds = { CREATE: 'CreateOptions', UPDATE: 'UpdateOptions', DELETE: 'DeleteOptions', CONNECT: undefined } as const

/** The request's options as an object with its kind. */
export function optionsOf(a: AdmissionAttributes): Record<string, unknown> | null {
  const kind = optionKinds[a.operation]
  if (!kind) return null
  return { kind, apiVersion: 'meta.k8s.io/v1', ...a.options }
}

export interface Input {
  readonly attributes: AdmissionAttributes
  readonly shown: AnyResource
  readonly object: KubernetesObject | undefined
  readonly oldObject: KubernetesObject | undefined
  readonly namespace: KubernetesObject | undefined
  /** null: the policy has parameters and the binding gives none. */
  readonly params: KubernetesObject | null | undefined
  readonly authorizations: Authorizations
}

/** Values of the variables that all admission expressions see. */
export function bindingsOf(input: Input): Bindings {
  const { attributes: a, shown, authorizations } = input
  const lazily = (make: () => CelValue): (() => CelValue) => {
    let value: CelValue | undefined
    return () => (value ??= make())
  }
  return {
    object: lazily(() => celValue(input.object)),
    oldObject: lazily(() => celValue(input.oldObject)),
    namespaceObject: lazily(() => celValue(input.namespace, namespaceDecl)),
    request: lazily(() => celValue(requestFacts(a, shown), requestDecl)),
    ...(input.params === undefined ? {} : { params: lazily(() => celValue(input.params)) }),
    authorizer: lazily(() => authorizerValue(authorizations.oracle)),
    'authorizer.requestResource': lazily(() =>
      resourceCheckValue(authorizations.oracle, {
        group: a.resource.group,
        resource: a.resource.plural,
        subresource: a.subresource,
        namespace: a.namespace,
        name: a.name,
      }),
    ),
  }
}

export type ConditionResult = 'matches' | 'skip' | { readonly error: string }

const compiled = new WeakMap<MatchCondition, CelProgram | string>()

function programOf(condition: MatchCondition, params: boolean): CelProgram | string {
  let program = compiled.get(condition)
  if (program === undefined) {
    program = compileExpression(admissionEnvironment({ params, authorizer: true, patch: false }), condition.expression.trim(), givesBool)
    compiled.set(condition, program)
  }
  return program
}

/** Whether all conditions hold; an error counts by the failure policy. */
export async function evaluateConditions(conditions: readonly MatchCondition[] | undefined, input: Input, failurePolicy: string | undefined): Promise<ConditionResult> {
  if (!conditions || conditions.length === 0) return 'matches'
  const bindings = bindingsOf(input)
  const errors: string[] = []
  let budget = matchConditionsBudget
  for (const condition of conditions) {
    const program = programOf(condition, input.params !== undefined)
    if (typeof program === 'string') {
      errors.push(program)
      continue
    }
    try {
      const { value, cost } = await input.authorizations.settle(() => program.evaluate(bindings, { limit: Math.min(budget, perCallLimit) }))
      budget -= cost
      if (value === false) return 'skip'
    } catch (fault) {
      if (!(fault instanceof CelError)) throw fault
      errors.push(`expression '${condition.expression.trim()}' resulted in error: ${fault.message}`)
    }
  }
  if (errors.length === 0) return 'matches'
  return failurePolicy === 'Ignore' ? 'skip' : { error: errors.length === 1 ? (errors[0] ?? '') : `[${errors.join(', ')}]` }
}
