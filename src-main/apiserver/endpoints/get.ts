/** GET of one object. */
import type { ApiResponse } from '../../api/request.ts'
import { StatusError } from '../../api/status-error.ts'
import type { Call } from './call.ts'
import { waitForRevision } from './freshness.ts'
import { checkAcceptable, objectResponse } from './respond.ts'

/** Everything that is acknowledged is in the index, so `resourceVersion` only asks to wait for revisions of the future. */
export async function getEndpoint(call: Call): Promise<ApiResponse> {
  checkAcceptable(call)
  const asked = call.info.query.get('resourceVersion') ?? ''
  if (asked !== '' && !/^[0-9]+$/.test(asked)) {
    throw new StatusError(500, '', `resourceVersion: Invalid value: ${JSON.stringify(asked)}: strconv.ParseUint: parsing ${JSON.stringify(asked)}: invalid syntax`)
  }
  if (asked !== '') await waitForRevision(call, asked)
  return objectResponse(call, 200, await call.registry.get(call.resource, call.resource.scope === 'Namespaced' ? call.info.namespace : '', call.info.name))
}
