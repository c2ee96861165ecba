/** Stops containers as Kubernetes does: preStop, the stop signal, SIGKILL once the grace period is over; sidecars last. */
import { isSidecar } from '../../api/core/v1/pod-questions.ts'
import type { Container, Pod } from '../../api/generated/core-v1.ts'
import type { RuntimeContainer } from '../container-runtime/runtime.ts'
import type { KubeletContext } from './kubelet-context.ts'
import { runHook } from './lifecycle-hooks.ts'

/** What is left for the process to end after a preStop hook that took all. */
const leastGraceSeconds = 2

/** `graceSeconds` undefined: the pod's own. `message` is the event's; default `Stopping container <name>`. Resolves when all are dead. */
export async function killContainers(
  context: KubeletContext,
  pod: Pod,
  running: readonly RuntimeContainer[],
  graceSeconds: number | undefined,
  message: string | undefined,
): Promise<void> {
  const grace = graceSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? 30
  const sidecars = (pod.spec?.initContainers ?? []).filter(isSidecar).map(container => container.name)
  const startMs = context.env.clock.awakeMs()
  const left = (): number => Math.max(leastGraceSeconds, grace - (context.env.clock.awakeMs() - startMs) / 1000)
  await Promise.all(running.filter(c => !sidecars.includes(c.name)).map(c => killOne(context, pod, c, grace, message)))
  for (const name of sidecars.reverse()) {
    for (const container of running.filter(c => c.name === name)) await killOne(context, pod, container, grace === 0 ? 0 : left(), message)
  }
}

async function killOne(context: KubeletContext, pod: Pod, live: RuntimeContainer, graceSeconds: number, message: string | undefined): Promise<void> {
  const container = specOf(pod, live.name)
  const whole = message !== undefined && message !== 'Stopping container' ? message : `Stopping container ${live.name}`
  const probe = message?.includes('startup probe') ? container?.startupProbe : message?.includes('liveness probe') ? container?.livenessProbe : undefined
  const grace = probe?.terminationGracePeriodSeconds ?? graceSeconds
  context.event(pod, 'Normal', 'Killing', whole, { name: live.name })
  const startMs = context.env.clock.awakeMs()
  const hook = container?.lifecycle?.preStop
  if (hook && container && grace > 0) {
    try {
      const podIP = (await context.runtime.list(pod.metadata.uid)).find(c => c.type === 'sandbox')?.address || context.nodeAddress
      await within(context, grace * 1000, runHook(context.runtime, context.env.clock, hook, { containerID: live.id, container, podIP }, grace * 1000))
    } catch (fault) {
      context.event(pod, 'Warning', 'FailedPreStopHook', 'PreStopHook failed', { name: live.name })
      context.env.log.log('info', 'preStop hook failed', { pod: pod.metadata.name ?? '', container: live.name, fault: String(fault) })
    }
  }
  const spentSeconds = (context.env.clock.awakeMs() - startMs) / 1000
  await context.runtime.stop(live.id, grace === 0 ? 0 : Math.max(leastGraceSeconds, grace - spentSeconds))
}

async function within(context: KubeletContext, ms: number, work: Promise<void>): Promise<void> {
  let cancel = (): void => {}
  const late = new Promise<never>((_resolve, reject) => {
    cancel = context.env.clock.after(ms, () => {
      reject(new Error('the hook took the whole grace period'))
    })
  })
  try {
    await Promise.race([work, late])
  } finally {
    cancel()
  }
}

function specOf(pod: Pod, name: string): Container | undefined {
  return [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? []), ...((pod.spec?.ephemeralContainers ?? []) as Container[])].find(c => c.name === name)
}
