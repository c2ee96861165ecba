/** What surrounds one write on its way through the registry. */
import type { AnyResource, WriteContext } from '../../api/resource.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import type { UserInfo } from '../../api/request.ts'
import type { StoredEntry } from '../../store/store.ts'

export interface WriteScope {
  readonly resource: AnyResource
  /** '' for cluster-scoped kinds. */
  readonly namespace: string
  readonly subresource: string
  readonly user: UserInfo
  readonly dryRun: boolean
  /** A create by apply ignores a resourceVersion; a plain create refuses it. */
  readonly mayNameVersion?: boolean
  warn(text: string): void
  /** Validating admission of a create or change, just before it is written; `previous` is undefined for a create. */
  admitCreate?(object: KubernetesObject): Promise<void>
  admitUpdate?(next: KubernetesObject, previous: KubernetesObject): Promise<void>
}

/** An object in the version of the request. `entry` only where its bytes are this object's bytes. */
export interface Result {
  readonly object: KubernetesObject
  readonly entry?: StoredEntry
}

export function writeContext(scope: WriteScope, now: number): WriteContext {
  return { user: scope.user, now, dryRun: scope.dryRun }
}
