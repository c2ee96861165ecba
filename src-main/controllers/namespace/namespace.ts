/**
 * Empties a namespace that is being deleted, pods first (so that nothing they depend on goes before them), then says so
 * in its conditions, and takes the `kubernetes` finalizer off once nothing is left.
 */
import { namespaces } from '../../api/core/v1/namespace.ts'
import { pods } from '../../api/core/v1/pod.ts'
import type { Namespace } from '../../api/generated/core-v1.ts'
import { deepEqual } from '../../api/json.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import { allVerbs } from '../../api/resource.ts'
import type { AnyResource } from '../../api/resource.ts'
import { isNotFound } from '../../api/status-error.ts'
import { defineController } from '../../controller-runtime/controller.ts'
import type { ControllerContext, ControllerDefinition } from '../../controller-runtime/controller.ts'
import { deletionConditions } from './conditions.ts'
import type { Remaining } from './conditions.ts'

/** Content that is being deleted is looked at again after this; pods may take their whole grace period. */
const recheckMs = 1000
const namespaceFinalizer = 'kubernetes'

/** `resources` gives all kinds served now, custom ones too. */
export function namespaceController(resources: () => readonly AnyResource[]): ControllerDefinition<Namespace> {
  return defineController<Namespace>({
    name: 'namespace-controller',
    for: namespaces,
    writes: [
      { resource: namespaces, subresource: 'finalize' },
      { resource: namespaces, subresource: 'status' },
    ],
    rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['delete', 'deletecollection', 'get', 'list'] }],
    workers: 5,
    async reconcile(context, name) {
      const namespace = context.cache.of(namespaces).get(name)
      if (!namespace?.metadata.deletionTimestamp || (namespace.spec?.finalizers ?? []).length === 0) return
      try {
        return await empty(context, namespace, resources())
      } catch (fault) {
        if (!isNotFound(fault)) throw fault
      }
    },
  })
}

async function empty(context: ControllerContext, namespace: Namespace, resources: readonly AnyResource[]): Promise<{ requeueAfterMs: number } | undefined> {
  const name = namespace.metadata.name ?? ''
  const deletable = resources.filter(r => r.scope === 'Namespaced' && r.storage !== 'virtual' && ['list', 'delete'].every(v => (r.verbs ?? allVerbs).includes(v as 'list')))
  const remaining = { counts: new Map<string, number>(), finalizers: new Map<string, number>(), deletionFaults: [] as string[] }
  await emptyKind(context, pods, name, remaining)
  // Services, volumes and configuration stay while pods still use them.
  if (remaining.counts.size === 0)
    for (const resource of deletable) if (resource.plural !== pods.plural || resource.group !== '') await emptyKind(context, resource, name, remaining)
  const client = context.client.resource(namespaces)
  const conditions = deletionConditions(namespace.status?.conditions ?? [], remaining, context.env.clock.now())
  const done = remaining.counts.size === 0 && remaining.deletionFaults.length === 0
  let live = namespace
  if (!deepEqual(conditions, namespace.status?.conditions) && !(done && namespace.status?.conditions === undefined)) {
    live = await client.updateStatus({ ...namespace, status: { ...namespace.status, phase: 'Terminating', conditions } })
  }
  if (!done) return { requeueAfterMs: recheckMs }
  await client.updateSub(name, 'finalize', { ...live, spec: { ...live.spec, finalizers: (live.spec?.finalizers ?? []).filter(f => f !== namespaceFinalizer) } })
  return undefined
}

async function emptyKind(
  context: ControllerContext,
  resource: AnyResource,
  namespace: string,
  remaining: { counts: Map<string, number>; finalizers: Map<string, number>; deletionFaults: string[] },
): Promise<void> {
  const client = context.client.resource<KubernetesObject>(resource)
  try {
    let left = (await client.list({ namespace })).items
    if (left.length === 0) return
    if ((resource.verbs ?? allVerbs).includes('deletecollection')) await client.deleteCollection({ namespace, propagationPolicy: 'Background' })
    else for (const item of left) await client.delete(item.metadata.name ?? '', { namespace, propagationPolicy: 'Background' }).catch(ignoreNotFound)
    left = (await client.list({ namespace })).items
    if (left.length === 0) return
    remaining.counts.set(`${resource.plural}.${resource.group}`, left.length)
    for (const item of left) for (const finalizer of item.metadata.finalizers ?? []) remaining.finalizers.set(finalizer, (remaining.finalizers.get(finalizer) ?? 0) + 1)
  } catch (fault) {
    if (isNotFound(fault)) return // the kind was removed meanwhile
    remaining.deletionFaults.push(fault instanceof Error ? fault.message : String(fault))
  }
}

function ignoreNotFound(fault: unknown): void {
  if (!isNotFound(fault)) throw fault
}

export type { Remaining }
