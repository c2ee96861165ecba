/** A user at work: makes, changes, scales, rolls back and deletes things at random. What fails is simply not done; the user goes on. */
import { configMaps, daemonSets, deployments, jobs, namespaces, nodes, pods, podDisruptionBudgets, replicaSets, services, statefulSets } from '../../src-main/api/resources.ts'
import type { Deployment, ReplicaSet } from '../../src-main/api/generated/apps-v1.ts'
import type { Pod, PodTemplateSpec } from '../../src-main/api/generated/core-v1.ts'
import type { KubernetesObject } from '../../src-main/api/meta.ts'
import type { AnyResource } from '../../src-main/api/resource.ts'
import type { Random } from '../../src-main/base/env.ts'
import type { Client, PatchType } from '../../src-main/client/client.ts'
import type { Journal } from './journal.ts'
import type { Ledger } from './ledger.ts'

const teams = ['team-1', 'team-2', 'team-3'] as const
const names = ['web', 'api', 'cart', 'mail'] as const

interface Context {
  readonly client: Client
  readonly random: Random
  readonly journal: Journal
  readonly ledger: Ledger
  readonly hosts: readonly string[]
}

type Action = (user: User) => Promise<void>

/** How often each is done, relative to the others. */
const actions: readonly (readonly [number, string, Action])[] = [
  [10, 'create deployment', user => user.create(deployments, user.deployment())],
  [
    10,
    'scale',
    async user => {
      const d = await user.pick(deployments)
      if (d) await user.client.resource(deployments).patch(d.metadata.name ?? '', 'merge', { spec: { replicas: user.number(0, 6) } }, { namespace: d.metadata.namespace ?? '' })
    },
  ],
  [10, 'set image', user => user.setImage(`app:${user.number(1, 9)}`)],
  [3, 'set a bad image', user => user.setImage(`bad:${user.number(1, 9)}`)],
  [4, 'roll back', user => user.rollBack()],
  [
    2,
    'pause or resume',
    async user => {
      const d = await user.pick(deployments)
      if (d) await user.patch(deployments, d, { spec: { paused: !(d as Deployment).spec.paused } })
    },
  ],
  [
    2,
    'restart',
    async user => {
      const d = await user.pick(deployments)
      if (d) await user.patch(deployments, d, { spec: { template: { metadata: { annotations: { restarted: String(user.number(1, 1e6)) } } } } })
    },
  ],
  [4, 'delete deployment', user => user.remove(deployments)],
  [3, 'delete pod', user => user.remove(pods)],
  [1, 'delete replica set', user => user.remove(replicaSets)],
  [5, 'create service', user => user.create(services, user.service())],
  [
    2,
    'change selector',
    async user => {
      const s = await user.pick(services)
      if (s?.metadata.namespace?.startsWith('team')) await user.patch(services, s, { spec: { selector: { app: user.one(names) } } })
    },
  ],
  [2, 'delete service', user => user.remove(services)],
  [6, 'write config', user => user.writeConfig()],
  [2, 'delete config', user => user.remove(configMaps)],
  [5, 'create namespace', user => user.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: user.one(teams) } })],
  [
    1,
    'delete namespace',
    async user => {
      await user.client.resource(namespaces).delete(user.one(teams))
    },
  ],
  [
    1,
    'delete node',
    async user => {
      await user.client.resource(nodes).delete(user.one(user.hosts))
    },
  ],
  [2, 'cordon', user => user.cordon(true)],
  [3, 'uncordon', user => user.cordon(false)],
  [2, 'drain', user => user.drain()],
  [3, 'create stateful set', user => user.create(statefulSets, user.workload('apps/v1', 'StatefulSet', 'db', { serviceName: 'db', replicas: user.number(1, 3) }))],
  [
    3,
    'change stateful set',
    async user => {
      const s = await user.pick(statefulSets)
      if (s) await user.patch(statefulSets, s, user.number(0, 1) === 0 ? { spec: { replicas: user.number(0, 4) } } : user.image(`app:${user.number(1, 9)}`))
    },
  ],
  [1, 'delete stateful set', user => user.remove(statefulSets)],
  [2, 'create daemon set', user => user.create(daemonSets, user.workload('apps/v1', 'DaemonSet', 'agent', {}))],
  [
    1,
    'change daemon set',
    async user => {
      const d = await user.pick(daemonSets)
      if (d) await user.patch(daemonSets, d, user.image(`app:${user.number(1, 9)}`))
    },
  ],
  [1, 'delete daemon set', user => user.remove(daemonSets)],
  [2, 'create job', user => user.create(jobs, user.job())],
  [1, 'delete job', user => user.remove(jobs)],
  [
    1,
    'create budget',
    user =>
      user.create(podDisruptionBudgets, {
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { name: user.one(names), namespace: user.one(teams) },
        spec: { maxUnavailable: 1, selector: { matchLabels: { app: user.one(names) } } },
      } as KubernetesObject),
  ],
]
const totalWeight = actions.reduce((sum, [weight]) => sum + weight, 0)

export class User {
  readonly client: Client
  readonly #context: Context
  done = 0
  failed = 0

  constructor(context: Context) {
    this.#context = context
    this.client = context.client
  }

  one<T>(of: readonly T[]): T {
    return of[Math.floor(this.#context.random.next() * of.length)] as T
  }
  get hosts(): readonly string[] {
    return this.#context.hosts
  }
  number(least: number, most: number): number {
    return least + Math.floor(this.#context.random.next() * (most - least + 1))
  }

  /** The namespaces that a user expects, made once at the beginning. */
  async begin(): Promise<void> {
    for (const name of teams) await this.client.resource(namespaces).create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
  }

  async act(): Promise<void> {
    let at = this.#context.random.next() * totalWeight
    const [, name, action] = actions.find(([weight]) => (at -= weight) < 0) ?? (actions[0] as (typeof actions)[number])
    this.#context.journal.add(`user: ${name}`)
    try {
      await action(this)
      this.done++
    } catch (fault) {
      this.failed++
      this.#context.journal.add(`user: ${name} failed: ${fault instanceof Error ? fault.message.slice(0, 120) : String(fault)}`)
    }
  }

  async create(resource: AnyResource, object: KubernetesObject): Promise<void> {
    const made = await this.client.resource<KubernetesObject>(resource).create(object)
    await this.#readBack(resource, made)
  }

  async patch(resource: AnyResource, object: KubernetesObject, body: unknown, type: PatchType = 'strategic'): Promise<void> {
    const { namespace, name } = object.metadata
    const made = await this.client.resource<KubernetesObject>(resource).patch(name ?? '', type, body, namespace ? { namespace } : {})
    await this.#readBack(resource, made)
  }

  /** What was acknowledged is there, or something newer (I1, I2). */
  async #readBack(resource: AnyResource, made: KubernetesObject): Promise<void> {
    const { namespace, name, uid, resourceVersion } = made.metadata
    const found = await this.client
      .resource<KubernetesObject>(resource)
      .get(name ?? '', namespace ? { namespace } : {})
      .catch(() => undefined)
    if (found?.metadata.uid === uid && Number(found?.metadata.resourceVersion) < Number(resourceVersion)) {
      this.#context.journal.violate('I2', `${resource.plural} ${name ?? ''} was acknowledged at ${resourceVersion ?? ''} and read back at ${found?.metadata.resourceVersion ?? ''}`)
    }
  }

  async pick(resource: AnyResource): Promise<KubernetesObject | undefined> {
    const { items } = await this.client.resource<KubernetesObject>(resource).list({ namespace: this.one(teams) })
    const item = this.one(items)
    return item && items.length > 0 ? { ...item, apiVersion: resource.group ? `${resource.group}/${resource.version}` : resource.version, kind: resource.kind } : undefined
  }

  async remove(resource: AnyResource): Promise<void> {
    const object = await this.pick(resource)
    if (!object || object.metadata.name === 'kube-root-ca.crt') return
    const policy = this.one(['Background', 'Background', 'Foreground', 'Orphan'] as const)
    await this.client.resource(resource).delete(object.metadata.name ?? '', { namespace: object.metadata.namespace ?? '', propagationPolicy: policy })
  }

  template(app: string, image: string): PodTemplateSpec {
    return { metadata: { labels: { app, tier: this.one(['front', 'back']) } }, spec: { containers: [{ name: 'main', image, resources: { requests: { cpu: '50m' } } }] } }
  }
  image(image: string): unknown {
    return { spec: { template: { spec: { containers: [{ name: 'main', image }] } } } }
  }

  deployment(): Deployment {
    const name = this.one(names)
    const template = this.template(name, `app:${this.number(1, 9)}`)
    const strategy: NonNullable<Deployment['spec']['strategy']> =
      this.number(0, 5) === 0
        ? { type: 'Recreate' }
        : {
            type: 'RollingUpdate',
            rollingUpdate: this.one([
              { maxSurge: '25%', maxUnavailable: '25%' },
              { maxSurge: 1, maxUnavailable: 0 },
              { maxSurge: 0, maxUnavailable: 1 },
            ]),
          }
    return {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace: this.one(teams), labels: template.metadata?.labels ?? {} },
      spec: { replicas: this.number(0, 5), revisionHistoryLimit: 2, strategy, selector: { matchLabels: { app: name } }, template },
    }
  }

  /** A deployment whose pods stand on every host, for scenarios. */
  replicated(replicas: number): [AnyResource, KubernetesObject] {
    const template = { ...this.template('web', 'app:1'), metadata: { labels: { app: 'web' } } }
    const metadata = { name: 'web', namespace: teams[0] }
    return [deployments, { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { replicas, selector: { matchLabels: { app: 'web' } }, template } } as KubernetesObject]
  }

  workload(apiVersion: string, kind: string, app: string, spec: object): KubernetesObject {
    return {
      apiVersion,
      kind,
      metadata: { name: app, namespace: this.one(teams) },
      spec: { selector: { matchLabels: { app } }, template: this.template(app, 'app:1'), ...spec },
    } as KubernetesObject
  }

  job(): KubernetesObject {
    const template = this.template('job', this.one(['exit-0', 'exit-0', 'exit-1']))
    return {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: `job-${this.number(1, 5)}`, namespace: this.one(teams) },
      spec: { backoffLimit: 1, completions: this.number(1, 3), parallelism: 2, template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } },
    } as KubernetesObject
  }

  service(): KubernetesObject {
    const app = this.one([...names, 'db'])
    return {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: app, namespace: this.one(teams) },
      spec: { selector: { app }, ports: [{ port: 80, targetPort: 8080 }], ...(app === 'db' ? { clusterIP: 'None' } : { type: this.one(['ClusterIP', 'NodePort']) }) },
    } as KubernetesObject
  }

  async setImage(image: string): Promise<void> {
    const d = await this.pick(deployments)
    if (d) await this.patch(deployments, d, this.image(image))
  }

  /** As kubectl rollout undo: the template of an older revision. */
  async rollBack(): Promise<void> {
    const d = await this.pick(deployments)
    if (!d) return
    const { items } = await this.client.resource(replicaSets).list({ namespace: d.metadata.namespace ?? '' })
    const own = items.filter((r: ReplicaSet) => r.metadata.ownerReferences?.some(o => o.uid === d.metadata.uid))
    const old = this.one(own)
    if (!old?.spec.template) return
    const { 'pod-template-hash': _hash, ...labels } = old.spec.template.metadata?.labels ?? {}
    await this.patch(deployments, d, [{ op: 'replace', path: '/spec/template', value: { ...old.spec.template, metadata: { ...old.spec.template.metadata, labels } } }], 'json')
  }

  async writeConfig(): Promise<void> {
    const name = `config-${this.number(1, 4)}`
    const namespace = this.one(teams)
    const client = this.client.resource(configMaps)
    const data = { value: String(this.number(1, 1e9)), text: 'x'.repeat(this.number(0, 2000)) }
    const present = await client.get(name, { namespace }).catch(() => undefined)
    const made = present ? await client.update({ ...present, data }) : await client.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data })
    await this.#readBack(configMaps, made)
  }

  async cordon(unschedulable: boolean): Promise<void> {
    await this.client.resource(nodes).patch(this.one(this.#context.hosts), 'merge', { spec: { unschedulable: unschedulable || null } })
  }

  /** As kubectl drain, once around. */
  async drain(): Promise<void> {
    const node = this.one(this.#context.hosts)
    await this.client.resource(nodes).patch(node, 'merge', { spec: { unschedulable: true } })
    const { items } = await this.client.resource(pods).list({ fieldSelector: `spec.nodeName=${node}` })
    for (const pod of items) {
      if (pod.metadata.ownerReferences?.some(o => o.kind === 'DaemonSet')) continue
      const { name = '', namespace = '' } = pod.metadata
      await this.client
        .resource(pods)
        .createSub(name, 'eviction', { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } }, { namespace })
        .catch(() => {})
    }
  }

  /** Takes back what cannot converge by itself: bad images, paused rollouts, cordoned nodes. Retries until the API answers. */
  async tidy(): Promise<void> {
    for (const node of (await this.client.resource(nodes).list()).items) {
      if (node.spec?.unschedulable) await this.client.resource(nodes).patch(node.metadata.name ?? '', 'merge', { spec: { unschedulable: null } })
    }
    // What was orphaned with a bad image will never be ready, and nobody replaces it.
    for (const resource of [replicaSets, pods] as const) {
      for (const orphan of (await this.client.resource<ReplicaSet | Pod>(resource as never).list()).items) {
        const spec = 'template' in (orphan.spec ?? {}) ? (orphan as ReplicaSet).spec.template?.spec : (orphan as Pod).spec
        if (orphan.metadata.ownerReferences?.some(o => o.controller) || !spec?.containers[0]?.image?.startsWith('bad')) continue
        await this.client.resource(resource as never).delete(orphan.metadata.name ?? '', { namespace: orphan.metadata.namespace ?? '', propagationPolicy: 'Background' })
      }
    }
    for (const d of (await this.client.resource(deployments).list()).items) {
      const bad = d.spec.template.spec?.containers[0]?.image?.startsWith('bad')
      if (bad || d.spec.paused)
        await this.patch(deployments, d, { spec: { paused: null, ...(bad ? { template: { spec: { containers: [{ name: 'main', image: 'app:1' }] } } } : {}) } })
    }
  }
}
