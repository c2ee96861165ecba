/** Words and tones for what a drain does to a pod. */
import type { Tone } from '../../kinds/tone.ts'
import type { DrainPod } from './drain.ts'

export const drainMarks: Readonly<Record<DrainPod['state'], { tone: Tone; text: string }>> = {
  evict: { tone: 'busy', text: 'is evicted' },
  stays: { tone: 'idle', text: 'stays (DaemonSet)' },
  blocked: { tone: 'warn', text: 'held by a budget' },
  lost: { tone: 'bad', text: 'has no owner: is not made again' },
  gone: { tone: 'ok', text: 'gone' },
  failed: { tone: 'bad', text: 'failed' },
}
