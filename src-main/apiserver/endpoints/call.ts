/** One authenticated and authorized resource request on its way through an endpoint. */
import type { Env } from '../../base/env.ts'
import type { AnyResource } from '../../api/resource.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import type { ApiRequest, UserInfo } from '../../api/request.ts'
import type { AdmissionAttributes, AdmissionOperation, AdmissionPlugin, RequestInfo } from '../contracts.ts'
import type { Registry } from '../registry/registry.ts'
import type { WriteScope } from '../registry/scope.ts'
import type { RequestMetrics } from './request-metrics.ts'

export interface Call {
  readonly env: Env
  readonly registry: Registry
  readonly resource: AnyResource
  readonly request: ApiRequest
  readonly info: RequestInfo
  readonly user: UserInfo
  readonly admission: readonly AdmissionPlugin[]
  /** Texts for Warning headers. */
  readonly warnings: string[]
  readonly metrics: RequestMetrics
  /** Adds an annotation to the audit event; absent where nobody audits. */
  readonly annotate?: (key: string, value: string) => void
  /** Resolves with the declaration of another kind (Scale's parent, pods of an eviction). */
  resourceByKey(key: string): AnyResource | undefined
}

export function warn(call: Call, text: string): void {
  if (!call.warnings.includes(text)) call.warnings.push(text)
}

/** The agent's name before its first slash: the default field manager. */
export function managerOf(call: Call): string {
  const given = call.info.query.get('fieldManager')
  if (given) return given
  const agent = call.request.headers['user-agent'] ?? ''
  return (agent.split('/')[0] ?? '').slice(0, 128) || 'unknown'
}

export interface AdmissionInput {
  readonly operation: AdmissionOperation
  readonly name: string
  readonly object: KubernetesObject | undefined
  readonly previous: KubernetesObject | undefined
  readonly options: Readonly<Record<string, unknown>>
  readonly dryRun: boolean
  readonly namespace?: string
  readonly subresource?: string
  readonly resource?: AnyResource
}

export function admissionAttributes(call: Call, input: AdmissionInput): AdmissionAttributes {
  return {
    operation: input.operation,
    resource: input.resource ?? call.resource,
    subresource: input.subresource ?? call.info.subresource,
    namespace: input.namespace ?? call.info.namespace,
    name: input.name,
    object: input.object,
    previous: input.previous,
    options: input.options,
    user: call.user,
    dryRun: input.dryRun,
    reinvocation: { active: false, wanted: false, state: new Map() },
    annotate: (key, value) => {
      call.annotate?.(key, value)
    },
    warn: text => {
      warn(call, text)
    },
  }
}

/** Runs the mutating plugins in order; resolves with the object as they left it. */
export function mutate(call: Call, attributes: AdmissionAttributes): Promise<KubernetesObject | undefined> {
  return timed(call, 'admit', attributes, runMutating)
}

async function runMutating(call: Call, attributes: AdmissionAttributes): Promise<KubernetesObject | undefined> {
  // Most plugins have one half only: waiting for what is not there would cost a turn each.
  for (const plugin of call.admission) if (plugin.mutate) await plugin.mutate(attributes)
  if (attributes.reinvocation.wanted) {
    attributes.reinvocation.active = true
    for (const plugin of call.admission) if (plugin.mutate) await plugin.mutate(attributes)
  }
  return attributes.object
}

export function validateAdmission(call: Call, attributes: AdmissionAttributes): Promise<void> {
  return timed(call, 'validate', attributes, runValidating)
}

async function timed<T>(call: Call, step: 'admit' | 'validate', attributes: AdmissionAttributes, run: (call: Call, attributes: AdmissionAttributes) => Promise<T>): Promise<T> {
  const { clock } = call.env
  const began = clock.awakeMs()
  try {
    const result = await run(call, attributes)
    call.metrics.admitted(step, attributes.operation, false, (clock.awakeMs() - began) / 1_000)
    return result
  } catch (fault) {
    call.metrics.admitted(step, attributes.operation, true, (clock.awakeMs() - began) / 1_000)
    throw fault
  }
}

async function runValidating(call: Call, attributes: AdmissionAttributes): Promise<void> {
  for (const plugin of call.admission) if (plugin.validate) await plugin.validate(attributes)
}

/** Scope of a write with validating admission bound in. */
export function writeScope(call: Call, dryRun: boolean, options: Readonly<Record<string, unknown>>, namespace: string = call.info.namespace): WriteScope {
  return {
    resource: call.resource,
    namespace: call.resource.scope === 'Namespaced' ? namespace : '',
    subresource: call.info.subresource,
    user: call.user,
    dryRun,
    warn: text => {
      warn(call, text)
    },
    admitCreate: object =>
      validateAdmission(call, admissionAttributes(call, { operation: 'CREATE', name: object.metadata.name ?? '', object, previous: undefined, options, dryRun })),
    admitUpdate: (next, previous) =>
      validateAdmission(call, admissionAttributes(call, { operation: 'UPDATE', name: previous.metadata.name ?? '', object: next, previous, options, dryRun })),
  }
}
