/**
 * Removing a host: cordon, drain, undo every phase, delete the Node, look for leftovers, let the Machine go. A host that
 * cannot be reached stays in phase Removing until it can, or until spec.forceRemove says that it is dead.
 */
import { nodes } from '../../api/core/v1/node.ts'
import type { Node } from '../../api/generated/core-v1.ts'
import { machineFinalizer, type Machine } from '../../api/infra/v1alpha1/machine.ts'
import { machines } from '../../api/infra/v1alpha1/machine-resource.ts'
import { isNotFound } from '../../api/status-error.ts'
import type { ControllerContext, Requeue } from '../../controller-runtime/controller.ts'
import { asProvisioningError, ProvisioningError } from '../host/errors.ts'
import { findLeftovers } from '../phases/leftovers.ts'
import { phases } from '../phases/phases.ts'
import { undoPhases } from '../phases/run-phases.ts'
import { survey } from '../preflight/preflight.ts'
import { cordon, deleteNode, evictOnce, nodeProblem } from './cluster-side.ts'
import { phaseRun, type MachineControllerOptions } from './phase-run.ts'
import { linkSettings, nodeNameOf } from './settings.ts'
import type { StatusWriter } from './status-writer.ts'

export interface Removal extends MachineControllerOptions {
  readonly context: ControllerContext
  readonly machine: Machine
  readonly writer: StatusWriter
}

const drainPollMs = 1_000

/** One step of the way; called again until the finalizer is gone. */
export async function removeMachine(removal: Removal): Promise<Requeue | undefined> {
  const { context, machine, writer, output } = removal
  const name = machine.metadata.name ?? ''
  if (!machine.metadata.finalizers?.includes(machineFinalizer)) return undefined
  if (writer.status.phase !== 'Removing') writer.set({ phase: 'Removing', reason: undefined, message: 'Moving the pods away.' })
  if (machine.spec.forceRemove === true) {
    await deleteNode(context.client, nodeNameOf(machine))
    return letGo(removal, [])
  }
  const neverTouched = machine.spec.hostKeyFingerprint === undefined || (writer.status.steps ?? []).length === 0
  if (neverTouched) return letGo(removal, [])
  const drained = await drain(removal)
  if (!drained) return { requeueAfterMs: drainPollMs }
  writer.set({ reason: undefined, message: 'Cleaning the host.' })
  const settings = await linkSettings(context.client, machine, removal.sshAgent)
  const link = await removal.links.ensure(name, { ...settings, fingerprint: machine.spec.hostKeyFingerprint ?? '' }, context.signal)
  const { facts } = await survey(removal.env, link.connection, link.host, context.signal, true)
  const run = await phaseRun(removal, context.client, machine, link, facts, context.signal, writer)
  const undoFault = await undoPhases(phases, run).then(
    () => undefined,
    fault => asProvisioningError(fault),
  )
  if (undoFault && (undoFault.code === 'ConnectionLost' || undoFault.code === 'Cancelled')) throw undoFault
  await deleteNode(context.client, nodeNameOf(machine))
  const leftovers = await findLeftovers(link.host, context.signal)
  output.add(name, 'leftovers', leftovers.length === 0 ? '0 leftovers\n' : `${leftovers.length} leftovers:\n${leftovers.join('\n')}\n`)
  writer.set({ leftovers })
  if (undoFault) throw undoFault
  if (leftovers.length > 0)
    throw new ProvisioningError('CommandFailed', `${leftovers.length} things are left on the host: ${leftovers.slice(0, 5).join(', ')}.`, {
      host: link.connection.target.address,
      step: 'leftovers',
    })
  return letGo(removal, leftovers)
}

/** True when no pod is left that a drain moves. A node whose agent is silent has nobody to stop its pods: it is not waited for. */
async function drain({ context, machine, writer, output }: Removal): Promise<boolean> {
  const nodeName = nodeNameOf(machine)
  const node = context.cache.of(nodes).get(nodeName) as Node | undefined
  if (!node) return true
  if (node.spec?.unschedulable !== true) {
    await cordon(context.client, nodeName)
    output.add(machine.metadata.name ?? '', 'drain', `→ Cordon node ${nodeName} and move its pods away\n`)
  }
  const { left, blocked } = await evictOnce(context.client, nodeName)
  if (left === 0 || nodeProblem(node) !== undefined) return true
  if (blocked.length > 0)
    writer.set({ reason: 'DrainBlocked', message: `A PodDisruptionBudget keeps ${blocked.slice(0, 5).join(', ')} on the node. ${new ProvisioningError('DrainBlocked', '').hint}` })
  else writer.set({ reason: undefined, message: `Waiting for ${left} pod${left === 1 ? '' : 's'} to move away.` })
  return false
}

async function letGo({ context, machine, writer, links, output }: Removal, leftovers: string[]): Promise<undefined> {
  const name = machine.metadata.name ?? ''
  writer.set({ leftovers, message: machine.spec.forceRemove === true ? 'Forgotten; the host was not touched.' : `Removed with ${leftovers.length} leftovers.` })
  await writer.flush()
  context.events.event(
    machine,
    'Normal',
    'Removed',
    machine.spec.forceRemove === true ? 'The host was forgotten without being touched.' : `The host was cleaned with ${leftovers.length} leftovers.`,
  )
  links.drop(name)
  output.forget(name)
  await context.client
    .resource(machines)
    .patch(name, 'merge', { metadata: { finalizers: (machine.metadata.finalizers ?? []).filter(finalizer => finalizer !== machineFinalizer) } })
    .catch((fault: unknown) => {
      if (!isNotFound(fault)) throw fault
    })
  return undefined
}
