/** Hosts that cannot be taken: each fault has its code, its sentence and its hint, and nothing is changed on the host. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConnectAnswer, HostAddress, HostCredentials } from '../../../src-main/api/bridge.ts'
import { secrets } from '../../../src-main/api/core/v1/secret.ts'
import type { Machine } from '../../../src-main/api/infra/v1alpha1/machine.ts'
import { machines } from '../../../src-main/api/infra/v1alpha1/machine-resource.ts'
import { runCommand } from '../../../src-main/base/node/command.ts'
import { docker } from '../../../src-main/provisioning/practice/docker.ts'
import { startHosts, inHost, removeHosts, type HostSet } from '../../support/hosts/hosts.ts'
import { machineGone, machineWhere, provisioningWith, startCluster, type TestCluster } from './cluster.ts'

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

// A host that is reached through another one only: from here its network is closed, and only the first host's sshd leads there.
describe('a host is reached', () => {
  const signal = new AbortController().signal
  let directory = ''
  const inner = (): HostSet['hosts'][number] => {
    const [first] = other.hosts
    if (!first) throw new Error('no host')
    return first
  }
  const gate = (): HostAddress & { fingerprint: string } => ({ user: 'root', address: host().address, port: host().port, fingerprint: host().fingerprint })

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'quarterdeck-ssh-'))
    await docker(['network', 'connect', 'quarterdeck-refusals-key', host().name])
    // Both hosts take the first set's key, with which the way is gone.
    await inHost(
      inner(),
      `echo '${hosts.publicKey}' >> /root/.ssh/authorized_keys; iptables -A INPUT -p tcp --dport 22 -s ${inner().networkAddress.replace(/\d+$/, '1')} -j REJECT`,
    )
  })
  afterAll(async () => {
    await docker(['network', 'disconnect', '-f', 'quarterdeck-refusals-key', host().name])
    await rm(directory, { recursive: true, force: true })
  })

  it('through a jump host, whose key is shown first', async () => {
    const { provisioning } = cluster
    const credentials = { privateKey: hosts.privateKey }
    const target = { user: 'root', address: inner().address, port: inner().port }
    const direct = await provisioning.tryConnect({ host: target, credentials }, signal)
    expect(direct.error?.code).toBe('Unreachable')
    const { fingerprint: _accepted, ...unknown } = gate()
    const first = await provisioning.tryConnect({ host: { ...target, jump: [unknown] }, credentials }, signal)
    expect(first).toEqual({ fingerprint: '', keyType: '', loggedIn: false, hop: { index: 0, fingerprint: gate().fingerprint, keyType: 'ssh-ed25519' } })
    const second = await provisioning.tryConnect({ host: { ...target, jump: [gate()] }, credentials }, signal)
    expect(second.fingerprint).toBe(inner().fingerprint)
    const third = await provisioning.tryConnect({ host: { ...target, jump: [gate()] }, credentials, fingerprint: second.fingerprint }, signal)
    expect(third).toMatchObject({ loggedIn: true, hostname: inner().name })
  })

  it('through a jump host by its Machine, and says which of them cannot be logged in to', async () => {
    const spec = {
      address: inner().address,
      port: inner().port,
      hostKeyFingerprint: inner().fingerprint,
      jumpHosts: [{ ...jumpOf(gate()), hostKeyFingerprint: gate().fingerprint }],
    }
    // Root takes the key, but not as a user who may become root by sudo with this password: the way was gone to its end.
    const machine = await verdict('by-jump', { ...spec, privilege: 'doas' }, { privateKey: hosts.privateKey })
    expect(machine.status).toMatchObject({ phase: 'Failed', reason: 'NotRoot' })
    const changed = await verdict('by-wrong-jump', { ...spec, jumpHosts: [{ ...jumpOf(gate()), hostKeyFingerprint: inner().fingerprint }] }, { privateKey: hosts.privateKey })
    expect(changed.status).toMatchObject({ reason: 'HostKeyChanged' })
    expect(changed.status?.message).toContain(`The host key of ${host().address} is ${host().fingerprint}`)
  })

  it('as the SSH configuration says: an alias with a jump host, a key file with a passphrase, the agent', async () => {
    await mkdir(join(directory, '.ssh'))
    const keyFile = join(directory, '.ssh/locked')
    await runCommand('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'open sesame', '-f', keyFile])
    for (const one of [host(), inner()]) await inHost(one, `echo '${(await readFile(`${keyFile}.pub`, 'utf8')).trim()}' >> /root/.ssh/authorized_keys`)
    await writeFile(
      join(directory, '.ssh/config'),
      `Host inner\n  HostName ${inner().address}\n  ProxyJump gate\nHost gate\n  HostName ${host().address}\nHost *\n  User root\n  IdentityFile ${keyFile}\n`,
    )
    const sock = join(directory, 'agent.sock')
    const started = await runCommand('ssh-agent', ['-a', sock])
    const agentProcess = Number(/SSH_AGENT_PID=(\d+)/.exec(started.stdout)?.[1])
    try {
      const provisioning = provisioningWith(cluster, { sshConfig: { home: directory, user: 'me' }, sshAgent: sock })
      const config = await provisioning.sshConfig()
      const found = config.hosts.find(one => one.alias === 'inner')
      expect([config.agent, found]).toEqual([
        true,
        { alias: 'inner', user: 'root', address: inner().address, port: 22, jump: [{ user: 'root', address: host().address, port: 22 }], identityFiles: [keyFile], useAgent: true },
      ])
      const target = { user: 'root', address: inner().address, port: 22, jump: [gate()] }
      const login = (credentials: HostCredentials): Promise<ConnectAnswer> => provisioning.tryConnect({ host: target, credentials, fingerprint: inner().fingerprint }, signal)
      expect((await login({ identityFile: keyFile, passphrase: 'open sesame' })).loggedIn).toBe(true)
      expect((await login({ identityFile: keyFile })).error?.code).toBe('PassphraseWrong')
      expect((await login({ identityFile: keyFile, passphrase: 'wrong' })).error?.code).toBe('PassphraseWrong')
      expect((await login({ identityFile: '/etc/shadow' })).error?.code).toBe('KeyUnreadable')
      expect((await login({ useAgent: true })).error?.code).toBe('AuthenticationFailed')
      const plain = join(directory, 'plain')
      await writeFile(plain, hosts.privateKey, { mode: 0o600 })
      await runCommand('ssh-add', ['-q', plain], { environment: { SSH_AUTH_SOCK: sock } })
      expect((await login({ useAgent: true })).loggedIn).toBe(true)
      provisioning.stop()
    } finally {
      process.kill(agentProcess)
    }
  })

  it('by keyboard-interactive where sshd takes no plain password', async () => {
    await inHost(host(), `printf 'PasswordAuthentication no\nKbdInteractiveAuthentication yes\nUsePAM yes\n' > /etc/ssh/sshd_config.d/05-interactive.conf; systemctl reload ssh`)
    const login = (password: string): Promise<ConnectAnswer> =>
      cluster.provisioning.tryConnect({ host: { user: 'ops', address: host().address, port: host().port }, credentials: { password }, fingerprint: host().fingerprint }, signal)
    // sshd reads its configuration again a moment after it was asked to.
    await expect.poll(async () => (await login(sudoPassword)).loggedIn, { timeout: 20_000, interval: 500 }).toBe(true)
    expect((await login('no')).error?.code).toBe('AuthenticationFailed')
    await inHost(host(), 'rm /etc/ssh/sshd_config.d/05-interactive.conf; systemctl reload ssh')
  })
})

function jumpOf(gate: HostAddress): { address: string; port: number; user: string } {
  return { address: gate.address, port: gate.port, user: gate.user }
}

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
