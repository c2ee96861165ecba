/**
 * How a controller is declared. Level-triggered: `reconcile` gets only a key and reads everything from the cache; it
 * throws to be retried with back-off, returns `{ requeueAfterMs }` to be called again later. One key is never
 * reconciled twice at a time.
 */
import type { AnyResource, ResourceDefinition } from '../api/resource.ts'
import type { KubernetesObject } from '../api/meta.ts'
import type { Env } from '../base/env.ts'
import type { Client } from '../client/client.ts'
import type { Lister, Informer } from '../client/informer.ts'
import type { SharedInformerFactory } from '../client/informers.ts'
import type { PolicyRule } from '../api/generated/rbac-v1.ts'

export interface Cache {
  /** The informer of a declared input; throws an assertion where the controller did not declare it. */
  of<T extends KubernetesObject>(resource: ResourceDefinition<T>): Lister<T>
}

export interface EventRecorder {
  /** Writes (or counts up) an Event about `object`. Never throws, never blocks. */
  event(object: KubernetesObject, type: 'Normal' | 'Warning', reason: string, message: string): void
}

export interface ControllerContext {
  readonly env: Env
  readonly client: Client
  readonly cache: Cache
  readonly events: EventRecorder
  readonly signal: AbortSignal
}

export interface Requeue {
  readonly requeueAfterMs: number
}

/** A further input: changes of `resource` wake the keys that `keys` names. */
export interface WatchInput<T extends KubernetesObject = KubernetesObject> {
  readonly resource: ResourceDefinition<T>
  /** Keys of the controlled kind to reconcile after a change; `previous` on updates. */
  keys(object: T, context: { cache: Cache }, previous?: T): readonly string[]
}

export interface ControllerDefinition<T extends KubernetesObject = KubernetesObject> {
  /** Kubernetes' name of it: `replicaset-controller`. Also the name of its user: system:serviceaccount:kube-system:<name>. */
  readonly name: string
  readonly for: ResourceDefinition<T>
  /** Objects with a controller owner reference to `for` wake their owner. */
  readonly owns?: readonly AnyResource[]
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- inputs of unlike kinds in one list
  readonly watches?: readonly WatchInput<any>[]
  /** Read through the cache without waking anything. */
  readonly reads?: readonly AnyResource[]
  /** What it may write, `resource` or `resource/subresource`; its RBAC role is derived from these and the inputs. */
  readonly writes: readonly { readonly resource: AnyResource; readonly subresource?: string; readonly verbs?: readonly string[] }[]
  /** RBAC rules that cannot be told by kinds: a controller that works on all kinds. */
  readonly rules?: readonly PolicyRule[]
  readonly workers: number
  /** Indexes it needs on its inputs. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- indexes of unlike kinds in one list
  readonly indexes?: readonly { readonly resource: AnyResource; readonly name: string; readonly values: (object: any) => readonly string[] }[]
  reconcile(context: ControllerContext, key: string): Promise<Requeue | undefined | void>
}

export function defineController<T extends KubernetesObject>(definition: ControllerDefinition<T>): ControllerDefinition<T> {
  return definition
}

/** A component that does not reconcile keys of one kind (the garbage collector, the scheduler): it runs until the signal is aborted. */
export interface RunnableDefinition {
  readonly name: string
  /** Its RBAC rules, besides those of events. */
  readonly rules: readonly PolicyRule[]
  /** Started again after a back-off if it throws. Resolves once the signal is aborted and its work is done. */
  run(context: RunnableContext): Promise<void>
}

export interface RunnableContext {
  readonly env: Env
  readonly client: Client
  readonly informers: SharedInformerFactory
  readonly events: EventRecorder
  readonly signal: AbortSignal
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- controllers of unlike kinds in one list
export type AnyController = ControllerDefinition<any> | RunnableDefinition

/** Thrown by reconcile: wrong for good until the object changes; no retry. */
export class TerminalError extends Error {}

export interface InformerFactory {
  /** One shared informer a resource. */
  informer<T extends KubernetesObject>(resource: ResourceDefinition<T>): Informer<T>
}
