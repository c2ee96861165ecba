/** What the phases of one machine are given, for running and for undoing them. */
import type { Machine } from '../../api/infra/v1alpha1/machine.ts'
import type { Env } from '../../base/env.ts'
import type { Client } from '../../client/client.ts'
import { architectureOf, type Artifacts } from '../artifacts/artifacts.ts'
import type { HostFacts } from '../facts/facts.ts'
import { phases } from '../phases/phases.ts'
import type { PhaseRun } from '../phases/run-phases.ts'
import { clusterSide } from './cluster-side.ts'
import type { HostLinks, Link } from './host-link.ts'
import type { OutputRing } from './output-ring.ts'
import { agentConfig, clusterDigest, nodeNameOf, type ClusterSettings } from './settings.ts'
import type { StatusWriter } from './status-writer.ts'

export interface MachineControllerOptions {
  readonly env: Env
  readonly links: HostLinks
  readonly output: OutputRing
  readonly artifacts: Artifacts
  readonly cluster: () => ClusterSettings
  /** Socket of this computer's SSH agent. */
  readonly sshAgent?: string
  /** Names the cluster for the lock on hosts: a control plane that was restarted goes on at once, another cluster's waits. */
  readonly owner: string
}

/** What the phases of a machine need; also for undoing them. */
export async function phaseRun(
  options: MachineControllerOptions,
  client: Client,
  machine: Machine,
  link: Link,
  facts: HostFacts,
  signal: AbortSignal,
  writer: StatusWriter,
): Promise<PhaseRun> {
  const name = machine.metadata.name ?? ''
  const [runtime, agent] = await Promise.all([options.artifacts.runtime(architectureOf(facts.architecture)), options.artifacts.agent()])
  const cluster = options.cluster()
  const conditionOf = new Map(phases.flatMap(phase => (phase.condition ? [[phase.name, phase.condition] as const] : [])))
  return {
    env: options.env,
    host: link.host,
    facts,
    nodeName: nodeNameOf(machine),
    config: agentConfig(machine, facts, cluster, agent.digest),
    artifacts: { runtime, agent },
    cluster: clusterSide(options.env, client, nodeNameOf(machine)),
    clusterDigest: clusterDigest(cluster.certificateAuthority),
    owner: options.owner,
    signal,
    onOutput: (step, text) => {
      options.output.add(name, step, text)
    },
    onCondition: (type, holds, message) => {
      writer.condition(type, holds ? 'True' : 'False', holds ? 'Reached' : 'NotReached', message)
    },
    onSteps(steps) {
      writer.set({ steps })
      for (const step of steps) {
        const condition = conditionOf.get(step.name)
        if (condition === undefined || step.title.startsWith('Undo')) continue
        if (step.state === 'done' || step.state === 'skipped') writer.condition(condition, 'True', 'Done', step.title)
        if (step.state === 'failed') writer.condition(condition, 'False', 'Failed', step.message ?? step.title)
      }
    },
  }
}
