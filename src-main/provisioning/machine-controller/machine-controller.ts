/**
 * Keeps hosts as their Machines say. A reconcile is one of: show the host key and wait; connect, preflight and run the
 * phases; look after a node that is up; or remove the host (removal.ts). Everything is taken up again after a cut, a
 * crash or a restart, since each phase asks the host itself what is still to be done.
 */
import { networkProvenCondition } from '../../api/agent.ts'
import { nodes } from '../../api/core/v1/node.ts'
import { pods } from '../../api/core/v1/pod.ts'
import { secrets } from '../../api/core/v1/secret.ts'
import type { Node } from '../../api/generated/core-v1.ts'
import { machineFinalizer, type Machine, type MachinePhase } from '../../api/infra/v1alpha1/machine.ts'
import { machines } from '../../api/infra/v1alpha1/machine-resource.ts'
import type { Client } from '../../client/client.ts'
import { defineController, type ControllerContext, type ControllerDefinition, type Requeue } from '../../controller-runtime/controller.ts'
import { machineFacts } from '../facts/facts.ts'
import { asProvisioningError, isPassing, ProvisioningError } from '../host/errors.ts'
import { readHostKey } from '../host/ssh-connection.ts'
import { phases } from '../phases/phases.ts'
import { runPhases } from '../phases/run-phases.ts'
import { failures, judge, survey } from '../preflight/preflight.ts'
import { networkProof, nodeProblem } from './cluster-side.ts'
import type { Link } from './host-link.ts'
import { phaseRun, type MachineControllerOptions } from './phase-run.ts'
import { removeMachine } from './removal.ts'
import { linkSettings, nodeNameOf } from './settings.ts'
import { createStatusWriter, type StatusWriter } from './status-writer.ts'

/** What was last proven of a machine: the same again needs no work. */
export type Proven = Map<string, { readonly generation: number; readonly serial: number; readonly agent: string }>

/** A link is looked at this often; Node changes come by watch. */
const watchMs = 3_000
const retryMs = 5_000
const secretMs = 500
const retryUserFaultMs = 60_000
/** Hosts worked on at once: the work is waiting for the network and the hosts' disks. */
const workers = 20

export function createMachineController(options: MachineControllerOptions): ControllerDefinition<Machine> {
  const proven: Proven = new Map()
  return defineController<Machine>({
    name: 'machine-controller',
    for: machines,
    watches: [
      {
        resource: nodes,
        keys: (node, { cache }) =>
          cache
            .of(machines)
            .list()
            .filter(machine => nodeNameOf(machine) === node.metadata.name)
            .map(machine => machine.metadata.name ?? ''),
      },
    ],
    writes: [
      { resource: machines, verbs: ['patch', 'update'] },
      { resource: machines, subresource: 'status', verbs: ['patch', 'update'] },
      { resource: secrets, verbs: ['get', 'create'] },
      { resource: nodes, verbs: ['get', 'patch', 'delete'] },
      { resource: nodes, subresource: 'proxy', verbs: ['get'] },
      { resource: pods, verbs: ['get', 'list', 'delete'] },
      { resource: pods, subresource: 'eviction', verbs: ['create'] },
    ],
    workers,
    reconcile: (context, key) => reconcile(options, proven, context, key),
  })
}

async function reconcile(options: MachineControllerOptions, proven: Proven, context: ControllerContext, key: string): Promise<Requeue | undefined> {
  const machine = context.cache.of(machines).get(key)
  if (!machine) {
    options.links.drop(key)
    options.output.forget(key)
    proven.delete(key)
    return undefined
  }
  const writer = createStatusWriter(context.env, context.client, machine)
  try {
    if (machine.metadata.deletionTimestamp !== undefined) {
      proven.delete(key)
      return await removeMachine({ ...options, context, machine, writer })
    }
    if (machine.spec.paused === true) return undefined
    if (!machine.metadata.finalizers?.includes(machineFinalizer)) await addFinalizer(context.client, machine)
    return await bringUp(options, proven, context, machine, writer)
  } catch (fault) {
    return noteFault(options, context, machine, writer, fault)
  } finally {
    await writer.flush()
  }
}

async function addFinalizer(client: Client, machine: Machine): Promise<void> {
  await client.resource(machines).patch(machine.metadata.name ?? '', 'merge', {
    metadata: { resourceVersion: machine.metadata.resourceVersion, finalizers: [...(machine.metadata.finalizers ?? []), machineFinalizer] },
  })
}

async function bringUp(options: MachineControllerOptions, proven: Proven, context: ControllerContext, machine: Machine, writer: StatusWriter): Promise<Requeue | undefined> {
  const key = machine.metadata.name ?? ''
  const generation = machine.metadata.generation ?? 0
  const standing = options.links.current(key)
  const { artifacts } = options
  const isProven = async (link: Link): Promise<boolean> => {
    const known = proven.get(key)
    return known?.generation === generation && known.serial === link.serial && known.agent === (await artifacts.agent()).digest
  }
  if (standing && (await isProven(standing))) return lookAfter(context, machine, writer)
  // Both are packed beside the log-in and the checks; a fault comes again where they are awaited.
  void Promise.all([artifacts.runtime('x64'), artifacts.agent()]).catch(() => undefined)
  const settings = await linkSettings(context.client, machine, options.sshAgent)
  const fingerprint = machine.spec.hostKeyFingerprint
  if (fingerprint === undefined) {
    const seen = await readHostKey({ ...settings, env: options.env, signal: context.signal })
    writer.set({
      phase: 'AwaitingHostKey',
      reason: 'HostKeyUnknown',
      seenHostKeyFingerprint: seen.fingerprint,
      observedGeneration: generation,
      message: `Compare the host key ${seen.fingerprint} (${seen.type}) with the host's own and accept it.`,
    })
    return undefined
  }
  if (!standing && writer.status.phase !== 'Ready' && writer.status.phase !== 'Degraded')
    writer.set({ phase: 'Connecting', reason: undefined, message: `Connecting to ${settings.target.address}.` })
  const link = await options.links.ensure(key, { ...settings, fingerprint }, context.signal)
  writer.set({ seenHostKeyFingerprint: link.connection.hostKey.fingerprint })
  writer.condition('Connected', 'True', 'Connected', `Connected to ${settings.target.address}.`)
  if (!(await isProven(link))) {
    await provision(options, context, machine, writer, link)
    proven.set(key, { generation, serial: link.serial, agent: (await artifacts.agent()).digest })
  }
  return lookAfter(context, machine, writer)
}

/** Preflight, then the phases. On a node that is up already every phase only checks. */
async function provision(options: MachineControllerOptions, context: ControllerContext, machine: Machine, writer: StatusWriter, link: Link): Promise<void> {
  const name = machine.metadata.name ?? ''
  const wasUp = writer.status.phase === 'Ready' || writer.status.phase === 'Degraded'
  const go = (phase: MachinePhase, message: string): void => {
    if (!wasUp) writer.set({ phase, reason: undefined, message, observedGeneration: machine.metadata.generation ?? 0 })
  }
  const stop = stopOnChange(context, machine)
  try {
    go('Preflight', 'Checking the host.')
    const own = await survey(options.env, link.connection, link.host, stop.signal, true)
    const cluster = options.cluster()
    const results = judge(own, [], cluster)
    writer.set({ preflight: results, facts: machineFacts(own.facts) })
    const failed = failures(results)
    const [first] = failed
    if (first) {
      writer.condition('PreflightPassed', 'False', 'CheckFailed', failed.map(result => `${result.title}: ${result.message}`).join(' '))
      throw new ProvisioningError(preflightCode(first.check), failed.map(result => result.message).join(' '), { host: link.connection.target.address, step: 'preflight' })
    }
    writer.condition('PreflightPassed', 'True', 'AllPassed', 'No check failed.')
    go('Provisioning', 'Making the host a node.')
    const run = await phaseRun(options, context.client, machine, link, own.facts, stop.signal, writer)
    await runPhases(phases, run)
    writer.set({ agentVersion: run.artifacts.agent.digest, nodeName: run.nodeName, observedGeneration: machine.metadata.generation ?? 0 })
    options.output.add(name, 'done', `Node ${run.nodeName} is up.\n`)
  } finally {
    stop.end()
  }
}

function preflightCode(check: string): ProvisioningError['code'] {
  const codes: Record<string, ProvisioningError['code']> = {
    distribution: 'UnsupportedDistribution',
    architecture: 'UnsupportedArchitecture',
    'init-system': 'NoSystemd',
    disk: 'DiskFull',
    inodes: 'DiskFull',
    'foreign-cluster': 'ForeignCluster',
    tunnel: 'ForwardingRefused',
  }
  return codes[check] ?? 'PreflightFailed'
}

/** Work on a host ends early when its Machine is deleted, paused or says something else now. */
function stopOnChange(context: ControllerContext, machine: Machine): { signal: AbortSignal; end: () => void } {
  const controller = new AbortController()
  let cancel: () => void = () => undefined
  const onAbort = (): void => {
    controller.abort()
  }
  context.signal.addEventListener('abort', onAbort)
  const look = (): void => {
    const now = context.cache.of(machines).get(machine.metadata.name ?? '')
    if (!now || now.metadata.deletionTimestamp !== undefined || now.spec.paused === true || now.metadata.generation !== machine.metadata.generation) controller.abort()
    else cancel = context.env.clock.after(500, look)
  }
  cancel = context.env.clock.after(500, look)
  return {
    signal: controller.signal,
    end() {
      cancel()
      context.signal.removeEventListener('abort', onAbort)
    },
  }
}

/** A node that is up: its state is the Node's. */
function lookAfter(context: ControllerContext, machine: Machine, writer: StatusWriter): Requeue {
  const node = context.cache.of(nodes).get(nodeNameOf(machine)) as Node | undefined
  const problem = nodeProblem(node)
  const proof = networkProof(node)
  if (proof) writer.condition(networkProvenCondition, proof.proven ? 'True' : 'False', proof.proven ? 'Reached' : 'NotReached', proof.message)
  if (problem === undefined) {
    if (writer.status.phase !== 'Ready') context.events.event(machine, 'Normal', 'NodeReady', `Node ${nodeNameOf(machine)} is ready.`)
    writer.condition('NodeReady', 'True', 'NodeReady', 'The node is ready.')
    writer.set({ phase: 'Ready', reason: undefined, message: 'The node is ready.' })
  } else if (context.cache.of(nodes).get(nodeNameOf(machine)) !== undefined) {
    writer.condition('NodeReady', 'False', 'NodeNotReady', problem)
    writer.set({ phase: 'Degraded', reason: 'NodeNotReady', message: problem })
  }
  return { requeueAfterMs: watchMs }
}

function noteFault(options: MachineControllerOptions, context: ControllerContext, machine: Machine, writer: StatusWriter, fault: unknown): Requeue | undefined {
  const known = asProvisioningError(fault)
  const name = machine.metadata.name ?? ''
  if (known.code === 'Cancelled') return { requeueAfterMs: 100 }
  if (known.code === 'Internal') context.env.log.log('error', 'provisioning failed', { machine: name, fault: known.stack ?? known.message })
  const lost = known.code === 'ConnectionLost' || known.code === 'Unreachable'
  if (lost || known.fingerprint !== undefined || ['AuthenticationFailed', 'NoCommonAlgorithm', 'KeyUnreadable', 'PassphraseWrong'].includes(known.code))
    writer.condition('Connected', 'False', known.code, known.message)
  const wasUp = machine.metadata.deletionTimestamp === undefined && (writer.status.phase === 'Ready' || writer.status.phase === 'Degraded')
  const phase: MachinePhase =
    machine.metadata.deletionTimestamp !== undefined
      ? 'Removing'
      : known.code === 'SecretMissing' && !wasUp
        ? 'Pending'
        : wasUp && (lost || isPassing(known.code))
          ? 'Degraded'
          : 'Failed'
  if (writer.status.reason !== known.code && known.code !== 'SecretMissing') {
    context.events.event(machine, 'Warning', known.code, known.message)
    options.output.add(name, known.place.step ?? 'connect', `✗ ${known.message} ${known.hint}\n`)
  }
  writer.set({
    phase,
    reason: known.code,
    message: `${known.message} ${known.hint}`,
    observedGeneration: machine.metadata.generation ?? 0,
    ...(known.fingerprint === undefined ? {} : { seenHostKeyFingerprint: known.fingerprint }),
  })
  if (known.code === 'SecretMissing') return { requeueAfterMs: secretMs } // usually written a moment after its Machine
  return { requeueAfterMs: isPassing(known.code) ? retryMs : retryUserFaultMs }
}
