/** Admission policies on a whole API server: parameters, conditions, actions, changes, limits. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { MutatingAdmissionPolicy, ParamRef, ValidatingAdmissionPolicy } from '../../src-main/api/generated/admissionregistration-v1.ts'
import type { KubernetesObject } from '../../src-main/api/meta.ts'
import type { UserInfo } from '../../src-main/api/request.ts'
import { StatusError } from '../../src-main/api/status-error.ts'
import {
  configMaps,
  deployments,
  mutatingAdmissionPolicies,
  mutatingAdmissionPolicyBindings,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
} from '../../src-main/api/resources.ts'
import type { Client } from '../../src-main/client/client.ts'
import { eventually, startControlPlane, type RunningControlPlane } from '../support/running-control-plane.ts'

let running: RunningControlPlane
let admin: Client

beforeAll(async () => {
  running = await startControlPlane()
  admin = running.controlPlane.client(running.controlPlane.admin)
})

afterEach(async () => {
  await admin.resource(validatingAdmissionPolicyBindings).deleteCollection()
  await admin.resource(validatingAdmissionPolicies).deleteCollection()
  await admin.resource(mutatingAdmissionPolicyBindings).deleteCollection()
  await admin.resource(mutatingAdmissionPolicies).deleteCollection()
  await admin.resource(configMaps).deleteCollection({ namespace: 'default' })
})

afterAll(async () => {
  await running.stop()
})

const rules = (resources: string[], apiGroups: string[] = ['']) => [{ apiGroups, apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources }]
const apiVersion = 'admissionregistration.k8s.io/v1'
type Spec = NonNullable<ValidatingAdmissionPolicy['spec']>

/** Binds once for each paramRef, or once without. */
async function validating(spec: Omit<Spec, 'matchConstraints'> & Partial<Spec>, options: { actions?: string[]; refs?: (ParamRef | undefined)[] } = {}): Promise<void> {
  await admin.resource(validatingAdmissionPolicies).create({
    apiVersion,
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: 'p' },
    spec: { matchConstraints: { resourceRules: rules(['configmaps']) }, ...spec },
  })
  for (const [i, paramRef] of (options.refs ?? [undefined]).entries())
    await admin.resource(validatingAdmissionPolicyBindings).create({
      apiVersion,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name: `b${i}` },
      spec: { policyName: 'p', validationActions: options.actions ?? ['Deny'], ...(paramRef ? { paramRef } : {}) },
    })
}

async function mutating(
  ...mutations: { expression: string; type?: 'JSONPatch' | 'ApplyConfiguration'; resources?: string[]; groups?: string[]; again?: boolean }[]
): Promise<void> {
  for (const [i, { expression, type = 'ApplyConfiguration', resources = ['configmaps'], groups = [''], again = false }] of mutations.entries()) {
    const policy: MutatingAdmissionPolicy = {
      apiVersion,
      kind: 'MutatingAdmissionPolicy',
      metadata: { name: `m${i}` },
      spec: {
        reinvocationPolicy: again ? 'IfNeeded' : 'Never',
        matchConstraints: { resourceRules: rules(resources, groups) },
        mutations: [type === 'JSONPatch' ? { patchType: type, jsonPatch: { expression } } : { patchType: type, applyConfiguration: { expression } }],
      },
    }
    await admin.resource(mutatingAdmissionPolicies).create(policy)
    await admin.resource(mutatingAdmissionPolicyBindings).create({ apiVersion, kind: 'MutatingAdmissionPolicyBinding', metadata: { name: `m${i}` }, spec: { policyName: `m${i}` } })
  }
}

let names = 0
function create(
  data: Record<string, string>,
  more: { labels?: Record<string, string>; client?: Client; name?: string } = {},
): Promise<KubernetesObject & { data?: Record<string, string> }> {
  return (more.client ?? admin)
    .resource(configMaps)
    .create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: more.name ?? `c${++names}`, namespace: 'default', ...(more.labels ? { labels: more.labels } : {}) }, data })
}
async function refusalOf(run: () => Promise<unknown>): Promise<string> {
  try {
    await run()
  } catch (fault) {
    if (fault instanceof StatusError) return `${fault.code} ${fault.message.replace(/^configmaps "[^"]*" is forbidden: /, '')}`
    throw fault
  }
  return 'allowed'
}
const denied = (text: string, binding = 'b0'): string => `422 ValidatingAdmissionPolicy 'p' with binding '${binding}' denied request: ${text}`

describe('validating policies', () => {
  test('show parameters by name, and refuse where there are none and the binding says so', async () => {
    await create({ max: '3' }, { name: 'limits', labels: { use: 'param' } })
    await validating(
      {
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        validations: [{ expression: 'object.data.size() <= int(params.data.max)', messageExpression: '"at most " + params.data.max' }],
      },
      { refs: [{ name: 'limits', namespace: 'default', parameterNotFoundAction: 'Deny' }] },
    )
    expect(await refusalOf(() => create({ a: '', b: '', c: '', d: '' }))).toBe(denied('at most 3'))
    await create({ a: '' })
    await admin.resource(configMaps).delete('limits', { namespace: 'default' })
    expect(await refusalOf(() => create({ a: '' }))).toBe(denied('failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction'))
  })

  test('are evaluated for every parameter that a selector finds', async () => {
    await create({ word: 'red' }, { labels: { use: 'param' } })
    await create({ word: 'blue' }, { labels: { use: 'param' } })
    await validating(
      {
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        validations: [{ expression: '!object.data.exists(k, object.data[k] == params.data.word)', messageExpression: '"not " + params.data.word' }],
      },
      { refs: [{ selector: { matchLabels: { use: 'param' } }, namespace: 'default', parameterNotFoundAction: 'Allow' }] },
    )
    expect(await refusalOf(() => create({ a: 'green' }))).toBe('allowed')
    expect(await refusalOf(() => create({ a: 'blue' }))).toBe(denied('not blue'))
  })

  test('use variables, conditions and the authorizer', async () => {
    await validating({
      variables: [
        { name: 'count', expression: 'object.data.size()' },
        { name: 'twice', expression: 'variables.count * 2' },
      ],
      matchConditions: [{ name: 'mortals', expression: '!authorizer.group("").resource("secrets").check("delete").allowed()' }],
      validations: [{ expression: 'variables.twice < 4', message: 'too many' }],
    })
    const user: UserInfo = { name: 'jane', groups: ['system:authenticated'] }
    await admin.raw({
      method: 'POST',
      url: '/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles',
      body: {
        object: {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'Role',
          metadata: { name: 'maps' },
          rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['create'] }],
        },
      },
    })
    await admin.raw({
      method: 'POST',
      url: '/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings',
      body: {
        object: {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'RoleBinding',
          metadata: { name: 'maps' },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'maps' },
          subjects: [{ kind: 'User', name: 'jane', apiGroup: 'rbac.authorization.k8s.io' }],
        },
      },
    })
    const client = running.controlPlane.client(user)
    expect(await refusalOf(() => create({ a: '', b: '' }))).toBe('allowed')
    expect(await refusalOf(() => create({ a: '', b: '' }, { client }))).toBe(denied('too many'))
  })

  test('fail closed or open with their expressions', async () => {
    await validating({ validations: [{ expression: 'object.data.nosuch == "x"' }] })
    expect(await refusalOf(() => create({ a: '' }))).toBe(denied(`expression 'object.data.nosuch == "x"' resulted in error: no such key: nosuch`))
    await admin.resource(validatingAdmissionPolicies).patch('p', 'merge', { spec: { failurePolicy: 'Ignore' } })
    expect(await refusalOf(() => create({ a: '' }))).toBe('allowed')
  })

  test('cannot cost more than their budget', async () => {
    await validating({ validations: [{ expression: 'lists.range(100000).all(x, lists.range(1000).all(y, x + y >= 0))' }] })
    const began = Date.now()
    expect(await refusalOf(() => create({ a: '' }))).toContain('actual cost limit exceeded')
    expect(Date.now() - began).toBeLessThan(20_000)
  })

  test('never see policies, bindings or reviews', async () => {
    await validating({
      matchConstraints: { resourceRules: [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*'] }] },
      validations: [{ expression: 'false' }],
    })
    expect(await refusalOf(() => create({ a: '' }))).toBe(denied('failed expression: false'))
    await admin.resource(validatingAdmissionPolicies).delete('p')
    expect(await refusalOf(() => create({ a: '' }))).toBe('allowed')
  })

  test('need a writer who may read their parameters', async () => {
    const writer: UserInfo = { name: 'writer', groups: ['system:authenticated'] }
    await admin.raw({
      method: 'POST',
      url: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
      body: {
        object: {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'ClusterRole',
          metadata: { name: 'policies' },
          rules: [{ apiGroups: ['admissionregistration.k8s.io'], resources: ['*'], verbs: ['*'] }],
        },
      },
    })
    await admin.raw({
      method: 'POST',
      url: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
      body: {
        object: {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'ClusterRoleBinding',
          metadata: { name: 'policies' },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'policies' },
          subjects: [{ kind: 'User', name: 'writer', apiGroup: 'rbac.authorization.k8s.io' }],
        },
      },
    })
    const spec: Spec = {
      paramKind: { apiVersion: 'v1', kind: 'Secret' },
      matchConstraints: { resourceRules: rules(['configmaps']) },
      validations: [{ expression: 'params != null' }],
    }
    const text = await refusalOf(() =>
      running.controlPlane
        .client(writer)
        .resource(validatingAdmissionPolicies)
        .create({ apiVersion, kind: 'ValidatingAdmissionPolicy', metadata: { name: 'p' }, spec }),
    )
    expect(text).toMatch(/^422 .*spec.paramKind: Forbidden: user writer must have "get" permission on all objects of the referenced paramKind \(kind=Secret, apiVersion=v1\)$/)
  })

  test('are checked against the types of what they match', async () => {
    await validating({
      matchConstraints: { resourceRules: rules(['deployments'], ['apps']) },
      validations: [{ expression: 'object.spec.replicas > 1' }, { expression: 'object.spec.replicsa > 1' }],
    })
    const policy = await eventually(async () => {
      const found = await admin.resource(validatingAdmissionPolicies).get('p')
      return found.status?.observedGeneration === 1 ? found : undefined
    }, 'the policy is checked')
    expect(policy.status?.typeChecking?.expressionWarnings).toEqual([
      {
        fieldRef: 'spec.validations[1].expression',
        warning: "apps/v1, Kind=Deployment: compilation failed: ERROR: <input>:1:12: undefined field 'replicsa'\n | object.spec.replicsa > 1\n | ...........^\n",
      },
    ])
  })
})

describe('mutating policies', () => {
  test('merge lists by their keys', async () => {
    await mutating({
      resources: ['deployments'],
      groups: ['apps'],
      expression:
        'Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: [Object.spec.template.spec.containers{name: "sidecar", image: "s:1"}]}}}}',
    })
    const labels = { app: 'a' }
    const made = await admin.resource(deployments).create({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd', namespace: 'default' },
      spec: { replicas: 0, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'm:1' }] } } },
    })
    expect(made.spec?.template.spec?.containers.map(one => [one.name, one.image, one.imagePullPolicy])).toEqual([
      ['main', 'm:1', 'IfNotPresent'],
      ['sidecar', 's:1', 'IfNotPresent'],
    ])
    await admin.resource(deployments).delete('d', { namespace: 'default' })
  })

  test('patch, unless a test in the patch fails', async () => {
    await mutating(
      {
        type: 'JSONPatch',
        expression:
          '[JSONPatch{op: "add", path: "/metadata/annotations", value: {"a/b": "x"}}, JSONPatch{op: "add", path: "/metadata/annotations/" + jsonpatch.escapeKey("a/c"), value: "y"}]',
      },
      { type: 'JSONPatch', expression: '[JSONPatch{op: "test", path: "/data/a", value: "other"}, JSONPatch{op: "remove", path: "/data/a"}]' },
    )
    const made = await create({ a: '1' })
    expect([made.data, made.metadata.annotations]).toEqual([{ a: '1' }, { 'a/b': 'x', 'a/c': 'y' }])
  })

  test('run once more after later changes where they ask for it', async () => {
    await mutating({ expression: 'Object{data: {"seen": string("late" in object.data)}}', again: true }, { expression: 'Object{data: {"late": "yes"}}' })
    expect((await create({ a: '1' })).data).toEqual({ a: '1', late: 'yes', seen: 'true' })
  })

  test('may not replace what has one owner as a whole, nor name the wrong type', async () => {
    await mutating({ resources: ['services'], expression: 'Object{spec: Object.spec{selector: {"a": "b"}}}' })
    const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 's', namespace: 'default' }, spec: { ports: [{ port: 80 }] } }
    const post = (): Promise<string> =>
      admin.raw({ method: 'POST', url: '/api/v1/namespaces/default/services', body: { object: service }, answer: 'objects' }).then(response => JSON.stringify(response.body))
    expect(await post()).toContain(
      "policy 'm0' with binding 'm0' denied request: error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.selector",
    )
    await admin.resource(mutatingAdmissionPolicies).patch('m0', 'merge', {
      spec: { mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression: 'Object{spec: Object.wrong{type: "NodePort"}}' } }] },
    })
    expect(await post()).toContain('type mismatch: unexpected type name')
  })
})
