/** What a log tab lets the user choose from. */
import type { LogStart } from './log-session.ts'

export type TimeForm = 'none' | 'local' | 'utc' | 'relative'
export const timeForms: Readonly<Record<TimeForm, string>> = { none: 'No times', local: 'Local time', utc: 'UTC', relative: 'Time ago' }

export const logStarts: Readonly<Record<string, { title: string; start: LogStart }>> = {
  tail: { title: 'Last 2 000 lines', start: { tailLines: 2000 } },
  '5m': { title: 'Last 5 minutes', start: { sinceSeconds: 300 } },
  '1h': { title: 'Last hour', start: { sinceSeconds: 3600 } },
  '24h': { title: 'Last 24 hours', start: { sinceSeconds: 86_400 } },
  all: { title: 'From the beginning', start: {} },
}

/** Lines shown around a match. */
export const contexts: readonly number[] = [0, 2, 5, 20]
