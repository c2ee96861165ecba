/**
 * Two hosts become nodes, one by root with Docker there, one by sudo with a password and without Docker; connections are
 * cut, hosts reboot; and removal leaves them as they were.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ImagePushProgress } from '../../../src-main/api/bridge.ts'
import { agentPorts } from '../../../src-main/api/agent.ts'
import { nodes } from '../../../src-main/api/core/v1/node.ts'
import { pods } from '../../../src-main/api/core/v1/pod.ts'
import { podDisruptionBudgets } from '../../../src-main/api/policy/v1/pod-disruption-budget.ts'
import type { Node, Pod } from '../../../src-main/api/generated/core-v1.ts'
import type { Machine, MachineCondition } from '../../../src-main/api/infra/v1alpha1/machine.ts'
import { machines } from '../../../src-main/api/infra/v1alpha1/machine-resource.ts'
import { hostFiles } from '../../../src-main/provisioning/host/host-files.ts'
import { phases } from '../../../src-main/provisioning/phases/phases.ts'
import { startHosts, inHost, removeHosts, resetHost, type HostSet, type PracticeHost } from '../../support/hosts/hosts.ts'
import { docker } from '../../../src-main/provisioning/practice/docker.ts'
import { ensureTestImage } from '../../support/hosts/test-image.ts'
import { machineGone, machineWhere, startCluster, type TestCluster } from './cluster.ts'

let cluster: TestCluster
let set: HostSet
const sudoPassword = `it's a "pass" $word; \\ with spaces`
const before = new Map<string, string>()

// What a removal must leave as it was: files, packages, rules, interfaces, units, users, settings.
const snapshot = `ls -A /etc /opt /var/lib /var/log /etc/systemd/system /etc/sysctl.d /etc/modules-load.d /root | grep -vE '^(dpkg|apt|alternatives|subgid-?|subuid-?|ld.so.cache|private|group-?|gshadow-?|passwd-?|shadow-?|mtab|journal|lastlog|wtmp|btmp|\\.\\.?)$' | sort
dpkg-query -W -f '\${Package}\\n'; iptables -S; iptables -t nat -S | sed 's/:[0-9]*$//; s/--to-.*//; s/--sport [0-9]*//'; nft list tables | sort; ls /sys/class/net | sort
systemctl list-unit-files --no-legend --state=enabled | awk '{print $1}' | sort; cut -d: -f1 /etc/passwd; cat /proc/sys/net/ipv4/ip_forward /proc/sys/fs/inotify/max_user_instances`

beforeAll(async () => {
  set = await startHosts({ set: 'lifecycle', count: 2, withDocker: [true, false], users: [{ name: 'ops', password: sudoPassword, sudo: 'password' }] })
  for (const host of set.hosts) before.set(host.name, await inHost(host, snapshot))
  cluster = await startCluster()
  await cluster.controlPlane.controllersReady
})
afterAll(async () => {
  await cluster?.stop()
  await removeHosts('lifecycle')
})

function host(number: 1 | 2): PracticeHost {
  const found = set.hosts[number - 1]
  if (!found) throw new Error(`no host ${number}`)
  return found
}

/** Ends every SSH session of a host without a goodbye to this side. */
const cut = (which: PracticeHost): Promise<string> =>
  inHost(which, `for p in /proc/[0-9]*; do case "$(tr '\\0' ' ' < $p/cmdline 2>/dev/null)" in 'sshd: '*'[listener]'*) ;; 'sshd: '*) kill -9 "$(basename $p)";; esac; done; :`)

function address(which: PracticeHost): { address: string; port: number; fingerprint: string } {
  return { address: which.address, port: which.port, fingerprint: which.fingerprint }
}

// What a firewall does that does not know the overlay.
const overlayDropped = `-p udp --dport ${agentPorts.overlay} -j DROP`

function condition(machine: Machine, type: string): MachineCondition | undefined {
  return machine.status?.conditions?.find(one => one.type === type)
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  /* the image is this computer's own */
}

function podOn(node: string, image: string): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `pod-${node}`, namespace: 'default' },
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'main', image, imagePullPolicy: 'Never', command: ['/bin/sh', '-c', `echo hello from ${node}; sleep 100000`] }],
    },
  }
}

describe('hosts', () => {
  it('are planned in sentences without being touched', async () => {
    const plan = await cluster.provisioning.plan(
      { hosts: [{ name: 'b', user: 'ops', ...address(host(2)) }], credentials: { privateKey: set.privateKey, sudoPassword } },
      new AbortController().signal,
    )
    expect(plan.hosts[0]?.error).toBeUndefined()
    expect(plan.hosts[0]?.steps.flatMap(step => step.changes)).toContain('Install docker.io with apt')
    expect(await inHost(host(2), snapshot)).toBe(before.get(host(2).name))
  })

  it('pass preflight together', async () => {
    const results = []
    const hosts = [
      { name: 'a', user: 'root', ...address(host(1)) },
      { name: 'b', user: 'ops', ...address(host(2)) },
    ]
    for await (const item of cluster.provisioning.preflight({ hosts, credentials: { privateKey: set.privateKey, sudoPassword } }, new AbortController().signal)) results.push(item)
    expect(results.filter(item => item.result.state === 'fail')).toEqual([])
    expect(new Set(results.map(item => item.host))).toEqual(new Set([0, 1]))
  })

  it('become ready nodes, by root and by sudo, though the connection is cut in every phase, and not before pods reach one another', async () => {
    await inHost(host(1), `iptables -I INPUT ${overlayDropped}`)
    const stop = new AbortController()
    const seen = new Set<string>()
    const cutting = (async () => {
      for await (const item of cluster.provisioning.output({ machine: 'b' }, stop.signal)) {
        if (!item.text.startsWith('→') || seen.has(item.step)) continue
        seen.add(item.step)
        await cut(host(2))
      }
    })()
    await cluster.provisioning.apply({ hosts: [{ name: 'a', user: 'root', ...address(host(1)) }], credentials: { privateKey: set.privateKey } })
    await cluster.provisioning.apply({ hosts: [{ name: 'b', user: 'ops', ...address(host(2)) }], credentials: { privateKey: set.privateKey, sudoPassword } })
    const unproven = await machineWhere(cluster.client, 'b', machine => condition(machine, 'NetworkProven')?.message.includes('pod to pod') ?? false, 300)
    const early = (await cluster.client.resource(nodes).get('b')) as Node
    await inHost(host(1), `iptables -D INPUT ${overlayDropped}`)
    expect(condition(unproven, 'NetworkProven')).toMatchObject({ status: 'False', message: 'Not reached from a pod of this node: pod to pod on a: no answer.' })
    expect(early.status?.conditions?.find(one => one.type === 'Ready')).toMatchObject({
      status: 'False',
      message: expect.stringContaining('pod to pod on a: no answer') as unknown,
    })
    const [a, b] = await Promise.all(['a', 'b'].map(name => machineWhere(cluster.client, name, machine => machine.status?.phase === 'Ready', 300)))
    stop.abort()
    await cutting
    expect(a?.status?.conditions?.map(condition => `${condition.type}=${condition.status}`).sort()).toEqual([
      'AgentInstalled=True',
      'Connected=True',
      'NetworkProven=True',
      'NodeReady=True',
      'PreflightPassed=True',
      'RuntimeReady=True',
    ])
    expect(b && condition(b, 'NetworkProven')?.message).toBe('Reached from a pod of this node: pod to pod on a, pod to service, DNS.')
    expect(b?.status?.steps?.map(step => step.name)).toEqual(phases.map(phase => phase.name))
    // Every phase that changes something was cut; the image has the network tools, and waiting changes nothing.
    expect([...seen].sort()).toEqual(
      phases
        .map(phase => phase.name)
        .filter(name => !['node-ready', 'install-packages'].includes(name))
        .sort(),
    )
    const ready = (await cluster.client.resource(nodes).list()).items.map(node => (node as Node).status?.conditions?.find(condition => condition.type === 'Ready')?.status)
    expect(ready).toEqual(['True', 'True'])
  })

  it('are left alone by another program: while one is at work on them, and when they belong to one', async () => {
    const other = await startCluster()
    try {
      await other.controlPlane.controllersReady
      await other.provisioning.apply({ hosts: [{ name: 'a', user: 'root', ...address(host(1)) }], credentials: { privateKey: set.privateKey } })
      const refused = await machineWhere(other.client, 'a', machine => machine.status?.phase === 'Failed', 30)
      expect(refused.status).toMatchObject({ reason: 'ForeignCluster' })
      expect(refused.status?.steps).toBeUndefined()
      // The same host before the first program was done: its lock stands, its stamp does not.
      await inHost(host(1), `mv ${hostFiles.stamp} /root/stamp; echo somebody "$(date +%s)" > ${hostFiles.lock}`)
      await other.client.resource(machines).patch('a', 'merge', { spec: { retry: 1 } })
      const busy = await machineWhere(other.client, 'a', machine => machine.status?.reason !== 'ForeignCluster' && machine.status?.phase === 'Failed', 30)
      await inHost(host(1), `mv /root/stamp ${hostFiles.stamp}; rm ${hostFiles.lock}`)
      expect(busy.status).toMatchObject({ reason: 'HostBusy' })
      expect(busy.status?.steps).toBeUndefined()
    } finally {
      await other.stop()
    }
    expect((await cluster.client.resource(machines).get('a')).status?.phase).toBe('Ready')
    expect((await cluster.client.raw({ method: 'GET', url: '/api/v1/nodes/a/proxy/healthz' })).status).toBe(200)
  })

  it('answer the API through their SSH connection', async () => {
    const answer = await cluster.client.raw({ method: 'GET', url: '/api/v1/nodes/a/proxy/pods' })
    expect([answer.status, JSON.parse(await cluster.client.text(answer.body)).kind]).toEqual([200, 'PodList'])
  })

  it('take an image through SSH once, and run pods of it whose logs come back', async () => {
    const image = await ensureTestImage()
    const push = async (): Promise<Map<string, ImagePushProgress>> => {
      const last = new Map<string, ImagePushProgress>()
      for await (const item of cluster.provisioning.pushImage({ nodes: ['a', 'b'], source: { type: 'docker', image } }, nothing(), new AbortController().signal))
        last.set(item.node, item)
      return last
    }
    const first = await push()
    expect([...first.values()].map(item => [item.node, item.state, item.message])).toEqual([
      ['a', 'done', undefined],
      ['b', 'done', undefined],
    ])
    const again = await push()
    expect([...again.values()].map(item => item.message)).toEqual(['The node has this image already.', 'The node has this image already.'])
    for (const node of ['a', 'b']) await cluster.client.resource(pods).create(podOn(node, image))
    for (const node of ['a', 'b']) {
      await expect
        .poll(async () => ((await cluster.client.resource(pods).get(`pod-${node}`, { namespace: 'default' })) as Pod).status?.phase, { timeout: 60_000, interval: 200 })
        .toBe('Running')
      const log = await cluster.client.raw({ method: 'GET', url: `/api/v1/namespaces/default/pods/pod-${node}/log` })
      expect(await cluster.client.text(log.body)).toBe(`hello from ${node}\n`)
    }
  })

  it('say that they are away when the network is gone, and are back when it is', async () => {
    const name = host(2).name
    await docker(['network', 'disconnect', 'quarterdeck-lifecycle', name])
    const away = await machineWhere(cluster.client, 'b', machine => machine.status?.phase === 'Degraded', 60)
    expect(['ConnectionLost', 'Unreachable']).toContain(away.status?.reason)
    await docker(['network', 'connect', '--ip', host(2).networkAddress, 'quarterdeck-lifecycle', name])
    await machineWhere(cluster.client, 'b', machine => machine.status?.phase === 'Ready', 90)
    await expect.poll(async () => (await cluster.client.raw({ method: 'GET', url: '/api/v1/nodes/b/proxy/healthz' })).status, { timeout: 60_000, interval: 500 }).toBe(200)
    // The same containers run on: nobody restarted the pod while the control plane was out of sight.
    expect(((await cluster.client.resource(pods).get('pod-b', { namespace: 'default' })) as Pod).status?.containerStatuses?.[0]?.restartCount).toBe(0)
  })

  it('are connected again by themselves after a cut, with their node Ready all the while', async () => {
    await cut(host(1))
    await machineWhere(cluster.client, 'a', machine => machine.status?.phase === 'Ready', 60)
    await expect.poll(async () => (await cluster.client.raw({ method: 'GET', url: '/api/v1/nodes/a/proxy/healthz' })).status, { timeout: 30_000, interval: 200 }).toBe(200)
    const node = (await cluster.client.resource(nodes).get('a')) as Node
    expect(node.status?.conditions?.find(condition => condition.type === 'Ready')?.status).toBe('True')
  })

  it('come back after a hard reset', async () => {
    const boot = ((await cluster.client.resource(nodes).get('b')) as Node).status?.nodeInfo?.bootID
    await resetHost(host(2))
    await expect.poll(async () => (await cluster.client.raw({ method: 'GET', url: '/api/v1/nodes/b/proxy/healthz' })).status, { timeout: 90_000, interval: 500 }).toBe(200)
    const machine = await machineWhere(cluster.client, 'b', one => one.status?.phase === 'Ready', 60)
    expect(machine.status?.reason).toBeUndefined()
    expect(boot).toBeDefined()
  })

  it('keep what a budget protects until it may go', async () => {
    const budgets = cluster.client.resource(podDisruptionBudgets)
    await cluster.client.resource(pods).patch('pod-a', 'merge', { metadata: { labels: { app: 'guarded' } } }, { namespace: 'default' })
    await budgets.create({
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'guard', namespace: 'default' },
      spec: { minAvailable: 1, selector: { matchLabels: { app: 'guarded' } } },
    })
    await cluster.client.resource(machines).delete('a')
    const blocked = await machineWhere(cluster.client, 'a', machine => machine.status?.reason === 'DrainBlocked', 60)
    expect(blocked.status?.message).toContain('default/pod-a')
    expect(blocked.status?.phase).toBe('Removing')
    expect((await cluster.client.resource(pods).get('pod-a', { namespace: 'default' })).metadata.deletionTimestamp).toBeUndefined()
    await budgets.delete('guard', { namespace: 'default' })
  })

  it('are removed with nothing left behind', async () => {
    await cluster.client.resource(machines).delete('b') // the other one is on its way
    const last = await Promise.all(['a', 'b'].map(name => machineGone(cluster.client, name, 120)))
    expect(last.map(machine => machine?.status?.leftovers ?? [])).toEqual([[], []])
    expect((await cluster.client.resource(nodes).list()).items).toEqual([])
    for (const one of set.hosts) expect(await inHost(one, snapshot)).toBe(before.get(one.name))
  })
})
