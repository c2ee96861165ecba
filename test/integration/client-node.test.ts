/** The JavaScript client of the Kubernetes project against the real port. */
import { KubeConfig, CoreV1Api, AppsV1Api, AuthorizationV1Api, Watch } from '@kubernetes/client-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startControlPlane, type RunningControlPlane } from '../support/running-control-plane.ts'

let running: RunningControlPlane
let config: KubeConfig

beforeAll(async () => {
  running = await startControlPlane()
  config = new KubeConfig()
  config.loadFromString(running.controlPlane.adminKubeconfig)
})
afterAll(async () => {
  await running.stop()
})

test('objects are created, listed by label and deleted', async () => {
  const core = config.makeApiClient(CoreV1Api)
  await core.createNamespacedConfigMap({ namespace: 'default', body: { metadata: { name: 'one', labels: { of: 'client' } }, data: { a: 'b' } } })
  const found = await core.listNamespacedConfigMap({ namespace: 'default', labelSelector: 'of=client' })
  expect(found.items.map(item => item.data)).toEqual([{ a: 'b' }])
  await core.deleteNamespacedConfigMap({ namespace: 'default', name: 'one' })
  await expect(core.readNamespacedConfigMap({ namespace: 'default', name: 'one' })).rejects.toMatchObject({ code: 404 })
})

test('a deployment is made and scaled', async () => {
  const apps = config.makeApiClient(AppsV1Api)
  const spec = {
    replicas: 1,
    selector: { matchLabels: { a: 'b' } },
    template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'registry.test/c:1' }] } },
  }
  await apps.createNamespacedDeployment({ namespace: 'default', body: { metadata: { name: 'd' }, spec } })
  const scale = await apps.readNamespacedDeploymentScale({ namespace: 'default', name: 'd' })
  await apps.replaceNamespacedDeploymentScale({ namespace: 'default', name: 'd', body: { ...scale, spec: { replicas: 4 } } })
  expect((await apps.readNamespacedDeployment({ namespace: 'default', name: 'd' })).spec?.replicas).toBe(4)
})

test('a watch tells of additions and deletions in order', async () => {
  const core = config.makeApiClient(CoreV1Api)
  const seen: string[] = []
  let finish: (() => void) | undefined
  const done = new Promise<void>(resolve => {
    finish = resolve
  })
  const abort = await new Watch(config).watch(
    '/api/v1/namespaces/default/secrets',
    { labelSelector: 'of=watch' },
    (phase: string, object: { metadata: { name: string } }) => {
      seen.push(`${phase} ${object.metadata.name}`)
      if (phase === 'DELETED') finish?.()
    },
    () => {},
  )
  await core.createNamespacedSecret({ namespace: 'default', body: { metadata: { name: 'w', labels: { of: 'watch' } }, stringData: { k: 'v' } } })
  await core.deleteNamespacedSecret({ namespace: 'default', name: 'w' })
  await done
  abort.abort()
  expect(seen).toEqual(['ADDED w', 'DELETED w'])
})

test('a review answers for another user', async () => {
  const review = await config
    .makeApiClient(AuthorizationV1Api)
    .createSubjectAccessReview({ body: { spec: { user: 'nobody', resourceAttributes: { verb: 'get', resource: 'pods', namespace: 'default' } } } })
  expect(review.status).toEqual({ allowed: false })
})
