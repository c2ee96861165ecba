/** Tells agents by an annotation for how long they may use what they read of ConfigMaps and Secrets: longer in bigger clusters. */
import { nodes } from '../../api/core/v1/node.ts'
import type { Node } from '../../api/generated/core-v1.ts'
import { isNotFound } from '../../api/status-error.ts'
import { defineController } from '../../controller-runtime/controller.ts'

export const ttlAnnotation = 'node.alpha.kubernetes.io/ttl'

/** Steps overlap, so that a cluster whose size changes a little does not rewrite all its nodes. */
const steps = [
  { least: 0, most: 100, seconds: 0 },
  { least: 90, most: 500, seconds: 15 },
  { least: 450, most: 1000, seconds: 30 },
  { least: 900, most: 2000, seconds: 60 },
  { least: 1800, most: Infinity, seconds: 300 },
] as const

/** The step for `count` nodes, coming from `step`. Pure. */
export function nextStep(step: number, count: number): number {
  let next = step
  while (count > (steps[next]?.most ?? Infinity)) next++
  while (count < (steps[next]?.least ?? 0)) next--
  return next
}

/** A controller of its own for each cluster: it remembers the step it is on. */
export function nodeTtlController() {
  let step = 0
  return defineController<Node>({
    name: 'ttl-controller',
    for: nodes,
    writes: [{ resource: nodes, verbs: ['patch'] }],
    workers: 1,
    async reconcile({ cache, client }, key) {
      const lister = cache.of(nodes)
      const node = lister.get(key)
      if (!node) return
      step = nextStep(step, lister.list().length)
      const wanted = String(steps[step]?.seconds ?? 0)
      if (node.metadata.annotations?.[ttlAnnotation] === wanted) return
      try {
        await client.resource(nodes).patch(key, 'merge', { metadata: { annotations: { [ttlAnnotation]: wanted } } })
      } catch (fault) {
        if (!isNotFound(fault)) throw fault
      }
    },
  })
}
