/** Deletes jobs that ended longer ago than their ttlSecondsAfterFinished. */
import { jobs } from '../../api/batch/v1/job.ts'
import type { Job } from '../../api/generated/batch-v1.ts'
import { isNotFound } from '../../api/status-error.ts'
import { parseTime } from '../../api/time.ts'
import { defineController } from '../../controller-runtime/controller.ts'

export const ttlAfterFinishedController = defineController<Job>({
  name: 'ttl-after-finished-controller',
  for: jobs,
  writes: [{ resource: jobs, verbs: ['get', 'delete'] }],
  workers: 2,
  async reconcile({ cache, client, env }, key) {
    const job = cache.of(jobs).get(key)
    const leftMs = job && timeLeftMs(job, env.clock.now())
    if (!job || leftMs === undefined) return
    if (leftMs > 0) return { requeueAfterMs: leftMs }
    const { name = '', namespace = '' } = job.metadata
    try {
      // Somebody may just have given it more time.
      const fresh = await client.resource(jobs).get(name, { namespace })
      const freshMs = timeLeftMs(fresh, env.clock.now())
      if (freshMs === undefined) return
      if (freshMs > 0) return { requeueAfterMs: freshMs }
      const { uid } = fresh.metadata
      await client.resource(jobs).delete(name, { namespace, propagationPolicy: 'Foreground', ...(uid ? { preconditions: { uid } } : {}) })
    } catch (fault) {
      if (!isNotFound(fault)) throw fault
    }
  },
})

/** Milliseconds until a job may go, 0 or less when it is due; undefined when it stays. Pure. */
export function timeLeftMs(job: Job, nowMs: number): number | undefined {
  const seconds = job.spec?.ttlSecondsAfterFinished
  if (seconds === undefined || job.metadata.deletionTimestamp) return undefined
  const ended = job.status?.conditions?.find(c => (c.type === 'Complete' || c.type === 'Failed') && c.status === 'True')?.lastTransitionTime
  return ended === undefined ? undefined : parseTime(ended) + seconds * 1000 - nowMs
}
