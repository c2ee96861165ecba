/** T1: nobody, and every account that no role was given to, against every verb of every resource that discovery names. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apiPeer, expectUnharmed, type ApiPeer } from '../../support/api-peer.ts'
import { startControlPlane, type RunningControlPlane } from '../../support/running-control-plane.ts'

let running: RunningControlPlane
let admin: ApiPeer
let kinds: { path: string; name: string; namespaced: boolean; verbs: string[] }[]
const namespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease', 'shop']
const methods: Readonly<Record<string, string>> = {
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETE',
  get: 'GET',
  list: 'GET',
  watch: 'GET',
}

beforeAll(async () => {
  running = await startControlPlane({ runControllers: false })
  admin = apiPeer(running.controlPlane)
  await admin.ask('/api/v1/namespaces', { body: { metadata: { name: 'shop' } } })
  for (const namespace of namespaces) await admin.ask(`/api/v1/namespaces/${namespace}/serviceaccounts`, { body: { metadata: { name: 'default' } } })
  const json = async <T>(path: string): Promise<T> => JSON.parse((await admin.ask(path)).text) as T
  const groups = (await json<{ groups: { versions: { groupVersion: string }[] }[] }>('/apis')).groups.flatMap(group =>
    group.versions.map(version => `/apis/${version.groupVersion}`),
  )
  kinds = (
    await Promise.all(
      ['/api/v1', ...groups].map(async path =>
        (await json<{ resources: { name: string; namespaced: boolean; verbs: string[] }[] }>(path)).resources.map(one => ({ ...one, path })),
      ),
    )
  ).flat()
  await untilSettled()
})
afterAll(async () => {
  await expectUnharmed(running)
  admin.close()
  await running.stop()
})

/** One request for each verb of each resource and subresource. */
function* requests(namespace: string): Generator<{ what: string; method: string; path: string }> {
  for (const kind of kinds) {
    const [plural = '', sub] = kind.name.split('/')
    const base = `${kind.path}${kind.namespaced ? `/namespaces/${namespace}` : ''}/${plural}`
    for (const verb of kind.verbs) {
      const isOne = sub !== undefined || ['get', 'update', 'patch', 'delete'].includes(verb)
      yield {
        what: `${verb} ${kind.path} ${kind.name}`,
        method: methods[verb] ?? 'GET',
        path: `${base}${isOne ? `/x${sub === undefined ? '' : `/${sub}`}` : ''}${verb === 'watch' ? '?watch=true&timeoutSeconds=1' : ''}`,
      }
    }
  }
}

async function statuses(peer: ApiPeer, namespace: string): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  const waiting = [...requests(namespace)]
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let one = waiting.shift(); one; one = waiting.shift()) {
        const answer = await peer.ask(one.path, {
          method: one.method,
          ...(one.method === 'GET' || one.method === 'DELETE' ? {} : { body: {}, type: one.method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' }),
        })
        found.set(one.what, answer.status)
      }
    }),
  )
  return found
}

const storedState = async (): Promise<string> => {
  const { entries } = await running.controlPlane.store.list('/')
  return JSON.stringify(entries.map(entry => [entry.key, entry.revision]))
}

/** The API server judges flow schemas and registers its own groups soon after its start; what comes later is the attacker's. */
async function untilSettled(): Promise<void> {
  const quietMs = 2_000
  for (let before = await storedState(); ;) {
    await new Promise(resolve => setTimeout(resolve, quietMs))
    const now = await storedState()
    if (now === before) return
    before = now
  }
}

describe('without credentials', () => {
  test('every verb of every resource is 401, and nothing changes', async () => {
    const before = await storedState()
    const peer = apiPeer(running.controlPlane, {})
    const found = await statuses(peer, 'default')
    expect(found.size).toBeGreaterThan(300)
    expect([...found].filter(([, status]) => status !== 401)).toEqual([])
    for (const path of [
      '/',
      '/api',
      '/apis',
      '/api/v1',
      '/version',
      '/metrics',
      '/openapi/v2',
      '/openapi/v3',
      '/.well-known/openid-configuration',
      '/openid/v1/jwks',
      '/debug/pprof',
      '/logs',
      '/livez/',
      '/livez/../api/v1/secrets',
      '/healthz%2f..%2fapi',
      '//livez',
      '/LIVEZ',
    ]) {
      const { status } = await peer.ask(path)
      expect([path, status]).toEqual([path, 401])
    }
    expect(await storedState()).toBe(before)
    peer.close()
  })
})

describe('as the default account of a namespace', () => {
  // What Kubernetes gives to everybody who is authenticated: questions about themselves; and to every service account: whom to trust.
  const ofEverybody =
    /^(create \/apis\/(authorization\.k8s\.io\/v1 selfsubject(access|rules)reviews|authentication\.k8s\.io\/v1 selfsubjectreviews)|(get|list|watch) \/apis\/certificates\.k8s\.io\/v1(beta1)? clustertrustbundles)$/
  test.each(namespaces)('%s: every verb of every resource is 403, and nothing changes', async namespace => {
    const issued = await admin.ask(`/api/v1/namespaces/${namespace}/serviceaccounts/default/token`, { body: { spec: {} } })
    const peer = apiPeer(running.controlPlane, { token: (JSON.parse(issued.text) as { status: { token: string } }).status.token })
    const before = await storedState()
    const found = await statuses(peer, namespace)
    expect([...found].filter(([what, status]) => status !== 403 && !ofEverybody.test(what))).toEqual([])
    expect((await peer.ask('/metrics')).status).toBe(403)
    expect(await storedState()).toBe(before)
    peer.close()
  })
})
