import { beforeEach, describe, expect, test } from 'vitest'
import { createAuthorizer, type AuthorizerParts } from '../../../src-main/apiserver/authz/authorizer.ts'
import { createEscalationCheck } from '../../../src-main/apiserver/authz/escalation.ts'
import { forbiddenError } from '../../../src-main/apiserver/authz/forbidden.ts'
import { describeRules, missingRules, ruleAllows } from '../../../src-main/apiserver/authz/rules.ts'
import { places } from '../../../src-main/apiserver/live-copy.ts'
import { clusterRoles, roleBindings } from '../../../src-main/api/resources.ts'
import type { AdmissionAttributes } from '../../../src-main/apiserver/contracts.ts'
import { ask, user, world, type World } from './support.ts'

let w: World
let parts: AuthorizerParts

beforeEach(async () => {
  w = await world()
  parts = createAuthorizer(w.copies)
  await w.put(places.roles, {
    metadata: { name: 'reader', namespace: 'shop' },
    rules: [
      { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods', 'pods/log'] },
      { verbs: ['get'], apiGroups: [''], resources: ['secrets'], resourceNames: ['mine'] },
    ],
  })
  await w.put(places.roleBindings, {
    metadata: { name: 'readers', namespace: 'shop' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' },
    subjects: [
      { kind: 'User', name: 'ann' },
      { kind: 'ServiceAccount', name: 'bot', namespace: 'tools' },
    ],
  })
})

const allowed = async (...args: Parameters<typeof ask>): Promise<boolean> => (await parts.authorizer.authorize(ask(...args))).allowed

describe('RBAC', () => {
  test('gives what a binding gives, in its namespace only, and says by which', async () => {
    expect(await parts.authorizer.authorize(ask(user('ann'), 'get', 'pods', { namespace: 'shop' }))).toEqual({
      allowed: true,
      reason: 'RBAC: allowed by RoleBinding "readers/shop" of Role "reader" to User "ann"',
    })
    expect([
      await allowed(user('ann'), 'get', 'pods', { namespace: 'other' }),
      await allowed(user('ann'), 'get', 'pods'),
      await allowed(user('ann'), 'delete', 'pods', { namespace: 'shop' }),
    ]).toEqual([false, false, false])
  })
  test('tells subresources and names apart', async () => {
    const shop = { namespace: 'shop' }
    expect([await allowed(user('ann'), 'get', 'pods/log', shop), await allowed(user('ann'), 'get', 'pods/exec', shop)]).toEqual([true, false])
    expect([await allowed(user('ann'), 'get', 'secrets', { ...shop, name: 'mine' }), await allowed(user('ann'), 'get', 'secrets', { ...shop, name: 'yours' })]).toEqual([
      true,
      false,
    ])
  })
  test('knows service accounts as users', async () => {
    expect(await allowed(user('system:serviceaccount:tools:bot'), 'list', 'pods', { namespace: 'shop' })).toBe(true)
  })
  test('forgets a binding at once', async () => {
    await w.remove(places.roleBindings, 'shop', 'readers')
    expect(await allowed(user('ann'), 'get', 'pods', { namespace: 'shop' })).toBe(false)
  })
  test('names a role that is missing', async () => {
    await w.remove(places.roles, 'shop', 'reader')
    expect(await parts.authorizer.authorize(ask(user('ann'), 'get', 'pods', { namespace: 'shop' }))).toEqual({
      allowed: false,
      reason: 'RBAC: role.rbac.authorization.k8s.io "reader" not found',
    })
  })
  test('lets system:masters do everything and nobody else anything', async () => {
    expect([await allowed(user('root', 'system:masters'), 'delete', 'nodes'), await allowed(user('nobody'), 'get', 'pods', { namespace: 'shop' })]).toEqual([true, false])
  })
  test('refuses in the words of Kubernetes', () => {
    expect(forbiddenError(ask(user('ann'), 'create', 'pods/eviction', { namespace: 'shop', name: 'p' }), '').message).toBe(
      'pods "p" is forbidden: User "ann" cannot create resource "pods/eviction" in API group "" in the namespace "shop"',
    )
    expect(forbiddenError({ ...ask(user('ann'), 'get', ''), isResource: false, path: '/metrics' }, '').message).toBe('forbidden: User "ann" cannot get path "/metrics"')
  })
})

describe('rules', () => {
  test('match paths by prefix only with a star at the end', () => {
    const rule = { verbs: ['get'], nonResourceURLs: ['/healthz/*'] }
    const path = (p: string): boolean => ruleAllows(rule, { isResource: false, path: p, verb: 'get', group: '', resource: '', subresource: '', name: '' })
    expect([path('/healthz/etcd'), path('/healthz'), path('/metrics')]).toEqual([true, false, false])
  })
  test('cover others by wildcards, and print what is missing sorted and joined', () => {
    const held = [{ verbs: ['get'], apiGroups: ['*'], resources: ['*'] }]
    const wanted = [{ verbs: ['get', 'delete', 'create'], apiGroups: [''], resources: ['pods', 'nodes'] }]
    expect(describeRules(missingRules(held, wanted))).toBe(
      '{APIGroups:[""], Resources:["nodes"], Verbs:["delete" "create"]}\n{APIGroups:[""], Resources:["pods"], Verbs:["delete" "create"]}',
    )
  })
})

describe('escalation', () => {
  const attributes = (who: ReturnType<typeof user>, resource: typeof clusterRoles | typeof roleBindings, object: object, namespace = ''): AdmissionAttributes => ({
    operation: 'CREATE',
    resource,
    subresource: '',
    namespace,
    name: 'x',
    object: object as never,
    previous: undefined,
    options: {},
    user: who,
    dryRun: false,
    reinvocation: { active: false, wanted: false, state: new Map() },
    annotate: () => {},
    warn: () => {},
  })

  test('nobody makes a role with rights he has not', async () => {
    const check = createEscalationCheck(parts)
    const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'x' }, rules: [{ verbs: ['*'], apiGroups: [''], resources: ['secrets'] }] }
    await expect(check.validate?.(attributes(user('ann'), clusterRoles, role))).rejects.toThrow(
      'clusterroles.rbac.authorization.k8s.io "x" is forbidden: user "ann" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["*"]}',
    )
    await expect(check.validate?.(attributes(user('root', 'system:masters'), clusterRoles, role))).resolves.toBeUndefined()
  })
  test('nobody binds a role with rights he has not, unless he may bind it', async () => {
    const check = createEscalationCheck(parts)
    await w.put(places.clusterRoles, { metadata: { name: 'all' }, rules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] })
    const binding = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'x', namespace: 'shop' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'all' },
      subjects: [{ kind: 'User', name: 'ann' }],
    }
    await expect(check.validate?.(attributes(user('ann'), roleBindings, binding, 'shop'))).rejects.toMatchObject({ code: 403 })
    await w.put(places.roles, {
      metadata: { name: 'binder', namespace: 'shop' },
      rules: [{ verbs: ['bind'], apiGroups: ['rbac.authorization.k8s.io'], resources: ['clusterroles'], resourceNames: ['all'] }],
    })
    await w.put(places.roleBindings, {
      metadata: { name: 'binders', namespace: 'shop' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'binder' },
      subjects: [{ kind: 'User', name: 'ann' }],
    })
    await expect(check.validate?.(attributes(user('ann'), roleBindings, binding, 'shop'))).resolves.toBeUndefined()
  })
})
