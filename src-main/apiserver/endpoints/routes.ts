/** Which endpoint answers a verb on a resource or subresource. */
import type { AnyResource, Verb } from '../../api/resource.ts'
import { allVerbs } from '../../api/resource.ts'
import type { ApiResponse } from '../../api/request.ts'
import { badRequest, methodNotAllowedHere, notFound, pathNotFound } from '../../api/status-error.ts'
import { isDefinedKind } from '../registry/strategy-facts.ts'
import type { VirtualStorage } from '../contracts.ts'
import type { Call } from './call.ts'
import { createEndpoint } from './create.ts'
import { deleteCollectionEndpoint } from './delete-collection.ts'
import { deleteEndpoint } from './delete.ts'
import { getEndpoint } from './get.ts'
import { listEndpoint } from './list.ts'
import { patchEndpoint } from './patch.ts'
import { bindingEndpoint } from './pod-binding.ts'
import { evictionEndpoint } from './pod-eviction.ts'
import { scaleEndpoint } from './scale.ts'
import { updateEndpoint } from './update.ts'
import { virtualEndpoint } from './virtual.ts'
import { watchEndpoint } from './watch.ts'

type Endpoint = (call: Call) => Promise<ApiResponse>

const endpoints: Readonly<Record<Verb, Endpoint>> = {
  create: createEndpoint,
  delete: deleteEndpoint,
  deletecollection: deleteCollectionEndpoint,
  get: getEndpoint,
  list: listEndpoint,
  patch: patchEndpoint,
  update: updateEndpoint,
  watch: watchEndpoint,
}

/** Subresources that are the object itself with a strategy of their own, by the verbs they take. */
const partVerbs: ReadonlyMap<string, readonly string[]> = new Map([
  ['status', ['get', 'update', 'patch']],
  ['approval', ['get', 'update', 'patch']],
  ['ephemeralcontainers', ['get', 'update', 'patch']],
  ['resize', ['get', 'update', 'patch']],
  ['finalize', ['update']],
])

function isVerb(verb: string): verb is Verb {
  return (allVerbs as readonly string[]).includes(verb)
}

/** Answers a resource request. Throws pathNotFound for subresources the kind has not, a 405 for verbs. */
export function routeResource(call: Call, virtual: VirtualStorage | undefined): Promise<ApiResponse> {
  const { info, resource: r } = call
  if (info.subresource !== '') return routeSubresource(call)
  const { verb } = info
  if (isDefinedKind(r) && info.name === '' && (verb === 'update' || verb === 'patch')) throw badRequest('name must be provided')
  if (!isVerb(verb) || !(r.verbs ?? allVerbs).includes(verb) || !suitsPath(r, verb, info.name === '', info.namespace)) throw methodNotAllowedHere()
  if (virtual) return virtualEndpoint(call, virtual)
  if (r.storage === 'virtual') throw methodNotAllowedHere()
  return endpoints[verb](call)
}

/** POST belongs to collections, PUT and PATCH to objects, and a namespaced kind is only read across namespaces. */
function suitsPath(r: AnyResource, verb: Verb, isCollection: boolean, namespace: string): boolean {
  // A POST to a custom object's own path makes what its body names, as upstream.
  if (verb === 'create' && !isCollection && !isDefinedKind(r)) return false
  if ((verb === 'update' || verb === 'patch' || verb === 'delete' || verb === 'get') && isCollection) return false
  return r.scope === 'Cluster' || namespace !== '' || verb === 'list' || verb === 'watch'
}

function routeSubresource(call: Call): Promise<ApiResponse> {
  const { info, resource: r } = call
  const { subresource, verb } = info
  const declared =
    subresource === 'status'
      ? r.subresources?.status === true
      : subresource === 'scale'
        ? r.subresources?.scale !== undefined
        : r.subresources?.others?.includes(subresource) === true
  if (!declared && isDefinedKind(r) && info.name !== '') throw notFound(r.group, r.plural, info.name)
  if (!declared || info.name === '') throw pathNotFound()
  if (subresource === 'scale') return scaleEndpoint(call)
  if (r.group === '' && r.plural === 'pods' && subresource === 'binding') return bindingEndpoint(call)
  if (r.group === '' && r.plural === 'pods' && subresource === 'eviction') return evictionEndpoint(call)
  const verbs = partVerbs.get(subresource)
  if (!verbs) throw pathNotFound()
  if (!verbs.includes(verb)) throw methodNotAllowedHere()
  return verb === 'get' ? getEndpoint(call) : verb === 'patch' ? patchEndpoint(call) : updateEndpoint(call)
}
