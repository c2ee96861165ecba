/** The kubelet's pure rules: expansion, environment, phases, conditions, patches, back-off, DNS files. */
import { describe, expect, it } from 'vitest'
import type { Pod, PodSpec } from '../../../src-main/api/generated/core-v1.ts'
import { virtualEnv } from '../../../src-main/base/virtual-env.ts'
import type { RuntimeContainer } from '../../../src-main/node-agent/container-runtime/runtime.ts'
import { environmentOf, serviceVariables } from '../../../src-main/node-agent/kubelet/environment.ts'
import { expand } from '../../../src-main/node-agent/kubelet/expansion.ts'
import { credentialsOf } from '../../../src-main/node-agent/kubelet/images.ts'
import { hostsText, podResolver } from '../../../src-main/node-agent/kubelet/pod-files.ts'
import { containerLimits } from '../../../src-main/node-agent/kubelet/pod-resources.ts'
import { podStatus } from '../../../src-main/node-agent/kubelet/pod-status.ts'
import type { PodFacts } from '../../../src-main/node-agent/kubelet/pod-status.ts'
import { CrashBackoff, shouldRestart } from '../../../src-main/node-agent/kubelet/restart-policy.ts'
import { statusPatch } from '../../../src-main/node-agent/kubelet/status-patch.ts'

const podOf = (spec: Partial<PodSpec> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'n', uid: 'u' },
  spec: { containers: [{ name: 'a', image: 'i' }], ...spec } as PodSpec,
})

const run = (name: string, phase: RuntimeContainer['phase'], exitCode = 0, restartCount = 0): RuntimeContainer => ({
  id: `${name}-${restartCount}`,
  type: 'container',
  name,
  podUID: 'u',
  podName: 'p',
  podNamespace: 'n',
  labels: {},
  restartCount,
  hash: '',
  phase,
  pid: 1,
  createdAtMs: 1000,
  startedAtMs: 1000,
  finishedAtMs: phase === 'exited' ? 2000 : 0,
  exitCode,
  oomKilled: false,
  error: '',
  image: 'i',
  imageID: 'sha',
  address: '',
})

const facts = (containers: RuntimeContainer[], more: Partial<PodFacts> = {}): PodFacts => ({
  now: 5000,
  containers,
  waiting: new Map(),
  ready: () => true,
  started: () => true,
  imageReference: id => id,
  terminationMessage: () => '',
  sandboxReady: true,
  podIP: '10.0.0.2',
  hostIP: '192.168.0.1',
  startTime: '1970-01-01T00:00:01Z',
  terminating: false,
  ...more,
})

describe('expansion of $(NAME)', () => {
  const cases: [string, string][] = [
    ['$(A)', 'x'],
    ['$$(A)', '$(A)'],
    ['$(B)', '$(B)'],
    ['a$(A)b$(A)', 'axbx'],
    ['$(A', '$(A'],
    ['$', '$'],
    ['$$$(A)', '$x'],
    ['$A', '$A'],
  ]
  it.each(cases)('%s → %s', (text, wanted) => {
    expect(expand(text, name => (name === 'A' ? 'x' : undefined))).toBe(wanted)
  })
})

describe('the environment', () => {
  const sources = {
    configMap: (_: string, name: string) => Promise.resolve(name === 'cm' ? { apiVersion: 'v1', kind: 'ConfigMap', metadata: {}, data: { k: 'v', __proto__x: '1' } } : undefined),
    secret: () => Promise.resolve({ apiVersion: 'v1', kind: 'Secret', metadata: {}, data: { pw: Buffer.from('geheim').toString('base64') } }),
    services: () => [],
    addresses: { podIP: '10.0.0.2', hostIP: '192.168.0.1', nodeName: 'node' },
    allocatable: { cpuMilli: 2000, memoryBytes: 1 << 30, ephemeralBytes: 0 },
  }
  it('takes envFrom first, lets env win, and expands what came before', async () => {
    const container = {
      name: 'a',
      envFrom: [{ configMapRef: { name: 'cm' }, prefix: 'P_' }],
      env: [
        { name: 'P_k', value: 'own' },
        { name: 'X', value: '$(P_k)-$(NO)' },
        { name: 'S', valueFrom: { secretKeyRef: { name: 's', key: 'pw' } } },
        { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
      ],
    }
    expect(Object.fromEntries(await environmentOf(podOf(), container, sources))).toMatchObject({ P_k: 'own', X: 'own-$(NO)', S: 'geheim', IP: '10.0.0.2', CPU: '2' })
  })
  it('says which object or key is missing', async () => {
    const missing = { name: 'a', env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'no', key: 'k' } } }] }
    const noKey = { name: 'a', env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'cm', key: 'q' } } }] }
    const optional = { name: 'a', env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'no', key: 'k', optional: true } } }] }
    await expect(environmentOf(podOf(), missing, sources)).rejects.toThrow('configmap "no" not found')
    await expect(environmentOf(podOf(), noKey, sources)).rejects.toThrow("couldn't find key q in ConfigMap n/cm")
    expect((await environmentOf(podOf(), optional, sources)).has('A')).toBe(false)
  })
  it('names services as Docker links did, of the own namespace and kubernetes only', () => {
    const service = (namespace: string, name: string, ip: string): never =>
      ({ metadata: { namespace, name }, spec: { clusterIP: ip, ports: [{ name: 'web', port: 80, protocol: 'TCP' }] } }) as never
    const out = serviceVariables(
      [service('n', 'my-db', '10.96.0.5'), service('other', 'x', '10.96.0.6'), service('default', 'kubernetes', '10.96.0.1'), service('n', 'none', 'None')],
      'n',
      true,
    )
    expect([...out.keys()].filter(key => key.endsWith('_SERVICE_HOST')).sort()).toEqual(['KUBERNETES_SERVICE_HOST', 'MY_DB_SERVICE_HOST'])
    expect(out.get('MY_DB_PORT_80_TCP')).toBe('tcp://10.96.0.5:80')
    expect(serviceVariables([service('n', 'my-db', '10.96.0.5')], 'n', false).size).toBe(0)
  })
})

describe('the phase of a pod', () => {
  const phase = (spec: Partial<PodSpec>, containers: RuntimeContainer[], more: Partial<PodFacts> = {}): string | undefined => podStatus(podOf(spec), facts(containers, more)).phase
  it('follows its containers', () => {
    const two = { containers: [{ name: 'a' }, { name: 'b' }] } as Partial<PodSpec>
    expect({
      none: phase({}, []),
      running: phase({}, [run('a', 'running')]),
      done: phase({ restartPolicy: 'Never' }, [run('a', 'exited', 0)]),
      failed: phase({ restartPolicy: 'Never' }, [run('a', 'exited', 1)]),
      again: phase({ restartPolicy: 'OnFailure' }, [run('a', 'exited', 1)]),
      always: phase({}, [run('a', 'exited', 0)]),
      half: phase({ ...two, restartPolicy: 'Never' }, [run('a', 'exited', 0), run('b', 'running')]),
      waiting: phase(two, [run('a', 'running')]),
      initFailed: phase({ restartPolicy: 'Never', initContainers: [{ name: 'i' }] }, [run('i', 'exited', 1)]),
      init: phase({ initContainers: [{ name: 'i' }] }, [run('i', 'running')]),
      stopped: phase({}, [run('a', 'exited', 0)], { terminating: true }),
      killed: phase({}, [run('a', 'exited', 137)], { terminating: true }),
      sidecar: phase({ restartPolicy: 'Never', initContainers: [{ name: 's', restartPolicy: 'Always' }] }, [run('s', 'running'), run('a', 'exited', 0)]),
    }).toEqual({
      none: 'Pending',
      running: 'Running',
      done: 'Succeeded',
      failed: 'Failed',
      again: 'Running',
      always: 'Running',
      half: 'Running',
      waiting: 'Pending',
      initFailed: 'Failed',
      init: 'Pending',
      stopped: 'Succeeded',
      killed: 'Failed',
      sidecar: 'Running',
    })
  })
  it("is told by conditions with the kubelet's reasons", () => {
    const status = podStatus(podOf({ initContainers: [{ name: 'i' }] } as Partial<PodSpec>), facts([run('i', 'running')]))
    expect(status.conditions?.map(c => [c.type, c.status, c.reason ?? '', c.message ?? ''])).toEqual([
      ['PodReadyToStartContainers', 'True', '', ''],
      ['Initialized', 'False', 'ContainersNotInitialized', 'containers with incomplete status: [i]'],
      ['Ready', 'False', 'ContainersNotReady', 'containers with unready status: [a]'],
      ['ContainersReady', 'False', 'ContainersNotReady', 'containers with unready status: [a]'],
      ['PodScheduled', 'True', '', ''],
    ])
  })
  it('keeps the run before as lastState while the container waits', () => {
    const status = podStatus(podOf(), facts([run('a', 'exited', 7, 1)], { waiting: new Map([['a', { reason: 'CrashLoopBackOff', message: 'm' }]]) }))
    expect(status.containerStatuses?.[0]).toMatchObject({
      restartCount: 1,
      ready: false,
      state: { waiting: { reason: 'CrashLoopBackOff' } },
      lastState: { terminated: { exitCode: 7, reason: 'Error' } },
    })
  })
})

describe('the status patch', () => {
  it('is nothing without a change, and only what changed with one', () => {
    const pod = podOf()
    const status = podStatus(pod, facts([run('a', 'running')]))
    const known = { ...pod, status }
    expect(statusPatch(known, podStatus(known, facts([run('a', 'running')], { now: 9000 })))).toBeUndefined()
    expect(statusPatch(known, podStatus(known, facts([run('a', 'running')], { ready: () => false })))).toMatchObject({
      metadata: { uid: 'u' },
      status: { conditions: [{ type: 'Ready', status: 'False' }, { type: 'ContainersReady' }] },
    })
    expect(Object.keys((statusPatch(known, podStatus(known, facts([run('a', 'running')], { ready: () => false }))) as { status: object }).status).sort()).toEqual([
      'conditions',
      'containerStatuses',
    ])
  })
})

describe('restarts', () => {
  it('wait 10 s, then twice as long each time up to 5 minutes, and start over after 10 quiet minutes', async () => {
    const env = virtualEnv()
    const backoff = new CrashBackoff(env.clock)
    const waits: number[] = []
    expect(backoff.next('k', env.clock.now()).waitMs).toBe(0) // the first time at once
    for (let i = 0; i < 7; i++) {
      const { waitMs } = backoff.next('k', env.clock.now())
      waits.push(waitMs)
      await env.advance(waitMs)
      expect(backoff.next('k', env.clock.now() - waitMs).waitMs).toBe(0)
    }
    await env.advance(601_000)
    backoff.next('k', env.clock.now() - 600_000)
    expect([...waits, backoff.next('k', env.clock.now()).waitMs]).toEqual([10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 10_000])
  })
  it('wait on as before when the agent was restarted meanwhile', async () => {
    const env = virtualEnv()
    let changes = 0
    const before = new CrashBackoff(env.clock, () => {
      changes++
    })
    before.next('k', env.clock.now())
    await env.advance(10_000)
    before.next('k', env.clock.now() - 10_000)
    expect(changes).toBe(2)
    const after = new CrashBackoff(env.clock)
    after.restore(JSON.parse(JSON.stringify(before.entries())) as ReturnType<CrashBackoff['entries']>)
    expect(after.next('k', env.clock.now())).toEqual({ waitMs: 20_000, delayMs: 20_000 })
    expect(new CrashBackoff(env.clock).next('k', env.clock.now()).waitMs).toBe(0)
  })
  it('follow the policies', () => {
    const container = { name: 'a' }
    const table = (['Always', 'OnFailure', 'Never'] as const).map(restartPolicy =>
      [0, 1].map(code => [shouldRestart(podOf({ restartPolicy }), container, code, false), shouldRestart(podOf({ restartPolicy }), container, code, true)]),
    )
    expect(table).toEqual([
      [
        [true, false],
        [true, true],
      ],
      [
        [false, false],
        [true, true],
      ],
      [
        [false, false],
        [false, false],
      ],
    ])
  })
})

describe('limits', () => {
  it('become shares, quota and the score by which the kernel chooses its victims', () => {
    const guaranteed = podOf({ containers: [{ name: 'a', resources: { limits: { cpu: '500m', memory: '64Mi' }, requests: { cpu: '500m', memory: '64Mi' } } }] })
    const [container] = guaranteed.spec?.containers ?? []
    expect(container && containerLimits(guaranteed, container, 1 << 30)).toEqual({
      cpuShares: 512,
      cpuQuota: 50_000,
      cpuPeriod: 100_000,
      memoryBytes: 64 << 20,
      oomScoreAdjustment: -997,
    })
    expect(containerLimits(podOf(), { name: 'a' }, 1 << 30)).toEqual({ cpuShares: 2, cpuQuota: 0, cpuPeriod: 0, memoryBytes: 0, oomScoreAdjustment: 1000 })
  })
})

describe('files of a pod', () => {
  const host = { nameservers: ['192.168.0.53'], searches: ['lan'], options: [] }
  const dns = { clusterDNS: '10.96.0.10', clusterDomain: 'cluster.local' }
  it('resolve by policy', () => {
    expect(podResolver(podOf(), host, dns)).toEqual({
      nameservers: ['10.96.0.10'],
      searches: ['n.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'lan'],
      options: ['ndots:5'],
    })
    expect(podResolver(podOf({ hostNetwork: true }), host, dns)).toEqual(host)
    expect(podResolver(podOf({ dnsPolicy: 'None', dnsConfig: { nameservers: ['1.1.1.1'], searches: ['x'], options: [{ name: 'ndots', value: '2' }] } }), host, dns)).toEqual({
      nameservers: ['1.1.1.1'],
      searches: ['x'],
      options: ['ndots:2'],
    })
  })
  it('name the pod and its aliases', () => {
    const text = hostsText(podOf({ subdomain: 'db', hostname: 'one', hostAliases: [{ ip: '1.2.3.4', hostnames: ['a', 'b'] }] }), '10.0.0.2', 'cluster.local')
    expect(text.split('\n').slice(-5)).toEqual(['10.0.0.2\tone.db.n.svc.cluster.local\tone', '', '# Entries added by HostAliases.', '1.2.3.4\ta\tb', ''])
  })
})

it('finds the credentials of a registry', () => {
  const config = { auths: { 'https://index.docker.io/v1/': { auth: Buffer.from('me:pa:ss').toString('base64') }, 'reg.example:5000': { username: 'u', password: 'p' } } }
  const data = { '.dockerconfigjson': Buffer.from(JSON.stringify(config)).toString('base64') }
  expect([credentialsOf(data, 'docker.io'), credentialsOf(data, 'reg.example:5000'), credentialsOf(data, 'other'), credentialsOf({ '.dockerconfigjson': 'bm8=' }, 'x')]).toEqual([
    [{ username: 'me', password: 'pa:ss', serveraddress: 'index.docker.io' }],
    [{ username: 'u', password: 'p', serveraddress: 'reg.example:5000' }],
    [],
    [],
  ])
})
