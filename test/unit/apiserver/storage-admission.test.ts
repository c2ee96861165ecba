/** Admission of storage, devices and bindings, through a whole API server without controllers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startControlPlane, type RunningControlPlane } from '../../support/running-control-plane.ts'

let running: RunningControlPlane
beforeAll(async () => {
  running = await startControlPlane({ runControllers: false })
  await call('POST', '/api/v1/namespaces', { metadata: { name: 'n' } })
  await call('POST', '/api/v1/namespaces', { metadata: { name: 'admin', labels: { 'resource.kubernetes.io/admin-access': 'true' } } })
})
afterAll(async () => {
  await running.stop()
})

interface Answer {
  readonly code: number
  readonly message: string
  readonly object: {
    readonly metadata: { readonly finalizers?: string[]; readonly labels?: Record<string, string> }
    readonly items?: { readonly metadata: { readonly name: string } }[]
  }
}

async function call(method: string, url: string, object?: unknown, type = 'application/json'): Promise<Answer> {
  const user = { name: 'admin', groups: ['system:masters', 'system:authenticated'] }
  const body = object === undefined ? {} : { body: { bytes: new TextEncoder().encode(JSON.stringify(object)) } }
  const answer = await running.controlPlane.handle({ method, url, headers: { 'content-type': type, accept: 'application/json' }, user, ...body })
  const text = answer.body.kind === 'bytes' ? Buffer.concat(answer.body.chunks.map(chunk => Buffer.from(chunk))).toString() : '{}'
  const parsed = JSON.parse(text) as Answer['object'] & { message?: string }
  return { code: answer.status, message: parsed.message ?? '', object: parsed }
}
const patch = (url: string, object: unknown): Promise<Answer> => call('PATCH', url, object, 'application/merge-patch+json')

const claims = '/api/v1/namespaces/n/persistentvolumeclaims'
const claim = (name: string, storageClassName: string): object => ({
  metadata: { name },
  spec: { accessModes: ['ReadWriteOnce'], storageClassName, resources: { requests: { storage: '1Gi' } } },
})

describe('storage', () => {
  it('protects claims, volumes and their classes from the first moment', async () => {
    const made = await call('POST', claims, claim('protected', ''))
    const volume = await call('POST', '/api/v1/persistentvolumes', {
      metadata: { name: 'v' },
      spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/tmp' } },
    })
    const attributes = await call('POST', '/apis/storage.k8s.io/v1/volumeattributesclasses', { metadata: { name: 'a' }, driverName: 'd', parameters: { a: 'b' } })
    expect([made, volume, attributes].map(answer => answer.object.metadata.finalizers)).toEqual([
      ['kubernetes.io/pvc-protection'],
      ['kubernetes.io/pv-protection'],
      ['kubernetes.io/vac-protection'],
    ])
  })

  it('lets a claim grow when it is bound and its class allows it', async () => {
    const grow = (name: string): Promise<Answer> => patch(`${claims}/${name}`, { spec: { resources: { requests: { storage: '2Gi' } } } })
    const bind = (name: string): Promise<Answer> => patch(`${claims}/${name}/status`, { status: { phase: 'Bound', capacity: { storage: '1Gi' } } })
    for (const [name, allowVolumeExpansion] of [
      ['grows', true],
      ['fixed', false],
    ] as const) {
      await call('POST', '/apis/storage.k8s.io/v1/storageclasses', { metadata: { name }, provisioner: 'p', allowVolumeExpansion })
      await call('POST', claims, claim(name, name))
      await bind(name)
    }
    expect((await grow('grows')).code).toBe(200)
    expect(await grow('fixed')).toMatchObject({
      code: 403,
      message: 'persistentvolumeclaims "fixed" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
    })
  })
})

it('devices that others use are shown to marked namespaces alone', async () => {
  const spec = { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'd', adminAccess: true } }] } }
  const make = (namespace: string): Promise<Answer> => call('POST', `/apis/resource.k8s.io/v1/namespaces/${namespace}/resourceclaims`, { metadata: { name: 'c' }, spec })
  expect(await make('n')).toMatchObject({
    code: 422,
    message:
      'ResourceClaim.resource.k8s.io "c" is invalid: spec.devices.requests[0].adminAccess: Forbidden: admin access to devices requires the `resource.kubernetes.io/admin-access: true` label on the containing namespace',
  })
  expect((await make('admin')).code).toBe(201)
})

it('a pod gets zone and region of the node that it is bound to', async () => {
  const labels = { 'topology.kubernetes.io/zone': 'z', 'topology.kubernetes.io/region': 'r' }
  await call('POST', '/api/v1/nodes', { metadata: { name: 'node', labels: { ...labels, 'topology.kubernetes.io/rack': 'no' } } })
  await call('POST', '/api/v1/namespaces/n/serviceaccounts', { metadata: { name: 'default' } })
  await call('POST', '/api/v1/namespaces/n/pods', { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i' }] } })
  // By the collection of bindings, as clients of old do.
  const bound = await call('POST', '/api/v1/namespaces/n/bindings', { metadata: { name: 'p' }, target: { kind: 'Node', name: 'node' } })
  expect(bound.code).toBe(201)
  expect((await call('GET', '/api/v1/namespaces/n/pods/p')).object.metadata.labels).toEqual(labels)
})

it('componentstatuses tell of the parts', async () => {
  const list = await call('GET', '/api/v1/componentstatuses')
  expect(list.object.items?.map(item => item.metadata.name)).toEqual(['controller-manager', 'scheduler', 'etcd-0'])
  expect(await call('GET', '/api/v1/componentstatuses/etcd-0')).toMatchObject({ object: { conditions: [{ type: 'Healthy', status: 'True' }] } })
  expect(await call('GET', '/api/v1/componentstatuses/scheduler')).toMatchObject({ object: { conditions: [{ type: 'Healthy', status: 'False', message: 'not running' }] } })
  expect((await call('GET', '/api/v1/componentstatuses/other')).code).toBe(404)
})
