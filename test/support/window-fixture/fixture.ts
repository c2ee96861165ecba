/**
 * A dev server for looking at the window without hosts: the real API server on the memory store with seeded objects, the
 * real bridge and carrier; only what needs machines (logs, shells, provisioning, measurements) is made up here. Not shipped.
 *
 *   node test/support/window-fixture/fixture.ts [--port 8899] [--nodes 6] [--pods-per-node 10] [--empty]
 */
import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { allResources } from '../../../src-main/api/resources.ts'
import type { Node } from '../../../src-main/api/core/v1/node.ts'
import type { Pod } from '../../../src-main/api/core/v1/pod.ts'
import { BridgeError } from '../../../src-main/api/bridge.ts'
import type { BridgeHandlers, MonitoringSnapshot, NodeUsage } from '../../../src-main/api/bridge.ts'
import { resourcePath } from '../../../src-main/api/resource.ts'
import { createApiServer } from '../../../src-main/apiserver/handler.ts'
import { nodeEnv } from '../../../src-main/base/node/node-env.ts'
import { createBridgeHandlers } from '../../../src-main/bridge/bridge.ts'
import { placementOf } from '../../../src-main/monitoring/placement.ts'
import { buildWindow } from '../../../src-main/server/build-window.ts'
import { serveWeb } from '../../../src-main/server/web.ts'
import type { Web } from '../../../src-main/server/web.ts'
import { memoryStore } from '../../../src-main/store/memory/memory-store.ts'
import { logHandler } from './logs.ts'
import { seedObjects } from './objects.ts'
import type { Seeded } from './objects.ts'

const user = { name: 'window', groups: ['system:masters', 'system:authenticated'] }
const root = join(import.meta.dirname, '..', '..', '..')

function snapshot(nodes: number): MonitoringSnapshot {
  const at = Date.now()
  const wave = (n: number): number => 0.85 + 0.15 * Math.sin(at / 5000 + n)
  const list: NodeUsage[] = Array.from({ length: nodes }, (_, i) => {
    const n = i + 1
    const cpu = n % 2 ? 8000 : 4000
    const memory = (n % 2 ? 32 : 16) * 2 ** 30
    const share = [0.42, 0.88, 0.12, 0.71, 0.55, 0.96][i % 6] ?? 0.5
    return {
      name: n === 4 ? 'rack-b-long-hostname-of-the-third-bare-metal-machine-04' : `node-${n}`,
      ready: n !== 5,
      unschedulable: n === 3,
      allocatable: { cpuMillicores: cpu, memoryBytes: memory, pods: 110 },
      requests: { cpuMillicores: cpu * share, memoryBytes: memory * share * 0.9 },
      limits: { cpuMillicores: cpu * share * 1.6, memoryBytes: memory * share * 1.2 },
      ...(n === 5 ? {} : { usage: { cpuMillicores: cpu * share * 0.7 * wave(n), memoryBytes: memory * share * 0.75 * wave(n + 2) }, sampledAt: at }),
      pods: 10 + n * 3,
      disk: { usedBytes: 80e9, capacityBytes: 200e9 },
    }
  })
  return {
    at,
    nodes: list,
    pods: [],
    balance: { score: 64, spread: { cpu: 84, memory: 76 }, pools: [{ name: 'workers', nodes: list.map(n => n.name) }] },
    warnings: [
      {
        id: 'C1',
        severity: 'critical',
        title: 'The loss of node-2 would leave pods without a place',
        message: 'If node-2 fails, 3 of its 16 pods fit nowhere: data/warehouse needs 6 GiB of memory, the largest free piece is 2.1 GiB.',
        advice: 'Add a node with at least 8 GiB of memory, or lower the request of data/warehouse.',
        subjects: [
          { kind: 'Node', name: 'node-2' },
          { kind: 'Deployment', namespace: 'data', name: 'warehouse' },
        ],
        since: at - 3_600_000,
      },
      {
        id: 'C5',
        severity: 'warning',
        title: 'Memory requests fill the pool',
        message: '83 % of the pool’s memory is requested (line: 80 %).',
        advice: 'Add a node, or lower requests that are not used.',
        subjects: [],
        since: at - 7_200_000,
      },
      {
        id: 'C13',
        severity: 'warning',
        title: '2 pods wait for a place',
        message: 'data/warehouse: 1 node cordoned, 5 have too little memory (missing 3.9 GiB on the best).',
        advice: 'Uncordon node-3 or add memory.',
        subjects: [{ kind: 'Deployment', namespace: 'data', name: 'warehouse' }],
        since: at - 600_000,
      },
    ],
  }
}

function madeUp(nodes: number): Partial<BridgeHandlers> {
  const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
  return {
    'monitoring.snapshot': async function* (_i, _u, signal) {
      while (!signal.aborted) {
        yield snapshot(nodes)
        await pause(1000)
      }
    },
    'monitoring.series': async input => {
      const times = Array.from({ length: 120 }, (_, i) => Date.now() - (120 - i) * input.minutes * 500)
      return { times, cpuMillicores: times.map((_, i) => (i > 40 && i < 48 ? null : 300 + 120 * Math.sin(i / 7))), memoryBytes: times.map((_, i) => 4e8 + 2e6 * i) }
    },
    'machines.sshConfig': () =>
      Promise.resolve({
        agent: true,
        hosts: [
          {
            alias: 'rack-a',
            user: 'ops',
            address: '192.168.1.20',
            port: 22,
            jump: [{ user: 'ops', address: 'gate.example.net', port: 2222 }],
            identityFiles: ['/home/user/.ssh/id_ed25519'],
            useAgent: true,
          },
          { alias: 'old', user: 'root', address: '192.168.1.21', port: 22, jump: [], identityFiles: [], useAgent: false, problem: 'ProxyCommand is not supported; use ProxyJump.' },
        ],
      }),
    'machines.tryConnect': async input => {
      await pause(300)
      const [hop] = input.host.jump ?? []
      if (hop && hop.fingerprint === undefined)
        return { fingerprint: '', keyType: '', loggedIn: false, hop: { index: 0, fingerprint: 'SHA256:jumpjumpjumpjumpjumpjumpjumpjumpjumpjumpjum', keyType: 'ssh-ed25519' } }
      return {
        fingerprint: 'SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDRzYQhKqLmPD3mEkw',
        keyType: 'ssh-ed25519',
        loggedIn: input.fingerprint !== undefined && !input.host.address.endsWith('.99'),
        hostname: 'worker',
        prettyName: 'Debian GNU/Linux 12 (bookworm)',
        ...(input.host.address.endsWith('.99') && input.fingerprint
          ? {
              error: {
                code: 'AuthenticationFailed',
                message: 'The host refused the key and the password.',
                hint: 'Check the user name, or add the public key to its authorized_keys.',
              },
            }
          : {}),
      }
    },
    'machines.preflight': async function* (input) {
      const checks = [
        'Log-in',
        'Root or sudo',
        'Distribution',
        'Architecture',
        'Kernel',
        'init system',
        'cgroup controllers',
        'Memory',
        'Disk below /var/lib/docker',
        'Clock',
        'Hostname',
        'Ports',
        'Firewall',
        'Path to the API',
      ]
      for (const [c, title] of checks.entries())
        for (const h of input.hosts.keys()) {
          await pause(15)
          const state = c === 9 && h === 1 ? 'warn' : c === 8 && h === 2 ? 'fail' : 'pass'
          yield {
            host: h,
            result: {
              check: `check-${c}`,
              title,
              state,
              message:
                state === 'pass'
                  ? (['root', 'Debian 12', 'x86_64', '6.18.2', '31 GiB'][c % 5] ?? 'good')
                  : state === 'warn'
                    ? 'The clock is 41 s from the median'
                    : '1.2 GB free, 5 GB are needed',
              ...(state === 'pass' ? {} : { fix: state === 'warn' ? 'timedatectl set-ntp true' : 'docker system prune --all' }),
            },
          }
        }
    },
    'machines.plan': async input => {
      await pause(400)
      return {
        hosts: input.hosts.map(() => ({
          steps: [
            { name: 'install-docker', title: 'Install Docker', changes: ['install the package docker.io 20.10.24 from Debian', 'enable and start docker.service'] },
            {
              name: 'install-agent',
              title: 'Install node agent',
              changes: ['write /opt/quarterdeck/agent.js (2.1 MB)', 'write /etc/systemd/system/quarterdeck-agent.service', 'start quarterdeck-agent.service'],
            },
            { name: 'sysctl', title: 'Kernel settings', changes: [] },
          ],
        })),
      }
    },
    'machines.output': async function* (input) {
      for (const step of ['step-0', 'step-1', 'step-2'])
        yield {
          machine: input.machine ?? 'node-1',
          step,
          text: `$ apt-get install --yes docker.io\nReading package lists...\nSetting up docker.io (20.10.24) ...\n`,
          at: Date.now(),
        }
    },
  }
}

export interface FixtureOptions {
  port?: number
  nodes?: number
  podsPerNode?: number
  empty?: boolean
  /** Directory of the built window; built when not given. */
  files?: string
  /** Objects besides those of the seed. */
  objects?: readonly Seeded[]
  /** Lines of pods called `hostile…`. */
  hostileLines?: readonly string[]
}

/** Starts the fixture; the caller stops it. */
export async function startFixture(options: FixtureOptions): Promise<Web> {
  const env = nodeEnv({ level: 'error' })
  const nodes = options.nodes ?? 6
  const server = createApiServer({ env, store: memoryStore(env), resources: allResources, subresources: new Map([['pods/log', logHandler(options.hostileLines ?? [])]]) })
  for (const { object, status } of [...(options.empty ? [] : seedObjects({ nodes, podsPerNode: options.podsPerNode ?? 5, now: Date.now() })), ...(options.objects ?? [])]) {
    const resource = allResources.find(r => r.kind === object.kind && (r.group === '' ? object.apiVersion === r.version : object.apiVersion === `${r.group}/${r.version}`))
    if (!resource) throw new Error(`no kind ${object.kind}`)
    const ask = async (method: string, url: string, body: unknown): Promise<Record<string, unknown>> => {
      const answer = await server.handle({ method, url, headers: { 'content-type': 'application/json' }, body: { object: body }, user, answer: 'objects' })
      if (answer.status >= 400) throw new Error(`${method} ${url}: ${JSON.stringify(answer.body.kind === 'object' ? answer.body.object : answer.status)}`)
      return (answer.body.kind === 'object' ? answer.body.object : {}) as Record<string, unknown>
    }
    const made = await ask('POST', resourcePath(resource, object.metadata.namespace), structuredClone(object))
    if (status && resource.subresources?.status)
      await ask('PUT', resourcePath(resource, object.metadata.namespace, object.metadata.name, 'status'), { ...structuredClone(made), status })
  }
  const items = async <T>(path: string): Promise<T[]> => {
    const answer = await server.handle({ method: 'GET', url: path, headers: {}, user, answer: 'objects' })
    return ((answer.body.kind === 'object' ? answer.body.object : {}) as { items: T[] }).items
  }
  const handlers: BridgeHandlers = {
    ...createBridgeHandlers({
      handle: server.handle,
      upgrade: async (_request, socket) => {
        socket.end('HTTP/1.1 501 Not Implemented\r\ncontent-length: 0\r\n\r\n')
      },
      user,
      info: async () => ({
        version: '0.1.0',
        carrier: 'web',
        kubeconfigPath: '/home/user/.local/share/quarterdeck/admin.kubeconfig',
        apiAddress: 'https://127.0.0.1:6443',
        kubernetesVersion: 'v1.37.2',
        dockerOnThisComputer: true,
      }),
    }),
    ...madeUp(options.empty ? 0 : nodes),
    'monitoring.placement': async input => {
      const all = await items<Pod>('/api/v1/pods')
      const pod = all.find(p => p.metadata.namespace === input.namespace && p.metadata.name === input.pod)
      if (!pod) throw new BridgeError('not-found', `there is no pod ${input.namespace}/${input.pod}`)
      return placementOf(await items<Node>('/api/v1/nodes'), all, pod)
    },
  }
  return serveWeb({ env, handlers, files: options.files ?? (await buildWindow(root, () => {})), port: options.port ?? 0, token: 'fixture' })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '8899' },
      nodes: { type: 'string', default: '6' },
      'pods-per-node': { type: 'string', default: '5' },
      empty: { type: 'boolean', default: false },
    },
  })
  const web = await startFixture({ port: Number(values.port), nodes: Number(values.nodes), podsPerNode: Number(values['pods-per-node']), empty: values.empty })
  process.stdout.write(`${web.url}\n`)
}
