/** Practice hosts for the window: containers as hosts, then Machines exactly as the wizard makes them. */
import { BridgeError } from '../api/bridge.ts'
import type { PracticeProgress } from '../api/bridge.ts'
import { machines } from '../api/infra/v1alpha1/machine-resource.ts'
import type { Machine } from '../api/infra/v1alpha1/machine.ts'
import type { Env } from '../base/env.ts'
import type { Client } from '../client/client.ts'
import { isNotFound } from '../api/status-error.ts'
import { dockerIsHere } from '../provisioning/practice/docker.ts'
import { removeHosts, startHosts } from '../provisioning/practice/hosts.ts'
import type { Provisioning } from '../provisioning/provisioning.ts'

const setName = 'practice'
const namePrefix = `quarterdeck-${setName}-`
const pollMs = 1000
/** Image building the first time and the installation of Docker take minutes; an hour means that it hangs. */
const maxWaitMs = 60 * 60_000

export interface PracticeParts { env: Env; client: Client; provisioning: Provisioning }

export async function* practiceUp(parts: PracticeParts, hosts: number, signal: AbortSignal): AsyncGenerator<PracticeProgress> {
  await needDocker()
  const said: string[] = []
  let wake = (): void => {}
  let set: Awaited<ReturnType<typeof startHosts>> | undefined
  let fault: unknown
  const started = startHosts({ set: setName, count: hosts, onProgress: message => { said.push(message); wake() }, signal }).then(done => { set = done }, (error: unknown) => { fault = error ?? new Error('the hosts did not start') }).finally(() => { wake() })
  while (!set && fault === undefined) {
    for (const message of said.splice(0)) yield { state: 'running', message }
    await new Promise<void>(resolve => { wake = resolve; if (said.length > 0 || set || fault !== undefined) resolve() })
  }
  await started
  for (const message of said.splice(0)) yield { state: 'running', message }
  if (!set) throw fault
  yield { state: 'running', message: `${set.hosts.length} hosts are up: turning them into nodes`, hosts: set.hosts.length }
  const made = await parts.provisioning.apply({ credentials: { privateKey: set.privateKey }, hosts: set.hosts.map(h => ({ user: 'root', address: h.address, port: h.port, fingerprint: h.fingerprint, name: h.name })) }, signal)
  yield* untilReady(parts, made.machines.map(m => m.metadata.name ?? ''), signal)
}

/** Says each change of phase or step; ends when all are Ready, or when one failed for good and none is at work. */
async function* untilReady(parts: PracticeParts, names: string[], signal: AbortSignal): AsyncGenerator<PracticeProgress> {
  const last = new Map<string, string>()
  const endMs = parts.env.clock.awakeMs() + maxWaitMs
  while (!signal.aborted && parts.env.clock.awakeMs() < endMs) {
    const now = await Promise.all(names.map(name => parts.client.resource(machines).get(name)))
    for (const machine of now) {
      const text = lineOf(machine)
      if (last.get(machine.metadata.name ?? '') !== text) { last.set(machine.metadata.name ?? '', text); yield { state: machine.status?.phase === 'Failed' ? 'failed' : 'running', message: text } }
    }
    if (now.every(m => m.status?.phase === 'Ready')) { yield { state: 'ready', message: `${names.length} nodes are Ready`, hosts: names.length }; return }
    if (now.every(m => m.status?.phase === 'Ready' || m.status?.phase === 'Failed')) { yield { state: 'failed', message: 'Not every node could be made; see Machines for the cause' }; return }
    await parts.env.clock.sleep(pollMs, signal)
  }
}

function lineOf(machine: Machine): string {
  const step = machine.status?.steps?.find(s => s.state === 'running')
  const what = machine.status?.phase === 'Failed' ? `: ${machine.status.message ?? ''}` : step ? `: ${step.title}` : ''
  return `${machine.metadata.name ?? ''} ${machine.status?.phase ?? 'Pending'}${what}`
}

export async function* practiceDown(parts: PracticeParts, signal: AbortSignal): AsyncGenerator<PracticeProgress> {
  await needDocker()
  const all = await parts.client.resource(machines).list({ signal })
  for (const machine of all.items) {
    const name = machine.metadata.name ?? ''
    if (!name.startsWith(namePrefix)) continue
    yield { state: 'running', message: `Removing ${name}` }
    try {
      // The host is thrown away as a whole: cleaning it first would only cost time.
      await parts.client.resource(machines).patch(name, 'merge', { spec: { forceRemove: true } })
      await parts.client.resource(machines).delete(name)
    } catch (error) { if (!isNotFound(error)) throw error }
  }
  await removeHosts(setName)
  yield { state: 'removed', message: 'The practice hosts are removed' }
}

async function needDocker(): Promise<void> {
  if (!(await dockerIsHere())) throw new BridgeError('unavailable', 'Docker does not answer on this computer', 'Start Docker, or install it, and try again.')
}
