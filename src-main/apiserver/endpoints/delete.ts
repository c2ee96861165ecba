/** DELETE of one object. */
import { isObject } from '../../api/json.ts'
import type { ApiResponse } from '../../api/request.ts'
import { badRequest } from '../../api/status-error.ts'
import { deleteObject } from '../registry/deletion.ts'
import type { Deleted, DeleteRequest } from '../registry/deletion.ts'
import { returnsDeletedObject } from '../registry/strategy-facts.ts'
import { queryFlag } from '../request-info.ts'
import { readPlain } from './body.ts'
import type { Call } from './call.ts'
import { admissionAttributes, mutate, validateAdmission, warn, writeScope } from './call.ts'
import { queryInteger } from './query-options.ts'
import { checkAcceptable, objectResponse, doneResponse } from './respond.ts'

/** Options from the body, or from the query where there is no body. Throws. */
export function deleteRequest(call: Call): DeleteRequest {
  const body = readPlain(call.request)
  if (body !== undefined && body !== null) {
    if (!isObject(body)) throw badRequest('the object provided is unrecognized (must be of type DeleteOptions)')
    if (body['kind'] !== undefined && body['kind'] !== '' && body['kind'] !== 'DeleteOptions')
      throw badRequest(`no kind ${JSON.stringify(body['kind'])} is registered for version ${JSON.stringify(body['apiVersion'] ?? '')} in scheme "pkg/runtime/scheme.go:111"`)
    return body as DeleteRequest
  }
  const { query } = call.info
  const grace = queryInteger(query, 'gracePeriodSeconds')
  const policy = query.get('propagationPolicy')
  const dryRun = query.getAll('dryRun').filter(value => value !== '')
  return {
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
    ...(policy ? { propagationPolicy: policy } : {}),
    ...(query.has('orphanDependents') ? { orphanDependents: queryFlag(query, 'orphanDependents') } : {}),
    ...(dryRun.length > 0 ? { dryRun } : {}),
  }
}

export async function deleteEndpoint(call: Call): Promise<ApiResponse> {
  checkAcceptable(call)
  const options = deleteRequest(call)
  const outcome = await deleteWithAdmission(call, call.info.name, options)
  return deletedResponse(call, outcome, options)
}

/** Deletes one object of the call's kind with admission. */
export async function deleteWithAdmission(call: Call, name: string, options: DeleteRequest, namespace: string = call.info.namespace): Promise<Deleted> {
  const { resource: r } = call
  const dryRun = (options.dryRun?.length ?? 0) > 0
  if (r.group === 'batch' && r.plural === 'jobs' && !options.propagationPolicy && options.orphanDependents === undefined) {
    warn(
      call,
      'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning',
    )
  }
  return deleteObject(call.registry, writeScope(call, dryRun, { ...options }, namespace), name, options, async object => {
    const attributes = admissionAttributes(call, {
      operation: 'DELETE',
      name,
      object: undefined,
      previous: object,
      options: { kind: 'DeleteOptions', apiVersion: 'meta.k8s.io/v1', ...options },
      dryRun,
      namespace,
    })
    await mutate(call, attributes)
    await validateAdmission(call, attributes)
  })
}

async function deletedResponse(call: Call, outcome: Deleted, options: DeleteRequest): Promise<ApiResponse> {
  const { resource: r } = call
  const object = outcome.result.object
  const waits = !outcome.gone && options.orphanDependents === false
  const code = waits ? 202 : 200
  if (!outcome.gone || returnsDeletedObject(r)) return objectResponse(call, code, outcome.result)
  return doneResponse(call, code, {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name: object.metadata.name ?? '', ...(r.group === '' ? {} : { group: r.group }), kind: r.plural, uid: object.metadata.uid ?? '' },
  })
}
