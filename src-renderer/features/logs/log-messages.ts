/** What a log tab and its worker say to each other. */
import type { LogState, LogView } from './log-engine.ts'
import type { FilterSpec } from './log-filter.ts'

export type ToWorker =
  | { t: 'text'; source: number; piece: string }
  | { t: 'mark'; source: number; text: string }
  | { t: 'filter'; spec: FilterSpec }
  | { t: 'view'; view: LogView }
  | { t: 'pause'; on: boolean }
  | { t: 'clear' }
  /** These are answered under their id. */
  | { t: 'ended'; id: number; source: number }
  | { t: 'index'; id: number; seq: number }
  | { t: 'save'; id: number; all: boolean; labels: readonly string[] }
  | { t: 'save-source'; id: number; source: number }

export type FromWorker = { t: 'state'; state: LogState } | { t: 'taken'; characters: number } | { t: 'answer'; id: number; value: unknown }
