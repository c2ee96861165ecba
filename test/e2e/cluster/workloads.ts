/** How workloads run: deployments, containers and their volumes, probes, limits, restarts, services and names. */
import { describe, expect, it } from 'vitest'
import { endpointSlices } from '../../../src-main/api/discovery/v1/endpoint-slice.ts'
import type { EndpointSlice } from '../../../src-main/api/generated/discovery-v1.ts'
import type { Pod } from '../../../src-main/api/generated/core-v1.ts'
import { apart, inNamespace, isReady, nodeNames, pod, service, until, webDeployment, webImage, whileLooking, type Scope, type TestCluster } from './cluster.ts'

const names = (found: readonly Pod[]): string[] => found.map(one => one.metadata?.name ?? '').sort()
const nodesOf = (found: readonly Pod[]): string[] => [...new Set(found.map(one => one.spec?.nodeName ?? ''))].sort()
const main = (one: Pod): NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number] | undefined => one.status?.containerStatuses?.[0]

/** Addresses of the service's ready endpoints. */
async function readyAddresses(cluster: TestCluster, ns: Scope, name: string): Promise<string[]> {
  const slices = (await cluster.client.resource(endpointSlices).list({ namespace: ns.name, labelSelector: `kubernetes.io/service-name=${name}` })).items as EndpointSlice[]
  return slices.flatMap(slice => (slice.endpoints ?? []).filter(endpoint => endpoint.conditions?.ready !== false).flatMap(endpoint => endpoint.addresses ?? [])).sort()
}

export function workloads(cluster: () => TestCluster): void {
  const inOwn = (name: string, work: (ns: Scope) => Promise<void>) => (): Promise<void> => inNamespace(cluster(), name, work)

  describe.concurrent('a deployment', () => {
    it(
      'is spread over both nodes, its pods named and labelled after their template',
      inOwn('load-spread', async ns => {
        await ns.apply(webDeployment('web', { replicas: 4 }))
        const found = await ns.ready('app=web', 4)
        expect(nodesOf(found)).toEqual([...nodeNames])
        const hashes = new Set(found.map(one => one.metadata?.labels?.['pod-template-hash']))
        expect(hashes.size).toBe(1)
        for (const one of found) expect(one.metadata?.name).toMatch(new RegExp(`^web-${[...hashes][0]}-[a-z0-9]{5}$`))
      }),
    )

    it(
      'is updated and rolled back in steps without one failed request',
      inOwn('load-rolling', async ns => {
        const asking =
          'until [ -e /tmp/start ]; do sleep 0.1; done; until [ -e /tmp/stop ]; do TIMEOUT=10 fetch http://web/ >> /tmp/answers || echo failed >> /tmp/failures; sleep 0.02; done; touch /tmp/stopped; exec sleeper'
        const rolling = { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }, revisionHistoryLimit: 1 }
        await ns.apply(
          webDeployment('web', { replicas: 3, spec: rolling, container: { lifecycle: { preStop: { sleep: { seconds: 3 } } } }, template: { terminationGracePeriodSeconds: 10 } }),
          service('web'),
          pod('client', { container: { command: ['sh', '-c', asking] } }),
        )
        await Promise.all([ns.ready('app=web', 3), ns.ready('app=client', 1)])
        await until('the service answers', 20, () => ns.sh('client', 'fetch http://web/'))
        await ns.sh('client', 'touch /tmp/start')
        let most = 0
        let fewest = 3
        const count = async (): Promise<void> => {
          const found = (await ns.pods('app=web')).filter(one => one.metadata?.deletionTimestamp === undefined)
          most = Math.max(most, found.length)
          fewest = Math.min(fewest, found.filter(isReady).length)
        }
        await whileLooking(count, async () => {
          await ns.kubectl('set env deployment/web VERSION=2')
          await ns.rolledOut('web')
          await ns.kubectl('rollout undo deployment/web')
          await ns.rolledOut('web')
        })
        await ns.sh('client', 'touch /tmp/stop; until [ -e /tmp/stopped ]; do sleep 0.1; done')
        expect(await ns.sh('client', 'cat /tmp/failures 2>/dev/null || true')).toBe('')
        const answers = (await ns.sh('client', 'cut -d " " -f 2 /tmp/answers | sort | uniq -c'))
          .trim()
          .split('\n')
          .map(line => line.trim().split(' '))
        expect(answers.map(([, version]) => version)).toEqual(['1', '2'])
        for (const [count] of answers) expect(Number(count)).toBeGreaterThan(20)
        expect({ most, fewest }).toEqual({ most: 4, fewest: 3 })
        expect((await ns.kubectl('get replicasets -o name')).trim().split('\n')).toHaveLength(2)
      }),
    )
  })

  describe.concurrent('a pod', () => {
    it(
      'gives its containers one network and shared volumes',
      inOwn('load-shared', async ns => {
        const shared = {
          volumes: [
            { name: 'files', emptyDir: {} },
            { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '8Mi' } },
          ],
        }
        const both = pod('both', {
          spec: {
            ...shared,
            containers: [
              { name: 'web', image: webImage, volumeMounts: [{ name: 'files', mountPath: '/www' }] },
              {
                name: 'side',
                image: 'quarterdeck.test/busybox:1',
                volumeMounts: [
                  { name: 'files', mountPath: '/out' },
                  { name: 'memory', mountPath: '/memory' },
                ],
              },
            ],
          },
        })
        await ns.apply(both)
        const [found] = await ns.ready('app=both', 1)
        await ns.sh('both', 'echo from the side > /out/file', 'side')
        expect(await ns.sh('both', 'fetch http://127.0.0.1/file', 'side')).toBe('from the side\n')
        expect(await ns.sh('both', 'mount | grep " /memory " | cut -d " " -f 1', 'side')).toBe('tmpfs\n')
        expect(await ns.sh('both', 'hostname -i', 'web')).toBe(`${found?.status?.podIP}\n`)
        expect(await ns.sh('both', 'hostname -i', 'side')).toBe(`${found?.status?.podIP}\n`)
      }),
    )

    it(
      'reads settings from environment and files, and sees new ones in its files while it runs',
      inOwn('load-settings', async ns => {
        await ns.kubectl('create configmap settings --from-literal=colour=brass --from-literal=size=28')
        await ns.kubectl('create secret generic keys --from-literal=password=rope')
        await ns.apply(
          pod('reader', {
            spec: {
              volumes: [
                { name: 'settings', configMap: { name: 'settings' } },
                { name: 'keys', secret: { secretName: 'keys', defaultMode: 0o400 } },
                { name: 'about', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
              ],
            },
            container: {
              resources: { limits: { memory: '32Mi' } },
              env: [
                { name: 'COLOUR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'colour' } } },
                { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'keys', key: 'password' } } },
                { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
                { name: 'LIMIT', valueFrom: { resourceFieldRef: { resource: 'limits.memory' } } },
                { name: 'BOTH', value: '$(COLOUR)/$(POD)' },
              ],
              envFrom: [{ prefix: 'ALL_', configMapRef: { name: 'settings' } }],
              volumeMounts: [
                { name: 'settings', mountPath: '/settings' },
                { name: 'keys', mountPath: '/keys' },
                { name: 'about', mountPath: '/about' },
              ],
            },
          }),
        )
        await ns.ready('app=reader', 1)
        expect(
          await ns.sh(
            'reader',
            'echo $COLOUR $PASSWORD $POD $LIMIT $BOTH $ALL_size; cat /settings/size; echo; cat /keys/password; echo; stat -L -c %a /keys/password; cat /about/labels; echo',
          ),
        ).toBe('brass rope reader 33554432 brass/reader 28\n28\nrope\n400\napp="reader"\n')
        await ns.kubectl(['patch', 'configmap', 'settings', '-p', '{"data":{"size":"30","new":"yes"}}'])
        await ns.kubectl(['patch', 'secret', 'keys', '-p', '{"stringData":{"password":"chain"}}'])
        await until('the files are new', 90, async () => (await ns.sh('reader', 'cat /settings/size /settings/new /keys/password')) === '30yeschain')
        expect(main(await ns.pod('reader'))?.restartCount).toBe(0)
      }),
    )

    it(
      'is killed at its memory limit, and says so',
      inOwn('load-memory', async ns => {
        await ns.apply(pod('hungry', { spec: { restartPolicy: 'Never' }, container: { command: ['sh', '-c', 'tail /dev/zero'], resources: { limits: { memory: '24Mi' } } } }))
        const ended = await until('the container ended', 40, async () => main(await ns.pod('hungry'))?.state?.terminated)
        expect(ended).toMatchObject({ reason: 'OOMKilled', exitCode: 137 })
        expect(await ns.kubectl('get pod hungry --no-headers')).toMatch(/ 0\/1 +OOMKilled /)
      }),
    )

    it(
      'is restarted when its liveness probe fails, which is told in events',
      inOwn('load-liveness', async ns => {
        await ns.apply(pod('lively', { container: { livenessProbe: { exec: { command: ['test', '!', '-e', '/tmp/ill'] }, periodSeconds: 1, failureThreshold: 2 } } }))
        await ns.ready('app=lively', 1)
        const before = main(await ns.pod('lively'))
        await ns.sh('lively', 'touch /tmp/ill')
        const after = await until('the container runs again', 40, async () => {
          const status = main(await ns.pod('lively'))
          return status?.restartCount === 1 && status.ready && status
        })
        expect(after.containerID).not.toBe(before?.containerID)
        const events = await ns.kubectl('events --for pod/lively')
        expect(events).toMatch(/Warning +Unhealthy .*Liveness probe failed/)
        expect(events).toMatch(/Normal +Killing .*failed liveness probe, will be restarted/)
      }),
    )

    it(
      'gets requests only while its readiness probe passes',
      inOwn('load-readiness', async ns => {
        await ns.apply(
          webDeployment('web', { replicas: 2, container: { readinessProbe: { exec: { command: ['test', '!', '-e', '/tmp/busy'] }, periodSeconds: 1, failureThreshold: 1 } } }),
          service('web'),
          pod('client'),
        )
        const [first, second] = await ns.ready('app=web', 2)
        await ns.ready('app=client', 1)
        await until('both are endpoints', 10, async () => (await readyAddresses(cluster(), ns, 'web')).length === 2)
        await ns.sh(first?.metadata?.name ?? '', 'touch /tmp/busy')
        await until('one is an endpoint', 15, async () => (await readyAddresses(cluster(), ns, 'web')).join() === second?.status?.podIP)
        await until('the rules follow', 5, async () => !(await ns.sh('client', 'for i in 1 2 3 4 5 6 7 8; do fetch http://web/; done')).includes(first?.metadata?.name ?? ''))
        expect(main(await ns.pod(first?.metadata?.name ?? ''))).toMatchObject({ ready: false, restartCount: 0 })
        await ns.sh(first?.metadata?.name ?? '', 'rm /tmp/busy')
        await until('both are endpoints again', 15, async () => (await readyAddresses(cluster(), ns, 'web')).length === 2)
      }),
    )

    it(
      'is left alone by other probes until its startup probe has passed',
      inOwn('load-startup', async ns => {
        const probe = { exec: { command: ['test', '-e', '/tmp/up'] }, periodSeconds: 1 }
        await ns.apply(pod('slow', { container: { startupProbe: { ...probe, failureThreshold: 60 }, livenessProbe: { ...probe, failureThreshold: 1 }, readinessProbe: probe } }))
        const starting = await until('the container runs', 30, async () => {
          const status = main(await ns.pod('slow'))
          return status?.state?.running !== undefined && status
        })
        expect(starting).toMatchObject({ started: false, ready: false })
        await new Promise(resolve => setTimeout(resolve, 3000))
        expect(main(await ns.pod('slow'))).toMatchObject({ started: false, restartCount: 0 })
        await ns.sh('slow', 'touch /tmp/up')
        await ns.ready('app=slow', 1)
        expect(main(await ns.pod('slow'))).toMatchObject({ started: true, restartCount: 0 })
      }),
    )

    it(
      'that fails is started again with growing pauses; one that succeeds is not',
      inOwn('load-crash', async ns => {
        await ns.apply(pod('crash', { container: { command: ['sh', '-c', 'exit 9'] } }), pod('done', { spec: { restartPolicy: 'OnFailure' }, container: { command: ['true'] } }))
        const status = await until('the restarts pause', 40, async () => {
          const one = main(await ns.pod('crash'))
          return one?.state?.waiting?.reason === 'CrashLoopBackOff' && one
        })
        expect(status.lastState?.terminated).toMatchObject({ exitCode: 9, reason: 'Error' })
        expect(status.state?.waiting?.message).toMatch(/^back-off 10s restarting failed container=main pod=crash_load-crash/)
        await until('it is started again', 30, async () => (main(await ns.pod('crash'))?.restartCount ?? 0) >= 2)
        expect(await ns.kubectl('events --for pod/crash')).toMatch(/Warning +BackOff .*Back-off restarting failed container main in pod crash_load-crash/)
        expect((await ns.pod('done')).status).toMatchObject({
          phase: 'Succeeded',
          containerStatuses: [{ restartCount: 0, state: { terminated: { exitCode: 0, reason: 'Completed' } } }],
        })
      }),
    )

    it(
      'ends gracefully: hook, TERM, time to finish; and is killed when its time is over',
      inOwn('load-ending', async ns => {
        const orderly = {
          command: ['sh', '-c', 'trap "echo told; sleep 1; echo finished; exit 0" TERM; while :; do sleep 0.1; done'],
          lifecycle: { preStop: { exec: { command: ['sh', '-c', 'echo hook > /proc/1/fd/1; sleep 1'] } } },
        }
        await ns.apply(
          pod('orderly', { spec: { terminationGracePeriodSeconds: 20 }, container: orderly }),
          pod('deaf', { spec: { terminationGracePeriodSeconds: 3 }, container: { command: ['sh', '-c', 'trap "" TERM; while :; do sleep 1; done'] } }),
        )
        await Promise.all([ns.ready('app=orderly', 1), ns.ready('app=deaf', 1)])
        const log = ns.kubectl('logs -f orderly')
        const timed = async (name: string): Promise<number> => {
          const start = performance.now()
          await ns.kubectl(`delete pod ${name}`)
          return (performance.now() - start) / 1000
        }
        const [orderlySeconds, deafSeconds] = await Promise.all([timed('orderly'), timed('deaf')])
        expect(await log).toBe('hook\ntold\nfinished\n')
        expect(orderlySeconds).toBeGreaterThan(2)
        expect(orderlySeconds).toBeLessThan(15)
        expect(deafSeconds).toBeGreaterThan(3)
        expect(deafSeconds).toBeLessThan(15)
      }),
    )

    it(
      'runs its init containers one after another, before its own',
      inOwn('load-init', async ns => {
        const mount = { volumeMounts: [{ name: 'work', mountPath: '/work' }] }
        const image = 'quarterdeck.test/busybox:1'
        await ns.apply(
          pod('staged', {
            spec: {
              volumes: [{ name: 'work', emptyDir: {} }],
              initContainers: [
                { name: 'first', image, ...mount, command: ['sh', '-c', 'sleep 1; echo first >> /work/order'] },
                { name: 'second', image, ...mount, command: ['sh', '-c', '[ -e /work/tried ] || { touch /work/tried; exit 1; }; echo second >> /work/order'] },
              ],
            },
            container: { ...mount, command: ['sh', '-c', 'echo main >> /work/order; exec sleeper'] },
          }),
        )
        await ns.ready('app=staged', 1)
        expect(await ns.sh('staged', 'cat /work/order')).toBe('first\nsecond\nmain\n')
        expect((await ns.pod('staged')).status?.initContainerStatuses).toMatchObject([
          { name: 'first', restartCount: 0, ready: true },
          { name: 'second', restartCount: 1, ready: true },
        ])
      }),
    )

    it(
      'goes where selectors, affinity and requests let it, and says why when it cannot',
      inOwn('load-placing', async ns => {
        const place = (name: string, spec: Record<string, unknown>, container: Record<string, unknown> = {}): Record<string, unknown> => pod(name, { spec, container })
        const follows = {
          podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'chosen' } } }] },
        }
        const node = (operator: string): object => ({ nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator, values: ['one'] }] }] })
        await ns.apply(
          place('chosen', { nodeSelector: { 'kubernetes.io/hostname': 'two' } }),
          place('follower', { affinity: follows }),
          place('required', { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: node('NotIn') } } }),
          place('nowhere', { nodeSelector: { disk: 'gold' } }),
          place('huge', {}, { resources: { requests: { cpu: '900' } } }),
          webDeployment('apart', { replicas: 3, template: apart('apart') }),
        )
        for (const name of ['chosen', 'follower', 'required']) expect((await ns.ready(`app=${name}`, 1))[0]?.spec?.nodeName).toBe('two')
        const why = async (name: string): Promise<string> =>
          until(
            `${name} has a reason`,
            15,
            async () => (await ns.pod(name)).status?.conditions?.find(one => one.type === 'PodScheduled' && one.reason === 'Unschedulable')?.message,
          )
        expect(await why('nowhere')).toMatch(/^0\/2 nodes are available: 2 node\(s\) didn't match Pod's node affinity\/selector\./)
        expect(await why('huge')).toMatch(/^0\/2 nodes are available: 2 Insufficient cpu\./)
        const placed = await until('two of three are placed apart', 30, async () => {
          const found = (await ns.pods('app=apart')).filter(one => one.spec?.nodeName !== undefined)
          return found.length === 2 && found
        })
        expect(nodesOf(placed)).toEqual([...nodeNames])
        const third = (await ns.pods('app=apart')).find(one => one.spec?.nodeName === undefined)
        expect(await why(third?.metadata?.name ?? '')).toContain("2 node(s) didn't match pod anti-affinity rules")
      }),
    )
  })

  describe.concurrent('a service', () => {
    it(
      'has a fixed address and names, and is balanced over both nodes from both nodes; pods reach each other directly',
      inOwn('load-service', async ns => {
        await ns.apply(
          webDeployment('web', { replicas: 2, template: apart('web') }),
          webDeployment('client', { replicas: 2, template: apart('client') }),
          service('web'),
          service('headless', { selector: { app: 'web' }, clusterIP: 'None' }),
        )
        const [servers, clients] = await Promise.all([ns.ready('app=web', 2), ns.ready('app=client', 2)])
        expect([nodesOf(servers), nodesOf(clients)]).toEqual([[...nodeNames], [...nodeNames]])
        const address = await ns.kubectl('get service web -o jsonpath={.spec.clusterIP}')
        expect(address).toMatch(/^10\.96\./)
        const addresses = servers.map(one => one.status?.podIP ?? '').sort()
        await until('both are endpoints', 10, async () => (await readyAddresses(cluster(), ns, 'web')).length === 2)
        for (const client of clients) {
          const from = client.metadata?.name ?? ''
          for (const server of servers) expect(await ns.sh(from, `fetch http://${server.status?.podIP}/`)).toBe(`${server.metadata?.name} 1\n`)
          const answers = (
            await until('the service answers', 10, () =>
              ns.sh(
                from,
                `for i in 1 2 3 4 5 6 7 8 9 10; do fetch http://${address}/; done; for n in web web.load-service web.load-service.svc web.load-service.svc.cluster.local; do for i in 1 2 3 4; do fetch http://$n/; done; done`,
              ),
            )
          )
            .trim()
            .split('\n')
          expect(answers).toHaveLength(26)
          expect([...new Set(answers)].sort()).toEqual(names(servers).map(name => `${name} 1`))
          expect(await ns.sh(from, 'getent ahostsv4 web.load-service.svc.cluster.local | cut -d " " -f 1 | sort -u')).toBe(`${address}\n`)
          expect((await ns.sh(from, 'getent ahostsv4 headless | cut -d " " -f 1 | sort -u')).trim().split('\n').sort()).toEqual(addresses)
          expect((await ns.attempt(['exec', from, '--', 'getent', 'ahostsv4', 'nobody.load-service.svc.cluster.local'])).code).not.toBe(0)
        }
      }),
    )

    it(
      'of type NodePort answers on the port of every node from outside',
      inOwn('load-nodeport', async ns => {
        await ns.apply(webDeployment('web'), service('web', { type: 'NodePort' }))
        const [found] = await ns.ready('app=web', 1)
        const port = await ns.kubectl('get service web -o jsonpath={.spec.ports[0].nodePort}')
        expect(Number(port)).toBeGreaterThanOrEqual(30_000)
        for (const host of cluster().set.hosts) {
          const answer = await until(`${host.name} answers`, 15, async () => (await fetch(`http://${host.networkAddress}:${port}/`, { signal: AbortSignal.timeout(2000) })).text())
          expect(answer).toBe(`${found?.metadata?.name} 1\n`)
        }
      }),
    )

    it(
      'without endpoints refuses at once',
      inOwn('load-empty', async ns => {
        await ns.apply(service('nobody'), pod('client'))
        await ns.ready('app=client', 1)
        const refused = await until('the refusal is in force', 10, async () => {
          const answer = await ns.attempt(['exec', 'client', '--', 'fetch', 'http://nobody/'])
          return answer.code === 7 && answer
        })
        expect(refused.stderr).toMatch(/Couldn't connect|refused/i)
      }),
    )
  })
}

/** These change nodes, so they have the cluster for themselves. */
export function taints(cluster: () => TestCluster): void {
  describe('a taint', () => {
    it('keeps pods away that do not tolerate it, and drives them out with NoExecute', () =>
      inNamespace(cluster(), 'load-taints', async ns => {
        await ns.kubectl('taint node two crew=night:NoSchedule')
        const toleration = { tolerations: [{ key: 'crew', operator: 'Equal', value: 'night' }] }
        await ns.apply(
          webDeployment('day', { replicas: 2 }),
          pod('night', { spec: { ...toleration, nodeSelector: { 'kubernetes.io/hostname': 'two' } } }),
          pod('refused', { spec: { nodeSelector: { 'kubernetes.io/hostname': 'two' } } }),
        )
        expect(nodesOf(await ns.ready('app=day', 2))).toEqual(['one'])
        expect(nodesOf(await ns.ready('app=night', 1))).toEqual(['two'])
        await until('the third is refused', 15, async () => (await ns.pod('refused')).status?.conditions?.some(one => one.message?.includes('had untolerated taint')))
        await ns.kubectl('taint node two crew-')
        expect(nodesOf(await ns.ready('app=refused', 1))).toEqual(['two'])
        await ns.kubectl('taint node two crew=night:NoExecute')
        await until('the pod without toleration is gone', 30, async () => (await ns.pods('app=refused')).length === 0)
        expect(nodesOf(await ns.ready('app=night', 1))).toEqual(['two'])
        await ns.kubectl('taint node two crew-')
      }))
  })
}
