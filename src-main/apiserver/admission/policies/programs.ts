/** The expressions of a policy, compiled once for each of its versions. */
import { CelError } from '../../../api/cel/cel.ts'
import type { Bindings, CelProgram } from '../../../api/cel/cel.ts'
import { perCallLimit } from '../../../api/cel/limits.ts'
import { CelMap } from '../../../api/cel/values.ts'
import type { CelValue } from '../../../api/cel/values.ts'
import { dynType } from '../../../api/cel/types.ts'
import type { CelType } from '../../../api/cel/types.ts'
import type { CelEnvironment } from '../../../api/cel/cel.ts'
import { admissionEnvironment, compileExpression, type ReturnTypes } from '../../../api/admissionregistration/expressions.ts'
import type { Variable } from '../../../api/generated/admissionregistration-v1.ts'
import type { Authorizations } from '../conditions.ts'

export type Compiled = CelProgram | string

export interface Composition {
  readonly variables: readonly { readonly name: string; readonly program: Compiled }[]
  environment(options: { readonly authorizer: boolean; readonly patch: boolean }): CelEnvironment
}

/** Compiles variables in order; each sees those before it. */
export function compose(variables: readonly Variable[] | undefined, params: boolean): Composition {
  const types = new Map<string, CelType>()
  const programs = (variables ?? []).map(({ name, expression }) => {
    const program = compileExpression(admissionEnvironment({ params, authorizer: true, patch: false, composed: types }), expression, 'any')
    types.set(name, typeof program === 'string' ? dynType : program.resultType)
    return { name, program }
  })
  return { variables: programs, environment: options => admissionEnvironment({ params, ...options, composed: types }) }
}

export function compileAll<T>(
  items: readonly T[] | undefined,
  environment: CelEnvironment,
  expression: (item: T) => string | undefined,
  returns: ReturnTypes,
): (Compiled | undefined)[] {
  return (items ?? []).map(item => {
    const text = expression(item)
    return text === undefined || text.trim() === '' ? undefined : compileExpression(environment, text.trim(), returns)
  })
}

/** Variables are evaluated when they are first asked for, once a request. */
class VariableMap extends CelMap {
  readonly #values: ReadonlyMap<string, () => CelValue>
  constructor(values: ReadonlyMap<string, () => CelValue>) {
    super('kubernetes.variables')
    this.#values = values
  }
  get size(): number {
    return this.#values.size
  }
  get(key: CelValue): CelValue | undefined {
    return typeof key === 'string' ? this.#values.get(key)?.() : undefined
  }
  override has(key: CelValue): boolean {
    return typeof key === 'string' && this.#values.has(key)
  }
  keys(): readonly CelValue[] {
    return [...this.#values.keys()]
  }
}

/** Runs a policy's programs with one budget. */
export class Run {
  readonly #bindings: Bindings
  readonly #authorizations: Authorizations
  #budget: number

  constructor(composition: Composition, base: Bindings, authorizations: Authorizations, budget: number) {
    this.#authorizations = authorizations
    this.#budget = budget
    const values = new Map<string, () => CelValue>()
    const bindings: Bindings = { ...base, variables: new VariableMap(values) }
    for (const { name, program } of composition.variables) {
      let value: CelValue | undefined
      let failed: CelError | undefined
      values.set(name, () => {
        if (failed) throw failed
        if (value !== undefined) return value
        try {
          if (typeof program === 'string') throw new CelError(`composited variable ${JSON.stringify(name)} fails to compile: ${program}`)
          const result = program.evaluate(bindings, { limit: Math.min(this.#budget, perCallLimit) })
          this.#budget -= result.cost
          value = result.value
          return value
        } catch (fault) {
          if (!(fault instanceof CelError)) throw fault
          failed = fault.isCostLimit ? fault : new CelError(`composited variable ${JSON.stringify(name)} fails to evaluate: ${fault.message}`)
          throw failed
        }
      })
    }
    this.#bindings = bindings
  }

  /** Throws CelError. */
  async evaluate(program: CelProgram): Promise<CelValue> {
    const { value, cost } = await this.#authorizations.settle(() => program.evaluate(this.#bindings, { limit: Math.min(Math.max(0, this.#budget), perCallLimit) }))
    this.#budget -= cost
    if (this.#budget < 0) throw new CelError('validation failed due to running out of cost budget, no further validation rules will be run', true)
    return value
  }
}
