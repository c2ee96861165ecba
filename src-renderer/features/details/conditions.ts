import type { Tone } from '../../kinds/tone.ts'

/** Conditions whose True is the bad news. */
const badWhenTrue = new Set(['MemoryPressure', 'DiskPressure', 'PIDPressure', 'NetworkUnavailable', 'ReplicaFailure', 'Failed', 'FailureTarget', 'DisruptionTarget', 'Stalled'])

export function conditionTone(condition: { type: string; status: string }): Tone {
  if (condition.status === 'Unknown') return 'warn'
  const good = badWhenTrue.has(condition.type) ? condition.status === 'False' : condition.status === 'True'
  return good ? 'ok' : badWhenTrue.has(condition.type) ? 'bad' : 'warn'
}
