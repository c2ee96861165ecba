/**
 * The image of practice and test hosts: a Debian with systemd, sshd, sudo and the network tools of a plain server. It is
 * built once a machine and named by the digest of its recipe. Its base comes from debootstrap where that is possible (root
 * on Debian), else from the registry's Debian image; everything after that is the same script.
 */
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand, streamCommand } from '../../base/node/command.ts'
import { docker, dockerResult } from './docker.ts'

export interface HostImageOptions {
  /** With Docker Engine installed already: a host is a node in seconds. Without: the real installation path. */
  readonly withDocker: boolean
  readonly onProgress?: (message: string) => void
  readonly signal?: AbortSignal
}

const release = 'bookworm'
const packages = ['systemd', 'systemd-sysv', 'dbus', 'openssh-server', 'sudo', 'iproute2', 'iptables', 'nftables', 'ca-certificates', 'procps', 'kmod', 'curl']

// The cgroup mounts of an unprivileged container are read-only; systemd and an inner Docker need to write to their own part.
const init = `#!/bin/sh
for m in /sys/fs/cgroup /sys/fs/cgroup/*; do mountpoint -q "$m" && mount -o remount,bind,rw "$m"; done
exec /sbin/init
`

const finish = `set -eu
export DEBIAN_FRONTEND=noninteractive
printf '%s' "$QUARTERDECK_APT" > /etc/apt/apt.conf.d/90quarterdeck
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d
apt-get update -q
apt-get install -qy --no-install-recommends ${packages.join(' ')}
printf '%s' "$QUARTERDECK_INIT" > /sbin/quarterdeck-init; chmod 755 /sbin/quarterdeck-init
rm -f /usr/sbin/policy-rc.d /etc/ssh/ssh_host_* /etc/machine-id /var/lib/dbus/machine-id
: > /etc/machine-id
mkdir -p /etc/systemd/system/ssh.service.d /etc/ssh/sshd_config.d
printf '[Service]\\nExecStartPre=\\nExecStartPre=/usr/bin/ssh-keygen -A\\nExecStartPre=/usr/sbin/sshd -t\\n' > /etc/systemd/system/ssh.service.d/10-host-keys.conf
printf 'PermitRootLogin prohibit-password\\nUseDNS no\\nMaxStartups 100\\nMaxSessions 100\\n' > /etc/ssh/sshd_config.d/10-practice.conf
systemctl enable ssh.service
systemctl mask getty.target console-getty.service systemd-udevd.service systemd-logind.service apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer
apt-get clean
`

const addDocker = `set -eu
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d
apt-get install -qy --no-install-recommends docker.io
rm -f /usr/sbin/policy-rc.d
apt-get clean
`

const recipe = createHash('sha256').update([release, init, finish, addDocker].join('\0')).digest('hex').slice(0, 12)

/** Name of the image, whether it exists or not. */
export function hostImageName(withDocker: boolean): string {
  return `quarterdeck-host:${recipe}${withDocker ? '-docker' : ''}`
}

/** Builds what is missing and returns the image's name. Building takes about two minutes and needs a Debian mirror. */
export async function ensureHostImage(options: HostImageOptions): Promise<string> {
  const name = hostImageName(options.withDocker)
  if (await hasImage(name)) return name
  if (options.withDocker) {
    const base = await ensureHostImage({ ...options, withDocker: false })
    options.onProgress?.('Installing Docker in the practice-host image')
    await commitAfter(base, addDocker, {}, name, options)
    return name
  }
  const base = await baseImage(options)
  options.onProgress?.('Installing systemd, sshd and network tools in the practice-host image')
  await commitAfter(base.name, finish, { QUARTERDECK_APT: base.aptSettings, QUARTERDECK_INIT: init }, name, options)
  if (base.temporary) await dockerResult(['image', 'rm', base.name])
  return name
}

async function hasImage(name: string): Promise<boolean> {
  return (await dockerResult(['image', 'inspect', '--format', '{{.Id}}', name])).status === 0
}

async function baseImage(options: HostImageOptions): Promise<{ name: string; aptSettings: string; temporary: boolean }> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || !(await canDebootstrap())) {
    options.onProgress?.(`Pulling debian:${release}-slim`)
    await docker(['pull', `debian:${release}-slim`], options)
    return { name: `debian:${release}-slim`, aptSettings: '', temporary: false }
  }
  options.onProgress?.(`Making a Debian ${release} tree with debootstrap`)
  const directory = await mkdtemp(join(tmpdir(), 'quarterdeck-host-'))
  const name = `quarterdeck-host-base:${recipe}`
  try {
    const made = await runCommand('debootstrap', ['--variant=minbase', release, join(directory, 'root'), ...(await mirror())], options)
    if (made.status !== 0) throw new Error(`debootstrap failed: ${made.stderr || made.stdout.slice(-2000)}`)
    const tar = streamCommand('tar', ['-C', join(directory, 'root'), '-c', '.'], options.signal)
    await docker(['import', '-', name], { ...options, input: tar.stdout })
    if ((await tar.done).status !== 0) throw new Error('tar of the Debian tree failed')
    return { name, aptSettings: await aptSettings(), temporary: true }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function canDebootstrap(): Promise<boolean> {
  try {
    return (await runCommand('debootstrap', ['--version'])).status === 0
  } catch {
    return false
  }
}

/** The Debian mirror that this machine itself uses, as an argument; none where it uses none, and debootstrap takes its own. */
async function mirror(): Promise<string[]> {
  const lists = await runCommand('sh', ['-c', 'cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null'])
  const found = /(?:^|\s)(https?:\/\/\S+\/debian)\/?(?:\s|$)/m.exec(lists.stdout)?.[1]
  return found === undefined ? [] : [found]
}

/** Proxy and freshness settings of this machine's apt: without them a host behind a proxy or an old mirror cannot install anything. */
async function aptSettings(): Promise<string> {
  const dump = await runCommand('apt-config', ['dump'])
  return dump.stdout
    .split('\n')
    .filter(line => /^Acquire::(http|https|Check-Valid-Until|Check-Date|Retries)\b/.test(line) && !line.endsWith(' "";'))
    .map(line => `${line}\n`)
    .join('')
}

async function commitAfter(base: string, script: string, environment: Record<string, string>, name: string, options: HostImageOptions): Promise<void> {
  const container = `quarterdeck-image-${recipe}-${process.pid}`
  const variables = Object.keys(environment).flatMap(key => ['-e', key])
  try {
    await docker(['run', '--name', container, ...variables, base, 'sh', '-c', script], { environment, ...(options.signal ? { signal: options.signal } : {}) })
    await docker(['commit', '--change', 'CMD ["/sbin/quarterdeck-init"]', '--change', 'ENV container=docker', '--change', 'LABEL app=quarterdeck', container, name])
  } finally {
    await dockerResult(['rm', '-f', '-v', container])
  }
}
