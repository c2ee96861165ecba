/**
 * Field tables of Kubernetes' built-in kinds on the protobuf wire, compiled from the facts in resources/schema/protobuf.json
 * (kept by test/support/schema/protobuf.ts). Loaded with the first request that speaks protobuf: clusters whose clients all
 * speak JSON never pay for them.
 */
import { parseGroupVersion } from '../../api/meta.ts'

/** [number, JSON name ('' = inlined), type, flags]; flags: p pointer, r repeated, m map, o left out when empty. */
type FieldFact = readonly [number: number, name: string, type: string, flags: string]
export type ProtobufFacts = Readonly<Record<string, readonly FieldFact[]>>

/** What a field holds; 'list' is a message of one repeated field, 'struct' one with a table. */
export type WireType =
  | 'string'
  | 'bytes'
  | 'bool'
  | 'int'
  | 'float64'
  | 'quantity'
  | 'time'
  | 'microTime'
  | 'duration'
  | 'intOrString'
  | 'raw'
  | 'schemaOrArray'
  | 'schemaOrBool'
  | 'schemaOrStrings'
  | 'list'
  | 'struct'

export interface WireField {
  readonly number: number
  /** `''`: the struct's fields stand beside this one's neighbours in JSON. */
  readonly name: string
  readonly type: WireType
  readonly isRepeated: boolean
  readonly isMap: boolean
  /** Left out of JSON when it is empty. */
  readonly omitsEmpty: boolean
  /** The table of a 'struct', and of the schemas in 'schemaOr…'. */
  readonly message: Message | undefined
}

export interface Message {
  readonly name: string
  /** In the order of their numbers. */
  readonly fields: readonly WireField[]
  readonly byNumber: ReadonlyMap<number, WireField>
}

export interface Tables {
  /** The table of a kind; undefined for kinds that have no protobuf form (custom resources, Table). */
  kind(apiVersion: string, kind: string): Message | undefined
}

const ints = new Set(['int32', 'int64', 'uint32', 'uint64'])
const jsonSchema = 'apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaProps'
const metaPackage = 'apimachinery/pkg/apis/meta/v1'

/** Go packages of groups that are not in k8s.io/api. */
const ownPackages: Readonly<Record<string, string>> = {
  'apiextensions.k8s.io': 'apiextensions-apiserver/pkg/apis/apiextensions',
  'apiregistration.k8s.io': 'kube-aggregator/pkg/apis/apiregistration',
  'metrics.k8s.io': 'metrics/pkg/apis/metrics',
}
/** Groups whose package in k8s.io/api has another name than their first word. */
const packageNames: Readonly<Record<string, string>> = { '': 'core', 'rbac.authorization.k8s.io': 'rbac', 'flowcontrol.apiserver.k8s.io': 'flowcontrol' }
const bareGroups = new Set(['apps', 'autoscaling', 'batch', 'policy'])

/** Go package of a group; undefined for groups that are not Kubernetes' own, whatever their first word is. */
function packageOf(group: string): string | undefined {
  if (ownPackages[group] !== undefined) return ownPackages[group]
  const first = group.split('.')[0] ?? ''
  const name = packageNames[group] ?? (bareGroups.has(group) || group === `${first}.k8s.io` ? first : undefined)
  return name === undefined ? undefined : `api/${name}`
}

/** Options travel in the group version of the client, whatever that is; Status and lists of metadata in meta's own. */
function isMetaKind(group: string, kind: string): boolean {
  return group === '' || group === 'meta.k8s.io' || kind.endsWith('Options')
}

export function compileTables(facts: ProtobufFacts): Tables {
  const messages = new Map<string, Message>()

  function message(name: string): Message {
    const known = messages.get(name)
    if (known) return known
    const fields: WireField[] = []
    const byNumber = new Map<number, WireField>()
    const made = { name, fields, byNumber }
    // Known before its fields are: kinds of schemas hold themselves.
    messages.set(name, made)
    for (const fact of [...(facts[name] ?? [])].sort(([a], [b]) => a - b)) {
      const field = fieldOf(fact)
      fields.push(field)
      byNumber.set(field.number, field)
    }
    return made
  }

  function fieldOf([number, name, type, flags]: FieldFact): WireField {
    const target = type.startsWith('schemaOr') ? jsonSchema : type.includes('/') ? type : undefined
    return {
      number,
      name,
      type: type.includes('/') ? 'struct' : type.startsWith('list:') ? 'list' : ints.has(type) ? 'int' : (type as WireType),
      isRepeated: flags.includes('r'),
      isMap: flags.includes('m'),
      omitsEmpty: flags.includes('o') && !flags.includes('p'),
      message: target === undefined ? undefined : message(target),
    }
  }

  return {
    kind(apiVersion, kind) {
      const { group, version } = parseGroupVersion(apiVersion)
      const home = packageOf(group)
      const candidates = [...(home === undefined ? [] : [`${home}/${version}.${kind}`]), ...(isMetaKind(group, kind) ? [`${metaPackage}.${kind}`] : [])]
      const name = candidates.find(candidate => Object.hasOwn(facts, candidate))
      return name === undefined ? undefined : message(name)
    },
  }
}

let tables: Tables | undefined
let loading: Promise<Tables> | undefined

export function loadTables(): Promise<Tables> {
  loading ??= import('../../../resources/schema/protobuf.json', { with: { type: 'json' } }).then(loaded => {
    tables = compileTables(loaded.default as unknown as ProtobufFacts)
    return tables
  })
  return loading
}

/** The tables, where `loadTables` has been awaited by anybody. */
export function loadedTables(): Tables | undefined {
  return tables
}
