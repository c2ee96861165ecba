import { describe, expect, it } from 'vitest'
import { execFileSync } from 'node:child_process'
import { distributionSupport } from '../../../src-main/provisioning/distros/distros.ts'
import { parseFacts, type HostFacts } from '../../../src-main/provisioning/facts/facts.ts'
import { factsProbe } from '../../../src-main/provisioning/facts/facts-probe.ts'
import { checks } from '../../../src-main/provisioning/preflight/checks.ts'
import { failures, judge, type Survey } from '../../../src-main/provisioning/preflight/preflight.ts'
import { overlaps } from '../../../src-main/provisioning/preflight/ranges.ts'

const ranges = { clusterCIDR: '10.244.0.0/16', serviceCIDR: '10.96.0.0/16' }
const nowMs = 1_800_000_000_000
const good: HostFacts = {
  hostname: 'one',
  machineID: 'a1',
  distribution: 'debian',
  distributionLike: [],
  distributionVersion: '12',
  prettyName: 'Debian 12',
  architecture: 'x86_64',
  kernel: '6.1.0',
  initSystem: 'systemd',
  systemdState: 'running',
  cgroupVersion: 2,
  cgroupControllers: ['cpu', 'memory', 'pids'],
  glibc: '2.36',
  cpus: 2,
  memoryBytes: 2 ** 31,
  disks: [{ path: '/opt/quarterdeck', freeBytes: 1e11, freeInodes: 1e6, readOnly: false, noExec: false }],
  docker: { installed: true, active: true, version: '24.0.5', apiVersion: '1.43', swarm: false, rootDir: '/var/lib/docker' },
  agentVersion: '',
  agentActive: false,
  agentCluster: '',
  agentConfigDigest: '',
  clockSeconds: nowMs / 1000,
  addresses: ['192.0.2.7'],
  defaultAddress: '192.0.2.7',
  defaultDevice: 'eth0',
  packageManager: 'apt',
  programs: new Set(['nft', 'iptables', 'ip']),
  sysctls: { 'net.ipv4.ip_forward': '1' },
}
const outputs = new Map([
  ['nftables', 'works'],
  ['network-devices', 'bridge=yes\nvxlan=yes\nveth=yes'],
  ['mtu', '1500'],
  ['resolv-conf', 'nameserver 192.0.2.1\n--'],
  ['swap', '1'],
])
const survey = (facts: Partial<HostFacts> = {}, more: Partial<Survey> = {}, extra: [string, string][] = []): Survey => ({
  facts: { ...good, ...facts },
  outputs: new Map([...outputs, ...extra]),
  nowMs,
  ...more,
})
const failed = (own: Survey, peers: Survey[] = []): string[] => failures(judge(own, peers, ranges)).map(result => result.check)

describe('preflight', () => {
  it('passes a plain Debian server in every check', () => {
    expect(judge(survey(), [], ranges).filter(result => result.state !== 'pass')).toEqual([])
  })
  it.each<[string, Survey, Survey[]?]>([
    ['root', survey({}, { rootProblem: 'sudo refused the password.' })],
    ['tunnel', survey({}, { tunnelProblem: 'refused' })],
    ['distribution', survey({ distribution: 'alpine' })],
    ['distribution', survey({ distributionVersion: '10' })],
    ['architecture', survey({ architecture: 'riscv64' })],
    ['kernel', survey({ kernel: '3.10.0-1160' })],
    ['glibc', survey({ glibc: '2.17' })],
    ['glibc', survey({ glibc: '' })],
    ['init-system', survey({ initSystem: 'openrc-init' })],
    ['cgroups', survey({ cgroupControllers: ['cpu', 'pids'] })],
    ['memory', survey({ memoryBytes: 3e8 })],
    ['disk', survey({ disks: [{ path: '/opt/quarterdeck', freeBytes: 2e7, freeInodes: 1e6, readOnly: false, noExec: false }] })],
    ['disk', survey({ disks: [{ path: '/opt/quarterdeck', freeBytes: 1e11, freeInodes: 1e6, readOnly: false, noExec: true }] })],
    ['inodes', survey({ disks: [{ path: '/opt/quarterdeck', freeBytes: 1e11, freeInodes: 10, readOnly: false, noExec: false }] })],
    ['clock', survey({ clockSeconds: nowMs / 1000 - 300 })],
    ['machine-id', survey(), [survey({ hostname: 'two' })]],
    ['ports', survey({}, {}, [['ports', 'LISTEN 0 4096 127.0.0.1:10250 0.0.0.0:*']])],
    ['runtime', survey({ docker: { ...good.docker, apiVersion: '1.40' } })],
    ['foreign-cluster', survey({}, {}, [['foreign-cluster', 'k3s']])],
    ['nftables', survey({}, {}, [['nftables', 'Error: Operation not supported']])],
    ['network-devices', survey({}, {}, [['network-devices', 'bridge=yes\nveth=yes']])],
    ['ranges', survey({}, {}, [['ranges', 'default via 192.0.2.1 dev eth0\n10.96.0.0/12 dev tun0']])],
  ])('fails %s and nothing else', (check, own, peers = []) => {
    expect(failed(own, peers)).toEqual([check])
  })

  it('measures the clocks of several hosts against their median, not against the desktop', () => {
    const shifted = (hostname: string, by: number): Survey => survey({ hostname, machineID: hostname, clockSeconds: nowMs / 1000 + by })
    const [one, two, three] = [shifted('one', 3600), shifted('two', 3601), shifted('three', 0)] as const
    expect([failed(one, [two, three]), failed(three, [one, two])]).toEqual([[], ['clock']])
  })
  it('names every check once', () => {
    expect(new Set(checks.map(check => check.id)).size).toBe(checks.length)
  })
})

describe('the facts probe', () => {
  it('runs in plain sh on this machine and finds its kernel', () => {
    const facts = parseFacts(execFileSync('/bin/sh', ['-c', factsProbe], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
    expect([facts.kernel, facts.cpus > 0, facts.memoryBytes > 0]).toEqual([execFileSync('uname', ['-r'], { encoding: 'utf8' }).trim(), true, true])
  })
  it('is not fooled by keys that objects have', () => {
    expect(parseFacts('__proto__=x\nconstructor=y\nhostname=h=1\nsysctl=a b c').hostname).toBe('h=1')
  })
})

describe('distributions', () => {
  it.each([
    ['ubuntu', ['debian'], '24.04', 'apt'],
    ['rocky', ['rhel', 'centos', 'fedora'], '9.4', 'dnf'],
    ['opensuse-leap', ['suse', 'opensuse'], '15.6', 'zypper'],
    ['linuxmint', ['ubuntu', 'debian'], '21', 'apt'],
  ])('%s is installed with its own packages', (distribution, distributionLike, distributionVersion, family) => {
    expect(distributionSupport({ distribution, distributionLike, distributionVersion, prettyName: distribution }).family).toBe(family)
  })
  it('refuses Alpine with its reason', () => {
    expect(distributionSupport({ distribution: 'alpine', distributionLike: [], distributionVersion: '3.20', prettyName: 'Alpine' }).reason).toContain('musl')
  })
})

describe('ranges', () => {
  it.each([
    ['10.0.0.0/8', '10.244.0.0/16', true],
    ['10.244.3.0/24', '10.244.0.0/16', true],
    ['10.245.0.0/16', '10.244.0.0/16', false],
    ['0.0.0.0/0', '10.244.0.0/16', false],
    ['fd00::/8', '10.244.0.0/16', false],
  ])('%s and %s: %s', (a, b, expected) => {
    expect(overlaps(a, b)).toBe(expected)
  })
})
