/** Hosts that cannot be taken: each fault has its code, its sentence and its hint, and nothing is changed on the host. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { secrets } from '../../../src-main/api/core/v1/secret.ts'
import type { Machine } from '../../../src-main/api/infra/v1alpha1/machine.ts'
import { machines } from '../../../src-main/api/infra/v1alpha1/machine-resource.ts'
import { startHosts, inHost, removeHosts, type HostSet } from '../../support/hosts/hosts.ts'
import { machineGone, machineWhere, startCluster, type TestCluster } from './cluster.ts'

let cluster: TestCluster
let hosts: HostSet
let other: HostSet
const sudoPassword = `it's a "pass" $word; \\ with spaces`

beforeAll(async () => {
  hosts = await startHosts({ set: 'refusals', count: 1, users: [{ name: 'ops', password: sudoPassword, sudo: 'password' }, { name: 'nobody-special' }], tmpfs: { '/opt': '20m' } })
  other = await startHosts({ set: 'refusals-key', count: 1 })
  cluster = await startCluster()
})
afterAll(async () => {
  await cluster?.stop()
  await removeHosts('refusals')
  await removeHosts('refusals-key')
})

function host(): HostSet['hosts'][number] {
  const [first] = hosts.hosts
  if (!first) throw new Error('no host')
  return first
}

/** Creates a Machine and its Secret, waits for its first verdict, and removes both. */
async function verdict(name: string, spec: Partial<Machine['spec']>, credentials: Record<string, string>): Promise<Machine> {
  await cluster.client
    .resource(secrets)
    .create({ apiVersion: 'v1', kind: 'Secret', type: 'infra.quarterdeck.app/ssh', metadata: { name, namespace: 'kube-system' }, stringData: { ...credentials } })
  const { address, port, fingerprint } = host()
  await cluster.client.resource(machines).create({
    apiVersion: 'infra.quarterdeck.app/v1alpha1',
    kind: 'Machine',
    metadata: { name },
    spec: { address, port, hostKeyFingerprint: fingerprint, secretName: name, ...spec },
  })
  const machine = await machineWhere(cluster.client, name, one => one.status?.phase === 'Failed' || one.status?.phase === 'AwaitingHostKey', 60)
  await cluster.client.resource(machines).delete(name)
  await machineGone(cluster.client, name, 30)
  await cluster.client.resource(secrets).delete(name, { namespace: 'kube-system' })
  return machine
}

describe('a host is refused', () => {
  it('until its key was accepted, and shows the key', async () => {
    const { address, port, fingerprint } = host()
    const name = 'unknown-key'
    await cluster.client.resource(secrets).create({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'kube-system' }, stringData: { privateKey: hosts.privateKey } })
    await cluster.client.resource(machines).create({ apiVersion: 'infra.quarterdeck.app/v1alpha1', kind: 'Machine', metadata: { name }, spec: { address, port, secretName: name } })
    const machine = await machineWhere(cluster.client, name, one => one.status?.phase === 'AwaitingHostKey', 30)
    await cluster.client.resource(machines).delete(name)
    await machineGone(cluster.client, name, 30)
    expect(machine.status).toMatchObject({ reason: 'HostKeyUnknown', seenHostKeyFingerprint: fingerprint })
  })

  it('when its key has changed, naming both keys', async () => {
    const accepted = other.hosts[0]?.fingerprint ?? ''
    const machine = await verdict('changed-key', { hostKeyFingerprint: accepted }, { privateKey: hosts.privateKey })
    expect(machine.status).toMatchObject({ reason: 'HostKeyChanged', seenHostKeyFingerprint: host().fingerprint })
    expect(machine.status?.message).toContain(accepted)
    expect(machine.status?.message).toContain(host().fingerprint)
  })

  it('when the key does not open the door', async () => {
    expect((await verdict('wrong-key', {}, { privateKey: other.privateKey })).status).toMatchObject({ phase: 'Failed', reason: 'AuthenticationFailed' })
  })

  it('when nobody answers', async () => {
    expect((await verdict('unreachable', { port: 1 }, { privateKey: hosts.privateKey })).status).toMatchObject({ phase: 'Failed', reason: 'Unreachable' })
  })

  it('when sudo wants another password', async () => {
    expect((await verdict('wrong-sudo', { user: 'ops' }, { privateKey: hosts.privateKey, sudoPassword: 'no' })).status).toMatchObject({
      phase: 'Failed',
      reason: 'SudoPasswordWrong',
    })
  })

  it('when sudo wants a password and there is none', async () => {
    expect((await verdict('no-sudo-password', { user: 'ops' }, { privateKey: hosts.privateKey })).status).toMatchObject({ phase: 'Failed', reason: 'SudoPasswordNeeded' })
  })

  it('when its disk is too full, before anything is installed', async () => {
    const machine = await verdict('full-disk', { user: 'ops' }, { privateKey: hosts.privateKey, sudoPassword })
    expect(machine.status).toMatchObject({ phase: 'Failed', reason: 'DiskFull' })
    expect(machine.status?.message).toContain('/opt/quarterdeck')
    expect(await inHost(host(), 'ls -d /opt/quarterdeck /etc/quarterdeck /var/lib/quarterdeck 2>/dev/null || true')).toBe('')
  })

  it('by the API when a field could reach a shell', async () => {
    const create = cluster.client.resource(machines).create({
      apiVersion: 'infra.quarterdeck.app/v1alpha1',
      kind: 'Machine',
      metadata: { name: 'injection' },
      spec: { address: '$(reboot)', user: '-oProxyCommand=x', secretName: 'x' },
    })
    await expect(create).rejects.toMatchObject({ code: 422 })
  })
})

describe('secrets', () => {
  it('stand in no log, process list or file of the host', async () => {
    expect(cluster.lines.filter(line => line.includes(sudoPassword) || line.includes('BEGIN OPENSSH'))).toEqual([])
    const found = await inHost(
      host(),
      `grep -rlsF -e 'pass" $word' /etc /root /home /var/log /run /tmp --exclude-dir=journal 2>/dev/null | grep -v '^/etc/shadow' || true; journalctl --no-pager 2>/dev/null | grep -cF 'pass" $word' || true`,
    )
    expect(found.trim()).toBe('0')
  })
})
