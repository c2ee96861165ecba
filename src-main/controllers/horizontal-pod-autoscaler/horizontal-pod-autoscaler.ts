/**
 * Sizes workloads by what is measured. Works on whatever has a scale, every 15 s of awake time; recommendations of the
 * last minutes are kept in memory, and begin with the present size after a start, so that nothing is scaled down by a restart.
 */
import { horizontalPodAutoscalers } from '../../api/autoscaling/v2/horizontal-pod-autoscaler.ts'
import { pods } from '../../api/core/v1/pod.ts'
import type { Scale } from '../../api/generated/autoscaling-v1.ts'
import type { HorizontalPodAutoscaler, HorizontalPodAutoscalerCondition, HorizontalPodAutoscalerStatus, MetricStatus } from '../../api/generated/autoscaling-v2.ts'
import type { Pod } from '../../api/generated/core-v1.ts'
import { deepEqual } from '../../api/json.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import type { AnyResource } from '../../api/resource.ts'
import { parseLabelSelector } from '../../api/selectors.ts'
import type { LabelMatcher } from '../../api/selectors.ts'
import { isConflict } from '../../api/status-error.ts'
import { formatTime } from '../../api/time.ts'
import { defineController } from '../../controller-runtime/controller.ts'
import type { ControllerContext, ControllerDefinition } from '../../controller-runtime/controller.ts'
import { typed } from '../../controller-runtime/ownership.ts'
import { MetricFault, evaluate } from './evaluate.ts'
import type { Evaluation } from './evaluate.ts'
import { newMemory, normalize, rememberChange } from './stabilize.ts'
import type { Memory } from './stabilize.ts'

const periodMs = 15_000
const updateTries = 5

interface Known {
  readonly uid: string
  readonly memory: Memory
  generation: number
  nextMs: number
  matcher?: LabelMatcher
}

export function horizontalPodAutoscalerController(resources: () => readonly AnyResource[]): ControllerDefinition<HorizontalPodAutoscaler> {
  const known = new Map<string, Known>()
  return defineController<HorizontalPodAutoscaler>({
    name: 'horizontal-pod-autoscaler',
    for: horizontalPodAutoscalers,
    reads: [pods],
    writes: [{ resource: horizontalPodAutoscalers, subresource: 'status' }],
    rules: [
      { apiGroups: ['*'], resources: ['*/scale'], verbs: ['get', 'update'] },
      { apiGroups: ['metrics.k8s.io'], resources: ['pods'], verbs: ['list'] },
      { apiGroups: ['custom.metrics.k8s.io', 'external.metrics.k8s.io'], resources: ['*'], verbs: ['get', 'list'] },
    ],
    workers: 5,
    async reconcile(context, key) {
      const autoscaler = context.cache.of(horizontalPodAutoscalers).get(key)
      if (!autoscaler) {
        known.delete(key)
        return
      }
      const nowMs = context.env.clock.awakeMs()
      const before = known.get(key)
      const generation = autoscaler.metadata.generation ?? 0
      // Its own status wakes it too.
      if (before && before.uid === autoscaler.metadata.uid && before.generation === generation && nowMs < before.nextMs) return { requeueAfterMs: before.nextMs - nowMs }
      await new Round({ context, resources, known, key, autoscaler }).run()
      const entry = known.get(key)
      if (entry) Object.assign(entry, { generation, nextMs: nowMs + periodMs })
      return { requeueAfterMs: periodMs }
    },
  })
}

interface RoundInput {
  readonly context: ControllerContext
  readonly resources: () => readonly AnyResource[]
  readonly known: Map<string, Known>
  readonly key: string
  readonly autoscaler: HorizontalPodAutoscaler
}

/** One look at one autoscaler. */
class Round {
  readonly #context: ControllerContext
  readonly #resources: () => readonly AnyResource[]
  readonly #known: Map<string, Known>
  readonly #key: string
  readonly #autoscaler: HorizontalPodAutoscaler
  #conditions: HorizontalPodAutoscalerCondition[]

  constructor({ context, resources, known, key, autoscaler }: RoundInput) {
    this.#context = context
    this.#resources = resources
    this.#known = known
    this.#key = key
    this.#autoscaler = autoscaler
    this.#conditions = [...(autoscaler.status?.conditions ?? [])]
  }

  async run(): Promise<void> {
    const found = await this.#findScale().catch((fault: unknown) => this.#noScale(fault))
    if (!found) return
    const { resource, scale } = found
    this.#set('AbleToScale', true, 'SucceededGetScale', "the HPA controller was able to get the target's current scale")
    const current = scale.spec?.replicas ?? 0
    const memory = this.#remember(current)
    const min = this.#autoscaler.spec.minReplicas ?? 1
    const plan = await this.#plan(scale, current, min, memory)
    if (!plan) return
    const { statuses, why } = plan
    let { desired } = plan
    if (desired !== current) {
      if (!(await this.#rescale(resource, scale, current, desired, why, statuses))) return
      rememberChange(memory, current, desired, this.#context.env.clock.awakeMs())
      const emptied = current > 0 && desired === 0 && min === 0 && this.#hasOutsideMetrics
      if (emptied) this.#set('ScaledToZero', true, 'ScaledToZero', 'the HPA controller scaled the workload to zero')
      else this.#set('ScaledToZero', false, 'NotScaledToZero', 'the HPA controller did not scale the workload to zero')
    } else desired = current
    await this.#writeStatus(current, desired, statuses, desired !== current)
  }

  get #hasOutsideMetrics(): boolean {
    return this.#autoscaler.spec.metrics?.some(m => m.type === 'Object' || m.type === 'External') ?? false
  }

  async #noScale(fault: unknown): Promise<undefined> {
    const text = fault instanceof Error ? fault.message : String(fault)
    this.#tell('FailedGetScale', text)
    this.#set('AbleToScale', false, 'FailedGetScale', `the HPA controller was unable to get the target's current scale: ${text}`)
    const status = { ...this.#autoscaler.status, desiredReplicas: this.#autoscaler.status?.desiredReplicas ?? 0, conditions: this.#conditions }
    await this.#update(status)
    return undefined
  }

  async #findScale(): Promise<{ resource: AnyResource; scale: Scale }> {
    const { kind, name, apiVersion = '' } = this.#autoscaler.spec.scaleTargetRef
    const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
    const fitting = this.#resources().filter(r => r.kind === kind && r.group === group)
    const resource = fitting[0]
    if (!resource) throw new Error(`no matches for kind ${JSON.stringify(kind)} in group ${JSON.stringify(group)}`)
    const namespace = this.#autoscaler.metadata.namespace ?? ''
    return { resource, scale: await this.#context.client.resource<KubernetesObject>(resource).getSub<Scale>(name, 'scale', { namespace }) }
  }

  #remember(current: number): Memory {
    const uid = this.#autoscaler.metadata.uid ?? ''
    const before = this.#known.get(this.#key)
    if (before?.uid === uid) return before.memory
    const memory = newMemory(current, this.#context.env.clock.awakeMs())
    this.#known.set(this.#key, { uid, memory, generation: 0, nextMs: 0 })
    return memory
  }

  /** Undefined when it ended here, with its reason in the status. */
  async #plan(scale: Scale, current: number, min: number, memory: Memory): Promise<{ desired: number; why: string; statuses: readonly MetricStatus[] | undefined } | undefined> {
    const { maxReplicas } = this.#autoscaler.spec
    const wasEmptied = this.#conditions.some(c => c.type === 'ScaledToZero' && c.status === 'True')
    if (current === 0 && !(wasEmptied && (min !== 0 || this.#hasOutsideMetrics))) {
      this.#set('ScalingActive', false, 'ScalingDisabled', 'scaling is disabled since the replica count of the target is zero')
      return { desired: 0, why: '', statuses: undefined }
    }
    if (current > maxReplicas) return { desired: maxReplicas, why: 'Current number of replicas above Spec.MaxReplicas', statuses: undefined }
    if (current !== 0 && current < min) return { desired: min, why: 'Current number of replicas below Spec.MinReplicas', statuses: undefined }
    const measured = await this.#measure(scale, current)
    if (measured.replicas === undefined) {
      await this.#writeStatus(current, this.#autoscaler.status?.desiredReplicas ?? 0, measured.statuses, false)
      this.#tell('FailedComputeMetricsReplicas', measured.fault ?? '')
      return undefined
    }
    const verdict = normalize(this.#autoscaler, memory, current, measured.replicas, this.#context.env.clock.awakeMs())
    this.#set('AbleToScale', true, verdict.able.reason, verdict.able.message)
    this.#set('ScalingLimited', verdict.limited.status, verdict.limited.reason, verdict.limited.message)
    let why = measured.replicas > current ? `${measured.name} above target` : measured.replicas < current ? 'All metrics below target' : ''
    let desired = verdict.replicas
    if (current === 0 && min !== 0 && desired < min) {
      desired = min
      why ||= 'Current number of replicas below Spec.MinReplicas'
    }
    return { desired, why, statuses: measured.statuses }
  }

  /** The largest of what the metrics ask for; undefined where none could be read, or some could not and the rest ask for fewer. */
  async #measure(scale: Scale, current: number): Promise<{ replicas: number | undefined; name: string; statuses: MetricStatus[]; fault?: string }> {
    const selector = scale.status?.selector ?? ''
    const selected = this.#select(selector)
    if (typeof selected === 'string') return { replicas: undefined, name: '', statuses: [], fault: selected }
    const specs = this.#autoscaler.spec.metrics ?? []
    const statuses: MetricStatus[] = []
    const faults: MetricFault[] = []
    let best: Evaluation | undefined
    for (const spec of specs) {
      try {
        const { client, env } = this.#context
        const running = scale.status?.replicas ?? 0
        const found = await evaluate(spec, {
          client,
          autoscaler: this.#autoscaler,
          current,
          running,
          selector,
          pods: selected,
          nowMs: env.clock.now(),
          pathOf: o => this.#pathOf(o),
        })
        statuses.push(found.status)
        if (!best || found.replicas > best.replicas) best = found
      } catch (fault) {
        if (!(fault instanceof MetricFault)) throw fault
        this.#tell(fault.reason, fault.inner)
        statuses.push({ type: '' })
        faults.push(fault)
      }
    }
    const [first] = faults
    const fault = first && `invalid metrics (${faults.length} invalid out of ${specs.length}), first error is: ${first.message}`
    if (first && (!best || best.replicas < current)) {
      this.#set('ScalingActive', false, first.reason, `the HPA was unable to compute the replica count: ${first.inner}`)
      return { replicas: undefined, name: '', statuses, fault: fault ?? '' }
    }
    this.#set('ScalingActive', true, 'ValidMetricFound', `the HPA was able to successfully calculate a replica count from ${best?.name ?? ''}`)
    return { replicas: best?.replicas ?? 0, name: best?.name ?? '', statuses, ...(fault === undefined ? {} : { fault }) }
  }

  /** The target's pods, or why they cannot be told. */
  #select(selector: string): readonly Pod[] | string {
    const refuse = (reason: string, event: string, message: string, condition = message): string => {
      this.#tell(event, message)
      this.#set('ScalingActive', false, reason, condition)
      return message
    }
    if (selector === '') return refuse('InvalidSelector', 'SelectorRequired', 'selector is required', "the HPA target's scale is missing a selector")
    let matcher: LabelMatcher
    try {
      matcher = parseLabelSelector(selector)
    } catch (fault) {
      return refuse(
        'InvalidSelector',
        'InvalidSelector',
        `couldn't convert selector into a corresponding internal selector object: ${fault instanceof Error ? fault.message : String(fault)}`,
      )
    }
    const entry = this.#known.get(this.#key)
    if (entry) entry.matcher = matcher
    const { namespace = '' } = this.#autoscaler.metadata
    const found = this.#context.cache
      .of(pods)
      .list(namespace)
      .filter(pod => matcher(pod.metadata.labels))
    const rivals = [...this.#known].filter(([key, other]) => key.startsWith(`${namespace}/`) && found.some(pod => other.matcher?.(pod.metadata.labels)))
    if (rivals.length < 2) return found
    const names = rivals.slice(0, 2).map(([key]) => `{${key.slice(namespace.length + 1)} ${namespace}}`)
    return refuse('AmbiguousSelector', 'AmbiguousSelector', `pods by selector ${selector} are controlled by more than one HPA (e.g. [${names.join(' ')}])`)
  }

  #pathOf({ kind, name, apiVersion = '' }: { kind: string; name: string; apiVersion?: string }): string {
    const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
    if (kind === 'Namespace' && group === '') return 'metrics'
    const plural = this.#resources().find(r => r.kind === kind && r.group === group)?.plural ?? `${kind.toLowerCase()}s`
    return `${plural}${group === '' ? '' : `.${group}`}/${name}`
  }

  /** False when it ended here. */
  async #rescale(resource: AnyResource, scale: Scale, current: number, desired: number, why: string, statuses: readonly MetricStatus[] | undefined): Promise<boolean> {
    const { name } = this.#autoscaler.spec.scaleTargetRef
    const namespace = this.#autoscaler.metadata.namespace ?? ''
    const target = this.#context.client.resource<KubernetesObject>(resource)
    let wanted: Scale = { ...scale, spec: { ...scale.spec, replicas: desired } }
    for (let tries = 1; ; tries++) {
      try {
        await target.updateSub(name, 'scale', wanted, { namespace })
        break
      } catch (fault) {
        if (isConflict(fault) && tries < updateTries) {
          const fresh = await target.getSub<Scale>(name, 'scale', { namespace })
          wanted = { ...fresh, spec: { ...fresh.spec, replicas: desired } }
          continue
        }
        const text = fault instanceof Error ? fault.message : String(fault)
        this.#tell('FailedRescale', `New size: ${desired}; reason: ${why}; error: ${text}`)
        this.#set('AbleToScale', false, 'FailedUpdateScale', `the HPA controller was unable to update the target scale: ${text}`)
        await this.#writeStatus(current, this.#autoscaler.status?.desiredReplicas ?? 0, statuses, false)
        return false
      }
    }
    this.#set('AbleToScale', true, 'SucceededRescale', `the HPA controller was able to update the target scale to ${desired}`)
    this.#context.events.event(typed(horizontalPodAutoscalers, this.#autoscaler), 'Normal', 'SuccessfulRescale', `New size: ${desired}; reason: ${why}`)
    return true
  }

  #tell(reason: string, message: string): void {
    this.#context.events.event(typed(horizontalPodAutoscalers, this.#autoscaler), 'Warning', reason, message)
  }

  #set(type: string, isTrue: boolean, reason: string, message: string): void {
    const status = isTrue ? 'True' : 'False'
    const at = this.#conditions.findIndex(c => c.type === type)
    const present = this.#conditions[at]
    const lastTransitionTime = present?.status === status && present.lastTransitionTime ? present.lastTransitionTime : formatTime(this.#context.env.clock.now())
    const next = { type, status, lastTransitionTime, reason, message }
    if (at < 0) this.#conditions.push(next)
    else this.#conditions[at] = next
  }

  async #writeStatus(current: number, desired: number, statuses: readonly MetricStatus[] | undefined, rescaled: boolean): Promise<void> {
    const { lastScaleTime } = this.#autoscaler.status ?? {}
    const { generation } = this.#autoscaler.metadata
    const status: HorizontalPodAutoscalerStatus = { currentReplicas: current, desiredReplicas: desired, conditions: this.#conditions }
    if (statuses && statuses.length > 0) status.currentMetrics = [...statuses]
    if (generation !== undefined) status.observedGeneration = generation
    if (rescaled) status.lastScaleTime = formatTime(this.#context.env.clock.now())
    else if (lastScaleTime !== undefined) status.lastScaleTime = lastScaleTime
    await this.#update(status)
  }

  async #update(status: HorizontalPodAutoscalerStatus): Promise<void> {
    if (deepEqual(status, this.#autoscaler.status)) return
    await this.#context.client.resource(horizontalPodAutoscalers).updateStatus({ ...this.#autoscaler, status })
  }
}
