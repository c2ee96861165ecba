/** postStart and preStop. */
import type { Container, LifecycleHandler } from '../../api/generated/core-v1.ts'
import type { Clock } from '../../base/env.ts'
import type { ContainerRuntime } from '../container-runtime/runtime.ts'
import { httpProbe, runCommand } from './probe-runner.ts'

/** Resolves when the hook has succeeded; throws with why it did not. */
export async function runHook(
  runtime: ContainerRuntime,
  clock: Clock,
  handler: LifecycleHandler,
  target: { containerID: string; container: Container; podIP: string },
  timeoutMs: number,
): Promise<void> {
  if (handler.exec) {
    const result = await runCommand(runtime, clock, target.containerID, handler.exec.command ?? [], timeoutMs)
    if (result.timedOut) throw new Error(`command '${(handler.exec.command ?? []).join(' ')}' timed out`)
    if (result.exitCode !== 0) throw new Error(`command '${(handler.exec.command ?? []).join(' ')}' exited with ${result.exitCode}: ${result.output}`)
  } else if (handler.httpGet) {
    const result = await httpProbe(handler.httpGet, target, timeoutMs)
    // As upstream: any answer will do but a failure to connect or an error status.
    if (result.kind !== 'success') throw new Error(result.message)
  } else if (handler.sleep) {
    await clock.sleep(Math.min(timeoutMs, (handler.sleep.seconds ?? 0) * 1000))
  }
}
