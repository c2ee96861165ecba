/**
 * What a host is: read by one POSIX script (facts-probe.ts) that changes nothing and needs no program beyond a plain
 * base system, and parsed here. Unknown stays undefined; nothing is guessed.
 */
import type { MachineFacts } from '../../api/infra/v1alpha1/machine.ts'

export interface HostFacts {
  readonly hostname: string
  readonly machineID: string
  /** ID, ID_LIKE, VERSION_ID and PRETTY_NAME of os-release. */
  readonly distribution: string
  readonly distributionLike: readonly string[]
  readonly distributionVersion: string
  readonly prettyName: string
  /** As `uname -m`. */
  readonly architecture: string
  readonly kernel: string
  /** Name of process 1: systemd, openrc-init, init, … */
  readonly initSystem: string
  readonly systemdState: string
  readonly cgroupVersion: number
  readonly cgroupControllers: readonly string[]
  readonly glibc: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly disks: readonly { readonly path: string; readonly freeBytes: number; readonly freeInodes: number; readonly readOnly: boolean; readonly noExec: boolean }[]
  readonly docker: {
    readonly installed: boolean
    readonly active: boolean
    readonly version: string
    readonly apiVersion: string
    readonly swarm: boolean
    readonly rootDir: string
  }
  /** Digest of the agent bundle that is configured, '' when none is. */
  readonly agentVersion: string
  readonly agentActive: boolean
  /** What provisioning noted when it wrote the agent's configuration: digest of the cluster's CA and of the configuration without its token. */
  readonly agentCluster: string
  readonly agentConfigDigest: string
  /** Seconds since 1970 by the host's clock. */
  readonly clockSeconds: number
  readonly addresses: readonly string[]
  /** Source address and device of the default route. */
  readonly defaultAddress: string
  readonly defaultDevice: string
  readonly packageManager: '' | 'apt' | 'dnf' | 'yum' | 'zypper' | 'apk'
  readonly programs: ReadonlySet<string>
  readonly sysctls: Readonly<Record<string, string>>
}

/** Parses the probe's `key=value` lines. */
export function parseFacts(output: string): HostFacts {
  const values = new Map<string, string[]>()
  for (const line of output.split('\n')) {
    const at = line.indexOf('=')
    if (at <= 0) continue
    const key = line.slice(0, at)
    const list = values.get(key) ?? []
    list.push(line.slice(at + 1).trim())
    values.set(key, list)
  }
  const one = (key: string): string => values.get(key)?.[0] ?? ''
  const many = (key: string): string[] => values.get(key) ?? []
  const number = (key: string): number => Number(one(key)) || 0
  const manager = one('packageManager')
  return {
    hostname: one('hostname'),
    machineID: one('machineID'),
    distribution: one('distribution').toLowerCase(),
    distributionLike: one('distributionLike')
      .toLowerCase()
      .split(/\s+/)
      .filter(word => word !== ''),
    distributionVersion: one('distributionVersion'),
    prettyName: one('prettyName'),
    architecture: one('architecture'),
    kernel: one('kernel'),
    initSystem: one('initSystem'),
    systemdState: one('systemdState'),
    cgroupVersion: number('cgroupVersion'),
    cgroupControllers: one('cgroupControllers')
      .split(/\s+/)
      .filter(word => word !== ''),
    glibc: one('glibc'),
    cpus: number('cpus'),
    memoryBytes: number('memoryKiB') * 1024,
    disks: many('disk').map(parseDisk),
    docker: {
      installed: one('dockerInstalled') === 'yes',
      active: one('dockerVersion') !== '',
      version: one('dockerVersion'),
      apiVersion: one('dockerApiVersion'),
      swarm: one('dockerSwarm') === 'active',
      rootDir: one('dockerRoot') || '/var/lib/docker',
    },
    agentVersion: one('agentVersion'),
    agentActive: one('agentActive') === 'active',
    agentCluster: one('agentCluster'),
    agentConfigDigest: one('agentConfigDigest'),
    clockSeconds: number('clock'),
    addresses: many('address'),
    defaultAddress: one('defaultAddress'),
    defaultDevice: one('defaultDevice'),
    packageManager: manager === 'apt' || manager === 'dnf' || manager === 'yum' || manager === 'zypper' || manager === 'apk' ? manager : '',
    programs: new Set(many('program')),
    sysctls: Object.fromEntries(
      many('sysctl').map(line => {
        const [name = '', ...rest] = line.split(' ')
        return [name, rest.join(' ').trim()]
      }),
    ),
  }
}

function parseDisk(line: string): HostFacts['disks'][number] {
  const [path = '', freeKiB = '0', freeInodes = '0', options = ''] = line.split(' ')
  const flags = options.split(',')
  // File systems without a fixed number of inodes (btrfs) say '-' or 0 of 0; they cannot run out of them.
  return {
    path,
    freeBytes: Number(freeKiB) * 1024,
    freeInodes: /^\d+$/.test(freeInodes) ? Number(freeInodes) : Number.MAX_SAFE_INTEGER,
    readOnly: flags.includes('ro'),
    noExec: flags.includes('noexec'),
  }
}

/** The part of the facts that Machine.status shows. */
export function machineFacts(facts: HostFacts): MachineFacts {
  const free = facts.disks.map(disk => disk.freeBytes)
  return {
    hostname: facts.hostname,
    machineID: facts.machineID,
    distribution: facts.distribution,
    distributionVersion: facts.distributionVersion,
    prettyName: facts.prettyName,
    architecture: facts.architecture,
    kernel: facts.kernel,
    initSystem: facts.initSystem,
    cgroupVersion: facts.cgroupVersion,
    cpus: facts.cpus,
    memoryBytes: facts.memoryBytes,
    ...(free.length > 0 ? { diskFreeBytes: Math.min(...free) } : {}),
    ...(facts.docker.version ? { dockerVersion: facts.docker.version } : {}),
    ...(facts.agentVersion ? { agentVersion: facts.agentVersion } : {}),
    addresses: [...facts.addresses],
  }
}
