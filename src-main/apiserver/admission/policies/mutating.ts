/** MutatingAdmissionPolicy: changes by expressions, as apply configurations (merged by schema) or as JSON patches. */
import { CelError } from '../../../api/cel/cel.ts'
import { runtimeBudget } from '../../../api/cel/limits.ts'
import { CelList, CelMap, toJson } from '../../../api/cel/values.ts'
import type { CelValue } from '../../../api/cel/values.ts'
import { compileExpression, givesJsonPatch, givesObject } from '../../../api/admissionregistration/expressions.ts'
import type { MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding, Mutation } from '../../../api/generated/admissionregistration-v1.ts'
import { cloneJson, compareBytes, deepEqual, isObject } from '../../../api/json.ts'
import { merge, placeOf, placeOfKey, relationOf, type Place } from '../../../api/managed-fields/typed.ts'
import type { KubernetesObject } from '../../../api/meta.ts'
import { groupVersion } from '../../../api/meta.ts'
import { applyJsonPatch } from '../../../api/patch/json-patch.ts'
import { schemaOf } from '../../../api/schema.ts'
import { forbidden, StatusError } from '../../../api/status-error.ts'
import type { AdmissionAttributes, AdmissionPlugin } from '../../contracts.ts'
import { places } from '../../live-copy.ts'
import { Authorizations, bindingsOf, evaluateConditions, type Input } from '../conditions.ts'
import { isExempt } from '../matching.ts'
import { shownAs, takeBack } from '../versions.ts'
import { bindingMatches, policiesWithBindings, policyMatches, type PolicyOptions } from './bindings.ts'
import { collectParams } from './params.ts'
import { compose, Run, type Compiled, type Composition } from './programs.ts'

type Policy = MutatingAdmissionPolicy
type Binding = MutatingAdmissionPolicyBinding

interface Programs {
  readonly composition: Composition
  readonly mutations: readonly Compiled[]
}

const compiled = new WeakMap<Policy, Programs>()

function programsOf(policy: Policy): Programs {
  const known = compiled.get(policy)
  if (known) return known
  const composition = compose(policy.spec?.variables, policy.spec?.paramKind !== undefined)
  const environment = composition.environment({ authorizer: true, patch: true })
  const mutations = (policy.spec?.mutations ?? []).map(mutation => {
    const json = mutation.patchType === 'JSONPatch'
    return compileExpression(environment, (json ? mutation.jsonPatch?.expression : mutation.applyConfiguration?.expression)?.trim() ?? '', json ? givesJsonPatch : givesObject)
  })
  const made = { composition, mutations }
  compiled.set(policy, made)
  return made
}

interface Memory {
  readonly reinvocable: Set<string>
  again: Set<string>
  last: KubernetesObject | undefined
}

interface Denial {
  readonly policy: string
  readonly binding: string
  readonly message: string
}

class Mutator {
  readonly denials: Denial[] = []
  readonly #options: PolicyOptions
  readonly #a: AdmissionAttributes
  readonly #memory: Memory
  readonly #authorizations: Authorizations

  constructor(options: PolicyOptions, a: AdmissionAttributes, memory: Memory) {
    this.#options = options
    this.#a = a
    this.#memory = memory
    this.#authorizations = new Authorizations(options.authorizer, a.user)
  }

  #deny(policy: Policy, binding: Binding, message: string): void {
    if (policy.spec?.failurePolicy === 'Ignore') return
    this.denials.push({ policy: policy.metadata.name ?? '', binding: binding.metadata.name ?? '', message })
  }

  async run(policy: Policy, bindings: readonly Binding[]): Promise<void> {
    const a = this.#a
    for (const binding of bindings) {
      const shown = policyMatches(this.#options.matching, a, policy.spec?.matchConstraints)
      if (!shown || !bindingMatches(this.#options.matching, a, binding.spec?.matchResources)) continue
      let params
      try {
        params = await collectParams(this.#options, policy.spec?.paramKind, binding.spec?.paramRef, a.namespace)
      } catch (fault) {
        this.#deny(policy, binding, `failed to configure binding: ${fault instanceof Error ? fault.message : String(fault)}`)
        continue
      }
      for (const param of params) {
        const key = `${policy.metadata.name ?? ''}/${binding.metadata.name ?? ''}/${param?.metadata.namespace ?? ''}/${param?.metadata.name ?? ''}`
        const before = cloneJson(a.object)
        const invoked = await this.#invoke(policy, binding, param, shown, key)
        if (!invoked) continue
        if (!deepEqual(before, a.object)) {
          for (const id of this.#memory.reinvocable) this.#memory.again.add(id)
          a.reinvocation.wanted = true
        }
        if (policy.spec?.reinvocationPolicy === 'IfNeeded') this.#memory.reinvocable.add(key)
      }
    }
  }

  async #invoke(policy: Policy, binding: Binding, params: Input['params'], shown: Input['shown'], key: string): Promise<boolean> {
    const a = this.#a
    const inputNow = async (): Promise<Input> => {
      const [object, oldObject] = await Promise.all([shownAs(a, a.object, shown), shownAs(a, a.previous, shown)])
      return { attributes: a, shown, object, oldObject, namespace: this.#options.matching.namespaceOf(a), params, authorizations: this.#authorizations }
    }
    const conditions = await evaluateConditions(policy.spec?.matchConditions, { ...(await inputNow()), namespace: undefined }, policy.spec?.failurePolicy)
    if (conditions === 'skip') return false
    if (conditions !== 'matches') {
      this.#deny(policy, binding, conditions.error)
      return false
    }
    if (a.reinvocation.active && !this.#memory.again.has(key)) return false
    const { composition, mutations } = programsOf(policy)
    for (const [index, mutation] of (policy.spec?.mutations ?? []).entries()) {
      if (!a.object) continue
      const input = await inputNow()
      try {
        const program = mutations[index]
        if (program === undefined || typeof program === 'string') throw new CelError(program ?? 'the mutation has no expression')
        const run = new Run(composition, bindingsOf(input), this.#authorizations, runtimeBudget)
        const changed = change(input, mutation, await evaluated(run, program))
        if (changed) await takeBack(a, changed, shown)
      } catch (fault) {
        if (!(fault instanceof CelError)) throw fault
        this.#deny(policy, binding, fault.message)
      }
    }
    return true
  }
}

async function evaluated(run: Run, program: Exclude<Compiled, string>): Promise<CelValue> {
  try {
    return await run.evaluate(program)
  } catch (fault) {
    if (!(fault instanceof CelError)) throw fault
    throw new CelError(`expression '${program.expression}' resulted in error: ${fault.message}`)
  }
}

/** The changed object; undefined where a test of a JSON patch failed, which leaves it as it is. Throws CelError. */
function change(input: Input, mutation: Mutation, value: CelValue): KubernetesObject | undefined {
  const { object, shown } = input
  if (!object) return undefined
  if (mutation.patchType === 'JSONPatch') return patched(object, value)
  checkTypeNames(value, 'Object')
  const place = placeOf(schemaOf(shown))
  const applied = { apiVersion: groupVersion(shown.group, shown.version), kind: shown.kind, ...(toJson(value) as Record<string, unknown>) }
  const atomics = atomicPaths(applied, place, '')
  if (atomics.length > 0) throw new CelError(`error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${atomics.join(', ')}`)
  return merge(cloneJson(object), applied, place) as KubernetesObject
}

function patched(object: KubernetesObject, value: CelValue): KubernetesObject | undefined {
  if (!(value instanceof CelList)) throw new CelError('type mismatch: JSONPatchType.expression should evaluate to array')
  const operations = [...value].map(operation => toJson(operation) as Record<string, unknown>)
  const copy = cloneJson(object)
  let last: unknown
  try {
    for (const operation of operations) {
      last = operation['op']
      applyJsonPatch(copy, [operation])
    }
    return copy
  } catch (fault) {
    if (!(fault instanceof StatusError)) throw fault
    if (last === 'test') return undefined
    throw new CelError(`JSON Patch: ${fault.message}`)
  }
}

/** `Object.spec{selector: Object.spec.wrong{}}` names a type that is not the field's. Throws CelError. */
function checkTypeNames(value: CelValue, path: string): void {
  if (value instanceof CelList) {
    for (const item of value) checkTypeNames(item, path)
    return
  }
  if (!(value instanceof CelMap)) return
  if (value.typeName !== undefined && value.typeName !== path)
    throw new CelError(
      `type mismatch: unexpected type name ${JSON.stringify(value.typeName)}, expected ${JSON.stringify(path)}, which matches field name path from root Object type`,
    )
  if (value.typeName === undefined) return
  for (const key of value.keys()) checkTypeNames(value.get(key) ?? null, `${path}.${String(key)}`)
}

/** Lists, maps and structs in a configuration that have one owner as a whole. */
function atomicPaths(value: unknown, place: Place, path: string): string[] {
  const { schema } = place
  if (!schema) return []
  if (Array.isArray(value)) {
    if (schema.type !== 'list') return []
    if (schema.listType === 'atomic') return [path]
    const items = schema.items
    return items ? value.flatMap((item, i) => atomicPaths(item, placeOf(items), `${path}[${i}]`)) : []
  }
  if (!isObject(value)) return []
  if (relationOf(place, value) === 'leaf' && (schema.type === 'map' || schema.type === 'struct')) return [path]
  return Object.entries(value).flatMap(([key, child]) => atomicPaths(child, placeOfKey(place, key), `${path}.${key}`))
}

export function mutatingPolicies(options: PolicyOptions): AdmissionPlugin {
  const active = policiesWithBindings<Policy, Binding>(
    options.copies.of<Policy>(places.mutatingAdmissionPolicies),
    options.copies.of<Binding>(places.mutatingAdmissionPolicyBindings),
    (a, b) => compareBytes(a, b),
  )
  const name = 'MutatingAdmissionPolicy'
  return {
    name,
    async mutate(a) {
      const all = active()
      if (all.length === 0 || isExempt(a)) return
      const memory = (a.reinvocation.state.get(name) ?? { reinvocable: new Set(), again: new Set(), last: undefined }) as Memory
      a.reinvocation.state.set(name, memory)
      if (a.reinvocation.active && !deepEqual(memory.last, a.object)) memory.again = new Set(memory.reinvocable)
      const mutator = new Mutator(options, a, memory)
      for (const { policy, bindings } of all) await mutator.run(policy, bindings)
      memory.last = cloneJson(a.object)
      const [first] = mutator.denials
      if (!first) return
      const texts = mutator.denials.map(denial => `policy '${denial.policy}' with binding '${denial.binding}' denied request: ${denial.message}`)
      const base = forbidden(a.resource.group, a.resource.plural, a.name, '')
      throw new StatusError(403, 'Invalid', texts[0] ?? '', { ...base.status.details, causes: texts.map(message => ({ message })) })
    },
  }
}
