/**
 * Local hosts in Docker containers: systemd, sshd and an inner Docker each, reachable by SSH like any server. Used for
 * practice clusters (`practice.ts`) and by the end-to-end tests. Everything made carries the label `quarterdeck.set=<set>`
 * and is found again and removed by it.
 */
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:net'
import { docker, dockerResult } from './docker.ts'
import { ensureHostImage } from './image.ts'
import { openSshPrivateKey } from './key.ts'

export interface HostUser {
  readonly name: string
  readonly password?: string
  /** May use sudo with its password, without one, or not at all. */
  readonly sudo?: 'password' | 'nopasswd'
  /** Accepts the set's key. Default true. */
  readonly key?: boolean
}

export interface StartHostsOptions {
  /** Name of the set; containers are `quarterdeck-<set>-<n>`, counted from 1. */
  readonly set: string
  readonly count: number
  /** For all hosts, or host by host. Default false: the real installation path. */
  readonly withDocker?: boolean | readonly boolean[]
  /** Besides root, which takes the set's key. */
  readonly users?: readonly HostUser[]
  /** Small file systems: path → size, e.g. {'/opt': '20m'}. */
  readonly tmpfs?: Readonly<Record<string, string>>
  readonly memory?: string
  /** Hosts of this set that are there stay, with all that is on them. Default false. */
  readonly keep?: boolean
  readonly onProgress?: (message: string) => void
  readonly signal?: AbortSignal
}

export interface PracticeHost {
  readonly name: string
  /** Where SSH is reached from this computer. */
  readonly address: string
  readonly port: number
  /** Address on the set's network. */
  readonly networkAddress: string
  /** `SHA256:…` of its ed25519 host key. */
  readonly fingerprint: string
}

export interface HostSet {
  readonly set: string
  readonly hosts: readonly PracticeHost[]
  /** PEM/OpenSSH text; root and the users with `key` accept it. */ readonly privateKey: string
  readonly publicKey: string
}

const label = 'quarterdeck.set'
// Everything but what unprivileged machines lack themselves; a host needs mounts, namespaces, rules and devices.
const capabilities = [
  'AUDIT_CONTROL',
  'AUDIT_READ',
  'AUDIT_WRITE',
  'BLOCK_SUSPEND',
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'IPC_LOCK',
  'IPC_OWNER',
  'KILL',
  'LEASE',
  'LINUX_IMMUTABLE',
  'MAC_ADMIN',
  'MAC_OVERRIDE',
  'MKNOD',
  'NET_ADMIN',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_RAW',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYSLOG',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_CHROOT',
  'SYS_MODULE',
  'SYS_NICE',
  'SYS_PACCT',
  'SYS_PTRACE',
  'SYS_RAWIO',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'WAKE_ALARM',
]

/** Starts `count` hosts and waits until each answers by SSH with systemd up. A set of the same name is removed first, unless it is kept. */
export async function startHosts(options: StartHostsOptions): Promise<HostSet> {
  const kept = options.keep === true ? await startKept(options) : undefined
  if (kept) return kept
  const withDocker = (number: number): boolean => (typeof options.withDocker === 'object' ? options.withDocker[number - 1] : options.withDocker) ?? false
  const numbers = Array.from({ length: options.count }, (_, at) => at + 1)
  const images = new Map<boolean, string>()
  for (const variant of new Set(numbers.map(withDocker))) {
    images.set(
      variant,
      await ensureHostImage({ withDocker: variant, ...(options.onProgress ? { onProgress: options.onProgress } : {}), ...(options.signal ? { signal: options.signal } : {}) }),
    )
  }
  await removeHosts(options.set)
  const key = newKey(`quarterdeck-${options.set}`)
  const network = await makeNetwork(options.set)
  try {
    options.onProgress?.(`Starting ${options.count} host${options.count === 1 ? '' : 's'}`)
    const hosts = await Promise.all(numbers.map(number => startHost(number, images.get(withDocker(number)) ?? '', network, key.publicKey, options)))
    return { set: options.set, hosts, ...key }
  } catch (fault) {
    await removeHosts(options.set)
    throw fault
  }
}

/** The hosts of the set as they are, started where they stand still, with a new key; undefined unless exactly those wanted exist. */
async function startKept(options: StartHostsOptions): Promise<HostSet | undefined> {
  const names = Array.from({ length: options.count }, (_, at) => `quarterdeck-${options.set}-${at + 1}`)
  const present = await listed(['ps', '-a', '--filter', `label=${label}=${options.set}`, '--format', '{{.Names}}'])
  if (present.length !== names.length || !names.every(name => present.includes(name))) return undefined
  options.onProgress?.(`Starting the ${options.count} host${options.count === 1 ? '' : 's'} that ${options.count === 1 ? 'is' : 'are'} there`)
  const key = newKey(`quarterdeck-${options.set}`)
  const hosts = await Promise.all(
    names.map(async name => {
      await docker(['start', name])
      const [networkAddress = '', published = ''] = (
        await docker([
          'inspect',
          '--format',
          '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}} {{with index .NetworkSettings.Ports "22/tcp"}}{{(index . 0).HostPort}}{{end}}',
          name,
        ])
      ).split(' ')
      return describeHost(name, networkAddress, published === '' ? 22 : Number(published), key.publicKey, options)
    }),
  )
  return { set: options.set, hosts, ...key }
}

/** Removes containers, volumes and the network of the set. Succeeds when there is nothing. */
export async function removeHosts(set: string): Promise<void> {
  const containers = await listed(['ps', '-aq', '--filter', `label=${label}=${set}`])
  if (containers.length > 0) await docker(['rm', '-f', '-v', ...containers])
  const volumes = await listed(['volume', 'ls', '-q', '--filter', `label=${label}=${set}`])
  if (volumes.length > 0) await docker(['volume', 'rm', '-f', ...volumes])
  const networks = await listed(['network', 'ls', '-q', '--filter', `label=${label}=${set}`])
  if (networks.length > 0) await docker(['network', 'rm', ...networks])
}

/** Runs a command as root in a host, past SSH (for tests and for setting a host up). */
export function inHost(host: Pick<PracticeHost, 'name'>, script: string): Promise<string> {
  return docker(['exec', host.name, 'sh', '-c', script])
}

/** A hard reset (power button), not a clean shutdown. Resolves when SSH answers again. */
export async function resetHost(host: PracticeHost, signal?: AbortSignal): Promise<void> {
  await docker(['restart', '-t', '0', host.name])
  await waitUntilUp(host.name, signal)
}

interface SetNetwork {
  readonly name: string
  readonly prefix: string
}

/** Docker chooses a free subnet; it is then fixed, so that hosts keep their addresses over a reboot. */
async function makeNetwork(set: string): Promise<SetNetwork> {
  const name = `quarterdeck-${set}`
  await docker(['network', 'create', name])
  const subnet = await docker(['network', 'inspect', '--format', '{{(index .IPAM.Config 0).Subnet}}', name])
  await docker(['network', 'rm', name])
  await docker(['network', 'create', '--subnet', subnet, '--label', `${label}=${set}`, name])
  return { name, prefix: subnet.slice(0, subnet.lastIndexOf('.')) }
}

async function startHost(number: number, image: string, network: SetNetwork, publicKey: string, options: StartHostsOptions): Promise<PracticeHost> {
  const name = `quarterdeck-${options.set}-${number}`
  const volume = `${name}-docker`
  const networkAddress = `${network.prefix}.${number + 9}`
  // Linux reaches containers by their address; elsewhere they live in a virtual machine and a port is published.
  const port = process.platform === 'linux' ? 22 : await freePort()
  await docker(['volume', 'create', '--label', `${label}=${options.set}`, volume])
  await docker(
    [
      'run',
      '-d',
      '--name',
      name,
      '--hostname',
      name,
      '--label',
      `${label}=${options.set}`,
      '--restart',
      'always',
      '--stop-signal',
      'SIGRTMIN+3',
      '--network',
      network.name,
      '--ip',
      networkAddress,
      ...(port === 22 ? [] : ['-p', `127.0.0.1:${port}:22`]),
      ...(options.memory ? ['--memory', options.memory] : []),
      ...capabilities.flatMap(capability => ['--cap-add', capability]),
      '--security-opt',
      'seccomp=unconfined',
      '--security-opt',
      'apparmor=unconfined',
      '--security-opt',
      'systempaths=unconfined',
      '--device-cgroup-rule',
      'a *:* rwm',
      '--cgroupns=private',
      '--tmpfs',
      '/run',
      '--tmpfs',
      '/run/lock',
      ...Object.entries(options.tmpfs ?? {}).flatMap(([path, size]) => ['--tmpfs', `${path}:rw,exec,size=${size}`]),
      '-v',
      `${volume}:/var/lib/docker`,
      image,
    ],
    options.signal ? { signal: options.signal } : {},
  )
  return describeHost(name, networkAddress, port, publicKey, options)
}

/** Lets the key in, and waits until the host is up. */
async function describeHost(name: string, networkAddress: string, port: number, publicKey: string, options: StartHostsOptions): Promise<PracticeHost> {
  await docker(['exec', '-i', name, 'sh', '-eu'], { input: accessScript(publicKey, options.users ?? []) })
  await waitUntilUp(name, options.signal)
  const fingerprint = (await docker(['exec', name, 'ssh-keygen', '-lf', '/etc/ssh/ssh_host_ed25519_key.pub'])).split(' ')[1] ?? ''
  return { name, address: port === 22 ? networkAddress : '127.0.0.1', port, networkAddress, fingerprint }
}

function accessScript(publicKey: string, users: readonly HostUser[]): string {
  const authorize = (home: string, owner: string): string =>
    `mkdir -p ${home}/.ssh; chmod 700 ${home}/.ssh; echo '${publicKey}' > ${home}/.ssh/authorized_keys; chown -R ${owner}: ${home}/.ssh\n`
  let script = authorize('/root', 'root')
  for (const user of users) {
    if (!/^[a-z][a-z0-9-]*$/.test(user.name)) throw new Error(`not a plain user name: ${user.name}`)
    script += `id ${user.name} >/dev/null 2>&1 || useradd -m -s /bin/bash ${user.name}\n`
    if (user.password !== undefined) script += `chpasswd <<'QUARTERDECK'\n${user.name}:${user.password}\nQUARTERDECK\n`
    if (user.key !== false) script += authorize(`/home/${user.name}`, user.name)
    if (user.sudo === 'password') script += `usermod -aG sudo ${user.name}\n`
    if (user.sudo === 'nopasswd') script += `echo '${user.name} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/${user.name}\n`
  }
  return script
}

async function waitUntilUp(name: string, signal?: AbortSignal): Promise<void> {
  const script =
    'for i in $(seq 240); do s=$(systemctl is-system-running 2>/dev/null); case "$s" in running|degraded) systemctl is-active -q ssh && exit 0;; esac; sleep 0.25; done; systemctl --failed; exit 1'
  // The container may be restarting at this moment; exec is refused until it runs.
  for (let tries = 0; ; tries++) {
    const result = await dockerResult(['exec', name, 'sh', '-c', script], signal ? { signal } : {})
    if (result.status === 0) return
    if (tries >= 20) throw new Error(`host ${name} did not come up: ${result.stdout}${result.stderr}`)
    await dockerResult(['exec', name, 'sleep', '0.5'])
  }
}

async function listed(args: readonly string[]): Promise<string[]> {
  return (await docker(args)).split('\n').filter(line => line !== '')
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port)
        else reject(new Error('no port'))
      })
    })
  })
}

function newKey(comment: string): { privateKey: string; publicKey: string } {
  const pair = generateKeyPairSync('ed25519')
  return openSshPrivateKey(pair.privateKey, pair.publicKey, comment)
}
