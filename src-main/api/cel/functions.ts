/** What a function of CEL is: a name with overloads, each with types, an implementation and costs. */
import { sizeOf } from './values.ts'
import type { CelValue } from './values.ts'
import type { CelType } from './types.ts'

export interface Overload {
  readonly id: string
  readonly args: readonly CelType[]
  readonly result: CelType
  /** Called as `args[0].name(args[1], …)`. */
  readonly member: boolean
  /** Throws CelError. Absent where the interpreter does it itself (&&, ||, ?:, indexing). */
  readonly run?: (...args: never[]) => CelValue
}

export interface CelFunction {
  readonly name: string
  readonly overloads: readonly Overload[]
}

export type FunctionTable = ReadonlyMap<string, CelFunction>

type Run = (...args: never[]) => CelValue

export function member(id: string, args: readonly CelType[], result: CelType, run?: Run): Overload {
  return { id, args, result, member: true, ...(run ? { run } : {}) }
}

export function global(id: string, args: readonly CelType[], result: CelType, run?: Run): Overload {
  return { id, args, result, member: false, ...(run ? { run } : {}) }
}

/** A library: functions by name. Names that several libraries have get all their overloads. */
export type Library = Readonly<Record<string, readonly Overload[]>>

export function functionTable(libraries: readonly Library[]): FunctionTable {
  const table = new Map<string, CelFunction>()
  for (const library of libraries) {
    for (const [name, overloads] of Object.entries(library)) {
      table.set(name, { name, overloads: [...(table.get(name)?.overloads ?? []), ...overloads] })
    }
  }
  return table
}

/** Ceiling of size × factor. */
export function traversal(value: CelValue, factor: number): number {
  return Math.ceil(sizeOf(value) * factor)
}
