/** What a state's word means: good, under way, worth a look, broken, at rest. */
export type Tone = 'ok' | 'busy' | 'warn' | 'bad' | 'idle'

const ok = new Set([
  'Running',
  'Ready',
  'Active',
  'Bound',
  'Available',
  'Healthy',
  'Approved,Issued',
  'True',
  'Normal',
  'Connected',
  'pass',
  'done',
  'Synced',
  'Complete',
  'Succeeded',
])
const busy = new Set([
  'Pending',
  'ContainerCreating',
  'PodInitializing',
  'Progressing',
  'Connecting',
  'Preflight',
  'Provisioning',
  'Terminating',
  'Removing',
  'Released',
  'running',
  'Approved',
  'Suspended',
  'NotReady,SchedulingDisabled',
])
const warn = new Set(['Warning', 'Degraded', 'Unknown', 'AwaitingHostKey', 'warn', 'Ready,SchedulingDisabled', 'Evicted', 'Lost', 'SchedulingGated'])
const idle = new Set(['Completed', 'skipped', 'pending', 'Available=False', 'False', 'Waiting'])

/** By kubectl's words for states; unknown words that look like failures are bad, others at rest. */
export function toneOf(state: string): Tone {
  if (ok.has(state)) return 'ok'
  if (busy.has(state) || (state.startsWith('Init:') && /^Init:\d/.test(state))) return 'busy'
  if (warn.has(state)) return 'warn'
  if (idle.has(state)) return 'idle'
  if (/Err|Error|BackOff|Failed|Invalid|Crash|OOM|NotReady|fail|Killed|Exceeded|Denied|ExitCode|Unreachable/i.test(state)) return 'bad'
  return 'idle'
}
