/** PUT of an object or of its status. */
import type { ApiResponse } from '../../api/request.ts'
import { badRequest } from '../../api/status-error.ts'
import { cloneJson } from '../../api/json.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import { checkNamespace, readObject } from './body.ts'
import type { Call } from './call.ts'
import { admissionAttributes, mutate, writeScope } from './call.ts'
import { dropRepeatedOwners } from './create.ts'
import { recordManager } from './managed.ts'
import { writeQuery } from './query-options.ts'
import { checkAcceptable, objectResponse } from './respond.ts'

export async function updateEndpoint(call: Call): Promise<ApiResponse> {
  const { resource: r } = call
  checkAcceptable(call)
  const query = writeQuery(call.info.query, 'UpdateOptions')
  const given = readObject(call, r, query.fieldValidation)
  checkName(call, given)
  checkNamespace(call, given)
  dropRepeatedOwners(call, given)
  const outcome = await call.registry.update(writeScope(call, query.dryRun, query.object), {
    name: call.info.name,
    next: async previous => {
      // Each try starts from what the caller sent: admission alters its argument.
      const object = cloneJson(given)
      recordManager(call, previous, object, call.info.subresource)
      const attributes = admissionAttributes(call, {
        operation: previous ? 'UPDATE' : 'CREATE',
        name: call.info.name,
        object,
        previous,
        options: query.object,
        dryRun: query.dryRun,
      })
      return (await mutate(call, attributes)) ?? object
    },
  })
  return objectResponse(call, outcome.created ? 201 : 200, outcome.result)
}

/** Throws badRequest where the body names another object than the path. */
export function checkName(call: Call, object: KubernetesObject): void {
  const { name } = object.metadata
  if (!name) throw badRequest(`the name of the object (${call.info.name} based on URL) was undeterminable: name must be provided`)
  if (name !== call.info.name) throw badRequest(`the name of the object (${name}) does not match the name on the URL (${call.info.name})`)
}
