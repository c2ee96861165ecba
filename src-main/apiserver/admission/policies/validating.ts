/** ValidatingAdmissionPolicy: expressions instead of webhooks, bound to what they are about. */
import { CelError } from '../../../api/cel/cel.ts'
import { maxMessageBytes, runtimeBudget } from '../../../api/cel/limits.ts'
import { givesBool, givesString, givesStringOrNull } from '../../../api/admissionregistration/expressions.ts'
import type { AuditAnnotation, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, Validation } from '../../../api/generated/admissionregistration-v1.ts'
import { compareBytes } from '../../../api/json.ts'
import { byteLength } from '../../../api/names.ts'
import { forbidden, StatusError } from '../../../api/status-error.ts'
import type { AdmissionAttributes, AdmissionPlugin } from '../../contracts.ts'
import { places } from '../../live-copy.ts'
import { Authorizations, bindingsOf, evaluateConditions, type Input } from '../conditions.ts'
import { isExempt } from '../matching.ts'
import { shownAs } from '../versions.ts'
import { bindingMatches, policiesWithBindings, policyMatches, type PolicyOptions } from './bindings.ts'
import { collectParams } from './params.ts'
import { compileAll, compose, Run, type Compiled, type Composition } from './programs.ts'

type Policy = ValidatingAdmissionPolicy
type Binding = ValidatingAdmissionPolicyBinding

interface Programs {
  readonly composition: Composition
  readonly validations: readonly (Compiled | undefined)[]
  readonly messages: readonly (Compiled | undefined)[]
  readonly annotations: readonly (Compiled | undefined)[]
}

interface Denial {
  readonly policy: Policy
  readonly binding: Binding | undefined
  readonly message: string
  readonly reason: string
}

interface Failure {
  readonly message: string
  readonly policy: string
  readonly binding: string
  readonly expressionIndex: number
  readonly validationActions: readonly string[]
}

/** Of one audit annotation's value. */
const maxAnnotationBytes = 10 * 1024
/** In the audit annotation that lists failures. */
const maxListedFailures = 50
const codes: Readonly<Record<string, number>> = { Forbidden: 403, Unauthorized: 401, RequestEntityTooLarge: 413, Invalid: 422 }

const compiled = new WeakMap<Policy, Programs>()

function programsOf(policy: Policy): Programs {
  const known = compiled.get(policy)
  if (known) return known
  const { spec } = policy
  const composition = compose(spec?.variables, spec?.paramKind !== undefined)
  const environment = composition.environment({ authorizer: true, patch: false })
  const made: Programs = {
    composition,
    validations: compileAll<Validation>(spec?.validations, environment, v => v.expression, givesBool),
    messages: compileAll<Validation>(spec?.validations, composition.environment({ authorizer: false, patch: false }), v => v.messageExpression, givesString),
    annotations: compileAll<AuditAnnotation>(spec?.auditAnnotations, environment, v => v.valueExpression, givesStringOrNull),
  }
  compiled.set(policy, made)
  return made
}

/** One request against all policies. */
class Validator {
  readonly denials: Denial[] = []
  readonly failures: Failure[] = []
  readonly #options: PolicyOptions
  readonly #a: AdmissionAttributes
  readonly #authorizations: Authorizations

  constructor(options: PolicyOptions, a: AdmissionAttributes) {
    this.#options = options
    this.#a = a
    this.#authorizations = new Authorizations(options.authorizer, a.user)
  }

  #misconfigured(policy: Policy, binding: Binding | undefined, fault: unknown): void {
    if (policy.spec?.failurePolicy === 'Ignore') return
    const message = `failed to configure ${binding ? 'binding' : 'policy'}: ${fault instanceof Error ? fault.message : String(fault)}`
    this.denials.push({ policy, binding, message, reason: '' })
  }

  async check(policy: Policy, bindings: readonly Binding[]): Promise<void> {
    const a = this.#a
    const shown = policyMatches(this.#options.matching, a, policy.spec?.matchConstraints)
    if (!shown) return
    const annotations = new Map<string, string[]>()
    for (const binding of bindings) {
      if (!bindingMatches(this.#options.matching, a, binding.spec?.matchResources)) continue
      let params
      try {
        params = await collectParams(this.#options, policy.spec?.paramKind, binding.spec?.paramRef, a.namespace)
      } catch (fault) {
        this.#misconfigured(policy, binding, fault)
        continue
      }
      const [object, oldObject] = await Promise.all([shownAs(a, a.object, shown), shownAs(a, a.previous, shown)])
      const namespace = this.#options.matching.namespaceOf(a)
      for (const param of params) {
        const input: Input = { attributes: a, shown, object, oldObject, namespace, params: param, authorizations: this.#authorizations }
        await this.#evaluate(policy, binding, input, annotations)
      }
    }
    for (const [key, values] of annotations) a.annotate(`${policy.metadata.name ?? ''}/${key}`, values.join(', '))
  }

  #decide(policy: Policy, binding: Binding, index: number, message: string, reason: string): void {
    const actions = binding.spec?.validationActions ?? []
    for (const action of actions) {
      if (action === 'Deny') this.denials.push({ policy, binding, message, reason })
      else if (action === 'Warn')
        this.#a.warn(`Validation failed for ValidatingAdmissionPolicy '${policy.metadata.name ?? ''}' with binding '${binding.metadata.name ?? ''}': ${message}`)
      else this.failures.push({ message, policy: binding.spec?.policyName ?? '', binding: binding.metadata.name ?? '', expressionIndex: index, validationActions: actions })
    }
  }

  #error(policy: Policy, binding: Binding, index: number, message: string): void {
    if (policy.spec?.failurePolicy !== 'Ignore') this.#decide(policy, binding, index, message, '')
  }

  async #evaluate(policy: Policy, binding: Binding, input: Input, annotations: Map<string, string[]>): Promise<void> {
    const { spec } = policy
    const conditions = await evaluateConditions(spec?.matchConditions, { ...input, namespace: undefined }, spec?.failurePolicy)
    if (conditions === 'skip') return
    if (conditions !== 'matches') return this.#error(policy, binding, 0, conditions.error)
    const programs = programsOf(policy)
    const run = new Run(programs.composition, bindingsOf(input), this.#authorizations, runtimeBudget)
    for (const [index, validation] of (spec?.validations ?? []).entries()) {
      const program = programs.validations[index]
      if (program === undefined) continue
      try {
        if (typeof program === 'string') throw new CelError(program)
        if ((await run.evaluate(program)) === true) continue
      } catch (fault) {
        if (!(fault instanceof CelError)) throw fault
        this.#error(policy, binding, index, typeof program === 'string' ? fault.message : `expression '${validation.expression.trim()}' resulted in error: ${fault.message}`)
        continue
      }
      this.#decide(policy, binding, index, await messageOf(run, validation, programs.messages[index]), validation.reason ?? 'Invalid')
    }
    await this.#annotate(policy, binding, programs, run, annotations)
  }

  async #annotate(policy: Policy, binding: Binding, programs: Programs, run: Run, annotations: Map<string, string[]>): Promise<void> {
    for (const [index, { key }] of (policy.spec?.auditAnnotations ?? []).entries()) {
      const program = programs.annotations[index]
      if (program === undefined) continue
      try {
        if (typeof program === 'string') throw new CelError(program)
        const value = await run.evaluate(program)
        const text = typeof value === 'string' ? value.trim().slice(0, maxAnnotationBytes) : ''
        const known = annotations.get(key) ?? []
        if (text !== '' && !known.includes(text)) annotations.set(key, [...known, text])
      } catch (fault) {
        if (!(fault instanceof CelError)) throw fault
        if (policy.spec?.failurePolicy !== 'Ignore') this.denials.push({ policy, binding, message: fault.message, reason: '' })
      }
    }
  }
}

/** The messageExpression's text, else the message, else the expression. */
async function messageOf(run: Run, validation: Validation, program: Compiled | undefined): Promise<string> {
  let text = ''
  if (program !== undefined && typeof program !== 'string') {
    try {
      const value = await run.evaluate(program)
      if (typeof value === 'string') text = value.trim()
    } catch (fault) {
      if (!(fault instanceof CelError)) throw fault
    }
    if (byteLength(text) > maxMessageBytes || text.includes('\n')) text = ''
  }
  if (text === '') text = validation.message?.trim() ?? ''
  return text === '' ? `failed expression: ${validation.expression.trim()}` : text
}

function denied(a: AdmissionAttributes, { policy, binding, message, reason }: Denial): StatusError {
  const by = binding ? `'${policy.metadata.name ?? ''}' with binding '${binding.metadata.name ?? ''}'` : `'${policy.metadata.name ?? ''}'`
  const text = `ValidatingAdmissionPolicy ${by} denied request: ${message}`
  const base = forbidden(a.resource.group, a.resource.plural, a.name || (a.object?.metadata.name ?? ''), text)
  const word = reason === '' ? 'Invalid' : reason
  return new StatusError(codes[word] ?? 422, word as StatusError['reason'], base.message, { ...base.status.details, causes: [{ message: text }] })
}

export function validatingPolicies(options: PolicyOptions): AdmissionPlugin {
  const active = policiesWithBindings<Policy, Binding>(
    options.copies.of<Policy>(places.validatingAdmissionPolicies),
    options.copies.of<Binding>(places.validatingAdmissionPolicyBindings),
    (a, b) => compareBytes(a, b),
  )
  return {
    name: 'ValidatingAdmissionPolicy',
    async validate(a) {
      const all = active()
      if (all.length === 0 || isExempt(a)) return
      const validator = new Validator(options, a)
      for (const { policy, bindings } of all) await validator.check(policy, bindings)
      if (validator.failures.length > 0) a.annotate('validation.policy.admission.k8s.io/validation_failure', JSON.stringify(validator.failures.slice(0, maxListedFailures)))
      const [first] = validator.denials
      if (first) throw denied(a, first)
    },
  }
}
