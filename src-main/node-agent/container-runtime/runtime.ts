/**
 * What the kubelet needs of a container runtime. The one implementation is docker-runtime.ts; nothing outside this folder
 * knows that it is Docker. Containers belong to a pod by their labels, so that the runtime's own list is the only record
 * of what runs: an agent that starts anew adopts what it finds.
 */
import type { Duplex } from 'node:stream'

/** Labels on every container that the agent makes (the names that kubelets use where they have one). */
export const containerLabels = {
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUID: 'io.kubernetes.pod.uid',
  containerName: 'io.kubernetes.container.name',
  /** `sandbox` or `container`: also the mark of ownership. */
  type: 'app.quarterdeck.type',
  sandboxID: 'app.quarterdeck.sandbox-id',
  restartCount: 'io.kubernetes.container.restartCount',
  hash: 'io.kubernetes.container.hash',
  terminationLog: 'app.quarterdeck.termination-log',
} as const

export type ContainerPhase = 'created' | 'running' | 'exited'

/** State of one container as the runtime knows it. Times in milliseconds since 1970; 0 where not yet. */
export interface RuntimeContainer {
  readonly id: string
  readonly type: 'sandbox' | 'container'
  /** Container's name in the pod's spec; POD for sandboxes. */
  readonly name: string
  readonly podUID: string
  readonly podName: string
  readonly podNamespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly restartCount: number
  readonly hash: string
  readonly phase: ContainerPhase
  readonly pid: number
  readonly createdAtMs: number
  readonly startedAtMs: number
  readonly finishedAtMs: number
  readonly exitCode: number
  readonly oomKilled: boolean
  /** The runtime's own error text, e.g. why it could not start. */
  readonly error: string
  readonly image: string
  readonly imageID: string
  /** Address on the pod network; empty for app containers and host-network sandboxes. */
  readonly address: string
}

export interface Mount {
  readonly source: string
  readonly target: string
  readonly readOnly: boolean
  readonly propagation?: 'rprivate' | 'rslave' | 'rshared'
}

export interface PortPublication {
  readonly hostPort: number
  readonly containerPort: number
  readonly protocol: 'tcp' | 'udp' | 'sctp'
  readonly hostIP?: string
}

export interface SandboxSpec {
  readonly name: string
  readonly hostname: string
  readonly domainname?: string
  readonly labels: Readonly<Record<string, string>>
  readonly hostNetwork: boolean
  readonly hostPID: boolean
  readonly hostIPC: boolean
  readonly ports: readonly PortPublication[]
  readonly sysctls: Readonly<Record<string, string>>
}

/** As the kernel's cgroups take them. No cpuQuota is no limit; memoryBytes 0 leaves memory as it is. */
export interface RuntimeLimits {
  readonly cpuShares: number
  readonly cpuQuota: number
  readonly cpuPeriod: number
  readonly memoryBytes: number
}

export interface ContainerSpec {
  readonly name: string
  readonly image: string
  readonly labels: Readonly<Record<string, string>>
  readonly entrypoint?: readonly string[]
  readonly command?: readonly string[]
  readonly workingDir?: string
  readonly env: readonly string[]
  readonly mounts: readonly Mount[]
  readonly sandboxID: string
  readonly hostNetwork: boolean
  readonly hostIPC: boolean
  readonly pidMode?: string
  readonly stdin: boolean
  readonly stdinOnce: boolean
  readonly tty: boolean
  /** `uid`, `uid:gid` or empty for the image's own. */
  readonly user?: string
  readonly groups: readonly string[]
  readonly readOnlyRootFilesystem: boolean
  readonly privileged: boolean
  readonly addCapabilities: readonly string[]
  readonly dropCapabilities: readonly string[]
  readonly noNewPrivileges: boolean
  /** JSON profile, `unconfined`, or undefined for the runtime's default. */
  readonly seccompProfile?: string
  readonly apparmorProfile?: string
  readonly unmaskPaths: boolean
  readonly cpuShares: number
  readonly cpuQuota: number
  readonly cpuPeriod: number
  readonly memoryBytes: number
  readonly oomScoreAdjustment: number
  readonly stopSignal?: string
}

export interface ImageInfo {
  readonly id: string
  /** `repository@digest` where known, else the id: what containerStatuses[].imageID shows. */
  readonly reference: string
  readonly names: readonly string[]
  readonly sizeBytes: number
  readonly user: string
  readonly createdAtMs: number
}

export interface RegistryAuth {
  readonly username?: string
  readonly password?: string
  readonly identitytoken?: string
  readonly registrytoken?: string
  readonly serveraddress?: string
}

export interface LogOptions {
  readonly follow: boolean
  readonly timestamps: boolean
  readonly sinceMs?: number
  readonly tail?: number
}

/** One demultiplexed chunk of a container's output. */
export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr'
  readonly bytes: Buffer
}

export interface ExecSpec {
  readonly command: readonly string[]
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
}

/** A running exec or attach. Output ends when the process does; `input` may be ended before. */
export interface ProcessStream {
  readonly output: AsyncIterable<OutputChunk>
  readonly input: Duplex
  resize(columns: number, rows: number): Promise<void>
  /** After output ended: the exit code (exec only). */
  exitCode(): Promise<number>
  close(): void
}

export interface RuntimeInfo {
  readonly version: string
  readonly apiVersion: string
  readonly operatingSystem: string
  readonly kernelVersion: string
  readonly architecture: string
  readonly cgroupVersion: number
  readonly cpus: number
  readonly memoryBytes: number
  readonly rootDir: string
}

export interface PodNetworkSpec {
  readonly subnet: string
  readonly gateway: string
  /** An address of it that no container may get. */
  readonly reserved: string
  readonly bridge: string
  readonly mtu: number
}

/** Something changed with a container of this pod; the listener reads the state anew. */
export interface RuntimeEvent {
  readonly podUID: string
  readonly containerID: string
  readonly action: string
}

export interface ContainerRuntime {
  /** Throws while the runtime cannot be reached. */
  info(): Promise<RuntimeInfo>
  /** All containers of ours, or those of one pod. Never someone else's. */
  list(podUID?: string): Promise<readonly RuntimeContainer[]>
  inspect(id: string): Promise<RuntimeContainer | undefined>
  createSandbox(spec: SandboxSpec): Promise<string>
  createContainer(spec: ContainerSpec): Promise<string>
  start(id: string): Promise<void>
  /** Changes what a running container may take. */
  updateLimits(id: string, limits: RuntimeLimits): Promise<void>
  /** Sends the stop signal, then SIGKILL after the grace period; resolves when it is dead. No error if it is gone. */
  stop(id: string, graceSeconds: number): Promise<void>
  /** No error if it is gone. */
  remove(id: string): Promise<void>
  logs(id: string, options: LogOptions, signal?: AbortSignal): Promise<AsyncIterable<OutputChunk>>
  exec(id: string, spec: ExecSpec): Promise<ProcessStream>
  attach(id: string, spec: Omit<ExecSpec, 'command'>): Promise<ProcessStream>
  image(name: string): Promise<ImageInfo | undefined>
  images(): Promise<readonly ImageInfo[]>
  pull(name: string, auth: RegistryAuth | undefined, signal?: AbortSignal): Promise<void>
  removeImage(id: string): Promise<void>
  /** Takes all names of an image and so the image; false where a container, anybody's, uses it. */
  removeUnusedImage(image: ImageInfo): Promise<boolean>
  /** Makes the sandbox's image where it is missing. */
  ensureSandboxImage(): Promise<void>
  /** Makes the pod network, or makes it anew where its range changed and no container uses it. */
  ensurePodNetwork(spec: PodNetworkSpec): Promise<void>
  removePodNetwork(): Promise<void>
  /** Calls back on every change until the signal aborts; reconnects by itself and then reports `podUID: ''` (anything may have changed). */
  watch(onEvent: (event: RuntimeEvent) => void, signal: AbortSignal): void
}

/** A failed call, with the runtime's status code (0 where it was not reached) and its own words. */
export class RuntimeError extends Error {
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}
