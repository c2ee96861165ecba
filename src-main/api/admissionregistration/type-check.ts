/** Checks a policy's expressions against the types of what it matches: warnings for its author, never a refusal. Pure. */
import { declTypeOfFacts, declTypeOfSchema, type DeclType } from '../cel/schema-types.ts'
import { dynType } from '../cel/types.ts'
import type { CelType } from '../cel/types.ts'
import type { ExpressionWarning, RuleWithOperations, ValidatingAdmissionPolicy } from '../generated/admissionregistration-v1.ts'
import { compareBytes } from '../json.ts'
import { groupVersion, parseGroupVersion } from '../meta.ts'
import type { AnyResource } from '../resource.ts'
import { schemaOf } from '../schema.ts'
import { admissionEnvironment, compileExpression } from './expressions.ts'

/** Types of one rule; more are not looked at. */
const maxTypes = 10

function declTypeOf(r: AnyResource): DeclType | undefined {
  return typeof r.schema === 'string' ? declTypeOfFacts(schemaOf(r)) : declTypeOfSchema(r.schema, { root: true })
}

/** The kinds that a policy names, without wildcards and subresources, in order. */
function matchedKinds(policy: ValidatingAdmissionPolicy, resources: readonly AnyResource[]): AnyResource[] {
  const found = new Set<AnyResource>()
  for (const rule of policy.spec?.matchConstraints?.resourceRules ?? []) for (const r of kindsOfRule(rule, resources)) found.add(r)
  return [...found].sort((a, b) => compareBytes(a.group, b.group) || compareBytes(a.version, b.version) || compareBytes(a.kind, b.kind))
}

function kindsOfRule({ apiGroups = [], apiVersions = [], resources: plurals = [] }: RuleWithOperations, resources: readonly AnyResource[]): AnyResource[] {
  if ([...apiGroups, ...apiVersions].some(name => name.includes('*'))) return []
  return resources.filter(r => apiGroups.includes(r.group) && apiVersions.includes(r.version) && plurals.includes(r.plural)).slice(0, maxTypes)
}

interface Types {
  readonly object: DeclType
  readonly params: boolean
  readonly paramsType: DeclType | undefined
}

function faultOf(policy: ValidatingAdmissionPolicy, types: Types, expression: string): string | undefined {
  const composed = new Map<string, CelType>()
  const environment = (): ReturnType<typeof admissionEnvironment> =>
    admissionEnvironment({
      params: types.params,
      authorizer: true,
      patch: false,
      composed,
      object: types.object,
      ...(types.paramsType ? { paramsType: types.paramsType } : {}),
    })
  for (const variable of policy.spec?.variables ?? []) {
    const program = compileExpression(environment(), variable.expression, 'any')
    composed.set(variable.name, typeof program === 'string' ? dynType : program.resultType)
  }
  const program = compileExpression(environment(), expression, 'any')
  return typeof program === 'string' ? program : undefined
}

/** `resources` are all kinds that are served. */
export function typeCheck(policy: ValidatingAdmissionPolicy, resources: readonly AnyResource[]): ExpressionWarning[] {
  const kind = policy.spec?.paramKind
  const { group, version } = parseGroupVersion(kind?.apiVersion ?? '')
  const paramKind = kind && resources.find(r => r.group === group && r.version === version && r.kind === kind.kind)
  const paramsType = paramKind && declTypeOf(paramKind)
  const kinds = matchedKinds(policy, resources).flatMap(r => {
    const object = declTypeOf(r)
    return object ? [{ r, types: { object, params: kind !== undefined, paramsType } }] : []
  })
  const check = (expression: string): string =>
    kinds
      .flatMap(({ r, types }) => {
        const fault = faultOf(policy, types, expression)
        const shown = r.group === '' ? `/${r.version}` : groupVersion(r.group, r.version)
        return fault === undefined ? [] : [`${shown}, Kind=${r.kind}: ${fault}\n`]
      })
      .join('\n')
  return (policy.spec?.validations ?? []).flatMap((validation, i) => {
    const place = `spec.validations[${i}]`
    const expression = check(validation.expression)
    const message = validation.messageExpression ? check(validation.messageExpression) : ''
    return [
      ...(expression === '' ? [] : [{ fieldRef: `${place}.expression`, warning: expression }]),
      ...(message === '' ? [] : [{ fieldRef: `${place}.messageExpression`, warning: message }]),
    ]
  })
}
