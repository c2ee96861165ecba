/**
 * MutatingAdmissionWebhook and ValidatingAdmissionWebhook. Webhooks are asked in order of their configurations' names;
 * mutating ones one after the other (with a second round for those that want it after a later change), validating ones
 * all at once. Configurations of admission itself are never shown to them.
 */
import { applyJsonPatch } from '../../../api/patch/json-patch.ts'
import { cloneJson, compareBytes, deepEqual } from '../../../api/json.ts'
import type { MutatingWebhook, MutatingWebhookConfiguration, ValidatingWebhook, ValidatingWebhookConfiguration } from '../../../api/generated/admissionregistration-v1.ts'
import type { KubernetesObject } from '../../../api/meta.ts'
import type { AnyResource } from '../../../api/resource.ts'
import { badRequest, forbidden, internalError, StatusError } from '../../../api/status-error.ts'
import type { Env } from '../../../base/env.ts'
import type { AdmissionAttributes, AdmissionPlugin, Authorizer } from '../../contracts.ts'
import { places, type LiveCopies, type LiveCopy } from '../../live-copy.ts'
import { Authorizations, evaluateConditions } from '../conditions.ts'
import type { Matching } from '../matching.ts'
import { isExempt } from '../matching.ts'
import { shownAs, takeBack } from '../versions.ts'
import { HookError, type HookCaller } from './caller.ts'
import type { WebhookMetrics, WebhookType } from './metrics.ts'
import { readAnswer, refusal, reviewOf, reviewVersion, type ReviewAnswer } from './review.ts'

export interface WebhookOptions {
  readonly env: Env
  readonly copies: LiveCopies
  readonly matching: Matching
  readonly caller: HookCaller
  readonly authorizer: Authorizer
  readonly metrics: WebhookMetrics
}

/** Where a webhook says nothing. */
const defaultTimeoutSeconds = 10

type Webhook = ValidatingWebhook | MutatingWebhook

interface Hook {
  readonly webhook: Webhook
  readonly configuration: string
  /** Stable over changes of other webhooks. */
  readonly id: string
}

/** A webhook that could not be asked, or whose answer is none: the failure policy decides. */
class CallFailure extends Error {
  readonly code: number
  constructor(message: string, code: number) {
    super(message)
    this.code = code
  }
}

/** Hooks in the order of calls, made anew after changes. */
function hooksOf(copy: LiveCopy<ValidatingWebhookConfiguration | MutatingWebhookConfiguration>): () => readonly Hook[] {
  let made = -1
  let hooks: readonly Hook[] = []
  return () => {
    if (made === copy.changes) return hooks
    made = copy.changes
    const sorted = copy.list().sort((a, b) => compareBytes(a.metadata.name ?? '', b.metadata.name ?? ''))
    hooks = sorted.flatMap(configuration => {
      const name = configuration.metadata.name ?? ''
      return (configuration.webhooks ?? []).map(webhook => ({ webhook: webhook as Webhook, configuration: name, id: `${name}/${webhook.name}` }))
    })
    return hooks
  }
}

interface Invocation {
  readonly hook: Hook
  readonly index: number
  readonly shown: AnyResource
}

interface Round {
  readonly options: WebhookOptions
  readonly type: WebhookType
  readonly authorizations: Authorizations
}

/** The webhook's view of the request, or undefined where it is not about it. Throws what conditions or selectors fail with. */
async function invocationOf(round: Round, a: AdmissionAttributes, hook: Hook, index: number): Promise<Invocation | undefined> {
  const { matching } = round.options
  const { webhook } = hook
  const shown = matching.byRules(a, webhook.rules, webhook.matchPolicy)
  if (!shown) return undefined
  if (!matching.byNamespace(a, webhook.namespaceSelector) || !matching.byObject(a, webhook.objectSelector)) return undefined
  if ((webhook.matchConditions?.length ?? 0) > 0) {
    const [object, oldObject] = await Promise.all([shownAs(a, a.object, shown), shownAs(a, a.previous, shown)])
    const result = await evaluateConditions(
      webhook.matchConditions,
      { attributes: a, shown, object, oldObject, namespace: undefined, params: undefined, authorizations: round.authorizations },
      webhook.failurePolicy,
    )
    if (result === 'skip') return undefined
    if (result !== 'matches') throw forbidden(a.resource.group, a.resource.plural, a.name, result.error)
  }
  return { hook, index, shown }
}

/** Throws CallFailure, or a StatusError for refusals. */
async function ask(round: Round, a: AdmissionAttributes, { hook, shown }: Invocation): Promise<ReviewAnswer> {
  const { env, caller } = round.options
  const { webhook } = hook
  if (a.dryRun && webhook.sideEffects !== 'None' && webhook.sideEffects !== 'NoneOnDryRun')
    throw badRequest(`admission webhook ${JSON.stringify(webhook.name)} does not support dry run`)
  const version = reviewVersion(webhook.admissionReviewVersions)
  if (!version) throw new CallFailure('could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)', 400)
  const identity = { uid: env.random.uuid(), version }
  const [object, oldObject] = await Promise.all([shownAs(a, a.object, shown), shownAs(a, a.previous, shown)])
  const { url, service, caBundle } = webhook.clientConfig
  let answer: unknown
  try {
    answer = await caller.post(
      {
        ...(url === undefined ? {} : { url }),
        ...(service
          ? { service: { namespace: service.namespace, name: service.name, port: service.port ?? 443, ...(service.path === undefined ? {} : { path: service.path }) } }
          : {}),
        ...(caBundle ? { caBundle } : {}),
      },
      reviewOf(a, shown, { object, oldObject }, identity),
      { timeoutMs: (webhook.timeoutSeconds ?? defaultTimeoutSeconds) * 1_000 },
    )
  } catch (fault) {
    if (!(fault instanceof HookError)) throw fault
    throw new CallFailure(`failed to call webhook: ${fault.message}`, fault.status ?? 503)
  }
  let read: ReviewAnswer
  try {
    read = readAnswer(answer, identity, round.type === 'admit')
  } catch (fault) {
    const text = fault instanceof Error ? fault.message : String(fault)
    throw new CallFailure(text.startsWith('received undecodable') ? text : `received invalid webhook response: ${text}`, 503)
  }
  for (const [key, value] of Object.entries(read.auditAnnotations)) a.annotate(`${webhook.name}/${key}`, value)
  for (const text of read.warnings) a.warn(text)
  if (!read.allowed) throw refusal(webhook.name, read.result)
  return read
}

/** Asks one webhook and applies its failure policy: undefined where it failed open. Throws a StatusError. */
async function consult(round: Round, a: AdmissionAttributes, invocation: Invocation, roundNumber: number): Promise<ReviewAnswer | undefined> {
  const { env, metrics } = round.options
  const { name, failurePolicy } = invocation.hook.webhook
  const began = env.clock.awakeMs()
  const observe = (code: number, rejected: boolean): void => {
    metrics.call(name, round.type, a.operation, code, rejected, (env.clock.awakeMs() - began) / 1_000)
  }
  try {
    const answer = await ask(round, a, invocation)
    observe(200, false)
    return answer
  } catch (fault) {
    if (fault instanceof CallFailure) {
      const ignored = failurePolicy === 'Ignore'
      observe(fault.code, !ignored)
      if (ignored) {
        env.log.log('warn', 'failed calling webhook, failing open', { webhook: name, fault: fault.message })
        metrics.failOpen(name, round.type)
        const kind = round.type === 'admit' ? 'mutation' : 'validating'
        a.annotate(`failed-open.${kind}.webhook.admission.k8s.io/round_${roundNumber}_index_${invocation.index}`, name)
        return undefined
      }
      metrics.rejection(name, round.type, a.operation, 'calling_webhook_error', fault.code)
      throw internalError(`failed calling webhook ${JSON.stringify(name)}: ${fault.message}`)
    }
    const code = fault instanceof StatusError ? fault.code : 0
    observe(code, true)
    metrics.rejection(name, round.type, a.operation, fault instanceof StatusError ? 'no_error' : 'apiserver_internal_error', code)
    throw fault
  }
}

/** What the plugin remembers between the two rounds of a request. */
interface Memory {
  /** Webhooks that want to be asked again when something changes after them. */
  readonly reinvocable: Set<string>
  again: Set<string>
  last: KubernetesObject | undefined
}

export function mutatingWebhooks(options: WebhookOptions): AdmissionPlugin {
  const hooks = hooksOf(options.copies.of(places.mutatingWebhookConfigurations))
  const name = 'MutatingAdmissionWebhook'
  return {
    name,
    async mutate(a) {
      const all = hooks()
      if (all.length === 0 || isExempt(a)) return
      const memory = (a.reinvocation.state.get(name) ?? { reinvocable: new Set(), again: new Set(), last: undefined }) as Memory
      a.reinvocation.state.set(name, memory)
      // Other plugins changed it meanwhile: everybody who asked to be told is.
      if (a.reinvocation.active && !deepEqual(memory.last, a.object)) memory.again = new Set(memory.reinvocable)
      const round: Round = { options, type: 'admit', authorizations: new Authorizations(options.authorizer, a.user) }
      for (const [index, hook] of all.entries()) await mutateByHook(round, a, hook, index, memory)
      memory.last = cloneJson(a.object)
    },
  }
}

async function mutateByHook(round: Round, a: AdmissionAttributes, hook: Hook, index: number, memory: Memory): Promise<void> {
  if (a.reinvocation.active && !memory.again.has(hook.id)) return
  const invocation = await invocationOf(round, a, hook, index)
  if (!invocation) return
  const number = a.reinvocation.active ? 1 : 0
  const answer = await consult(round, a, invocation, number)
  const changed = answer !== undefined && answer.patch.length > 0 && (await applyAnswer(a, invocation, answer.patch))
  const facts = { configuration: hook.configuration, webhook: hook.webhook.name }
  a.annotate(`mutation.webhook.admission.k8s.io/round_${number}_index_${index}`, JSON.stringify({ ...facts, mutated: changed }))
  if (changed && answer) a.annotate(`patch.webhook.admission.k8s.io/round_${number}_index_${index}`, JSON.stringify({ ...facts, patch: answer.patch, patchType: 'JSONPatch' }))
  if (changed) {
    for (const id of memory.reinvocable) memory.again.add(id)
    a.reinvocation.wanted = true
  }
  if ('reinvocationPolicy' in hook.webhook && hook.webhook.reinvocationPolicy === 'IfNeeded') memory.reinvocable.add(hook.id)
}

/** True where the patch changed the object. Throws internalError. */
async function applyAnswer(a: AdmissionAttributes, { hook, shown }: Invocation, patch: readonly unknown[]): Promise<boolean> {
  const before = await shownAs(a, a.object, shown)
  if (!before) throw internalError(`admission webhook ${JSON.stringify(hook.webhook.name)} attempted to modify the object, which is not supported for this operation`)
  let patched: unknown
  try {
    patched = applyJsonPatch(cloneJson(before), patch)
  } catch (fault) {
    throw internalError(fault instanceof Error ? fault.message : String(fault))
  }
  const previous = cloneJson(a.object)
  await takeBack(a, patched as KubernetesObject, shown)
  return !deepEqual(previous, a.object)
}

export function validatingWebhooks(options: WebhookOptions): AdmissionPlugin {
  const hooks = hooksOf(options.copies.of(places.validatingWebhookConfigurations))
  return {
    name: 'ValidatingAdmissionWebhook',
    async validate(a) {
      const all = hooks()
      if (all.length === 0 || isExempt(a)) return
      const round: Round = { options, type: 'validating', authorizations: new Authorizations(options.authorizer, a.user) }
      const invocations: Invocation[] = []
      for (const hook of all) {
        const invocation = await invocationOf(round, a, hook, invocations.length)
        if (invocation) invocations.push(invocation)
      }
      const outcomes = await Promise.allSettled(invocations.map(invocation => consult(round, a, invocation, 0)))
      const failed = outcomes.find(outcome => outcome.status === 'rejected')
      if (failed) throw failed.reason
    },
  }
}
