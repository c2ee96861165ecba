/** POST of an object to its collection. */
import type { ApiResponse } from '../../api/request.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import { badRequest, isAlreadyExists, StatusError } from '../../api/status-error.ts'
import { checkNamespace, readObject } from './body.ts'
import type { Call } from './call.ts'
import { admissionAttributes, mutate, warn, writeScope } from './call.ts'
import { recordManager } from './managed.ts'
import { writeQuery } from './query-options.ts'
import { checkAcceptable, objectResponse } from './respond.ts'

export async function createEndpoint(call: Call): Promise<ApiResponse> {
  const { resource: r } = call
  if (r.scope === 'Namespaced' && call.info.namespace === '') throw badRequest('an empty namespace may not be set during creation')
  checkAcceptable(call)
  const query = writeQuery(call.info.query, 'CreateOptions')
  const object = readObject(call, r, query.fieldValidation)
  checkNamespace(call, object)
  dropRepeatedOwners(call, object)
  recordManager(call, undefined, object, '')
  const attributes = admissionAttributes(call, { operation: 'CREATE', name: object.metadata.name ?? '', object, previous: undefined, options: query.object, dryRun: query.dryRun })
  const admitted = (await mutate(call, attributes)) ?? object
  const namespace = r.group === '' && r.plural === 'namespaces' ? '' : call.info.namespace
  try {
    return await objectResponse(call, 201, await call.registry.create(writeScope(call, query.dryRun, query.object, namespace), admitted))
  } catch (fault) {
    throw await explainExisting(call, fault, admitted)
  }
}

/** Somebody who creates what is still being deleted is told so. */
async function explainExisting(call: Call, fault: unknown, object: KubernetesObject): Promise<unknown> {
  if (!isAlreadyExists(fault) || !(fault instanceof StatusError)) return fault
  const live = await call.registry.get(call.resource, call.resource.scope === 'Namespaced' ? call.info.namespace : '', object.metadata.name ?? '').catch(() => undefined)
  if (!live?.object.metadata.deletionTimestamp) return fault
  return new StatusError(fault.code, fault.reason, `object is being deleted: ${fault.message}`, fault.status.details)
}

/** Owners with the same uid are one owner; in place. */
export function dropRepeatedOwners(call: Call, object: KubernetesObject): void {
  const owners = object.metadata.ownerReferences
  if (!Array.isArray(owners) || owners.length < 2) return
  const unique = owners.filter(
    (owner, index) =>
      owners.findIndex(
        other =>
          other?.uid === owner?.uid &&
          other?.name === owner?.name &&
          other?.kind === owner?.kind &&
          other?.apiVersion === owner?.apiVersion &&
          other?.controller === owner?.controller &&
          other?.blockOwnerDeletion === owner?.blockOwnerDeletion,
      ) === index,
  )
  const uids = new Set(unique.map(owner => owner?.uid))
  if (unique.length === owners.length && uids.size === owners.length) return
  const repeated = [...new Set(owners.filter((owner, index) => owners.findIndex(other => other?.uid === owner?.uid) !== index).map(owner => owner?.uid ?? ''))]
  if (repeated.length > 0) {
    warn(
      call,
      `.metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${repeated.join(', ')}`,
    )
  }
  object.metadata.ownerReferences = unique
}
