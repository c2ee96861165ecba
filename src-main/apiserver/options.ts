/** What an API server is made of, and what its handlers share. */
import type { Env } from '../base/env.ts'
import type { AnyResource } from '../api/resource.ts'
import type { ApiRequest, UserInfo } from '../api/request.ts'
import type { Store } from '../store/store.ts'
import type { Auditor } from './audit/audit.ts'
import type { FlowControl } from './flow-control/flow-control.ts'
import type { Delegate } from './aggregation/aggregation.ts'
import type { AdmissionPlugin, Authenticator, Authorizer, NonResourceHandler, SubresourceHandler, VirtualStorage } from './contracts.ts'

export interface ApiServerOptions {
  readonly env: Env
  readonly store: Store
  /** The kinds to serve. A function when kinds come and go (custom resources); it must return the same array until they change. */
  readonly resources: readonly AnyResource[] | (() => readonly AnyResource[])
  /** Absent: only callers that bring a trusted `user` are served. */
  readonly authenticator?: Authenticator
  /** Absent: everything is allowed (tests). */
  readonly authorizer?: Authorizer
  /** Replaces the user by the one of Impersonate- headers; authorizes that itself. */
  readonly impersonate?: (request: ApiRequest, user: UserInfo, authorizer: Authorizer) => Promise<UserInfo>
  readonly admission?: readonly AdmissionPlugin[]
  /** By resourceKey. */
  readonly virtual?: ReadonlyMap<string, VirtualStorage>
  /** Who else answers a path (aggregated API servers). */
  readonly delegate?: (path: string) => Delegate | undefined
  /** Tried in order; the first answer wins. */
  readonly nonResource?: readonly NonResourceHandler[]
  /** `pods/log`, `serviceaccounts/token`; `<group>/<plural>/<subresource>` outside the core group. */
  readonly subresources?: ReadonlyMap<string, SubresourceHandler>
  /** Absent: requests are not bounded. */
  readonly flowControl?: FlowControl
  /** Absent: no trail is kept. */
  readonly audit?: Auditor
  /** Default 10.96.0.0/16. */
  readonly serviceCIDR?: string
  /** Inclusive; default 30000 to 32767. */
  readonly nodePortRange?: { readonly first: number; readonly last: number }
}
