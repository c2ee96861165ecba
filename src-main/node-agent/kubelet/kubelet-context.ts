/** What a pod's worker may use: everything of the node that pods share. Made once by kubelet.ts. */
import type { Pod, PodStatus } from '../../api/generated/core-v1.ts'
import type { Env } from '../../base/env.ts'
import type { ContainerRuntime, RuntimeContainer } from '../container-runtime/runtime.ts'
import type { DnsSettings } from './pod-files.ts'
import type { EnvironmentSources } from './environment.ts'
import type { Rejection } from './admission.ts'
import type { Images } from './images.ts'
import type { Prober } from './prober.ts'
import type { CrashBackoff } from './restart-policy.ts'
import type { Volumes } from './volumes.ts'

export interface KubeletContext {
  readonly env: Env
  readonly runtime: ContainerRuntime
  readonly images: Images
  readonly prober: Prober
  readonly volumes: Volumes
  readonly crashBackoff: CrashBackoff
  readonly dns: DnsSettings
  readonly nodeAddress: string
  readonly nodeMemoryBytes: number
  /** Where the status of pods goes; never blocks. */
  readonly statuses: { set(pod: Pod, status: PodStatus): void }
  event(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string, container?: { readonly name: string }): void
  /** True once pods may run here: runtime and pod network are up. */
  networkReady(): boolean
  /** A sandbox has joined the pod network. */
  networkJoined(): Promise<void>
  ensureVolumes(pod: Pod, podIP: string): Promise<Map<string, string>>
  environmentSources(podIP: string): EnvironmentSources
  terminationMessages(pod: Pod, containers: readonly RuntimeContainer[]): Promise<ReadonlyMap<string, string>>
  imageReferences(containers: readonly RuntimeContainer[]): Promise<ReadonlyMap<string, string>>
  /** Last status written, then the final delete. False where the API could not be asked: try again. */
  deleteFromApi(pod: Pod): Promise<boolean>
  /** Why a pod that was never let in may not run here; asked once, and no answer lets it in. */
  admit(pod: Pod): Rejection | undefined
  /** Volumes, back-offs, tokens. */
  forgetPod(uid: string): Promise<void>
}
