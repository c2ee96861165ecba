/**
 * The Common Expression Language as Kubernetes v1.37 embeds it: its libraries, types from schemas, estimated and real
 * costs, and error texts. An own engine: no package on npm counts costs or says what Kubernetes says.
 */
import { checkExpression } from './checker.ts'
import type { Checked, TypeProvider } from './checker.ts'
import { estimateCost } from './cost-estimate.ts'
import type { Range } from './cost-estimate.ts'
import { CelCompileError } from './errors.ts'
import { functionTable } from './functions.ts'
import type { FunctionTable } from './functions.ts'
import { compileRunner } from './interpreter.ts'
import type { Bindings, Evaluation, EvaluationOptions, Runner } from './interpreter.ts'
import { addressLibraries, cidrType, ipType, urlType } from './library/addresses.ts'
import { authorizerLibrary, authorizerTypes } from './library/authorizer.ts'
import { collectionLibraries } from './library/collections.ts'
import { formatType as namedFormatType, jsonPatchLibrary, kubernetesLibraries, quantityType, semverType } from './library/kubernetes.ts'
import { standardLibraries } from './library/standard.ts'
import { textLibrary } from './library/text.ts'
import { literalFaults } from './literals.ts'
import { parseExpression } from './parser.ts'
import { structsOf, typeAt } from './schema-types.ts'
import type { DeclType } from './schema-types.ts'
import {
  boolType,
  bytesType,
  CelType,
  doubleType,
  durationType,
  dynType,
  intType,
  listType,
  mapType,
  nullType,
  optionalType,
  stringType,
  timestampType,
  typeType,
  uintType,
} from './types.ts'

export { CelCompileError, CelError } from './errors.ts'
export type { Bindings, Evaluation } from './interpreter.ts'

/** A variable's type: plain, by a schema, or an optional of a schema's. */
export type VariableType = CelType | DeclType | { readonly optional: DeclType }

export interface EnvironmentOptions {
  readonly variables: Readonly<Record<string, VariableType>>
  /** Further structs that expressions may make or select from. */
  readonly structs?: TypeProvider
  /** Adds jsonpatch.escapeKey. */
  readonly jsonPatch?: boolean
}

export interface CelProgram {
  readonly expression: string
  readonly resultType: CelType
  usesVariable(name: string): boolean
  /** The variables' sizes are those of their schemas. */
  estimate(): Range
  /** Throws CelError. */
  evaluate(bindings: Bindings, options: EvaluationOptions): Evaluation
}

export interface CelEnvironment {
  /** Throws CelCompileError. */
  compile(expression: string): CelProgram
}

const libraries = [...standardLibraries, textLibrary, ...collectionLibraries, ...addressLibraries, ...kubernetesLibraries, authorizerLibrary]
let baseFunctions: FunctionTable | undefined
let patchFunctions: FunctionTable | undefined

function functionsFor(jsonPatch: boolean): FunctionTable {
  if (jsonPatch) return (patchFunctions ??= functionTable([...libraries, jsonPatchLibrary]))
  return (baseFunctions ??= functionTable(libraries))
}

const named: readonly (readonly [string, CelType])[] = [
  ['bool', boolType],
  ['bytes', bytesType],
  ['double', doubleType],
  ['int', intType],
  ['uint', uintType],
  ['string', stringType],
  ['list', listType(dynType)],
  ['map', mapType(dynType, dynType)],
  ['null_type', nullType],
  ['type', typeType],
  ['dyn', dynType],
  ['optional_type', optionalType(dynType)],
  ['google.protobuf.Timestamp', timestampType],
  ['google.protobuf.Duration', durationType],
  ...[ipType, cidrType, urlType, quantityType, semverType, namedFormatType, ...authorizerTypes].map(t => [t.name, t] as const),
]
const typeNames: ReadonlyMap<string, CelType> = new Map(named)

function isDecl(type: VariableType): type is DeclType {
  return 'cel' in type
}

/** The declared part of a variable's type. */
function declOf(type: VariableType): DeclType | undefined {
  if (type instanceof CelType) return undefined
  return isDecl(type) ? type : type.optional
}

function plainType(type: VariableType): CelType {
  if (type instanceof CelType) return type
  return isDecl(type) ? type.cel : optionalType(type.optional.cel)
}

export function celEnvironment(options: EnvironmentOptions): CelEnvironment {
  const variables = new Map(Object.entries(options.variables).map(([name, type]) => [name, plainType(type)]))
  const structs = new Map<string, DeclType>()
  for (const type of Object.values(options.variables)) {
    const decl = declOf(type)
    if (decl) structsOf(decl, structs)
  }
  const provider: TypeProvider = {
    hasStruct: name => options.structs?.hasStruct(name) ?? false,
    fieldType: (struct, field) => structs.get(struct)?.fields?.get(field)?.type.cel ?? options.structs?.fieldType(struct, field),
  }
  const sizeAt = ([variable = '', ...rest]: readonly string[]): number | undefined => {
    const type = Object.hasOwn(options.variables, variable) ? options.variables[variable] : undefined
    const decl = type && declOf(type)
    return decl && typeAt(decl, rest)?.maxElements
  }
  return {
    compile(expression) {
      const parsed = parseExpression(expression)
      const checked = checkExpression(parsed, { variables, functions: functionsFor(options.jsonPatch ?? false), typeNames, provider })
      const faults = literalFaults(checked)
      if (faults.length > 0) throw new CelCompileError(parsed.source.display(faults))
      return program(expression, checked, sizeAt)
    },
  }
}

function program(expression: string, checked: Checked, sizeAt: (path: readonly string[]) => number | undefined): CelProgram {
  let runner: Runner | undefined
  return {
    expression,
    resultType: checked.type,
    usesVariable: name => checked.variables.has(name),
    estimate: () => estimateCost(checked, sizeAt),
    evaluate: (bindings, limits) => (runner ??= compileRunner(checked))(bindings, limits),
  }
}
