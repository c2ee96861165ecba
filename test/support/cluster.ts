/**
 * A cluster in one process with virtual time: the real API server over the memory store, the real controllers and the
 * real scheduler. Nodes are simulated: a fake kubelet renews its lease and runs bound pods by a fixed plan. There is no
 * fake client.
 */
import { bootstrapObjects } from '../../src-main/api/bootstrap-objects.ts'
import { allResources, clusterRoleBindings, clusterRoles, leases, nodes, pods } from '../../src-main/api/resources.ts'
import type { Node, Pod } from '../../src-main/api/generated/core-v1.ts'
import type { KubernetesObject } from '../../src-main/api/meta.ts'
import type { AnyResource } from '../../src-main/api/resource.ts'
import { isAlreadyExists, isConflict, isNotFound } from '../../src-main/api/status-error.ts'
import { formatMicroTime, formatTime } from '../../src-main/api/time.ts'
import { admissionPlugins } from '../../src-main/apiserver/admission/plugins.ts'
import { createAuthorizer } from '../../src-main/apiserver/authz/authorizer.ts'
import { createApiServer } from '../../src-main/apiserver/handler.ts'
import type { VirtualStorage } from '../../src-main/apiserver/contracts.ts'
import { liveCopies } from '../../src-main/apiserver/live-copy.ts'
import { virtualEnv } from '../../src-main/base/virtual-env.ts'
import type { VirtualEnv } from '../../src-main/base/virtual-env.ts'
import type { Client } from '../../src-main/client/client.ts'
import { createInformerFactory } from '../../src-main/client/informers.ts'
import { inProcessTransport } from '../../src-main/client/transports/in-process.ts'
import { createClient } from '../../src-main/client/typed-client.ts'
import { createManager, rulesFor } from '../../src-main/controller-runtime/manager.ts'
import type { AnyController } from '../../src-main/controller-runtime/controller.ts'
import { allControllers } from '../../src-main/controllers/controllers.ts'
import { createScheduler } from '../../src-main/scheduler/scheduler.ts'
import type { Scheduler } from '../../src-main/scheduler/scheduler.ts'
import { memoryStore } from '../../src-main/store/memory/memory-store.ts'

export interface TestCluster {
  readonly env: VirtualEnv
  /** system:masters. */
  readonly client: Client
  readonly scheduler: Scheduler
  addNode(name: string, options?: NodeOptions): Promise<FakeNode>
  /** Advances virtual time in small steps until `check` holds; throws with `what` after `withinMs`. */
  until(what: string, check: () => Promise<boolean>, withinMs?: number): Promise<void>
  list<T extends KubernetesObject>(resource: AnyResource, namespace?: string): Promise<T[]>
  /** Stops controllers and scheduler, as when the desktop quits; the store and the API stay. */
  stopControllers(): Promise<void>
  startControllers(): Promise<void>
  stop(): Promise<void>
}

export interface NodeOptions {
  readonly cpu?: string
  readonly memory?: string
  readonly pods?: string
  readonly labels?: Record<string, string>
  /** Milliseconds from binding to Ready. Default 1000. */
  readonly startMs?: number
  /** Images with this text never become ready. */
  readonly badImage?: string
  /** Milliseconds that pods run whose image has the text `exit-0` or `exit-1`: they end with that status. Default 2000. */
  readonly runMs?: number
}

export interface FakeNode {
  readonly name: string
  /** The agent is cut off or gone: no lease, no status. */
  silence(): void
  resume(): void
}

export async function testCluster(options: { nodes?: number; seed?: number; controllers?: boolean; virtual?: ReadonlyMap<string, VirtualStorage> } = {}): Promise<TestCluster> {
  const env = virtualEnv({ seed: options.seed ?? 1 })
  const store = memoryStore(env)
  const copies = liveCopies(store)
  const { authorizer, rbac } = createAuthorizer(copies)
  const server = createApiServer({
    env,
    store,
    resources: allResources,
    authorizer,
    admission: admissionPlugins({ env, copies, authorizer, rbac }),
    ...(options.virtual ? { virtual: options.virtual } : {}),
  })
  const clientOf = (user: string, groups: string[]): Client => createClient(inProcessTransport(server.handle, { name: user, groups: [...groups, 'system:authenticated'] }))
  const client = clientOf('admin', ['system:masters'])
  const controllers = allControllers({ resources: () => allResources, certificateAuthority: () => 'CA' })
  await bootstrap(client)
  // Controllers get exactly the roles that follow from their declarations: a forgotten one fails here.
  for (const controller of controllers) await grant(client, controller)
  const kubelets: FakeKubelet[] = []
  let parts = makeParts()

  function makeParts() {
    const informers = createInformerFactory({ client: clientOf('kube-controller-manager', ['system:masters']), env })
    const manager = createManager({
      env,
      informers,
      controllers,
      clientFor: name => clientOf(`system:serviceaccount:kube-system:${name}`, ['system:serviceaccounts', 'system:serviceaccounts:kube-system']),
    })
    return { informers, manager, scheduler: createScheduler({ env, client: clientOf('system:kube-scheduler', ['system:masters']), informers }) }
  }
  async function start(): Promise<void> {
    await Promise.all([parts.manager.start(), parts.scheduler.start()])
    await env.settle()
  }
  async function stopParts(): Promise<void> {
    await Promise.all([parts.manager.stop(), parts.scheduler.stop()])
    parts.informers.stop()
  }
  async function until(what: string, check: () => Promise<boolean>, withinMs = 60_000): Promise<void> {
    for (let passed = 0; passed <= withinMs; passed += 250) {
      await env.settle()
      if (await check()) return
      await env.advance(250)
    }
    const told = env.lines
      .filter(l => l.level === 'warn' || l.level === 'error')
      .slice(-5)
      .map(l => `${l.message} ${JSON.stringify(l.fields)}`)
    throw new Error([`not within ${withinMs} ms: ${what}`, ...told].join('\n'))
  }
  const cluster: TestCluster = {
    env,
    client,
    get scheduler() {
      return parts.scheduler
    },
    async addNode(name, nodeOptions) {
      const kubelet = new FakeKubelet(env, clientOf(`system:node:${name}`, ['system:nodes', 'system:masters']), name, nodeOptions ?? {})
      kubelets.push(kubelet)
      await kubelet.start()
      return kubelet
    },
    until,
    list: async <T extends KubernetesObject>(resource: AnyResource, namespace?: string) =>
      (await client.resource<KubernetesObject>(resource).list(namespace ? { namespace } : {})).items as T[],
    stopControllers: stopParts,
    async startControllers() {
      parts = makeParts()
      await start()
    },
    async stop() {
      for (const kubelet of kubelets) kubelet.stop()
      await stopParts()
      await server.stop()
      await store.close()
    },
  }
  if (options.controllers !== false) await start()
  for (let i = 1; i <= (options.nodes ?? 0); i++) await cluster.addNode(`node-${i}`)
  if ((options.nodes ?? 0) > 0)
    await until('nodes ready', async () => (await cluster.list<Node>(nodes)).every(n => (n.spec?.taints ?? []).length === 0 && n.spec?.podCIDR !== undefined))
  return cluster
}

async function bootstrap(client: Client): Promise<void> {
  const byKind = new Map(allResources.map(r => [r.kind, r]))
  for (const object of bootstrapObjects()) {
    const resource = byKind.get(object.kind)
    if (!resource) continue
    try {
      await client.resource<KubernetesObject>(resource).create(object)
    } catch (fault) {
      if (!isAlreadyExists(fault)) throw fault
    }
  }
}

async function grant(client: Client, controller: AnyController): Promise<void> {
  const name = `test:controller:${controller.name}`
  const apiVersion = 'rbac.authorization.k8s.io/v1'
  await client.resource(clusterRoles).create({ apiVersion, kind: 'ClusterRole', metadata: { name }, rules: rulesFor(controller) })
  await client.resource(clusterRoleBindings).create({
    apiVersion,
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: `system:serviceaccount:kube-system:${controller.name}` }],
  })
}

/** What a node agent does, seen from the API: a lease every 10 s, pods to Running and Ready, pods deleted when asked. */
class FakeKubelet implements FakeNode {
  readonly name: string
  readonly #env: VirtualEnv
  readonly #client: Client
  readonly #options: NodeOptions
  readonly #seen = new Map<string, number>()
  #silent = false
  #stopped = false
  #nextAddress = 2

  constructor(env: VirtualEnv, client: Client, name: string, options: NodeOptions) {
    this.#env = env
    this.#client = client
    this.name = name
    this.#options = options
  }

  async start(): Promise<void> {
    const amounts = { cpu: this.#options.cpu ?? '4', memory: this.#options.memory ?? '8Gi', pods: this.#options.pods ?? '110' }
    await this.#client.resource(nodes).create({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: this.name, labels: { 'kubernetes.io/hostname': this.name, ...this.#options.labels } },
      spec: {},
      status: { capacity: amounts, allocatable: amounts, addresses: [{ type: 'Hostname', address: this.name }] },
    })
    void this.#loop()
  }

  silence(): void {
    this.#silent = true
  }
  resume(): void {
    this.#silent = false
  }
  stop(): void {
    this.#stopped = true
  }

  async #loop(): Promise<void> {
    for (let nextReportMs = 0; !this.#stopped;) {
      await this.#env.clock.sleep(500)
      if (this.#silent || this.#stopped) continue
      if (this.#env.clock.awakeMs() >= nextReportMs) {
        await this.#report().then(() => {
          nextReportMs = this.#env.clock.awakeMs() + 10_000
        }, ignore)
      }
      await this.#runPods().catch(ignore)
    }
  }

  async #report(): Promise<void> {
    const now = this.#env.clock.now()
    const live = await this.#client.resource(nodes).get(this.name)
    const condition = (type: string, status: string, reason: string) => {
      const present = live.status?.conditions?.find(c => c.type === type)
      return {
        type,
        status,
        reason,
        message: reason,
        lastHeartbeatTime: formatTime(now),
        lastTransitionTime: present?.status === status ? (present.lastTransitionTime ?? formatTime(now)) : formatTime(now),
      }
    }
    const conditions = [
      condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory'),
      condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure'),
      condition('PIDPressure', 'False', 'KubeletHasSufficientPID'),
      condition('Ready', 'True', 'KubeletReady'),
    ]
    const amounts = { cpu: this.#options.cpu ?? '4', memory: this.#options.memory ?? '8Gi', pods: this.#options.pods ?? '110' }
    await this.#client.resource(nodes).updateStatus({ ...live, status: { ...live.status, capacity: amounts, allocatable: amounts, conditions } })
    const spec = { holderIdentity: this.name, leaseDurationSeconds: 40, renewTime: formatMicroTime(now) }
    const lease = this.#client.resource(leases)
    try {
      const present = await lease.get(this.name, { namespace: 'kube-node-lease' })
      await lease.update({ ...present, spec })
    } catch (fault) {
      if (!isNotFound(fault)) throw fault
      await lease.create({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: this.name, namespace: 'kube-node-lease' }, spec })
    }
  }

  async #runPods(): Promise<void> {
    const mine = (await this.#client.resource(pods).list({ fieldSelector: `spec.nodeName=${this.name}` })).items
    for (const pod of mine) await this.#runPod(pod).catch(ignore)
  }

  async #runPod(pod: Pod): Promise<void> {
    const { namespace = '', name = '', uid = '' } = pod.metadata
    if (pod.metadata.deletionTimestamp) {
      await this.#client.resource(pods).delete(name, { namespace, gracePeriodSeconds: 0, preconditions: { uid } })
      return
    }
    const nowMs = this.#env.clock.awakeMs()
    const since = this.#seen.get(uid) ?? nowMs
    this.#seen.set(uid, since)
    const exit = /exit-([01])/.exec(pod.spec?.containers[0]?.image ?? '')?.[1]
    if (exit !== undefined && pod.status?.phase === 'Running' && nowMs - since >= (this.#options.runMs ?? 2000)) {
      const terminated = { exitCode: Number(exit), reason: exit === '0' ? 'Completed' : 'Error', finishedAt: formatTime(this.#env.clock.now()) }
      const status = this.#statusOf(pod, false)
      await this.#client.resource(pods).updateStatus({
        ...pod,
        status: { ...status, phase: exit === '0' ? 'Succeeded' : 'Failed', containerStatuses: (status.containerStatuses ?? []).map(c => ({ ...c, state: { terminated } })) },
      })
      return
    }
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return
    const bad = this.#options.badImage !== undefined && (pod.spec?.containers ?? []).some(c => c.image?.includes(this.#options.badImage ?? ''))
    const ready = !bad && nowMs - since >= (this.#options.startMs ?? 1000)
    const present = pod.status?.conditions?.find(c => c.type === 'Ready')?.status === 'True'
    if (pod.status?.phase === 'Running' ? present === ready : bad && pod.status?.podIP) return
    await this.#client.resource(pods).updateStatus({ ...pod, status: this.#statusOf(pod, ready) })
  }

  #statusOf(pod: Pod, ready: boolean): NonNullable<Pod['status']> {
    const now = formatTime(this.#env.clock.now())
    const status = ready ? 'True' : 'False'
    const podIP = pod.status?.podIP ?? `10.${this.name.length}.${this.name.charCodeAt(this.name.length - 1)}.${this.#nextAddress++}`
    const others = (pod.status?.conditions ?? []).filter(c => !['Ready', 'ContainersReady', 'Initialized'].includes(c.type))
    return {
      ...pod.status,
      phase: ready ? 'Running' : 'Pending',
      podIP,
      podIPs: [{ ip: podIP }],
      startTime: pod.status?.startTime ?? now,
      conditions: [...others, ...['Initialized', 'Ready', 'ContainersReady'].map(type => ({ type, status: type === 'Initialized' ? 'True' : status, lastTransitionTime: now }))],
      containerStatuses: (pod.spec?.containers ?? []).map(c => ({ name: c.name, image: c.image ?? '', imageID: '', ready, restartCount: 0, started: ready })),
    }
  }
}

/** Conflicts and vanished pods are how a kubelet meets its controllers; the next turn looks again. */
function ignore(fault: unknown): void {
  if (!isNotFound(fault) && !isConflict(fault)) throw fault
}
