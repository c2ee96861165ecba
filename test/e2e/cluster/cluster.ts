/** One whole product on two test hosts: the control plane on its embedded store, nodes made through SSH, images pushed to them. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { nodes } from '../../../src-main/api/core/v1/node.ts'
import { pods } from '../../../src-main/api/core/v1/pod.ts'
import type { Node, Pod } from '../../../src-main/api/generated/core-v1.ts'
import { machines } from '../../../src-main/api/infra/v1alpha1/machine-resource.ts'
import { nodeEnv } from '../../../src-main/base/node/node-env.ts'
import type { Client } from '../../../src-main/client/client.ts'
import { createControlPlane, type ControlPlane } from '../../../src-main/control-plane/control-plane.ts'
import { startProduct, type Product } from '../../../src-main/server/product.ts'
import { clientCommands, clientProgram, type ClientCommands, type CommandAnswer } from '../../support/clients.ts'
import { inHost, removeHosts, startHosts, type HostSet, type PracticeHost } from '../../support/hosts/hosts.ts'
import { busyboxImage, makeImages, removeImages, webImage } from './images.ts'

export interface TestCluster {
  readonly set: HostSet
  /** In-process, for what a test waits for; the product's own client. */
  readonly client: Client
  readonly commands: ClientCommands
  /** For commands that a test starts in a terminal of its own: KUBECTL and KUBECONFIG. */
  readonly terminalVariables: Readonly<Record<string, string>>
  /** Messages of level warn and worse. */
  readonly warnings: string[]
  readonly apiAddress: string
  host(node: string): PracticeHost
  startControlPlane(): Promise<void>
  stopControlPlane(): Promise<void>
  stop(): Promise<void>
}

export const nodeNames = ['one', 'two'] as const
const artifacts = fileURLToPath(new URL('../../../.cache/artifacts', import.meta.url))

/** Hosts Ready and images pushed. About 40 s. */
export async function startTestCluster(setName: string): Promise<TestCluster> {
  const set = await startHosts({ set: setName, count: nodeNames.length, withDocker: true })
  await makeImages()
  const dataDir = await mkdtemp(join(tmpdir(), 'quarterdeck-cluster-'))
  await mkdir(artifacts, { recursive: true })
  await symlink(artifacts, join(dataDir, 'cache'))
  const editor = join(dataDir, 'editor')
  await writeFile(editor, '#!/bin/sh\nsed -i "s/colour: brass/colour: copper/" "$1"\n', { mode: 0o755 })
  const warnings: string[] = []
  const env = nodeEnv({
    level: 'warn',
    write: line => {
      warnings.push(line)
      if (process.env['QUARTERDECK_TEST_LOG']) process.stderr.write(line)
    },
  })
  let controlPlane: ControlPlane | undefined
  let product: Product | undefined
  let port = 0
  const cluster = {
    set,
    warnings,
    terminalVariables: { KUBECTL: clientProgram('kubectl'), KUBECONFIG: join(dataDir, 'admin.kubeconfig') },
    commands: clientCommands(join(dataDir, 'admin.kubeconfig'), { KUBE_EDITOR: editor }),
    get client(): Client {
      if (!controlPlane) throw new Error('the control plane is stopped')
      return controlPlane.client(controlPlane.admin)
    },
    get apiAddress(): string {
      return controlPlane?.address ?? ''
    },
    host(node: string): PracticeHost {
      const host = set.hosts[nodeNames.findIndex(name => name === node)]
      if (!host) throw new Error(`no host is node ${node}`)
      return host
    },
    async startControlPlane(): Promise<void> {
      controlPlane = await createControlPlane({ env, dataDir, apiPort: port })
      await controlPlane.start()
      port = controlPlane.port
      product = await startProduct({ env, controlPlane, dataDir })
      await controlPlane.controllersReady
    },
    async stopControlPlane(): Promise<void> {
      await product?.stop()
      await controlPlane?.stop()
      controlPlane = product = undefined
    },
    async stop(): Promise<void> {
      await this.stopControlPlane()
      await removeHosts(setName)
      await removeImages()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
  await cluster.startControlPlane()
  const handlers = (product as unknown as Product).handlers
  await applyMachines(cluster)
  await until(
    'both machines are Ready',
    180,
    async () => (await cluster.client.resource(machines).list()).items.filter(machine => machine.status?.phase === 'Ready').length === nodeNames.length,
  )
  for (const image of [busyboxImage, webImage]) {
    const states = new Map<string, string>()
    for await (const item of handlers['images.push']({ nodes: [...nodeNames], source: { type: 'docker', image } }, none(), new AbortController().signal))
      states.set(item.node, `${item.state} ${item.message ?? ''}`)
    for (const node of nodeNames) if (!states.get(node)?.startsWith('done')) throw new Error(`pushing ${image} to ${node}: ${states.get(node)}`)
  }
  return cluster
}

/** As the README says it: a Secret and a Machine for each host, by kubectl; the host's key is accepted once the status has shown it. */
async function applyMachines({ set, commands, client }: TestCluster): Promise<void> {
  const kubectl = async (args: readonly string[], input?: string): Promise<void> => {
    const { code, stderr } = await commands.kubectl(args, input)
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
  }
  const objects = [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'my-hosts', namespace: 'kube-system' },
      type: 'infra.quarterdeck.app/ssh',
      stringData: { privateKey: set.privateKey },
    },
    ...set.hosts.map((host, at) => ({
      apiVersion: 'infra.quarterdeck.app/v1alpha1',
      kind: 'Machine',
      metadata: { name: nodeNames[at] },
      spec: { address: host.address, port: host.port, user: 'root', secretName: 'my-hosts' },
    })),
  ]
  await kubectl(['apply', '-f', '-'], objects.map(object => JSON.stringify(object)).join('\n---\n'))
  for (const [at, host] of set.hosts.entries()) {
    const name = nodeNames[at] ?? ''
    const shown = await until(`the key of ${name} is shown`, 60, async () => (await client.resource(machines).get(name)).status?.seenHostKeyFingerprint)
    if (shown !== host.fingerprint) throw new Error(`the host's key is ${host.fingerprint}, shown is ${shown}`)
    await kubectl(['patch', 'machine', name, '--type=merge', '-p', JSON.stringify({ spec: { hostKeyFingerprint: shown } })])
  }
}

async function* none(): AsyncGenerator<Uint8Array> {
  /* the image comes from Docker, not from an upload */
}

const patience = 2

/** Asks until the answer is true-ish and gives it. A fault of the question counts as "not yet", and is told at the end. */
export async function until<T>(what: string, seconds: number, ask: () => Promise<T | undefined | false> | T | undefined | false): Promise<T> {
  // Bounds are for a machine with nothing else to do; it may have.
  const deadline = performance.now() + seconds * patience * 1000
  let last: unknown = 'never'
  for (;;) {
    try {
      const answer = await ask()
      if (answer !== undefined && answer !== false) return answer
      last = answer
    } catch (fault) {
      last = fault
    }
    if (performance.now() > deadline) throw new Error(`waited ${seconds * patience} s until ${what}`, { cause: last })
    await sleep(150)
  }
}

/** Looks again and again while `work` runs, however it ends. */
export async function whileLooking(look: () => Promise<void>, work: () => Promise<unknown>): Promise<void> {
  let over = false
  const looking = (async () => {
    while (!over) {
      await look()
      await sleep(50)
    }
  })()
  looking.catch(() => undefined) // told below, unless the work failed first
  try {
    await work()
  } finally {
    over = true
  }
  await looking
}

/** kubectl in one namespace, with what most tests ask for. */
export interface Scope {
  readonly name: string
  /** Standard output; throws on a failure. A string is split at spaces. */
  kubectl(args: string | readonly string[], input?: string): Promise<string>
  attempt(args: string | readonly string[], input?: string): Promise<CommandAnswer>
  apply(...objects: readonly object[]): Promise<void>
  pods(labelSelector?: string): Promise<Pod[]>
  pod(name: string): Promise<Pod>
  /** Waits until `count` pods of the selector are Ready, none of them on its way out. */
  ready(labelSelector: string, count: number, seconds?: number): Promise<Pod[]>
  /** Waits until the deployment is rolled out, and gives what kubectl says. */
  rolledOut(deployment: string): Promise<string>
  /** A shell command in a pod. */
  sh(pod: string, script: string, container?: string): Promise<string>
}

export function scope(cluster: TestCluster, name: string): Scope {
  const words = (args: string | readonly string[]): string[] => ['-n', name, ...(typeof args === 'string' ? args.split(' ') : args)]
  const self: Scope = {
    name,
    attempt: (args, input) => cluster.commands.kubectl(words(args), input),
    async kubectl(args, input) {
      const answer = await cluster.commands.kubectl(words(args), input)
      if (answer.code !== 0) throw new Error(`kubectl ${words(args).join(' ')}: exit ${answer.code}: ${answer.stderr}${answer.stdout.slice(-500)}`)
      return answer.stdout
    },
    async apply(...objects) {
      await self.kubectl('apply -f -', objects.map(object => JSON.stringify(object)).join('\n---\n'))
    },
    async pods(labelSelector) {
      return (await cluster.client.resource(pods).list({ namespace: name, ...(labelSelector === undefined ? {} : { labelSelector }) })).items as Pod[]
    },
    async pod(pod) {
      return (await cluster.client.resource(pods).get(pod, { namespace: name })) as Pod
    },
    ready: (labelSelector, count, seconds = 40) =>
      until(`${count} pods ${labelSelector} of ${name} are ready`, seconds, async () => {
        const found = await self.pods(labelSelector)
        if (found.length !== count || !found.every(pod => pod.metadata?.deletionTimestamp === undefined && isReady(pod))) throw new Error(summary(found))
        return found
      }),
    rolledOut: deployment => until(`${deployment} of ${name} is rolled out`, 60, async () => self.kubectl(`rollout status deployment/${deployment} --timeout=50s`)),
    sh: (pod, script, container) => self.kubectl(['exec', pod, ...(container === undefined ? [] : ['-c', container]), '--', 'sh', '-c', script]),
  }
  return self
}

/** Runs `work` in a new namespace, which is deleted after a success (a failure leaves it to be looked at). */
export async function inNamespace(cluster: TestCluster, name: string, work: (ns: Scope) => Promise<void>): Promise<void> {
  const answer = await cluster.commands.kubectl(['create', 'namespace', name])
  if (answer.code !== 0) throw new Error(answer.stderr)
  await work(scope(cluster, name))
  await cluster.commands.kubectl(['delete', 'namespace', name, '--wait=false'])
}

export function isReady(object: Pod | Node): boolean {
  return object.status?.conditions?.find(condition => condition.type === 'Ready')?.status === 'True'
}

export async function nodeCondition(cluster: TestCluster, name: string): Promise<string> {
  const node = (await cluster.client.resource(nodes).get(name)) as Node
  return node.status?.conditions?.find(condition => condition.type === 'Ready')?.status ?? 'none'
}

/** One line a pod: why it is not yet what a test waits for. */
export function summary(found: readonly Pod[]): string {
  return (
    found
      .map(pod => {
        const containers = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])].map(
          status => `${status.name} ready=${status.ready} restarts=${status.restartCount} ${JSON.stringify(status.state)}`,
        )
        return `${pod.metadata?.name} on ${pod.spec?.nodeName} ${pod.status?.phase}${pod.metadata?.deletionTimestamp === undefined ? '' : ' terminating'} ${pod.status?.conditions?.find(one => one.type === 'PodScheduled')?.message ?? ''} ${containers.join('; ')}`
      })
      .join('\n') || 'no pods'
  )
}

/** The container's id in the host's Docker. */
export function containerID(pod: Pod, container?: string): string {
  const statuses = pod.status?.containerStatuses ?? []
  const id = (container === undefined ? statuses[0] : statuses.find(one => one.name === container))?.containerID
  if (id === undefined) throw new Error(`no container: ${summary([pod])}`)
  return id.replace(/^.*:\/\//, '')
}

export { busyboxImage, webImage, inHost }

// -- manifests --

type Json = Record<string, unknown>

/** A pod of one container that sleeps; `spec` and `container` are merged over it. */
export function pod(name: string, options: { spec?: Json; container?: Json; labels?: Record<string, string>; annotations?: Record<string, string> } = {}): Json {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name, ...options.labels }, annotations: options.annotations },
    spec: { terminationGracePeriodSeconds: 2, containers: [{ name: 'main', image: busyboxImage, ...options.container }], ...options.spec },
  }
}

/** A Deployment of web servers with a readiness probe. */
export function webDeployment(name: string, options: { replicas?: number; spec?: Json; template?: Json; container?: Json } = {}): Json {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels: { app: name } },
    spec: {
      replicas: options.replicas ?? 1,
      selector: { matchLabels: { app: name } },
      ...options.spec,
      template: {
        metadata: { labels: { app: name } },
        spec: {
          terminationGracePeriodSeconds: 5,
          ...options.template,
          containers: [
            {
              name: 'web',
              image: webImage,
              ports: [{ name: 'http', containerPort: 80 }],
              readinessProbe: { httpGet: { path: '/', port: 'http' }, periodSeconds: 1 },
              ...options.container,
            },
          ],
        },
      },
    },
  }
}

export function service(name: string, spec: Json = {}): Json {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 80 }], ...spec } }
}

/** Rules that put the pods of an app on different nodes. */
export function apart(app: string): Json {
  return { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app } } }] } } }
}
