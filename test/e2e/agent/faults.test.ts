/** What a node survives: a runtime that hangs, a full disk, containers that will not end, floods of logs, and its own death. */
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nodes } from '../../../src-main/api/core/v1/node.ts'
import { pods } from '../../../src-main/api/core/v1/pod.ts'
import type { Node, NodeCondition, Pod, PodSpec } from '../../../src-main/api/generated/core-v1.ts'
import { machines } from '../../../src-main/api/infra/v1alpha1/machine-resource.ts'
import { isNotFound } from '../../../src-main/api/status-error.ts'
import { docker } from '../../../src-main/provisioning/practice/docker.ts'
import { inHost, removeHosts, startHosts, type HostSet, type PracticeHost } from '../../support/hosts/hosts.ts'
import { ensureTestImage } from '../../support/hosts/test-image.ts'
import { machineGone, machineWhere, startCluster, type TestCluster } from '../provisioning/cluster.ts'

const set = 'faults'
let image = ''
let cluster: TestCluster
let hosts: HostSet

beforeAll(async () => {
  // A small file system for the agent's state: it can be filled without filling this machine.
  hosts = await startHosts({ set, count: 1, withDocker: true, tmpfs: { '/var/lib/quarterdeck': '128m' } })
  image = await ensureTestImage()
  cluster = await startCluster()
  await cluster.controlPlane.controllersReady
  const { address, port, fingerprint } = host()
  await cluster.provisioning.apply({ hosts: [{ name: 'n1', user: 'root', address, port, fingerprint }], credentials: { privateKey: hosts.privateKey } })
  await new Promise<void>((resolve, reject) => {
    const child = spawn('sh', ['-c', `docker save ${image} | docker exec -i ${host().name} docker load -q`], { stdio: ['ignore', 'ignore', 'inherit'] })
    child.on('close', code => {
      if (code === 0) resolve()
      else reject(new Error(`docker load: exit ${code ?? ''}`))
    })
  })
  await machineWhere(cluster.client, 'n1', machine => machine.status?.phase === 'Ready', 180)
  await make('steady', { containers: [{ name: 'c', image, command: ['sh', '-c', 'echo up; while :; do sleep 1; done'] }] })
  await podWhere('steady', pod => pod.status?.phase === 'Running')
})
afterAll(async () => {
  await cluster?.stop()
  await removeHosts(set)
})

function host(): PracticeHost {
  const [found] = hosts.hosts
  if (!found) throw new Error('no such host')
  return found
}

function make(name: string, spec: Partial<PodSpec>): Promise<Pod> {
  return cluster.client.resource(pods).create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { nodeName: 'n1', terminationGracePeriodSeconds: 1, containers: [], ...spec } as PodSpec,
  })
}

async function until<T>(what: string, seconds: number, look: () => Promise<T | undefined | false>): Promise<T> {
  for (const deadline = performance.now() + seconds * 1000; ;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`)
    await sleep(100)
  }
}

const podWhere = (name: string, wanted: (pod: Pod) => boolean, seconds = 60): Promise<Pod> =>
  until(`pod ${name}`, seconds, async () => {
    const pod = await cluster.client.resource(pods).get(name, { namespace: 'default' })
    return wanted(pod) && pod
  })
const podGone = (name: string, seconds: number): Promise<boolean> =>
  until(`pod ${name} is gone`, seconds, () =>
    cluster.client
      .resource(pods)
      .get(name, { namespace: 'default' })
      .then(
        () => false,
        (fault: unknown) => isNotFound(fault),
      ),
  )
const condition = async (type: string): Promise<NodeCondition | undefined> =>
  ((await cluster.client.resource(nodes).get('n1')) as Node).status?.conditions?.find(one => one.type === type)
const conditionIs = (type: string, status: string, seconds: number): Promise<NodeCondition> =>
  until(`${type}=${status}`, seconds, async () => {
    const now = await condition(type)
    return now?.status === status && now
  })
const agentFacts = (): Promise<string> => inHost(host(), 'systemctl show -P MainPID -P NRestarts quarterdeck-agent')
const residentKiB = async (): Promise<number> => Number(await inHost(host(), `awk '/VmRSS/{print $2}' /proc/$(systemctl show -P MainPID quarterdeck-agent)/status`))

describe('a node', () => {
  it('ends a container that does not listen to TERM when its grace is over', async () => {
    await make('deaf', { terminationGracePeriodSeconds: 2, containers: [{ name: 'c', image, command: ['sh', '-c', `trap '' TERM; while :; do sleep 1; done`] }] })
    await podWhere('deaf', pod => pod.status?.phase === 'Running')
    const began = performance.now()
    await cluster.client.resource(pods).delete('deaf', { namespace: 'default' })
    await podGone('deaf', 20)
    expect(performance.now() - began).toBeGreaterThan(1_900)
    expect(await inHost(host(), 'docker ps -aq --filter label=io.kubernetes.pod.name=deaf')).toBe('')
  })

  it('gives a follower whole lines through a flood of logs and their rotation, and keeps its own memory', async () => {
    const line = '0123456789'.repeat(20)
    const lines = 500_000
    await make('flood', {
      restartPolicy: 'Never',
      containers: [{ name: 'c', image, command: ['sh', '-c', `sleep 2; yes ${line} | head -n ${lines}; sleep 1; echo the-end; sleep 1`] }],
    })
    await podWhere('flood', pod => pod.status?.phase === 'Running')
    const answer = await cluster.client.raw({ method: 'GET', url: '/api/v1/namespaces/default/pods/flood/log?follow=true' })
    let rest = ''
    let whole = 0
    const strange: string[] = []
    if (answer.body.kind !== 'stream') throw new Error(`the log is ${answer.body.kind}`)
    for await (const chunk of answer.body.chunks) {
      const parts = (rest + Buffer.from(chunk).toString()).split('\n')
      rest = parts.pop() ?? ''
      for (const part of parts)
        if (part === line) whole++
        else strange.push(part.slice(0, 300))
    }
    expect([strange, rest]).toEqual([['the-end'], ''])
    // 100 MB were written and 50 MB are kept: what is rotated away before a slower reader comes to it is gone, but nobody gets lines twice.
    expect(whole).toBeGreaterThan(lines / 50)
    expect(whole).toBeLessThanOrEqual(lines)
    expect(
      Number(
        await inHost(
          host(),
          `du -cm $(docker inspect -f '{{.LogPath}}' $(docker ps -aq --filter label=io.kubernetes.pod.name=flood --filter label=app.quarterdeck.type=container))* | tail -1 | cut -f1`,
        ),
      ),
    ).toBeLessThanOrEqual(52)
    expect(await residentKiB()).toBeLessThan(90 * 1024)
    await cluster.client.resource(pods).delete('flood', { namespace: 'default' })
  })

  it('says that its disk is full, loses nothing, and goes on when there is room again', async () => {
    const before = await agentFacts()
    await inHost(host(), 'dd if=/dev/zero of=/var/lib/quarterdeck/fill bs=1M 2>/dev/null || true')
    expect(await conditionIs('DiskPressure', 'True', 30)).toMatchObject({ reason: 'KubeletHasDiskPressure' })
    await make('late', {
      containers: [{ name: 'c', image, command: ['sleep', '1000'], volumeMounts: [{ name: 'v', mountPath: '/v' }] }],
      volumes: [{ name: 'v', emptyDir: {} }],
      tolerations: [{ operator: 'Exists' }],
    })
    await sleep(3_000)
    expect((await podWhere('steady', () => true)).status?.containerStatuses?.[0]).toMatchObject({ ready: true, restartCount: 0 })
    await inHost(host(), 'rm /var/lib/quarterdeck/fill')
    await conditionIs('DiskPressure', 'False', 30)
    await podWhere('late', pod => pod.status?.phase === 'Running', 60)
    expect(await agentFacts()).toBe(before)
    expect(await inHost(host(), 'find /var/lib/quarterdeck -name "*.json" -size 0')).toBe('')
  })

  it('is not Ready while its container runtime hangs, and its containers never notice', async () => {
    const before = await podWhere('steady', () => true)
    await inHost(host(), 'kill -STOP $(pidof dockerd)')
    try {
      expect(await conditionIs('Ready', 'False', 60)).toMatchObject({ reason: 'KubeletNotReady', message: expect.stringContaining('container runtime is down') as unknown })
    } finally {
      await inHost(host(), 'kill -CONT $(pidof dockerd)')
    }
    await conditionIs('Ready', 'True', 60)
    const after = await podWhere('steady', pod => pod.status?.containerStatuses?.[0]?.ready === true)
    expect(after.status?.containerStatuses?.map(one => [one.containerID, one.restartCount])).toEqual(
      before.status?.containerStatuses?.map(one => [one.containerID, one.restartCount]),
    )
  })

  it('that is dead is removed once it is said to be', async () => {
    await docker(['stop', '-t', '0', host().name])
    await cluster.client.resource(machines).delete('n1')
    // Nobody stops its pods or cleans it: it waits for ever, until somebody says that it is dead.
    const stuck = await machineWhere(cluster.client, 'n1', machine => machine.status?.phase === 'Removing', 60)
    await sleep(2_000)
    expect(stuck.metadata.finalizers).toEqual(['infra.quarterdeck.app/clean-host'])
    expect((await cluster.client.resource(machines).get('n1')).metadata.finalizers).toEqual(stuck.metadata.finalizers)
    await cluster.client.resource(machines).patch('n1', 'merge', { spec: { forceRemove: true } })
    const last = await machineGone(cluster.client, 'n1', 30)
    expect(last?.status?.leftovers ?? []).toEqual([])
    expect((await cluster.client.resource(nodes).list()).items).toEqual([])
    expect((await cluster.client.resource(pods).list()).items).toEqual([])
  })
})
