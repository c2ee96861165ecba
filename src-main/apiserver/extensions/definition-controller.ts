/**
 * Looks after CustomResourceDefinitions: gives them their names, establishes them, and empties those that are deleted.
 * Part of the API server, as upstream: custom kinds come about without any controller running.
 */
import { updateManagedFields } from '../../api/managed-fields/update.ts'
import { cloneJson } from '../../api/json.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import { groupVersion } from '../../api/meta.ts'
import { cleanupFinalizer, customResourceDefinitions, isConditionTrue } from '../../api/apiextensions/v1/custom-resource-definition.ts'
import { nextStatus, withCondition } from '../../api/apiextensions/v1/naming.ts'
import type { CustomResourceDefinition } from '../../api/generated/apiextensions-v1.ts'
import { storagePrefix } from '../../api/resource.ts'
import type { AnyResource } from '../../api/resource.ts'
import { schemaOf } from '../../api/schema.ts'
import { isConflict, isNotFound } from '../../api/status-error.ts'
import type { UserInfo } from '../../api/request.ts'
import type { Env } from '../../base/env.ts'
import { createWorkQueue } from '../../client/work-queue.ts'
import { deleteObject } from '../registry/deletion.ts'
import type { Registry } from '../registry/registry.ts'
import type { WriteScope } from '../registry/scope.ts'
import { objectOf, prepareEntries, prefixFor } from '../registry/storage.ts'
import type { CustomKinds } from './custom-kinds.ts'

const user: UserInfo = { name: 'system:apiserver', groups: ['system:masters'] }
const manager = 'kube-apiserver'

/** How often a definition that is being deleted looks whether its instances are gone; their finalizers may take long. */
const recheckMs = 500
/** After this the condition says that instances remain. */
const patienceMs = 60_000

export interface DefinitionController {
  stop(): void
}

/** Begins at once with the definitions that there are; `kinds` must be loaded. */
export function startDefinitionController(options: { env: Env; registry: Registry; kinds: CustomKinds }): DefinitionController {
  const { env, registry, kinds } = options
  const stopping = new AbortController()
  const queue = createWorkQueue(env, { initialMs: 100, maxMs: 30_000 })
  const cleaning = new Set<string>()

  const mark = (names: readonly string[]): void => {
    for (const name of names) queue.add(name)
  }

  async function work(): Promise<void> {
    for (let name = await queue.next(); name !== undefined; name = await queue.next()) {
      try {
        await look(name)
        queue.forget(name)
      } catch (fault) {
        // A definition that is gone or was changed meanwhile brings its own event.
        if (isNotFound(fault) || stopping.signal.aborted) queue.forget(name)
        else {
          if (!isConflict(fault)) env.log.log('warn', 'a custom resource definition will be looked at again', { name, fault: String(fault) })
          queue.addRateLimited(name)
        }
      } finally {
        queue.done(name)
      }
    }
  }

  async function look(name: string): Promise<void> {
    const definition = kinds.definitions().find(one => one.metadata.name === name)
    if (!definition) return
    await changeStatus(name, present => {
      const others = kinds.definitions().filter(one => one.metadata.name !== name)
      const status = nextStatus(present, others, env.clock.now())
      return status === undefined ? undefined : { ...present, status }
    })
    if (definition.metadata.deletionTimestamp && definition.metadata.finalizers?.includes(cleanupFinalizer) && !cleaning.has(name)) {
      cleaning.add(name)
      void cleanUp(definition)
        .catch((fault: unknown) => {
          if (stopping.signal.aborted || isNotFound(fault)) return
          env.log.log('warn', 'the instances of a custom resource definition could not be deleted', { name, fault: String(fault) })
          queue.addRateLimited(name)
        })
        .finally(() => cleaning.delete(name))
    }
  }

  /** Writes what `change` makes of the present definition; undefined writes nothing. */
  async function changeStatus(name: string, change: (present: CustomResourceDefinition) => CustomResourceDefinition | undefined): Promise<void> {
    const scope: WriteScope = { resource: customResourceDefinitions, namespace: '', subresource: 'status', user, dryRun: false, warn() {} }
    await registry.update(scope, {
      name,
      whenMissing: 'never',
      retry: true,
      next: async previous => {
        const present = cloneJson(previous) as CustomResourceDefinition
        const next = change(present)
        if (!next) return present
        return updateManagedFields({
          live: previous,
          next: next as KubernetesObject,
          manager,
          subresource: 'status',
          apiVersion: groupVersion(customResourceDefinitions.group, customResourceDefinitions.version),
          schema: schemaOf(customResourceDefinitions),
          now: env.clock.now(),
        })
      },
    })
  }

  const terminating = (name: string, status: 'True' | 'False', reason: string, message: string, isLast = false): Promise<void> =>
    changeStatus(name, present => {
      const conditions = withCondition(present.status?.conditions ?? [], { type: 'Terminating', status, reason, message }, env.clock.now())
      const next: CustomResourceDefinition = { ...present, status: { ...present.status, conditions } }
      if (!isLast) return next
      const finalizers = (present.metadata.finalizers ?? []).filter(finalizer => finalizer !== cleanupFinalizer)
      return { ...next, metadata: { ...present.metadata, finalizers } }
    })

  async function cleanUp(definition: CustomResourceDefinition): Promise<void> {
    const name = definition.metadata.name ?? ''
    if (!isConditionTrue(definition, 'Established')) {
      await terminating(name, 'False', 'NeverEstablished', 'resource was never established', true)
      return
    }
    await terminating(name, 'True', 'InstanceDeletionInProgress', 'CustomResource deletion is in progress')
    const { storage } = kinds.kindOf(definition)
    const began = env.clock.awakeMs()
    for (let told = false; !stopping.signal.aborted;) {
      if ((await deleteInstances(storage)) === 0) break
      if (!told && env.clock.awakeMs() - began > patienceMs) {
        told = true
        await terminating(name, 'True', 'InstanceDeletionCheck', 'could not confirm zero CustomResources remaining: timed out waiting for the condition')
      }
      await env.clock.sleep(recheckMs, stopping.signal)
    }
    await terminating(name, 'False', 'InstanceDeletionCompleted', 'removed all instances', true)
  }

  /** How many remain. */
  async function deleteInstances(resource: AnyResource): Promise<number> {
    const { entries } = await registry.store.list(prefixFor(resource, ''))
    await prepareEntries(resource, entries)
    for (const entry of entries) {
      const { metadata } = objectOf(resource, entry)
      if (metadata.deletionTimestamp) continue
      const scope: WriteScope = { resource, namespace: metadata.namespace ?? '', subresource: '', user, dryRun: false, warn() {} }
      await deleteObject(registry, scope, metadata.name ?? '', {}).catch((fault: unknown) => {
        if (!isNotFound(fault)) throw fault
      })
    }
    return entries.length === 0 ? 0 : registry.store.count(prefixFor(resource, ''))
  }

  /** A change of one may free names that others wait for. */
  function concernedBy(name: string): string[] {
    const group = name.slice(name.indexOf('.') + 1)
    const others = kinds
      .definitions()
      .filter(one => one.spec.group === group && !isConditionTrue(one, 'NamesAccepted'))
      .map(one => one.metadata.name ?? '')
    return [name, ...others]
  }

  const prefix = storagePrefix(customResourceDefinitions)
  let endWatch = (): void => {}
  function follow(): void {
    if (stopping.signal.aborted) return
    endWatch = registry.store.watch(prefix, {
      after: registry.store.revision,
      onEvent: event => {
        // Also without a request: watches of what is no longer declared end now.
        kinds.resources()
        mark([event.entry.key.slice(event.entry.key.lastIndexOf('/') + 1)].flatMap(concernedBy))
      },
      onEnd: reason => {
        if (reason.code !== 'closed') follow()
      },
    })
    mark(kinds.definitions().map(one => one.metadata.name ?? ''))
  }
  follow()
  void work()
  return {
    stop() {
      stopping.abort(new Error('stopped'))
      endWatch()
      void queue.shutDown()
    },
  }
}
