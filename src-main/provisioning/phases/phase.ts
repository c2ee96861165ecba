/**
 * A phase: one step on the way from a host to a node. `needed` asks, `run` changes (only through host.change, so that a
 * dry run is the list of sentences), `verify` proves, `undo` takes everything back. Each of them may be cut at any
 * point and called again.
 */
import type { AgentConfig } from '../../api/agent.ts'
import type { HostFacts } from '../facts/facts.ts'
import type { RunOptions } from '../host/remote-host.ts'
import type { Artifact } from '../host/upload.ts'

/** What a change may do to a host. */
export interface Hands {
  /** Script as root; throws on any status but 0. */
  run(script: string, options?: RunOptions): Promise<string>
  /** Script as root that outlives the connection; see host/detached.ts. */
  runDetached(name: string, script: string, what: string): Promise<void>
  writeFile(path: string, content: string, mode: string): Promise<void>
  upload(artifact: Artifact, path: string, mode: string): Promise<void>
}

export interface NetworkProofAnswer {
  readonly proven: boolean
  readonly message: string
}

/** What the cluster answers during provisioning. */
export interface ClusterSide {
  /** Makes a bootstrap token: `abcdef.0123456789abcdef`. */
  bootstrapToken(): Promise<string>
  nodeExists(): Promise<boolean>
  /** Undefined when Ready; else what is missing, in a sentence. */
  nodeProblem(): Promise<string | undefined>
  /** What the agent says of the pod network, once it says something. */
  networkProof(): Promise<NetworkProofAnswer | undefined>
}

export interface PhaseHost {
  readonly nodeName: string
  readonly facts: HostFacts
  /** The agent's configuration without its token. */
  readonly config: Omit<AgentConfig, 'bootstrapToken'>
  readonly artifacts: { readonly runtime: Artifact; readonly agent: Artifact }
  readonly cluster: ClusterSide
  /** Digest of the cluster's CA: tells our cluster from another. */
  readonly clusterDigest: string
  /** Names of the phases that changed something in this run. */
  readonly changed: ReadonlySet<string>
  readonly signal: AbortSignal
  /** Script as root that changes nothing; any status. */
  read(script: string): Promise<{ status: number; stdout: string }>
  /** Waits without keeping anything busy. */
  sleep(ms: number): Promise<void>
  awakeMs(): number
  /** A condition of the Machine. */
  condition(type: string, holds: boolean, message: string): void
  /** A line for the lane of the host in the window. */
  note(text: string): void
  /** The only way to alter a host. The sentence has the imperative form: "Install docker.io". */
  change(sentence: string, action: (hands: Hands) => Promise<void>): Promise<void>
}

export interface Phase {
  /** File name. */
  readonly name: string
  readonly title: string
  /** Names of the phases that have to be done before. Default: the one before it in the list. Phases that need not wait for one another run side by side. */
  readonly after?: readonly string[]
  /** Condition of the Machine that becomes True with this phase. */
  readonly condition?: 'RuntimeReady' | 'AgentInstalled' | 'NodeReady'
  needed(host: PhaseHost): boolean | Promise<boolean>
  run(host: PhaseHost): Promise<void>
  /** Throws when the phase did not do what it says. Not called in a dry run. */
  verify?(host: PhaseHost): Promise<void>
  undo?(host: PhaseHost): Promise<void>
}

/** The one way to make a phase. */
export function definePhase(phase: Phase): Phase {
  return phase
}
