/**
 * Practice hosts: local containers that become nodes through the very same path as any server, so that anyone sees the
 * whole thing work. `up` makes hosts and Machines and waits until all are Ready; `down` removes both.
 */
import type { HostsInput, PracticeProgress } from '../../api/bridge.ts'
import type { Machine } from '../../api/infra/v1alpha1/machine.ts'
import { machines } from '../../api/infra/v1alpha1/machine-resource.ts'
import { isNotFound } from '../../api/status-error.ts'
import type { Env } from '../../base/env.ts'
import type { Client } from '../../client/client.ts'
import { isPassing, type ProvisioningErrorCode } from '../host/errors.ts'
import { dockerIsHere } from './docker.ts'
import { removeHosts, startHosts } from './hosts.ts'

export interface PracticeOptions {
  readonly env: Env
  readonly client: Client
  /** Creates Machines and their Secrets: provisioning's own `apply`. */
  readonly apply: (input: HostsInput) => Promise<{ machines: Machine[] }>
}

export interface Practice {
  up(input: { hosts: number }, signal: AbortSignal): AsyncIterable<PracticeProgress>
  down(signal: AbortSignal): AsyncIterable<PracticeProgress>
}

const set = 'practice'
const prefix = 'practice-'
const practiceName = /^practice-\d+$/
const pollMs = 500
/** Two hosts take half a minute; a slow computer with eight gets ten. */
const readyTimeoutMs = 600_000
const goneTimeoutMs = 60_000

export function createPractice(options: PracticeOptions): Practice {
  return { up: (input, signal) => up(options, input.hosts, signal), down: signal => down(options, signal) }
}

async function* up(options: PracticeOptions, count: number, signal: AbortSignal): AsyncGenerator<PracticeProgress> {
  if (!(await dockerIsHere())) {
    yield { state: 'failed', message: 'Docker does not answer on this computer. Install and start Docker, then try again.' }
    return
  }
  try {
    // Hosts that are this cluster's nodes already keep their images and pods.
    const known = (await options.client.resource(machines).list()).items.filter(machine => practiceName.test(machine.metadata.name ?? '')).length
    const started = yield* withProgress<Awaited<ReturnType<typeof startHosts>>>(tell =>
      startHosts({
        set,
        count,
        withDocker: true,
        keep: known === count,
        signal,
        onProgress: message => {
          tell({ state: 'running', message })
        },
      }),
    )
    const hosts = started.hosts.map((host, at) => ({ name: `${prefix}${at + 1}`, user: 'root', address: host.address, port: host.port, fingerprint: host.fingerprint }))
    yield { state: 'running', message: 'Making the hosts nodes of the cluster', hosts: count }
    await options.apply({ hosts, credentials: { privateKey: started.privateKey } })
    yield* waitReady(
      options,
      hosts.map(host => host.name),
      signal,
    )
  } catch (fault) {
    yield { state: 'failed', message: fault instanceof Error ? fault.message : String(fault) }
  }
}

async function* waitReady({ env, client }: PracticeOptions, names: readonly string[], signal: AbortSignal): AsyncGenerator<PracticeProgress> {
  const deadline = env.clock.awakeMs() + readyTimeoutMs
  const told = new Map<string, string>()
  for (;;) {
    const all = await Promise.all(names.map(name => client.resource(machines).get(name)))
    for (const machine of all) {
      const name = machine.metadata.name ?? ''
      const step = machine.status?.steps?.find(one => one.state === 'running')
      const text = `${name}: ${step?.title ?? machine.status?.message ?? 'waiting'}`
      if (told.get(name) !== text) yield { state: 'running', message: text, hosts: names.length }
      told.set(name, text)
      const failed =
        machine.status?.phase === 'Failed' && machine.status.observedGeneration === machine.metadata.generation && !isPassing(machine.status.reason as ProvisioningErrorCode)
      if (failed) {
        yield { state: 'failed', message: `${name}: ${machine.status?.message ?? 'failed'}`, hosts: names.length }
        return
      }
    }
    if (all.every(machine => machine.status?.phase === 'Ready')) break
    if (env.clock.awakeMs() > deadline) {
      yield { state: 'failed', message: `The hosts did not become ready within ${readyTimeoutMs / 60_000} minutes.`, hosts: names.length }
      return
    }
    await env.clock.sleep(pollMs, signal)
  }
  yield { state: 'ready', message: `${names.length} practice ${names.length === 1 ? 'node is' : 'nodes are'} ready.`, hosts: names.length }
}

async function* down(options: PracticeOptions, signal: AbortSignal): AsyncGenerator<PracticeProgress> {
  const { client, env } = options
  try {
    yield { state: 'running', message: 'Removing the practice nodes' }
    const names = (await client.resource(machines).list()).items.map(machine => machine.metadata.name ?? '').filter(name => practiceName.test(name))
    for (const name of names) {
      // The hosts vanish in a moment: nothing needs to be cleaned on them.
      await client.resource(machines).patch(name, 'merge', { spec: { forceRemove: true } })
      await client.resource(machines).delete(name)
    }
    const deadline = env.clock.awakeMs() + goneTimeoutMs
    while ((await present(client, names)) && env.clock.awakeMs() < deadline) await env.clock.sleep(pollMs, signal)
    yield { state: 'running', message: 'Removing the practice hosts' }
    await removeHosts(set)
    yield { state: 'removed', message: 'The practice hosts are gone.', hosts: 0 }
  } catch (fault) {
    yield { state: 'failed', message: fault instanceof Error ? fault.message : String(fault) }
  }
}

async function present(client: Client, names: readonly string[]): Promise<boolean> {
  const found = await Promise.all(
    names.map(name =>
      client
        .resource(machines)
        .get(name)
        .then(
          () => true,
          (fault: unknown) => {
            if (isNotFound(fault)) return false
            throw fault
          },
        ),
    ),
  )
  return found.some(Boolean)
}

/** Removes the hosts alone, for when no control plane runs any more. */
export async function removePracticeHosts(): Promise<void> {
  await removeHosts(set)
}

/** Runs `work`, giving on what it tells while it runs, and returns its result. */
async function* withProgress<T>(work: (tell: (item: PracticeProgress) => void) => Promise<T>): AsyncGenerator<PracticeProgress, T> {
  const items: PracticeProgress[] = []
  let wake: () => void = () => undefined
  let over = false
  const result = work(item => {
    items.push(item)
    wake()
  }).finally(() => {
    over = true
    wake()
  })
  result.catch(() => undefined) // thrown below, after what was told has been given on
  while (!over || items.length > 0) {
    const item = items.shift()
    if (item) yield item
    else if (!over)
      await new Promise<void>(resolve => {
        wake = resolve
      })
  }
  return result
}
