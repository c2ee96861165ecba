/** From what the metrics ask for to what is done: bounds, rates and the memory of the last minutes. Pure; times are awake milliseconds. */
import type { HPAScalingRules, HorizontalPodAutoscaler } from '../../api/generated/autoscaling-v2.ts'

interface Remembered {
  readonly replicas: number
  readonly atMs: number
}

/** Of one autoscaler. */
export interface Memory {
  recommendations: Remembered[]
  ups: Remembered[]
  downs: Remembered[]
}

export interface Verdict {
  readonly replicas: number
  /** Condition AbleToScale, always true here. */
  readonly able: { readonly reason: string; readonly message: string }
  /** Condition ScalingLimited. */
  readonly limited: { readonly status: boolean; readonly reason: string; readonly message: string }
}

const defaultDownWindowMs = 300_000
const longestWindowMs = 3_600_000
const ready = { reason: 'ReadyForNewScale', message: 'recommended size matches current size' }
const within = { status: false, reason: 'DesiredWithinRange', message: 'the desired count is within the acceptable range' }
const tooFew = { reason: 'TooFewReplicas', message: 'the desired replica count is less than the minimum replica count' }
const tooMany = { reason: 'TooManyReplicas', message: 'the desired replica count is more than the maximum replica count' }
const tooFast = { reason: 'ScaleUpLimit', message: 'the desired replica count is increasing faster than the maximum scale rate' }
const tooSlow = { reason: 'ScaleDownLimit', message: 'the desired replica count is decreasing faster than the maximum scale rate' }

export function newMemory(current: number, nowMs: number): Memory {
  return { recommendations: [{ replicas: current, atMs: nowMs }], ups: [], downs: [] }
}

/** Remembers a change that was carried out, for the rates of the policies. */
export function rememberChange(memory: Memory, from: number, to: number, nowMs: number): void {
  if (to > from) memory.ups.push({ replicas: to - from, atMs: nowMs })
  else memory.downs.push({ replicas: from - to, atMs: nowMs })
  const fresh = (event: Remembered): boolean => event.atMs > nowMs - longestWindowMs
  memory.ups = memory.ups.filter(fresh)
  memory.downs = memory.downs.filter(fresh)
}

/** `wanted`: what the metrics ask for. */
export function normalize(autoscaler: HorizontalPodAutoscaler, memory: Memory, current: number, wanted: number, nowMs: number): Verdict {
  const min = autoscaler.spec.minReplicas ?? 1
  const max = autoscaler.spec.maxReplicas
  const { scaleUp, scaleDown } = autoscaler.spec.behavior ?? {}
  const upWindowMs = (scaleUp?.stabilizationWindowSeconds ?? 0) * 1000
  const downWindowMs = scaleDown?.stabilizationWindowSeconds === undefined ? defaultDownWindowMs : scaleDown.stabilizationWindowSeconds * 1000
  const since = (windowMs: number): number[] => memory.recommendations.filter(r => r.atMs > nowMs - windowMs).map(r => r.replicas)
  const ceiling = Math.max(wanted, ...since(downWindowMs))
  let steady = ceiling
  if (autoscaler.spec.behavior) {
    const floor = Math.min(wanted, ...since(upWindowMs))
    steady = Math.min(Math.max(current, floor), ceiling)
  }
  const longest = Math.max(upWindowMs, downWindowMs)
  memory.recommendations = [...memory.recommendations.filter(r => r.atMs > nowMs - longest), { replicas: wanted, atMs: nowMs }]
  const limit = autoscaler.spec.behavior ? rated(scaleUp, scaleDown, memory, { current, wanted: steady, min, max, nowMs }) : plain(current, steady, min, max)
  return { replicas: limit.replicas, able: steady === wanted ? ready : stabilized(autoscaler, wanted, current), limited: limit.limited }
}

function stabilized(autoscaler: HorizontalPodAutoscaler, wanted: number, current: number): Verdict['able'] {
  const up = autoscaler.spec.behavior !== undefined && wanted >= current
  return up
    ? { reason: 'ScaleUpStabilized', message: 'recent recommendations were lower than current one, applying the lowest recent recommendation' }
    : { reason: 'ScaleDownStabilized', message: 'recent recommendations were higher than current one, applying the highest recent recommendation' }
}

type Limit = Pick<Verdict, 'replicas' | 'limited'>
const limited = (replicas: number, why: { reason: string; message: string }): Limit => ({ replicas, limited: { status: true, ...why } })

/** Without a behaviour: at most twice as many at once, and four are always allowed. */
function plain(current: number, wanted: number, min: number, max: number): Limit {
  const rate = Math.max(2 * current, 4)
  if (wanted < min) return limited(min, tooFew)
  if (wanted > Math.min(max, rate)) return limited(Math.min(max, rate), max > rate ? tooFast : tooMany)
  return { replicas: wanted, limited: within }
}

interface Rated {
  readonly current: number
  readonly wanted: number
  readonly min: number
  readonly max: number
  readonly nowMs: number
}

function rated(up: HPAScalingRules | undefined, down: HPAScalingRules | undefined, memory: Memory, { current, wanted, min, max, nowMs }: Rated): Limit {
  if (wanted > current) {
    const rate = Math.max(current, boundOf(up, memory, current, nowMs, 1))
    if (wanted > Math.min(max, rate)) return limited(Math.min(max, rate), max > rate ? tooFast : tooMany)
  } else if (wanted < current) {
    const rate = Math.min(current, boundOf(down, memory, current, nowMs, -1))
    if (wanted < Math.max(min, rate)) return limited(Math.max(min, rate), min < rate ? tooSlow : tooFew)
  }
  return { replicas: wanted, limited: within }
}

/** The furthest that the policies let the count go in one direction, seen from where their period began. */
function boundOf(rules: HPAScalingRules | undefined, memory: Memory, current: number, nowMs: number, sign: 1 | -1): number {
  const policies = rules?.policies ?? []
  if (rules?.selectPolicy === 'Disabled' || policies.length === 0) return current
  const bounds = policies.map(({ type, value, periodSeconds }) => {
    const sum = (events: readonly Remembered[]): number => events.filter(e => e.atMs > nowMs - periodSeconds * 1000).reduce((total, e) => total + e.replicas, 0)
    const before = current - sum(memory.ups) + sum(memory.downs)
    if (type === 'Pods') return before + sign * value
    // Upwards is rounded up: a percentage of little must not come to nothing.
    return sign > 0 ? Math.ceil(before * (1 + value / 100)) : Math.trunc(before * (1 - value / 100))
  })
  const widest = rules?.selectPolicy !== 'Min'
  return widest === sign > 0 ? Math.max(...bounds) : Math.min(...bounds)
}
