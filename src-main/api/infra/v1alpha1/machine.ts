/**
 * Machine: a host as an API object. `kubectl apply` of a Machine and the Secret it names does the same as the window's
 * wizard; the machine controller (provisioning/) makes the host a worker node and keeps it one. Deleting a Machine
 * drains its node, removes it and cleans the host (finalizer `infra.quarterdeck.app/clean-host`).
 */
import type { ObjectMeta } from '../../meta.ts'

export const machineFinalizer = 'infra.quarterdeck.app/clean-host'

export interface Machine {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
  spec: MachineSpec
  status?: MachineStatus
}

export interface MachineSpec {
  /** Host name or address to reach it by SSH. */
  address: string
  /** Default 22. */
  port?: number
  /** Default root. */
  user?: string
  /**
   * Secret of type infra.quarterdeck.app/ssh in namespace kube-system with any of the keys `privateKey`, `passphrase`,
   * `password`, `sudoPassword`, `useAgent` ('true': the keys of the SSH agent of the computer that runs the control plane).
   */
  secretName: string
  /** Accepted SSH host key, `SHA256:<base64>` as ssh-keygen prints it. Without it nothing is done but to show the key in status. */
  hostKeyFingerprint?: string
  /** Hosts on the way to it, the nearest to the control plane first, logged in to with the same Secret. */
  jumpHosts?: MachineJumpHost[]
  /** Name of the Node; default: metadata.name. */
  nodeName?: string
  nodeLabels?: Record<string, string>
  nodeTaints?: { key: string; value?: string; effect: string }[]
  /** Address that other nodes use for it; default: found out from the host's default route. */
  nodeAddress?: string
  /** How to become root; default 'auto' (root, then sudo without a password, then sudo with the Secret's sudoPassword, then doas). */
  privilege?: 'auto' | 'root' | 'sudo' | 'doas'
  /** Stops all work on this host while true. */
  paused?: boolean
  /** On deletion: forget the host without touching it (it is dead). */
  forceRemove?: boolean
  /** Change it to run a failed step again now. */
  retry?: number
}

export interface MachineJumpHost {
  address: string
  /** Default 22. */
  port?: number
  /** Default: the Machine's user. */
  user?: string
  hostKeyFingerprint: string
}

export type MachinePhase = 'Pending' | 'AwaitingHostKey' | 'Connecting' | 'Preflight' | 'Provisioning' | 'Ready' | 'Degraded' | 'Failed' | 'Removing'

export interface MachineStatus {
  phase?: MachinePhase
  /** One sentence for people; what to do next when failed. */
  message?: string
  /** Closed set of provisioning error codes, e.g. Unreachable, AuthenticationFailed, HostKeyChanged, SudoPasswordWrong, DiskFull, UnsupportedDistribution, … */
  reason?: string
  observedGeneration?: number
  /** Host key seen at the last connection, `SHA256:<base64>`. */
  seenHostKeyFingerprint?: string
  facts?: MachineFacts
  /** Kubernetes conditions: Connected, PreflightPassed, RuntimeReady, AgentInstalled, NetworkProven, NodeReady. */
  conditions?: MachineCondition[]
  preflight?: PreflightResult[]
  steps?: MachineStep[]
  nodeName?: string
  agentVersion?: string
  /** After removal was tried: what was left behind (empty = 0 leftovers). */
  leftovers?: string[]
}

export interface MachineFacts {
  hostname?: string
  machineID?: string
  distribution?: string
  distributionVersion?: string
  prettyName?: string
  architecture?: string
  kernel?: string
  initSystem?: string
  cgroupVersion?: number
  cpus?: number
  memoryBytes?: number
  diskFreeBytes?: number
  dockerVersion?: string
  agentVersion?: string
  addresses?: string[]
}

export interface MachineCondition {
  type: string
  status: 'True' | 'False' | 'Unknown'
  reason: string
  message: string
  lastTransitionTime: string
  observedGeneration?: number
}

export type CheckState = 'pass' | 'warn' | 'fail' | 'running'

export interface PreflightResult {
  /** kebab-case id of the check: `login`, `root`, `distribution`, `disk`, … */
  check: string
  title: string
  state: CheckState
  /** The measured fact, or why it failed. */
  message: string
  /** Command that mends it, shown before it is run. */
  fix?: string
}

export interface MachineStep {
  /** File name of the phase: `install-docker`. */
  name: string
  title: string
  state: 'pending' | 'running' | 'done' | 'skipped' | 'failed'
  startedAt?: string
  finishedAt?: string
  /** Sentences of the changes made (or planned). */
  changes?: string[]
  message?: string
}
