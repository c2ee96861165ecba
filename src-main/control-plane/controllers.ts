/** Which controllers run, each with its own identity. Loaded after the API answers: reading their code must not delay it. */
import type { UserInfo } from '../api/request.ts'
import type { AnyController } from '../controller-runtime/controller.ts'
import { authenticated } from '../apiserver/authn/authenticator.ts'
import { serviceAccountUser } from '../apiserver/authn/service-account-tokens.ts'

export { rulesFor } from '../controller-runtime/rules.ts'
export type { AnyController }

/** Components with a user of their own in Kubernetes' bootstrap policy; all others are service accounts of kube-system. */
const componentUsers: Readonly<Record<string, string>> = { 'kube-controller-manager': 'system:kube-controller-manager', 'kube-scheduler': 'system:kube-scheduler' }

/** The in-process user of a component. */
export function componentUser(name: string): UserInfo {
  const user = componentUsers[name]
  return authenticated(user === undefined ? serviceAccountUser('kube-system', name) : { name: user, groups: [] })
}
