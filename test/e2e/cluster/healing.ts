/** The way to nodes, and how the cluster heals: a killed container, a killed agent, a control plane that was away, a host that was reset, a host that is lost. */
import { describe, expect, it } from 'vitest'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { agentPaths } from '../../../src-main/api/agent.ts'
import { nodes } from '../../../src-main/api/core/v1/node.ts'
import type { Node, Pod } from '../../../src-main/api/generated/core-v1.ts'
import { runCommand } from '../../../src-main/base/node/command.ts'
import { apart, containerID, inHost, inNamespace, nodeCondition, pod, service, until, webDeployment, type Scope, type TestCluster } from './cluster.ts'

/** What must be the same when nothing happened to a pod. */
const identity = (one: Pod): string =>
  `${one.metadata?.name} ${one.metadata?.uid} ${one.spec?.nodeName} ${one.status?.podIP} ${one.status?.containerStatuses?.map(status => `${status.containerID} ${status.restartCount}`).join()}`
const identities = (found: readonly Pod[]): string[] => found.map(identity).sort()

/** Web servers on both nodes behind a service, and a client on each node. */
async function serving(ns: Scope): Promise<{ clients: Pod[]; servers: Pod[]; address: string }> {
  await ns.apply(webDeployment('web', { replicas: 2, template: apart('web') }), webDeployment('client', { replicas: 2, template: apart('client') }), service('web'))
  const [servers, clients] = await Promise.all([ns.ready('app=web', 2), ns.ready('app=client', 2)])
  return { servers, clients, address: await ns.kubectl('get service web -o jsonpath={.spec.clusterIP}') }
}

/** Requests from inside a client's container by the host's Docker: no control plane takes part. Gives the answers. */
function askInHost(cluster: TestCluster, client: Pod, urls: string, times: number): Promise<string> {
  const script = `for i in $(seq ${times}); do for u in ${urls}; do fetch $u || echo failed; done; done`
  return inHost(cluster.host(client.spec?.nodeName ?? ''), `docker exec ${containerID(client)} sh -c '${script}'`)
}

/** Local addresses on which this machine takes connections to `port`, in the kernel's hexadecimal. */
async function listeningOn(port: number): Promise<string[]> {
  const tables = await Promise.all(['tcp', 'tcp6'].map(table => readFile(`/proc/net/${table}`, 'utf8').catch(() => '')))
  const listening = tables
    .flatMap(table => table.split('\n').slice(1))
    .map(line => line.trim().split(/ +/))
    .filter(cells => cells[3] === '0A')
  return listening
    .map(cells => (cells[1] ?? '').split(':'))
    .filter(([, at]) => parseInt(at ?? '', 16) === port)
    .map(([address]) => address ?? '')
}

const sshSessions = `for p in /proc/[0-9]*; do case "$(tr '\\0' ' ' < $p/cmdline 2>/dev/null)" in 'sshd: '*'[listener]'*) ;; 'sshd: '*) basename $p;; esac; done`

export function tunnel(cluster: () => TestCluster): void {
  describe('the way between nodes and the control plane', () => {
    it('is the SSH connection alone: the API listens on loopback only, and a host has no other connection to this machine', async () => {
      expect(await listeningOn(Number(new URL(cluster().apiAddress).port))).toEqual(['0100007F'])
      for (const host of cluster().set.hosts) {
        const gateway = host.networkAddress.replace(/\.\d+$/, '.1')
        const connections = (await inHost(host, 'ss -Htn state established'))
          .trim()
          .split('\n')
          .map(line => line.trim().split(/ +/).slice(2))
          .filter(([, peer]) => peer?.startsWith(`${gateway}:`))
        expect(connections.length).toBeGreaterThan(0)
        expect(connections.filter(([local]) => local !== `${host.networkAddress}:22`)).toEqual([])
      }
    })

    it('comes back by itself when it is cut, with the nodes Ready and no pod touched', () =>
      inNamespace(cluster(), 'heal-tunnel', async ns => {
        await ns.apply(webDeployment('web', { replicas: 2, template: apart('web') }))
        const servers = await ns.ready('app=web', 2)
        const first = new Map<string, string>()
        for (const host of cluster().set.hosts) {
          first.set(host.name, await inHost(host, sshSessions))
          await inHost(host, `kill -9 $(${sshSessions})`)
        }
        for (const server of servers)
          await until(`${server.metadata?.name} is reached`, 40, async () => (await ns.sh(server.metadata?.name ?? '', 'hostname')).trim() === server.metadata?.name)
        for (const host of cluster().set.hosts) expect(await inHost(host, sshSessions)).not.toBe(first.get(host.name))
        expect(identities(await ns.pods('app=web'))).toEqual(identities(servers))
        expect([await nodeCondition(cluster(), 'one'), await nodeCondition(cluster(), 'two')]).toEqual(['True', 'True'])
      }))
  })
}

export function healing(cluster: () => TestCluster): void {
  describe('healing', () => {
    it('starts a killed container again in the same pod', () =>
      inNamespace(cluster(), 'heal-container', async ns => {
        await ns.apply(pod('box'))
        const [before] = await ns.ready('app=box', 1)
        await inHost(cluster().host(before?.spec?.nodeName ?? ''), `docker kill ${containerID(before as Pod)}`)
        const after = await until('it runs again', 30, async () => {
          const one = await ns.pod('box')
          return one.status?.containerStatuses?.[0]?.restartCount === 1 && one.status.containerStatuses[0].ready && one
        })
        expect([after.metadata?.uid, after.status?.podIP]).toEqual([before?.metadata?.uid, before?.status?.podIP])
        expect(after.status?.containerStatuses?.[0]?.lastState?.terminated?.exitCode).toBe(137)
      }))

    it('leaves containers alone when the agent is killed, and goes on with them when it is back', () =>
      inNamespace(cluster(), 'heal-agent', async ns => {
        const { servers, clients } = await serving(ns)
        const host = cluster().host('one')
        const mainProcess = `systemctl show -p MainPID --value ${agentPaths.unitName}`
        const first = await inHost(host, mainProcess)
        await inHost(host, `systemctl kill -s KILL ${agentPaths.unitName}`)
        await until('the agent is back', 30, async () => {
          const now = (await inHost(host, mainProcess)).trim()
          return now !== '0' && now !== first.trim()
        })
        await until('the API reaches it', 40, async () => (await cluster().client.raw({ method: 'GET', url: '/api/v1/nodes/one/proxy/healthz' })).status === 200)
        await ns.apply(pod('later', { spec: { nodeSelector: { 'kubernetes.io/hostname': 'one' } } }))
        await ns.ready('app=later', 1)
        expect(identities(await ns.pods('app=web'))).toEqual(identities(servers))
        expect(identities(await ns.pods('app=client'))).toEqual(identities(clients))
        expect(await ns.sh(clients.find(one => one.spec?.nodeName === 'one')?.metadata?.name ?? '', 'fetch http://web/')).toMatch(/^web-/)
        expect(await nodeCondition(cluster(), 'one')).toBe('True')
      }))

    it('lets pods serve on while the control plane is away for a minute, and touches none of them on its return', () =>
      inNamespace(cluster(), 'heal-control-plane', async ns => {
        const { servers, clients, address } = await serving(ns)
        await cluster().stopControlPlane()
        const away = performance.now()
        const urls = `http://${address}/ http://web.heal-control-plane.svc.cluster.local/ ${servers.map(one => `http://${one.status?.podIP}/`).join(' ')}`
        while (performance.now() - away < 60_000) {
          for (const client of clients) {
            const answers = (await askInHost(cluster(), client, urls, 3)).trim().split('\n')
            expect(answers).toHaveLength(12)
            expect(answers.filter(answer => !answer.startsWith('web-'))).toEqual([])
          }
          await sleep(2000)
        }
        await cluster().startControlPlane()
        for (const node of ['one', 'two'])
          await until(`the API reaches ${node}`, 40, async () => (await cluster().client.raw({ method: 'GET', url: `/api/v1/nodes/${node}/proxy/healthz` })).status === 200)
        // Longer than a status or lease takes: what is going to be evicted or restarted is by now.
        await sleep(8000)
        expect(identities(await ns.pods('app=web'))).toEqual(identities(servers))
        expect(identities(await ns.pods('app=client'))).toEqual(identities(clients))
        expect([await nodeCondition(cluster(), 'one'), await nodeCondition(cluster(), 'two')]).toEqual(['True', 'True'])
        expect(await ns.sh(clients[0]?.metadata?.name ?? '', 'fetch http://web/')).toMatch(/^web-/)
      }))

    it('replaces the pods of a lost host elsewhere, and takes the host back with the pods that stayed', () =>
      inNamespace(cluster(), 'heal-host', async ns => {
        const impatient = {
          tolerations: ['unreachable', 'not-ready'].map(key => ({ key: `node.kubernetes.io/${key}`, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 4 })),
        }
        await ns.apply(
          webDeployment('moves', {
            replicas: 2,
            template: {
              ...impatient,
              topologySpreadConstraints: [
                { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway', labelSelector: { matchLabels: { app: 'moves' } } },
              ],
            },
          }),
          service('moves'),
        )
        await ns.apply(
          pod('stays', { spec: { nodeSelector: { 'kubernetes.io/hostname': 'two' } }, container: { readinessProbe: { exec: { command: ['true'] }, periodSeconds: 1 } } }),
          pod('client', { spec: { nodeSelector: { 'kubernetes.io/hostname': 'one' } } }),
        )
        const [before] = await ns.ready('app=stays', 1)
        const moving = await ns.ready('app=moves', 2)
        expect(moving.map(one => one.spec?.nodeName).sort()).toEqual(['one', 'two'])
        await ns.ready('app=client', 1)
        const host = cluster().host('two')
        expect((await runCommand('docker', ['kill', host.name])).status).toBe(0)
        await until('the node is not ready', 90, async () => (await nodeCondition(cluster(), 'two')) === 'Unknown')
        await until('it is tainted', 10, async () =>
          ((await cluster().client.resource(nodes).get('two')) as Node).spec?.taints?.some(taint => taint.key === 'node.kubernetes.io/unreachable' && taint.effect === 'NoExecute'),
        )
        await until(
          'two pods run on the other node',
          40,
          async () =>
            (await ns.pods('app=moves')).filter(
              one =>
                one.spec?.nodeName === 'one' &&
                one.metadata?.deletionTimestamp === undefined &&
                one.status?.conditions?.some(condition => condition.type === 'Ready' && condition.status === 'True'),
            ).length === 2,
        )
        expect((await ns.pod('stays')).status?.conditions?.find(condition => condition.type === 'Ready')?.status).toBe('False')
        const answers = (await ns.sh('client', 'for i in 1 2 3 4 5 6; do fetch http://moves/ || echo failed; done')).trim().split('\n')
        const alive = (await ns.pods('app=moves')).filter(one => one.spec?.nodeName === 'one').map(one => `${one.metadata?.name} 1`)
        expect(answers.filter(answer => !alive.includes(answer))).toEqual([])

        expect((await runCommand('docker', ['start', host.name])).status).toBe(0)
        await until('the node is ready again', 90, async () => (await nodeCondition(cluster(), 'two')) === 'True')
        await until('its taints are gone', 20, async () => (((await cluster().client.resource(nodes).get('two')) as Node).spec?.taints ?? []).length === 0)
        const after = await until('the pod that stayed runs again', 60, async () => {
          const [one] = await ns.ready('app=stays', 1, 0)
          return one
        })
        expect(after.metadata?.uid).toBe(before?.metadata?.uid)
        expect(after.status?.containerStatuses?.[0]?.restartCount).toBe(1)
        await until('the replaced pod is gone for good', 40, async () => (await ns.pods('app=moves')).length === 2)
        await ns.apply(pod('fresh', { spec: { nodeSelector: { 'kubernetes.io/hostname': 'two' } } }))
        await ns.ready('app=fresh', 1)
        expect(await ns.sh('fresh', 'fetch http://moves/')).toMatch(/^moves-/)
      }))
  })
}
