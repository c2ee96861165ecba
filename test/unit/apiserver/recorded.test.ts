/** Points in which a real API server surprises: what its recorded answers taught, with this project's own objects. */
import { beforeEach, describe, expect, it } from 'vitest'
import { testServer } from './cluster.ts'
import type { TestServer } from './cluster.ts'

const n = '/api/v1/namespaces/n'
const apps = '/apis/apps/v1/namespaces/n'
const roles = '/apis/rbac.authorization.k8s.io/v1/namespaces/n/roles'
const slices = '/apis/discovery.k8s.io/v1/namespaces/n/endpointslices'
const apply = { 'content-type': 'application/apply-patch+yaml' }
const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' }
const container = { name: 'web', image: 'shop:1' }
const template = { metadata: { labels: { app: 'shop' } }, spec: { containers: [container] } }
const deployment = { metadata: { name: 'shop' }, spec: { selector: { matchLabels: { app: 'shop' } }, template } }

let server: TestServer
beforeEach(() => {
  server = testServer()
})

describe('what is always written as null', () => {
  const managers = (body: { metadata: { managedFields: { manager: string; fieldsV1: unknown }[] } }): unknown =>
    body.metadata.managedFields.map(entry => [entry.manager, entry.fieldsV1])

  it('is no change when the object is put back as it was read', async () => {
    const made = await server.create(slices, { metadata: { name: 's' }, addressType: 'IPv4', endpoints: [{ addresses: ['10.1.0.1'] }] })
    expect(made.body.ports).toBeNull()
    const put = await server.call('PUT', `${slices}/s?fieldManager=other`, made.body)
    expect([put.status, managers(put.body), put.body.metadata.resourceVersion]).toEqual([200, managers(made.body), made.body.metadata.resourceVersion])
  })

  it('belongs to nobody, so that an apply without it is no conflict', async () => {
    const made = await server.create(roles, { metadata: { name: 'r' } })
    expect(made.body.rules).toBeNull()
    expect(
      (await server.call('PATCH', `${roles}/r`, [{ op: 'replace', path: '/metadata/managedFields', value: [{}] }], { 'content-type': 'application/json-patch+json' })).body.metadata
        .managedFields,
    ).toBeUndefined()
    const applied = await server.call(
      'PATCH',
      `${roles}/r?fieldManager=m`,
      { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'r', labels: { a: 'b' } } },
      apply,
    )
    expect([applied.status, applied.body.metadata.labels]).toEqual([200, { a: 'b' }])
  })

  it('counts where it comes with something new', async () => {
    await server.create(`${n}/pods`, { metadata: { name: 'p' }, spec: { containers: [container] } })
    const { body } = await server.merge(`${n}/pods/p/status`, { status: { conditions: [{ type: 'Ready', status: 'True' }] } })
    expect(body.metadata.managedFields[1].fieldsV1['f:status']['f:conditions']['k:{"type":"Ready"}']).toEqual({
      '.': {},
      'f:lastProbeTime': {},
      'f:lastTransitionTime': {},
      'f:status': {},
      'f:type': {},
    })
  })
})

describe('apply', () => {
  const put = (document: unknown): Promise<{ status: number; body: { message: string } }> => server.call('PATCH', `${n}/configmaps/a?fieldManager=m`, document, apply)

  it.each([
    ['', 'invalid object type: /, Kind='],
    [{ apiVersion: 'v1', metadata: { name: 'a' } }, 'invalid object type: /v1, Kind='],
    [{ apiVersion: 'v1', kind: 'ConfigMap' }, 'the name of the object (a based on URL) was undeterminable: name must be provided'],
    [[1], 'error decoding patch: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}'],
  ])('refuses %j', async (document, message) => {
    expect(await put(document)).toMatchObject({ status: 400, body: { message } })
  })
})

describe('scale', () => {
  it('is applied as a manager of the parent, without a time', async () => {
    await server.create(`${apps}/deployments`, deployment)
    const scale = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'shop' }, spec: { replicas: 4 } }
    const url = `${apps}/deployments/shop`
    expect((await server.call('PATCH', `${url}/scale?fieldManager=s`, scale, apply)).status).toBe(409)
    expect((await server.call('PATCH', `${url}/scale?fieldManager=s&force=true`, scale, apply)).body.spec.replicas).toBe(4)
    expect((await server.call('GET', url)).body.metadata.managedFields[0]).toEqual({
      manager: 's',
      operation: 'Apply',
      apiVersion: 'apps/v1',
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:spec': { 'f:replicas': {} } },
      subresource: 'scale',
    })
    const whole = { apiVersion: 'apps/v1', kind: 'Deployment', ...deployment, spec: { ...deployment.spec, replicas: 5 } }
    expect((await server.call('PATCH', `${url}?fieldManager=w`, whole, apply)).body.message).toBe(
      'Apply failed with 1 conflict: conflict with "s" with subresource "scale": .spec.replicas',
    )
    expect((await server.call('PUT', `${url}/scale`, { ...deployment, apiVersion: 'apps/v1', kind: 'Deployment' })).body.message).toBe(
      'Deployment in version "v1" cannot be handled as a Scale: converting (v1.Deployment) to (autoscaling.Scale): unknown conversion',
    )
  })
})

describe('deletion', () => {
  it.each([
    [{ preconditions: { uid: 'x' } }, 409, 'Operation cannot be fulfilled on ConfigMap "a": the UID in the precondition (x) does not match the UID in record ('],
    [
      { preconditions: { resourceVersion: '1' } },
      409,
      'Operation cannot be fulfilled on ConfigMap "a": the ResourceVersion in the precondition (1) does not match the ResourceVersion in record (',
    ],
    [{ propagationPolicy: 'Later' }, 422, 'supported values: "Foreground", "Background", "Orphan", "nil"'],
    [{ apiVersion: 'v1', kind: 'Node' }, 400, 'no kind "Node" is registered for version "v1" in scheme'],
    ['{"orphanDependents": fals', 400, "invalid character ' ' in literal false (expecting 'e')"],
  ])('%j is %i', async (options, code, text) => {
    await server.create(`${n}/configmaps`, { metadata: { name: 'a' } })
    const { status, body } = await server.call('DELETE', `${n}/configmaps/a`, options)
    expect([status, body.message]).toEqual([code, expect.stringContaining(text)])
  })

  it('of events knows no dependents', async () => {
    await server.create(`${n}/events`, { metadata: { name: 'e' }, involvedObject: { kind: 'Pod', namespace: 'n', name: 'p' } })
    expect((await server.call('DELETE', `${n}/events/e?propagationPolicy=Foreground`)).body).toMatchObject({ kind: 'Status', status: 'Success' })
    expect((await server.call('GET', `${n}/events/e`)).status).toBe(404)
  })
})

describe('subresources', () => {
  it('a namespace keeps annotations that come with its status', async () => {
    await server.create('/api/v1/namespaces', { metadata: { name: 'shop' } })
    const patched = await server.merge('/api/v1/namespaces/shop/status', { metadata: { annotations: { by: 'me' } }, status: { conditions: [{ type: 'Seen', status: 'True' }] } })
    expect([patched.status, patched.body.metadata.annotations, patched.body.status.conditions.length]).toEqual([200, { by: 'me' }, 1])
    expect((await server.call('GET', '/api/v1/namespaces/shop/status')).body.status.phase).toBe('Active')
    expect((await server.call('PUT', '/api/v1/namespaces/shop/status', patched.body)).status).toBe(200)
  })

  it('a certificate request keeps annotations that come with its approval', async () => {
    const requests = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
    const request = btoa('-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n')
    await server.create(requests, { metadata: { name: 'c' }, spec: { request, signerName: 'shop.example/tls', usages: ['client auth'] } })
    const { body } = await server.merge(`${requests}/c/approval`, {
      metadata: { annotations: { by: 'me' } },
      spec: { usages: ['any'] },
      status: { conditions: [{ type: 'Approved', status: 'True' }] },
    })
    expect([body.metadata.annotations, body.spec.usages, body.status.conditions[0].type]).toEqual([{ by: 'me' }, ['client auth'], 'Approved'])
  })

  it('a service learns the mode of its load balancer and refuses bad addresses', async () => {
    await server.create(`${n}/services`, { metadata: { name: 's' }, spec: { type: 'LoadBalancer', ports: [{ port: 80 }] } })
    expect((await server.merge(`${n}/services/s/status`, { status: { loadBalancer: { ingress: [{ ip: '192.0.2.7' }] } } })).body.status.loadBalancer.ingress).toEqual([
      { ip: '192.0.2.7', ipMode: 'VIP' },
    ])
    expect((await server.merge(`${n}/services/s/status`, { status: { loadBalancer: { ingress: [{ ip: 'no' }] } } })).body.details.causes[0].field).toBe(
      'status.loadBalancer.ingress[0].ip',
    )
  })
})

describe('kinds', () => {
  it('a webhook is filled in, and its configuration is only replaced in a named version', async () => {
    const url = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations'
    const { body } = await server.create(url, {
      metadata: { name: 'w' },
      webhooks: [{ name: 'shop.example.com', clientConfig: { url: 'https://localhost/' }, sideEffects: 'None', admissionReviewVersions: ['v1'] }],
    })
    expect(body.webhooks[0]).toMatchObject({ failurePolicy: 'Fail', matchPolicy: 'Equivalent', namespaceSelector: {}, objectSelector: {}, timeoutSeconds: 10 })
    expect((await server.call('PUT', `${url}/w`, { metadata: { name: 'w' } })).body).toMatchObject({ code: 422, details: { kind: 'validatingwebhookconfigurations' } })
  })

  it.each([
    ['resourcequotas', { hard: { pods: '1' }, scopes: ['Terminating', 'NotTerminating'] }, 'spec.scopes'],
    [
      'resourcequotas',
      { hard: { pods: '1' }, scopeSelector: { matchExpressions: [{ scopeName: 'BestEffort', operator: 'In', values: ['a'] }] } },
      'spec.scopeSelector.matchExpressions.operator',
    ],
    ['limitranges', { limits: [{ type: 'Container', maxLimitRequestRatio: { memory: '0.9' } }] }, 'spec.limits[0].maxLimitRequestRatio[memory]'],
    ['limitranges', { limits: [{ type: 'PersistentVolumeClaim' }] }, 'spec.limits[0].limits'],
    ['services', { ports: [{ port: 80 }], ipFamilies: ['IPv6'] }, 'spec.ipFamilies[0]'],
  ])('%s with %j are refused at one field', async (plural, spec, field) => {
    const { status, body } = await server.create(`${n}/${plural}`, { metadata: { name: 'x' }, spec })
    expect([status, body.details.causes.map((cause: { field: string }) => cause.field)]).toEqual([422, [field]])
  })
})

describe('tables and metadata', () => {
  it('mark pods that ended', async () => {
    await server.create(`${n}/pods`, { metadata: { name: 'p' }, spec: { containers: [container] } })
    expect((await server.call('GET', `${n}/pods/p`, undefined, table)).body.rows[0].conditions).toBeUndefined()
    await server.merge(`${n}/pods/p/status`, { status: { phase: 'Failed' } })
    expect((await server.call('GET', `${n}/pods/p`, undefined, table)).body.rows[0].conditions).toEqual([
      { type: 'Completed', status: 'True', reason: 'Failed', message: 'The pod failed.' },
    ])
  })

  it('leave out what only whole daemon sets show', async () => {
    const { body } = await server.create(`${apps}/daemonsets`, { ...deployment })
    expect(body.metadata.annotations).toEqual({ 'deprecated.daemonset.template.generation': '1' })
    expect(
      (await server.call('GET', `${apps}/daemonsets/shop`, undefined, { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' })).body.metadata.annotations,
    ).toBeUndefined()
  })

  it('warn of a deprecated kind only where the kind has its say', async () => {
    expect((await server.call('GET', `${n}/endpoints/e`)).headers['warning']).toHaveLength(1)
    expect((await server.call('PUT', `${n}/endpoints`, {})).headers['warning']).toBeUndefined()
    expect((await server.call('GET', `${n}/endpoints/e/nothing`)).headers['warning']).toBeUndefined()
  })

  it('take a selector that excludes nothing', async () => {
    expect((await server.call('GET', `${n}/pods?labelSelector=${encodeURIComponent('a notin ()')}`)).status).toBe(200)
  })
})
