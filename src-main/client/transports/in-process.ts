/** The transport inside the control plane's own process: the API server's function with a user, objects instead of bytes. */
import { cloneJson } from '../../api/json.ts'
import type { ApiHandler, UserInfo } from '../../api/request.ts'
import type { Transport } from '../client.ts'

/** Authentication is skipped (the user is given), authorization is not. */
export function inProcessTransport(handler: ApiHandler, user: UserInfo): Transport {
  return request =>
    handler({
      ...request,
      user,
      // The server keeps, defaults and freezes what it gets; callers build objects out of frozen cached parts. Hence the copy.
      ...(request.body && 'object' in request.body ? { body: { object: cloneJson(request.body.object) } } : {}),
    })
}
