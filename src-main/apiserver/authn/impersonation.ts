/** Acting as somebody else: Impersonate-User, -Group, -Uid, -Extra-*. Every part needs the verb `impersonate`. */
import { badRequest, internalError } from '../../api/status-error.ts'
import type { ApiRequest, UserInfo } from '../../api/request.ts'
import type { Attributes, Authorizer } from '../contracts.ts'
import { forbiddenError } from '../authz/forbidden.ts'
import { serviceAccountUser } from './service-account-tokens.ts'

const extraPrefix = 'impersonate-extra-'

/** The user that the request shall be done as; `user` itself when nobody is impersonated. Throws 403 with upstream's text. */
export async function impersonate(request: ApiRequest, user: UserInfo, authorizer: Authorizer): Promise<UserInfo> {
  const { headers } = request
  const name = headers['impersonate-user'] ?? ''
  const groups = (headers['impersonate-group'] ?? '').split(/,\s*/).filter(group => group !== '')
  const uid = headers['impersonate-uid'] ?? ''
  const extras = Object.entries(headers).filter(([header]) => header.startsWith(extraPrefix))
  if (name === '' && groups.length === 0 && uid === '' && extras.length === 0) return user
  if (name === '') throw internalError('requested impersonation without impersonating a user')

  const account = serviceAccountOf(name)
  const checks: Partial<Attributes>[] = [account ? { resource: 'serviceaccounts', namespace: account.namespace, name: account.name } : { resource: 'users', name }]
  for (const group of groups) checks.push({ resource: 'groups', name: group })
  const extra: Record<string, string[]> = {}
  for (const [header, value] of extras) {
    const key = extraKey(header)
    const values = value.split(/,\s*/)
    extra[key] = values
    for (const one of values) checks.push({ group: 'authentication.k8s.io', version: 'v1', resource: 'userextras', subresource: key, name: one })
  }
  if (uid !== '') checks.push({ group: 'authentication.k8s.io', version: 'v1', resource: 'uids', name: uid })
  for (const check of checks) {
    const attributes: Attributes = {
      isResource: true,
      path: '',
      verb: 'impersonate',
      group: '',
      version: 'v1',
      resource: '',
      subresource: '',
      namespace: '',
      name: '',
      user,
      ...check,
    }
    const decision = await authorizer.authorize(attributes)
    if (!decision.allowed) throw forbiddenError(attributes, decision.reason)
  }
  return { name, ...(uid === '' ? {} : { uid }), groups: groupsOf(name, account, groups), ...(extras.length > 0 ? { extra } : {}) }
}

function groupsOf(name: string, account: { namespace: string; name: string } | undefined, asked: readonly string[]): string[] {
  const groups = asked.length === 0 && account ? [...serviceAccountUser(account.namespace, account.name).groups] : [...asked]
  const own = name === 'system:anonymous' ? 'system:unauthenticated' : 'system:authenticated'
  if (!groups.includes('system:authenticated') && !groups.includes('system:unauthenticated')) groups.push(own)
  return groups
}

function serviceAccountOf(name: string): { namespace: string; name: string } | undefined {
  const parts = name.split(':')
  const [first, second, namespace, account] = parts
  return parts.length === 4 && first === 'system' && second === 'serviceaccount' && namespace && account ? { namespace, name: account } : undefined
}

function extraKey(header: string): string {
  try {
    return decodeURIComponent(header.slice(extraPrefix.length))
  } catch {
    throw badRequest(`invalid header ${header}`)
  }
}
