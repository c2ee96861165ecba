/**
 * C1 of RELIABILITY.md, as a laptop meets it: one node had already been out of reach for half a grace period, another one
 * was already tainted, the lid closes, and after it opens the tunnels take their time. Nobody who was silent for less than
 * a whole awake grace period since then may be called lost, and nobody may be evicted for time that was slept.
 */
import { nodes } from '../../src-main/api/resources.ts'
import type { Node } from '../../src-main/api/generated/core-v1.ts'
import type { Inside, Steps } from './simulation.ts'

export const sleeps = { '10 s': 10_000, '10 min': 600_000, '8 h': 8 * 3_600_000, '3 days': 72 * 3_600_000 } as const

/** Less than the grace of 50 s; twice this is more. */
const halfGraceMs = 30_000
/** Long enough to be tainted, far below the toleration of 300 s. */
const partOfTolerationMs = 200_000
/** Silence of 50 s, a look every 5 s, and the age that the last lease may have had. */
const surelyTaintedMs = 70_000

type Host = Inside['hosts'][number]

function cutOff(inside: Inside, host: Host): void {
  host.silentSinceMs ??= inside.env.clock.awakeMs()
  inside.network.partition(host.name)
}

async function isTainted(inside: Inside, host: Host): Promise<boolean> {
  const entry = await inside.plane.store?.get(`/core/nodes//${host.name}`)
  return (entry?.object as Node | undefined)?.spec?.taints?.some(taint => taint.key === 'node.kubernetes.io/unreachable' && taint.effect === 'NoExecute') ?? false
}

/** Waits until the host is tainted; says a violation when it is not in time. */
async function expectTainted(inside: Inside, steps: Steps, host: Host, what: string): Promise<void> {
  for (let ms = 0; ms < surelyTaintedMs && !(await isTainted(inside, host)); ms += 1_000) await steps.pass(1_000)
  if (!(await isTainted(inside, host))) inside.journal.violate('I6', `${what}: ${host.name} is silent and never tainted`)
}

/**
 * `blocked`: the monotonic clock goes on meanwhile, as where it counts sleep or when the process only stood still.
 * Returns the awake time of waking.
 */
async function sleep(inside: Inside, steps: Steps, ms: number, blocked: boolean): Promise<number> {
  const { plane, env, network, evictions } = inside
  plane.pause(blocked)
  env.jump(ms)
  await steps.pass(blocked ? 90_000 : 5_000)
  network.endWatches('cut', () => true)
  plane.resume()
  evictions.disturb()
  return env.clock.awakeMs()
}

export function sleepScenario(sleptMs: number, blocked: boolean): (inside: Inside, steps: Steps) => Promise<void> {
  return async (inside, steps) => {
    const [lost, late] = inside.hosts
    if (!lost || !late) throw new Error('two hosts are needed')
    const { user } = steps
    await steps.during(user.create(...user.replicated(6)))
    await steps.converge('before the sleep')
    cutOff(inside, lost)
    await expectTainted(inside, steps, lost, 'before the sleep')
    await steps.pass(partOfTolerationMs - halfGraceMs)
    cutOff(inside, late)
    await steps.pass(halfGraceMs)
    const wokeMs = await sleep(inside, steps, sleptMs, blocked)
    // The checkers of evictions.ts refuse a taint or an eviction that comes too early.
    await steps.pass(halfGraceMs)
    await expectTainted(inside, steps, late, 'after the sleep')
    inside.network.heal(late.name)
    // What was lost before stays lost: its pods go when their toleration has passed, anew, after the wake.
    await steps.pass(320_000 - (inside.env.clock.awakeMs() - wokeMs))
    if (inside.evictions.evictions === 0) inside.journal.violate('I6', `${lost.name} is lost and its pods were never evicted`)
    inside.network.heal(lost.name)
    await steps.converge('after the sleep')
  }
}

/** Every node answers all the time: nothing may happen to any of them. */
export function undisturbedSleepScenario(sleptMs: number, blocked: boolean): (inside: Inside, steps: Steps) => Promise<void> {
  return async (inside, steps) => {
    const { user } = steps
    await steps.during(user.create(...user.replicated(6)))
    await steps.converge('before the sleep')
    const began = new Map(inside.hosts.flatMap(host => [...host.containers.keys()].map(uid => [uid, host.name])))
    await sleep(inside, steps, sleptMs, blocked)
    await steps.pass(surelyTaintedMs)
    await steps.converge('after the sleep')
    for (const [uid, name] of began) {
      if (!inside.hosts.some(host => host.name === name && host.containers.has(uid))) inside.journal.violate('I5', `a container of ${name} did not outlive the sleep`)
    }
    const { items } = await steps.during(user.client.resource(nodes).list())
    for (const node of items) if (node.spec?.taints?.length) inside.journal.violate('I5', `${node.metadata.name ?? ''} is tainted after a sleep`)
  }
}
