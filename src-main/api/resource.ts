/**
 * The declaration of a kind. Everything generic is derived from the list of declarations (api/resources.ts): routes,
 * discovery, OpenAPI, tables, storage keys, clients, the garbage-collection graph and the window's menu and lists.
 * Field names, types, list types and merge keys come from the schema facts (resources/schema); a declaration adds
 * only what Kubernetes' OpenAPI does not say: defaults, validation, strategy, columns, selectable fields.
 */
import type { KubernetesObject } from './meta.ts'
import type { FieldErrorList, FieldPath } from './field-errors.ts'

export type Scope = 'Namespaced' | 'Cluster'

export type Verb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch'
export const allVerbs: readonly Verb[] = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']

/** One column of the server-side table (kubectl get). Age columns give a timestamp through `ageOf`-style helpers of table.ts. */
export interface Column<T> {
  readonly name: string
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date'
  /** Default ''. The first column has 'name'. */
  readonly format?: string
  /** 0 shows always, 1 only with -o wide. Default 0. */
  readonly priority?: number
  /** `listed` is there when the row belongs to a list: the objects beside it. */
  readonly value: (object: T, now: number, listed?: readonly T[]) => unknown
  /** A cell without a column: upstream has one such. */
  readonly unlisted?: boolean
}

/** meta/v1 TableRowCondition. */
export interface RowCondition {
  readonly type: 'Completed'
  readonly status: 'True'
  readonly reason: string
  readonly message: string
}

/** Who and what surrounds a write. */
export interface WriteContext {
  readonly user: { readonly name: string; readonly groups: readonly string[]; readonly uid?: string; readonly extra?: Readonly<Record<string, readonly string[]>> }
  /** Wall clock, milliseconds. */
  readonly now: number
  readonly dryRun: boolean
}

export interface ScalePaths {
  readonly replicas: string
  readonly current: string
  readonly selector?: string
}

/** How a declaration reads and writes objects that another declaration stores. Both functions return new objects and never alter what they are given. */
export interface Conversion<T extends KubernetesObject> {
  /** The declaration in whose shape, and under whose storage key, objects are kept. */
  readonly of: AnyResource
  toStored(object: T): KubernetesObject
  /** The stored object itself where nothing is to be changed. */
  fromStored(stored: KubernetesObject): T
  /** Must be awaited before either function is called with these objects; absent where nothing has to be waited for. */
  prepare?(objects: readonly KubernetesObject[], direction: 'toStored' | 'fromStored'): Promise<void>
}

export interface ResourceDefinition<T extends KubernetesObject = KubernetesObject> {
  /** '' for the core group. */
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  /** Default: kind in lower case. */
  readonly singular?: string
  readonly listKind?: string
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
  readonly scope: Scope
  /** Default allVerbs. Reviews have only create. */
  readonly verbs?: readonly Verb[]
  /** Name of the definition in the schema facts, e.g. io.k8s.api.core.v1.Pod; custom kinds give their schema instead. */
  readonly schema: string | Record<string, unknown>
  readonly subresources?: {
    readonly status?: boolean
    readonly scale?: ScalePaths
    /** Further ones that have their own handler in apiserver/subresources: binding, eviction, log, exec, attach, portforward, proxy, token, approval, ephemeralcontainers, resize, finalize. */
    readonly others?: readonly string[]
  }
  /** 'store' (default) keeps objects; 'virtual' is answered by a VirtualStorage given to the API server (reviews, metrics). */
  readonly storage?: 'store' | 'virtual'
  readonly columns: readonly Column<T>[]
  /** Conditions of an object's row in the table (kubectl greys out completed pods). */
  readonly rowConditions?: (object: T) => readonly RowCondition[]
  /** Place in the window's tree. */
  readonly menu?: { readonly area: 'cluster' | 'workloads' | 'network' | 'config' | 'storage' | 'access' | 'custom'; readonly order: number }
  /** Selectable fields besides metadata.name and metadata.namespace. */
  readonly fields?: Readonly<Record<string, (object: T) => string>>
  /** True where metadata.generation counts changes of what the user declares (all but metadata and status). */
  readonly generation?: boolean
  /** For a further version or group of a kind that is stored in the shape of another declaration (HPA v1, events.k8s.io). See storedAs(). */
  readonly conversion?: Conversion<T>
  /** Ends when the kind is no longer declared so (its definition was changed or is gone): watches of it end then. */
  readonly retired?: AbortSignal
  /** Why no object can be made any more (its definition is being deleted). */
  readonly closed?: string | undefined
  /** Text that every request on this version is warned with. */
  readonly deprecation?: string | undefined

  /** Adds Kubernetes' defaults in place. Runs on every decoded object of a request, before validation. */
  setDefaults?(object: T): void
  /** Strategy: drops or sets what a create may not carry (status, for instance), in place. */
  prepareForCreate?(object: T, context: WriteContext): void
  /** Strategy of the main resource: restores what this write may not change (status, for instance), in place. `status` of kinds with a status subresource is restored by the registry already. */
  prepareForUpdate?(next: T, previous: T, context: WriteContext): void
  /** Strategy of the status subresource; everything but status and a few metadata fields is restored by the registry already. */
  prepareForStatusUpdate?(next: T, previous: T, context: WriteContext): void
  /** Faults of the object by itself, with Kubernetes' own wording; `previous` is what a change starts from. Metadata (names, labels, annotations, owners) is validated by the registry. */
  validate?(object: T, at: FieldPath, previous?: T): FieldErrorList
  /** Faults of the change. `validate(next)` has run already. */
  validateUpdate?(next: T, previous: T, at: FieldPath): FieldErrorList
  validateStatusUpdate?(next: T, previous: T, at: FieldPath): FieldErrorList
  /** Checks metadata.name; default: DNS subdomain. Returns the faults' texts. */
  validateName?(name: string): string[]
  /** Texts for Warning headers. */
  warnings?(object: T, previous?: T): string[]
  /** Seconds a deletion waits for the kubelet to confirm (pods); absent or 0 deletes at once. */
  gracePeriodSeconds?(object: T, asked: number | undefined): number
}

/** Types a declaration; the one way to make one. */
export function defineResource<T extends KubernetesObject>(definition: ResourceDefinition<T>): ResourceDefinition<T> {
  return definition
}

/** Declarations of different kinds in one list. The functions of a declaration are only called with objects of its own kind. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- variance: a list of declarations of unlike kinds
export type AnyResource = ResourceDefinition<any>

/** The declaration in whose shape objects of `r` are stored: use it for storage keys. */
export function storedAs(r: AnyResource): AnyResource {
  return r.conversion?.of ?? r
}

/** `apps/v1/deployments`, `v1/pods`: the identity of a resource, used as a map key everywhere. */
export function resourceKey(r: { group: string; version: string; plural: string }): string {
  return r.group === '' ? `${r.version}/${r.plural}` : `${r.group}/${r.version}/${r.plural}`
}

/** Prefix of the store keys of a kind, optionally of one namespace. Versions of a kind share one place. */
export function storagePrefix(r: { group: string; plural: string }, namespace?: string): string {
  const kind = `/${r.group === '' ? 'core' : r.group}/${r.plural}/`
  return namespace === undefined ? kind : `${kind}${namespace}/`
}

export function storageKey(r: { group: string; plural: string }, namespace: string, name: string): string {
  return `${storagePrefix(r, namespace)}${name}`
}

/** Path of a resource below the API's root: `/api/v1/namespaces/n/pods/p/log`. */
export function resourcePath(r: { group: string; version: string; plural: string }, namespace?: string, name?: string, subresource?: string): string {
  const root = r.group === '' ? `/api/${r.version}` : `/apis/${r.group}/${r.version}`
  const scope = namespace ? `/namespaces/${encodeURIComponent(namespace)}` : ''
  const object = name === undefined ? '' : `/${encodeURIComponent(name)}`
  return `${root}${scope}/${r.plural}${object}${subresource ? `/${subresource}` : ''}`
}
