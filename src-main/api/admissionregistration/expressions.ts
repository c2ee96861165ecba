/**
 * The variables that expressions of admission see (match conditions of webhooks, policies), and the compilation of such
 * expressions with Kubernetes' words for what is wrong with them. Used by validation and by admission itself.
 */
import { CelCompileError, celEnvironment } from '../cel/cel.ts'
import type { CelEnvironment, CelProgram, VariableType } from '../cel/cel.ts'
import type { TypeProvider } from '../cel/checker.ts'
import { authorizerType, resourceCheckType } from '../cel/library/authorizer.ts'
import type { DeclField, DeclType } from '../cel/schema-types.ts'
import { boolType, CelType, dynType, intType, listType, mapType, nullType, sameType, stringType, structType, timestampType, typeText } from '../cel/types.ts'

const text: DeclType = { cel: stringType, minSize: 2, maxElements: 0 }
const integer: DeclType = { cel: intType, minSize: 1, maxElements: 0 }
const flag: DeclType = { cel: boolType, minSize: 4, maxElements: 0 }
const time: DeclType = { cel: timestampType, minSize: 21, maxElements: 32, format: 'date-time' }

/** A declared type without sizes. */
export function plainDecl(cel: CelType): DeclType {
  return { cel, minSize: 1, maxElements: 0 }
}

function listOf(element: DeclType): DeclType {
  return { cel: listType(element.cel), element, minSize: 2, maxElements: 0 }
}
function mapOf(element: DeclType): DeclType {
  return { cel: mapType(stringType, element.cel), element, minSize: 2, maxElements: 0 }
}

/** A struct whose fields are not sized. */
export function structOf(name: string, fields: Readonly<Record<string, DeclType>>): DeclType {
  const declared = new Map<string, DeclField>(Object.entries(fields).map(([field, type]) => [field, { name: field, type, required: false }]))
  return { cel: structType(name), fields: declared, minSize: 2, maxElements: 0 }
}

const groupVersionKind = structOf('kubernetes.GroupVersionKind', { group: text, version: text, kind: text })
const groupVersionResource = structOf('kubernetes.GroupVersionResource', { group: text, version: text, resource: text })

/** The variable `request`. */
export const requestDecl = structOf('kubernetes.AdmissionRequest', {
  kind: groupVersionKind,
  resource: groupVersionResource,
  subResource: text,
  requestKind: groupVersionKind,
  requestResource: groupVersionResource,
  requestSubResource: text,
  name: text,
  namespace: text,
  operation: text,
  userInfo: structOf('kubernetes.UserInfo', { username: text, uid: text, groups: listOf(text), extra: mapOf(listOf(text)) }),
  dryRun: flag,
  options: plainDecl(dynType),
})

/** The variable `namespaceObject`. */
export const namespaceDecl = structOf('kubernetes.Namespace', {
  metadata: structOf('kubernetes.NamespaceMetadata', {
    name: text,
    generateName: text,
    namespace: text,
    labels: mapOf(text),
    annotations: mapOf(text),
    UID: text,
    creationTimestamp: time,
    deletionGracePeriodSeconds: integer,
    deletionTimestamp: time,
    generation: integer,
    resourceVersion: text,
    finalizers: listOf(text),
  }),
  spec: structOf('kubernetes.NamespaceSpec', { finalizers: listOf(text) }),
  status: structOf('kubernetes.NamespaceStatus', {
    conditions: listOf(structOf('kubernetes.NamespaceCondition', { status: text, type: text, lastTransitionTime: time, message: text, reason: text })),
    phase: text,
  }),
})

export const jsonPatchStruct = structType('JSONPatch')
export const objectStruct = structType('Object')

/** Types that mutations make: Object and its parts by path, and JSONPatch. Their fields are checked when they are applied. */
const patchTypes: TypeProvider = {
  hasStruct: name => name === 'JSONPatch' || name === 'Object' || name.startsWith('Object.'),
  fieldType(struct, field) {
    if (struct === 'JSONPatch') return field === 'value' ? dynType : ['op', 'path', 'from'].includes(field) ? stringType : new CelType('struct', '')
    return struct === 'Object' || struct.startsWith('Object.') ? dynType : undefined
  },
}

export interface ExpressionVariables {
  readonly params: boolean
  readonly authorizer: boolean
  readonly patch: boolean
  /** Types of `variables`, by name; absent where there is no composition. */
  readonly composed?: ReadonlyMap<string, CelType>
  /** Replace dyn for type checking. */
  readonly object?: DeclType
  readonly paramsType?: DeclType
}

const plain = new Map<string, CelEnvironment>()

/** The environment for expressions with these variables. */
export function admissionEnvironment(options: ExpressionVariables): CelEnvironment {
  const key = `${options.params} ${options.authorizer} ${options.patch}`
  const shared = !options.composed && !options.object && !options.paramsType
  const known = shared ? plain.get(key) : undefined
  if (known) return known
  const variables: Record<string, VariableType> = {
    object: options.object ?? dynType,
    oldObject: options.object ?? dynType,
    namespaceObject: namespaceDecl,
    request: requestDecl,
    ...(options.params ? { params: options.paramsType ?? dynType } : {}),
    ...(options.authorizer ? { authorizer: authorizerType, 'authorizer.requestResource': resourceCheckType } : {}),
    ...(options.composed ? { variables: structOf('kubernetes.variables', Object.fromEntries([...options.composed].map(([name, type]) => [name, plainDecl(type)]))) } : {}),
  }
  const environment = celEnvironment({ variables, ...(options.patch ? { structs: patchTypes, jsonPatch: true } : {}) })
  if (shared) plain.set(key, environment)
  return environment
}

/** What an expression may give; 'any' for variables. */
export type ReturnTypes = readonly CelType[] | 'any'
export const givesBool: ReturnTypes = [boolType]
export const givesString: ReturnTypes = [stringType]
export const givesStringOrNull: ReturnTypes = [stringType, nullType]
export const givesObject: ReturnTypes = [objectStruct]
export const givesJsonPatch: ReturnTypes = [listType(jsonPatchStruct)]

/** The program, or what is wrong with the expression in Kubernetes' words. */
export function compileExpression(environment: CelEnvironment, expression: string, returns: ReturnTypes): CelProgram | string {
  let program: CelProgram
  try {
    program = environment.compile(expression)
  } catch (fault) {
    if (fault instanceof CelCompileError) return `compilation failed: ${fault.message}`
    throw fault
  }
  if (returns === 'any' || returns.some(type => sameType(type, program.resultType))) return program
  const [only] = returns
  const wanted = returns.length === 1 && only ? typeText(only) : `one of [${returns.map(typeText).join(' ')}]`
  return `must evaluate to ${wanted} but got ${typeText(program.resultType)}`
}
