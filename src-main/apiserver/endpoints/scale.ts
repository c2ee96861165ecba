/** The scale subresource: autoscaling/v1 Scale over the paths that the kind declares. */
import { cloneJson, isObject, setOwn } from '../../api/json.ts'
import type { JsonObject } from '../../api/json.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import type { ApiResponse } from '../../api/request.ts'
import type { ScalePaths } from '../../api/resource.ts'
import { FieldPath, invalidValue } from '../../api/field-errors.ts'
import { applyServerSide } from '../../api/managed-fields/apply.ts'
import { decodeObject } from '../../api/decode.ts'
import { groupVersion } from '../../api/meta.ts'
import { schemaOf } from '../../api/schema.ts'
import { applyJsonPatch } from '../../api/patch/json-patch.ts'
import { applyMergePatch } from '../../api/patch/merge-patch.ts'
import { labelSelectorToString } from '../../api/selectors.ts'
import { badRequest, invalid, methodNotAllowedHere, pathNotFound } from '../../api/status-error.ts'
import { readPlain } from './body.ts'
import type { Call } from './call.ts'
import { admissionAttributes, managerOf, mutate, writeScope } from './call.ts'
import { recordManager } from './managed.ts'
import { patchKindOf, readPatch } from './patch.ts'
import { writeQuery } from './query-options.ts'
import type { WriteQuery } from './query-options.ts'
import { checkAcceptable, objectResponse } from './respond.ts'
import { scales } from './scale-resource.ts'
import type { Scale } from './scale-resource.ts'

function read(object: unknown, path: string): unknown {
  let value: unknown = object
  for (const part of path.replace(/^\./, '').split('.')) value = isObject(value) && Object.hasOwn(value, part) ? value[part] : undefined
  return value
}

function write(object: KubernetesObject, path: string, value: unknown): void {
  const parts = path.replace(/^\./, '').split('.')
  let at = object as unknown as JsonObject
  for (const part of parts.slice(0, -1)) {
    if (!Object.hasOwn(at, part) || !isObject(at[part])) setOwn(at, part, {})
    at = at[part] as JsonObject
  }
  setOwn(at, parts[parts.length - 1] ?? '', value)
}

function selectorText(object: KubernetesObject, paths: ScalePaths): string {
  const value = read(object, paths.selector ?? 'spec.selector')
  if (typeof value === 'string') return value
  if (!isObject(value)) return ''
  // A replication controller's selector is a plain map.
  const isPlain = !('matchLabels' in value) && !('matchExpressions' in value)
  return labelSelectorToString(isPlain ? { matchLabels: value as Record<string, string> } : value)
}

/** The Scale of an object. */
function scaleOf(object: KubernetesObject, paths: ScalePaths): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const replicas = Number(read(object, paths.replicas) ?? 0)
  const selector = selectorText(object, paths)
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: Object.fromEntries(Object.entries({ name, namespace, uid, resourceVersion, creationTimestamp }).filter(([, value]) => value !== undefined)),
    spec: replicas === 0 ? {} : { replicas },
    status: { replicas: Number(read(object, paths.current) ?? 0), ...(selector === '' ? {} : { selector }) },
  }
}

export async function scaleEndpoint(call: Call): Promise<ApiResponse> {
  const paths = call.resource.subresources?.scale
  if (!paths) throw pathNotFound()
  checkAcceptable(call)
  const { verb, name, namespace } = call.info
  if (verb === 'get') return objectResponse({ ...call, resource: scales }, 200, { object: scaleOf((await call.registry.get(call.resource, namespace, name)).object, paths) })
  if (verb !== 'update' && verb !== 'patch') throw methodNotAllowedHere()
  return changeScale(call, paths, verb === 'patch' ? patchOf(call) : updateOf(call), verb)
}

interface Change {
  readonly apply: (scale: Scale) => Scale
  /** It concerns whatever state the object is in. */
  readonly retry: boolean
}

function updateOf(call: Call): Change {
  const body = readPlain(call.request)
  if (!isObject(body)) throw badRequest('the object provided is unrecognized (must be of type Scale)')
  const given = decodeObject<Scale>(body, scales).object
  if (!given.metadata.name) throw badRequest(`the name of the object (${call.info.name} based on URL) was undeterminable: name must be provided`)
  if (given.metadata.name !== call.info.name) throw badRequest(`the name of the object (${given.metadata.name}) does not match the name on the URL (${call.info.name})`)
  if (given.metadata.namespace && given.metadata.namespace !== call.info.namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
  return { apply: () => given, retry: !given.metadata.resourceVersion && !given.metadata.uid }
}

function patchOf(call: Call): Change {
  const kind = patchKindOf(call.request.headers['content-type'], false)
  const document = readPatch(call, kind)
  // Scale has no lists: a strategic patch and an apply of it are merges.
  return { apply: scale => (kind === 'json' ? applyJsonPatch(cloneJson(scale), document as never) : applyMergePatch(cloneJson(scale), document)) as Scale, retry: true }
}

async function changeScale(call: Call, paths: ScalePaths, change: Change, verb: 'update' | 'patch'): Promise<ApiResponse> {
  const isApply = verb === 'patch' && patchKindOf(call.request.headers['content-type'], false) === 'apply'
  const query = writeQuery(call.info.query, verb === 'patch' ? 'PatchOptions' : 'UpdateOptions', isApply)
  const outcome = await call.registry.update(
    { ...writeScope(call, query.dryRun, query.object), subresource: '' },
    {
      name: call.info.name,
      whenMissing: 'never',
      ...(change.retry ? { retry: true } : {}),
      next: async previous => {
        const object = cloneJson(previous) as KubernetesObject
        const before = scaleOf(object, paths)
        const attributes = admissionAttributes(call, {
          operation: 'UPDATE',
          name: call.info.name,
          object: change.apply(before),
          previous: before,
          options: query.object,
          dryRun: query.dryRun,
        })
        const scale = (await mutate(call, attributes)) as Scale
        checkScale(call, scale)
        if (scale.metadata.resourceVersion) object.metadata.resourceVersion = scale.metadata.resourceVersion
        if (scale.metadata.uid && verb === 'update') object.metadata.uid = scale.metadata.uid
        if (verb === 'patch' && scale.spec?.replicas === undefined && read(object, paths.replicas) === undefined)
          throw badRequest(`the spec replicas field ${JSON.stringify(paths.replicas)} cannot be empty`)
        const replicas = Number(scale.spec?.replicas ?? 0)
        if (isApply) return appliedScale(call, object, paths, replicas, query)
        write(object, paths.replicas, replicas)
        recordManager(call, previous, object, 'scale')
        return withoutTime(object, 'Update', managerOf(call))
      },
    },
  )
  return objectResponse({ ...call, resource: scales }, 200, { object: scaleOf(outcome.result.object, paths) })
}

/** An applied Scale is an applied object of which nothing but the replicas is known. */
function appliedScale(call: Call, live: KubernetesObject, paths: ScalePaths, replicas: number, query: WriteQuery): KubernetesObject {
  const r = call.resource
  const apiVersion = groupVersion(r.group, r.version)
  const applied: KubernetesObject = { apiVersion, kind: r.kind, metadata: { name: call.info.name } }
  write(applied, paths.replicas, replicas)
  const { object } = applyServerSide({
    live,
    applied,
    manager: query.fieldManager,
    force: query.force,
    subresource: 'scale',
    apiVersion,
    schema: schemaOf(r),
    now: call.env.clock.now(),
  })
  return withoutTime(object, 'Apply', query.fieldManager)
}

/** Entries that come about through a Scale carry no time. In place. */
function withoutTime(object: KubernetesObject, operation: 'Apply' | 'Update', manager: string): KubernetesObject {
  for (const entry of object.metadata.managedFields ?? []) if (entry.subresource === 'scale' && entry.operation === operation && entry.manager === manager) delete entry.time
  return object
}

function checkScale(call: Call, scale: Scale): void {
  const replicas = scale.spec?.replicas ?? 0
  if (typeof replicas !== 'number' || !Number.isInteger(replicas))
    throw badRequest('Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal into Go struct field ScaleSpec.spec.replicas of type int32')
  if (replicas < 0) throw invalid('autoscaling', 'Scale', call.info.name, [invalidValue(FieldPath.root('spec', 'replicas'), replicas, 'must be greater than or equal to 0')])
}
