/** The node agent on two real hosts, without a registry: pods, services, DNS, logs, and life without the API. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { nodes } from '../../../src-main/api/core/v1/node.ts'
import { pods } from '../../../src-main/api/core/v1/pod.ts'
import { services } from '../../../src-main/api/core/v1/service.ts'
import type { Pod, PodSpec, Service } from '../../../src-main/api/generated/core-v1.ts'
import { isNotFound } from '../../../src-main/api/status-error.ts'
import { inHost, removeHosts, startHosts, type HostSet, type PracticeHost } from '../../support/hosts/hosts.ts'
import { machineWhere, startCluster, type TestCluster } from '../provisioning/cluster.ts'

const set = 'agent'
const image = 'quarterdeck-agent-test:1'
let cluster: TestCluster
let hosts: HostSet

/** Busybox from this machine as an image on every host, by import: no registry can be reached. */
async function makeImage(host: PracticeHost): Promise<void> {
  const script =
    'd=$(mktemp -d) && mkdir -p $d/bin $d/etc $d/tmp $d/www && cp /bin/busybox $d/bin/ && for a in $($d/bin/busybox --list); do [ $a = busybox ] || ln -sf busybox $d/bin/$a; done && echo root:x:0:0:root:/:/bin/sh > $d/etc/passwd && tar -C $d -c .'
  await new Promise<void>((resolve, reject) => {
    const child = spawn('sh', ['-c', `(${script}) | docker exec -i ${host.name} docker import - ${image}`], { stdio: ['ignore', 'ignore', 'inherit'] })
    child.on('close', code => {
      if (code === 0) resolve()
      else reject(new Error(`docker import: exit ${code ?? ''}`))
    })
  })
}

beforeAll(async () => {
  hosts = await startHosts({ set, count: 2, withDocker: true })
  cluster = await startCluster()
  await cluster.controlPlane.controllersReady
  await cluster.provisioning.apply(
    {
      hosts: hosts.hosts.map((host, at) => ({ name: `n${at + 1}`, user: 'root', address: host.address, port: host.port, fingerprint: host.fingerprint })),
      credentials: { privateKey: hosts.privateKey },
    },
    new AbortController().signal,
  )
  await Promise.all(hosts.hosts.map(makeImage))
  for (const name of ['n1', 'n2']) await machineWhere(cluster.client, name, machine => machine.status?.phase === 'Ready', 180)
})
afterAll(async () => {
  await cluster?.stop()
  await removeHosts(set)
})

function host(at: 0 | 1): PracticeHost {
  const found = hosts.hosts[at]
  if (!found) throw new Error('no such host')
  return found
}

async function make(name: string, spec: Partial<PodSpec>, labels: Record<string, string> = {}): Promise<Pod> {
  return cluster.client
    .resource(pods)
    .create({ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default', labels }, spec: { terminationGracePeriodSeconds: 1, containers: [], ...spec } as PodSpec })
}

async function podWhere(name: string, wanted: (pod: Pod) => boolean, seconds = 60): Promise<Pod> {
  for (const deadline = performance.now() + seconds * 1000; ;) {
    const pod = await cluster.client.resource(pods).get(name, { namespace: 'default' })
    if (wanted(pod)) return pod
    if (performance.now() > deadline) throw new Error(`pod ${name} did not get there: ${JSON.stringify(pod.status, undefined, 1)}`)
    await sleep(100)
  }
}

const ready = (pod: Pod): boolean => pod.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True') ?? false

/** Runs a command in a pod's container from its host, without the API. */
const inPod = (at: 0 | 1, pod: string, command: string): Promise<string> =>
  inHost(host(at), `docker exec "$(docker ps -q --filter label=io.kubernetes.pod.name=${pod} --filter label=app.quarterdeck.type=container)" ${command}`)

/** Reads `/` of an address with a telnet-like client: static busybox cannot resolve names, so nslookup does that apart. */
const read = (at: 0 | 1, pod: string, address: string, port: number): Promise<string> =>
  inPod(at, pod, `sh -c 'printf "GET / HTTP/1.0\\r\\n\\r\\n" | nc -w 3 ${address} ${port} | tail -1'`)

async function until(what: string, check: () => Promise<boolean>, seconds = 60): Promise<void> {
  for (const deadline = performance.now() + seconds * 1000; ;) {
    if (await check().catch(() => false)) return
    if (performance.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`)
    await sleep(300)
  }
}

const server = (name: string): Partial<PodSpec> => ({
  containers: [
    {
      name: 'web',
      image,
      command: ['sh', '-c', `echo ${name} > /www/index.html; exec httpd -f -p 8080 -h /www`],
      ports: [{ containerPort: 8080, name: 'http' }],
      readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
    },
  ],
})

describe('the node agent', () => {
  let service: Service

  it('runs pods on both nodes, reachable from each other, through a service and by name', async () => {
    service = await cluster.client
      .resource(services)
      .create({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'default' }, spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] } })
    await make('web-1', { ...server('web-1'), nodeName: 'n1' }, { app: 'web' })
    await make('web-2', { ...server('web-2'), nodeName: 'n2' }, { app: 'web' })
    const addresses = await Promise.all(['web-1', 'web-2'].map(async name => (await podWhere(name, ready)).status?.podIP ?? ''))
    const direct = [await read(0, 'web-1', addresses[1] ?? '', 8080), await read(1, 'web-2', addresses[0] ?? '', 8080)].map(text => text.trim())
    const seen = new Set<string>()
    await until('both endpoints answer through the service', async () => {
      seen.add((await read(0, 'web-1', service.spec?.clusterIP ?? '', 80)).trim())
      return seen.has('web-1') && seen.has('web-2')
    })
    const name = await inPod(1, 'web-2', 'nslookup web.default.svc.cluster.local 10.96.0.10')
    expect({ direct, resolves: name.includes(service.spec?.clusterIP ?? '?') }).toEqual({ direct: ['web-2', 'web-1'], resolves: true })
  })

  it('says how a container ended, and runs it again after a back-off', async () => {
    await make('crash', { nodeName: 'n1', containers: [{ name: 'c', image, command: ['sh', '-c', 'echo why > /dev/termination-log; exit 7'] }] })
    const pod = await podWhere(
      'crash',
      p => (p.status?.containerStatuses?.[0]?.restartCount ?? 0) >= 1 && p.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff',
    )
    const state = pod.status?.containerStatuses?.[0]
    expect({
      phase: pod.status?.phase,
      code: state?.lastState?.terminated?.exitCode,
      reason: state?.lastState?.terminated?.reason,
      message: state?.lastState?.terminated?.message,
    }).toEqual({ phase: 'Running', code: 7, reason: 'Error', message: 'why\n' })
    await cluster.client.resource(pods).delete('crash', { namespace: 'default' })
  })

  it('gives logs and figures to the API', async () => {
    await make('talk', { nodeName: 'n2', containers: [{ name: 'c', image, command: ['sh', '-c', 'echo one; echo two; sleep 1000'] }] })
    await podWhere('talk', ready)
    const get = async (url: string): Promise<string> => {
      const answer = await cluster.client.raw({ method: 'GET', url })
      return cluster.client.text(answer.body)
    }
    const logs = await get('/api/v1/namespaces/default/pods/talk/log?tailLines=1')
    const page = await get('/api/v1/namespaces/default/pods/web-1:8080/proxy/')
    const summary = JSON.parse(await get('/api/v1/nodes/n2/proxy/stats/summary')) as { node: { nodeName: string; memory: { workingSetBytes: number } } }
    expect({ logs, page, node: summary.node.nodeName, memory: summary.node.memory.workingSetBytes > 0 }).toEqual({ logs: 'two\n', page: 'web-1\n', node: 'n2', memory: true })
  })

  it('goes on without the API: keeps and restarts containers, answers names, survives its own restart, heals flushed rules', async () => {
    const id = (await inHost(host(0), 'docker ps -q --no-trunc --filter label=io.kubernetes.pod.name=web-1 --filter label=app.quarterdeck.type=container')).trim()
    for (const at of [0, 1] as const)
      await inHost(host(at), `systemctl stop ssh; for p in /proc/[0-9]*; do case "$(tr '\\0' ' ' < $p/cmdline 2>/dev/null)" in sshd*) kill -9 "$(basename $p)";; esac; done; :`)
    await inHost(host(0), 'systemctl restart quarterdeck-agent')
    await sleep(3_000)
    const adopted = (await inHost(host(0), 'docker ps -q --no-trunc --filter label=io.kubernetes.pod.name=web-1 --filter label=app.quarterdeck.type=container')).trim()
    await inHost(host(1), 'docker kill "$(docker ps -q --filter label=io.kubernetes.pod.name=web-2 --filter label=app.quarterdeck.type=container)"')
    await until('the killed container runs again', async () => (await read(1, 'web-2', '127.0.0.1', 8080)).trim() === 'web-2', 30)
    await inHost(host(0), 'nft flush ruleset')
    await until('the rules come back', async () => (await read(0, 'web-1', service.spec?.clusterIP ?? '', 80)).startsWith('web-'), 40)
    const name = await inPod(0, 'web-1', 'nslookup web.default.svc.cluster.local 10.96.0.10')
    expect({ adopted, resolves: name.includes(service.spec?.clusterIP ?? '?') }).toEqual({ adopted: id, resolves: true })
    for (const at of [0, 1] as const) await inHost(host(at), 'systemctl start ssh')
    await until(
      'both nodes are Ready again',
      async () => (await cluster.client.resource(nodes).list()).items.every(node => node.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True')),
      120,
    )
  })

  it('comes back after a restart of the container runtime', async () => {
    await inHost(host(0), 'systemctl restart docker')
    await podWhere('web-1', pod => ready(pod) && (pod.status?.containerStatuses?.[0]?.restartCount ?? 0) >= 1, 90)
    await until('the service answers', async () => (await read(0, 'web-1', service.spec?.clusterIP ?? '', 80)).startsWith('web-'), 30)
  })

  it('stays below 90 MB of memory', async () => {
    const sizes = await Promise.all(
      ([0, 1] as const).map(async at => Number(await inHost(host(at), `awk '/VmRSS/{print $2}' /proc/$(systemctl show -p MainPID --value quarterdeck-agent)/status`))),
    )
    expect(Math.max(...sizes)).toBeLessThan(90 * 1024)
  })

  it('removes what a deleted pod had', async () => {
    await cluster.client.resource(pods).delete('web-1', { namespace: 'default' })
    await until(
      'the pod is gone',
      async () => {
        try {
          await cluster.client.resource(pods).get('web-1', { namespace: 'default' })
          return false
        } catch (fault) {
          return isNotFound(fault)
        }
      },
      30,
    )
    expect(await inHost(host(0), 'docker ps -aq --filter label=io.kubernetes.pod.name=web-1; ls /var/lib/quarterdeck/volumes')).toBe('')
  })
})
