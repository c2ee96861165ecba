/** What this host is and has, as a Node's status. Reads /proc and /sys; the rest is pure. */
import type { StatsFs } from 'node:fs'
import { readFile, statfs } from 'node:fs/promises'
import { arch, cpus, totalmem } from 'node:os'
import type { Node, NodeCondition, NodeStatus } from '../../api/generated/core-v1.ts'
import { formatTime } from '../../api/time.ts'
import { agentPorts, networkProvenCondition } from '../../api/agent.ts'
import { readTextFile } from '../checkpoint.ts'
import type { ImageInfo, RuntimeInfo } from '../container-runtime/runtime.ts'

/** Kept for the agent, the runtime and the system: a node that gives all it has to pods dies of it. */
const reservedMemoryBytes = 256 << 20
const reservedCPUMilli = 100
const maxPods = 110
/** As upstream: the 50 largest images, 5 names each. */
const maxImages = 50
const maxNames = 5
/** A kubelet's hard eviction lines: memory.available < 100 Mi, nodefs.available < 10 %, nodefs.inodesFree < 5 %, pids < 10 % free. */
const memoryLineBytes = 100 << 20
const diskLine = 0.1
const inodeLine = 0.05

export interface HostFacts {
  readonly machineID: string
  readonly systemUUID: string
  readonly bootID: string
  readonly memoryBytes: number
  readonly availableMemoryBytes: number
  readonly cpus: number
  readonly diskBytes: number
  readonly diskFreeBytes: number
  /** File systems that pods and the agent write to: that of the runtime, and that of the agent's state. */
  readonly disks: readonly { readonly bytes: number; readonly freeBytes: number; readonly inodes: number; readonly inodesFree: number }[]
  readonly processes: number
  readonly maxProcesses: number
}

export async function hostFacts(runtimeDir: string, stateDir: string): Promise<HostFacts> {
  const text = async (path: string): Promise<string> => ((await readTextFile(path)) ?? '').trim()
  const [fs, state] = await Promise.all([runtimeDir, stateDir].map(path => statfs(path).catch(() => statfs('/'))) as [Promise<StatsFs>, Promise<StatsFs>])
  const memory = await readFile('/proc/meminfo', 'utf8')
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(memory)?.[1] ?? 0) * 1024
  const load = await text('/proc/loadavg')
  return {
    machineID: await text('/etc/machine-id'),
    systemUUID: (await text('/sys/class/dmi/id/product_uuid')) || (await text('/etc/machine-id')),
    bootID: await text('/proc/sys/kernel/random/boot_id'),
    memoryBytes: totalmem(),
    availableMemoryBytes: field('MemAvailable'),
    cpus: cpus().length,
    diskBytes: fs.blocks * fs.bsize,
    diskFreeBytes: fs.bavail * fs.bsize,
    disks: [fs, state].map(one => ({ bytes: one.blocks * one.bsize, freeBytes: one.bavail * one.bsize, inodes: one.files, inodesFree: one.ffree })),
    processes: Number(load.split(' ')[3]?.split('/')[1] ?? 0),
    maxProcesses: Number((await text('/proc/sys/kernel/pid_max')) || 32768),
  }
}

export interface NodeStatusInput {
  readonly now: number
  readonly facts: HostFacts
  readonly runtime: RuntimeInfo | undefined
  readonly runtimeFault: string
  readonly networkReady: boolean
  readonly networkProof: { readonly proven: boolean; readonly message: string }
  /** The API holds it to be ready now. */
  readonly wasReady: boolean
  readonly images: readonly ImageInfo[]
  readonly nodeName: string
  readonly nodeAddress: string
  readonly agentVersion: string
  readonly previous: Node | undefined
}

export function nodeStatus(input: NodeStatusInput): NodeStatus {
  const { facts, runtime } = input
  const capacity = {
    cpu: String(facts.cpus),
    memory: `${Math.floor(facts.memoryBytes / 1024)}Ki`,
    'ephemeral-storage': `${Math.floor(facts.diskBytes / 1024)}Ki`,
    pods: String(maxPods),
    'hugepages-1Gi': '0',
    'hugepages-2Mi': '0',
  }
  const reservedMemory = Math.min(reservedMemoryBytes, facts.memoryBytes / 4)
  const allocatable = {
    ...capacity,
    cpu: `${Math.max(100, facts.cpus * 1000 - reservedCPUMilli)}m`,
    memory: `${Math.floor((facts.memoryBytes - reservedMemory) / 1024)}Ki`,
    'ephemeral-storage': String(Math.floor(facts.diskBytes * (1 - diskLine))),
  }
  return {
    capacity,
    allocatable,
    conditions: conditionsOf(input),
    addresses: [
      { type: 'InternalIP', address: input.nodeAddress },
      { type: 'Hostname', address: input.nodeName },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: agentPorts.server } },
    nodeInfo: {
      machineID: facts.machineID,
      systemUUID: facts.systemUUID,
      bootID: facts.bootID,
      kernelVersion: runtime?.kernelVersion ?? '',
      osImage: runtime?.operatingSystem ?? '',
      containerRuntimeVersion: `docker://${runtime?.version ?? ''}`,
      kubeletVersion: 'v1.37.2',
      kubeProxyVersion: '',
      operatingSystem: 'linux',
      architecture: arch() === 'x64' ? 'amd64' : arch(),
    },
    images: [...input.images]
      .sort((a, b) => b.sizeBytes - a.sizeBytes)
      .slice(0, maxImages)
      .map(image => ({ names: image.names.slice(0, maxNames), sizeBytes: image.sizeBytes })),
  }
}

function conditionsOf(input: NodeStatusInput): NodeCondition[] {
  const { facts } = input
  const now = formatTime(input.now)
  const disk = facts.disks.some(one => one.freeBytes < one.bytes * diskLine || (one.inodes > 0 && one.inodesFree < one.inodes * inodeLine))
  const pressure = (type: string, on: boolean, reasons: [string, string], messages: [string, string]): [string, string, string, string] =>
    on ? [type, 'True', reasons[0], messages[0]] : [type, 'False', reasons[1], messages[1]]
  const rows: [string, string, string, string][] = [
    input.networkReady
      ? ['NetworkUnavailable', 'False', 'RouteCreated', 'Quarterdeck is running on this node']
      : ['NetworkUnavailable', 'True', 'NoRouteCreated', 'the pod network is not set up yet'],
    pressure(
      'MemoryPressure',
      facts.availableMemoryBytes < memoryLineBytes,
      ['KubeletHasInsufficientMemory', 'KubeletHasSufficientMemory'],
      ['kubelet has insufficient memory available', 'kubelet has sufficient memory available'],
    ),
    pressure('DiskPressure', disk, ['KubeletHasDiskPressure', 'KubeletHasNoDiskPressure'], ['kubelet has disk pressure', 'kubelet has no disk pressure']),
    pressure(
      'PIDPressure',
      facts.processes > facts.maxProcesses * 0.9,
      ['KubeletHasInsufficientPID', 'KubeletHasSufficientPID'],
      ['kubelet has insufficient PID available', 'kubelet has sufficient PID available'],
    ),
    [networkProvenCondition, input.networkProof.proven ? 'True' : 'False', input.networkProof.proven ? 'Reached' : 'NotReached', input.networkProof.message],
    readyRow(input),
  ]
  return rows.map(([type, status, reason, message]) => {
    const before = input.previous?.status?.conditions?.find(c => c.type === type)
    return { type, status, reason, message, lastHeartbeatTime: now, lastTransitionTime: before?.status === status && before.lastTransitionTime ? before.lastTransitionTime : now }
  })
}

function readyRow(input: NodeStatusInput): [string, string, string, string] {
  const faults: string[] = []
  if (!input.runtime) faults.push(`container runtime is down: ${input.runtimeFault}`)
  if (!input.networkReady) faults.push('container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:the pod network is not set up yet')
  else if (!input.networkProof.proven && !input.wasReady)
    faults.push(`container runtime network not ready: NetworkReady=false reason:NetworkNotProven message:${input.networkProof.message}`)
  return faults.length === 0 ? ['Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'] : ['Ready', 'False', 'KubeletNotReady', faults.join(', ')]
}
