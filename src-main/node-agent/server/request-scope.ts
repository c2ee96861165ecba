/** What the handlers of the agent's server share: the parts of the agent they may use, faults, finding containers. */
import type { Node } from '../../api/generated/core-v1.ts'
import type { AgentConfig } from '../../api/agent.ts'
import type { Env } from '../../base/env.ts'
import type { Client } from '../../client/client.ts'
import type { ContainerRuntime, RuntimeContainer } from '../container-runtime/runtime.ts'
import type { Kubelet } from '../kubelet/kubelet.ts'
import { attemptsOf } from '../kubelet/pod-status.ts'
import type { StatsSource } from './samples.ts'

export interface AgentServerOptions {
  readonly env: Env
  readonly config: AgentConfig
  readonly stateDir: string
  readonly client: Client
  readonly clientReady: Promise<void>
  readonly runtime: ContainerRuntime
  readonly kubelet: Kubelet
  readonly node: () => Node | undefined
  readonly signal: AbortSignal
  /** Default 10250 (tests use another). */
  readonly port?: number
}

export interface RequestScope extends AgentServerOptions {
  readonly stats: StatsSource
}

/** An answer other than 200: thrown by handlers before they have written. */
export class HttpFault extends Error {
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

/** The container that a request names; `previous` asks for the run before. Throws the kubelet's faults. */
export async function findContainer(scope: RequestScope, namespace: string, podName: string, name: string, previous: boolean): Promise<RuntimeContainer> {
  const worker = scope.kubelet.worker(namespace, podName)
  if (!worker) throw new HttpFault(404, `pod "${podName}/${namespace}" not found`)
  const containers = await scope.runtime.list(worker.pod.metadata.uid)
  const attempts = attemptsOf(containers, name)
  if (attempts.length === 0) {
    const state = [...(worker.status?.containerStatuses ?? []), ...(worker.status?.initContainerStatuses ?? [])].find(status => status.name === name)?.state?.waiting
    if (previous) throw new HttpFault(400, `previous terminated container "${name}" in pod "${podName}" not found`)
    throw new HttpFault(
      400,
      `container "${name}" in pod "${podName}" is waiting to start: ${state?.message ? `${state.reason === 'ErrImagePull' || state.reason === 'ImagePullBackOff' ? 'trying and failing to pull image' : (state.reason ?? '')}` : (state?.reason ?? 'ContainerCreating')}`,
    )
  }
  const found = previous
    ? attempts.find((c, index) => c.phase === 'exited' && (index > 0 || attempts.length === 1 || worker.status?.containerStatuses?.some(s => s.name === name && s.state?.waiting)))
    : attempts[0]
  if (!found) throw new HttpFault(400, `previous terminated container "${name}" in pod "${podName}" not found`)
  return found
}
