/** Runs, plans and undoes phases on one host, noting every change in the host's journal. */
import type { Env } from '../../base/env.ts'
import type { AgentConfig } from '../../api/agent.ts'
import type { MachineStep } from '../../api/infra/v1alpha1/machine.ts'
import { formatTime } from '../../api/time.ts'
import type { HostFacts } from '../facts/facts.ts'
import { runDetached } from '../host/detached.ts'
import { asProvisioningError, ProvisioningError } from '../host/errors.ts'
import { hostFiles } from '../host/host-files.ts'
import { ownerCheck, ownerFault } from '../host/host-owner.ts'
import type { RemoteHost } from '../host/remote-host.ts'
import { sh } from '../host/shell.ts'
import { upload, writeFile, type Artifact } from '../host/upload.ts'
import type { ClusterSide, Hands, Phase, PhaseHost } from './phase.ts'

export interface PhaseRun {
  readonly env: Env
  readonly host: RemoteHost
  readonly facts: HostFacts
  readonly nodeName: string
  readonly config: Omit<AgentConfig, 'bootstrapToken'>
  readonly artifacts: { readonly runtime: Artifact; readonly agent: Artifact }
  readonly cluster: ClusterSide
  readonly clusterDigest: string
  /** Names the one who works on the host, for the lock. */
  readonly owner: string
  readonly signal: AbortSignal
  readonly onOutput: (step: string, text: string) => void
  readonly onCondition: (type: string, holds: boolean, message: string) => void
  /** Steps as they change; the list is new each time. */
  readonly onSteps: (steps: MachineStep[]) => void
}

/**
 * Brings the host to what all phases say. Phases that wait for different things (the host's package manager, the network)
 * run side by side; one that fails keeps only those from running that come after it. Throws the first fault, after
 * noting it in the steps.
 */
export async function runPhases(phases: readonly Phase[], run: PhaseRun): Promise<MachineStep[]> {
  const steps: MachineStep[] = phases.map(phase => ({ name: phase.name, title: phase.title, state: 'pending' }))
  const changed = new Set<string>()
  const ends = new Map<string, Promise<void>>()
  await takeLock(run)
  try {
    for (const [at, phase] of phases.entries()) {
      const before = phase.after ?? phases.slice(Math.max(0, at - 1), at).map(one => one.name)
      const set = (more: Partial<MachineStep>): void => {
        steps[at] = { ...(steps[at] as MachineStep), ...more }
        run.onSteps([...steps])
      }
      const end = Promise.all(before.map(name => ends.get(name))).then(() => runPhase(phase, run, changed, () => steps[at], set))
      ends.set(phase.name, end)
    }
    const results = await Promise.allSettled(ends.values())
    for (const result of results) if (result.status === 'rejected') throw result.reason
  } finally {
    await run.host.root(sh`rm -f ${hostFiles.lock}`).catch(() => undefined) // gone with the connection: it expires by itself
  }
  return steps
}

async function runPhase(phase: Phase, run: PhaseRun, changed: Set<string>, step: () => MachineStep | undefined, set: (more: Partial<MachineStep>) => void): Promise<void> {
  const host = phaseHost(run, phase, changed, sentence => {
    set({ changes: [...(step()?.changes ?? []), sentence] })
  })
  set({ state: 'running', startedAt: formatTime(run.env.clock.now()) })
  try {
    const needed = await phase.needed(host)
    if (needed) {
      await phase.run(host)
      await phase.verify?.(host)
    }
    set({ state: needed ? 'done' : 'skipped', finishedAt: formatTime(run.env.clock.now()) })
  } catch (fault) {
    const known = asProvisioningError(fault, { host: run.host.connection.target.address, step: phase.name })
    set({ state: 'failed', finishedAt: formatTime(run.env.clock.now()), message: known.message })
    throw known
  }
}

/** The sentences of all changes that would be made, with nothing made. */
export async function planPhases(phases: readonly Phase[], run: PhaseRun): Promise<{ name: string; title: string; changes: string[] }[]> {
  const plan: { name: string; title: string; changes: string[] }[] = []
  const changed = new Set<string>()
  for (const phase of phases) {
    const changes: string[] = []
    const host = {
      ...phaseHost(run, phase, changed, () => undefined),
      async change(sentence: string) {
        changes.push(sentence)
        changed.add(phase.name)
      },
    }
    if (await phase.needed(host)) await phase.run(host)
    plan.push({ name: phase.name, title: phase.title, changes })
  }
  return plan
}

/** Takes everything back, last phase first. A phase that fails does not keep the others from their undoing; the first fault is thrown at the end. */
export async function undoPhases(phases: readonly Phase[], run: PhaseRun): Promise<void> {
  const undone = phases.toReversed().filter(phase => phase.undo !== undefined)
  const steps: MachineStep[] = undone.map(phase => ({ name: phase.name, title: `Undo: ${phase.title}`, state: 'pending' }))
  const faults: ProvisioningError[] = []
  for (const [at, phase] of undone.entries()) {
    const set = (more: Partial<MachineStep>): void => {
      steps[at] = { ...(steps[at] as MachineStep), ...more }
      run.onSteps([...steps])
    }
    set({ state: 'running', startedAt: formatTime(run.env.clock.now()) })
    try {
      await phase.undo?.(
        phaseHost(run, phase, new Set(), sentence => {
          set({ changes: [...(steps[at]?.changes ?? []), sentence] })
        }),
      )
      set({ state: 'done', finishedAt: formatTime(run.env.clock.now()) })
    } catch (fault) {
      const known = asProvisioningError(fault, { host: run.host.connection.target.address, step: phase.name })
      set({ state: 'failed', finishedAt: formatTime(run.env.clock.now()), message: known.message })
      if (known.code === 'ConnectionLost' || known.code === 'Cancelled') throw known
      faults.push(known)
    }
  }
  if (faults[0]) throw faults[0]
}

function phaseHost(run: PhaseRun, phase: Phase, changed: Set<string>, onChange: (sentence: string) => void): PhaseHost {
  const { host, signal, env } = run
  const onOutput = (text: string): void => {
    run.onOutput(phase.name, text)
  }
  const hands: Hands = {
    run: (script, options) => host.mustRoot(script, { signal, onOutput, ...options }),
    runDetached: (name, script, what) => runDetached(host, name, script, { signal, onOutput, what }),
    writeFile: (path, content, mode) => writeFile(host, path, content, mode, signal),
    async upload(artifact, path, mode) {
      let told = 0
      const sent = await upload(host, artifact, {
        path,
        mode,
        signal,
        onProgress(bytes, total) {
          const tenth = Math.floor((bytes / total) * 10)
          if (tenth > told) {
            told = tenth
            onOutput(`${artifact.name}: ${tenth * 10} %\n`)
          }
        },
      })
      if (!sent) onOutput(`${artifact.name} is there already\n`)
    },
  }
  return {
    nodeName: run.nodeName,
    facts: run.facts,
    config: run.config,
    artifacts: run.artifacts,
    cluster: run.cluster,
    clusterDigest: run.clusterDigest,
    changed,
    signal,
    async read(script) {
      const { status, stdout } = await host.root(script, { signal, what: `checking (${phase.title.toLowerCase()})` })
      return { status, stdout }
    },
    sleep: ms => env.clock.sleep(ms, signal),
    condition: run.onCondition,
    note: text => {
      onOutput(`${text}\n`)
    },
    awakeMs: () => env.clock.awakeMs(),
    async change(sentence, action) {
      onChange(sentence)
      onOutput(`→ ${sentence}\n`)
      changed.add(phase.name)
      await action(hands)
      await host.root(
        sh`[ ! -d ${hostFiles.journal.slice(0, hostFiles.journal.lastIndexOf('/'))} ] || echo ${`${formatTime(env.clock.now())}\t${phase.name}\t${sentence}`} >> ${hostFiles.journal}; [ ! -f ${hostFiles.lock} ] || echo ${run.owner} "$(date +%s)" > ${hostFiles.lock}`,
        { signal, what: 'writing the journal' },
      )
    },
  }
}

/** Two programs must not work on one host: the second gets HostBusy, or ForeignCluster when the first is done. */
async function takeLock(run: PhaseRun): Promise<void> {
  const result = await run.host.root(`${ownerCheck(run.owner)}\n${sh`echo ${run.owner} "$(date +%s)" > ${hostFiles.lock}`}`, { signal: run.signal, what: 'locking the host' })
  const fault = ownerFault(result.status, run.host.connection.target.address)
  if (fault) throw fault
}
