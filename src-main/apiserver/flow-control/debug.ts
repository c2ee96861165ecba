/** /debug/api_priority_and_fairness: levels, queues and requests as columns of text, in upstream's form. */
import { groupVersion } from '../../api/meta.ts'
import type { UserInfo } from '../../api/request.ts'
import type { NonResourceHandler, RequestInfo } from '../contracts.ts'
import { textResponse } from '../respond.ts'
import type { FlowControl, LevelState } from './flow-control.ts'
import type { Seat } from './queue-set.ts'

const root = '/debug/api_priority_and_fairness/'

export function flowControlDebugHandler(flowControl: FlowControl, now: () => { wallMs: number; awakeMs: number }): NonResourceHandler {
  return ({ info }) => {
    if (!info.path.startsWith(root)) return Promise.resolve(undefined)
    const rows = rowsOf(info, flowControl.levels(), now)
    return Promise.resolve(rows && textResponse(columns(rows), { headers: { 'x-content-type-options': 'nosniff' } }))
  }
}

function rowsOf(info: RequestInfo, levels: readonly LevelState[], now: () => { wallMs: number; awakeMs: number }): string[][] | undefined {
  switch (info.path.slice(root.length)) {
    case 'dump_priority_levels':
      return [levelHeads, ...levels.map(levelRow)]
    case 'dump_queues':
      return [queueHeads, ...levels.flatMap(queueRows)]
    case 'dump_requests':
      return requestRows(levels, now(), (info.query.get('includeRequestDetails') ?? '') !== '')
    default:
      return undefined
  }
}

const levelHeads = [
  'PriorityLevelName',
  'ActiveQueues',
  'IsIdle',
  'IsQuiescing',
  'WaitingRequests',
  'ExecutingRequests',
  'DispatchedRequests',
  'RejectedRequests',
  'TimedoutRequests',
  'CancelledRequests',
]

function levelRow({ name, set, isQuiescing }: LevelState): string[] {
  const active = set.queues.filter(queue => queue.waiting.length > 0).length
  return [name, active, set.isIdle, isQuiescing, set.waiting, set.executing.size, set.dispatched, set.rejected, set.timedOut, set.cancelled].map(String)
}

const queueHeads = ['PriorityLevelName', 'Index', 'PendingRequests', 'ExecutingRequests', 'SeatsInUse', 'NextDispatchR', 'InitialSeatsSum', 'MaxSeatsSum', 'TotalWorkSum']

function queueRows({ name, set }: LevelState): string[][] {
  return set.queues.map(queue => [
    name,
    String(queue.index),
    String(queue.waiting.length),
    String(queue.executing),
    String(queue.seatsInUse),
    `${queue.nextDispatchR.toFixed(8)}ss`,
    String(queue.waitingSeats),
    String(queue.waitingSeats),
    `${(queue.waitingSeats * 0.003).toFixed(8)}ss`,
  ])
}

const requestHeads = [
  'PriorityLevelName',
  'FlowSchemaName',
  'QueueIndex',
  'RequestIndexInQueue',
  'FlowDistingsher',
  'ArriveTime',
  'InitialSeats',
  'FinalSeats',
  'AdditionalLatency',
  'StartTime',
]
const detailHeads = ['UserName', 'Verb', 'APIPath', 'Namespace', 'Name', 'APIVersion', 'Resource', 'SubResource']

function requestRows(levels: readonly LevelState[], now: { wallMs: number; awakeMs: number }, withDetails: boolean): string[][] {
  const time = (awakeMs: number): string => new Date(now.wallMs - (now.awakeMs - awakeMs)).toISOString()
  const row = (level: string, seat: Seat, index: number, isWaiting: boolean): string[] => {
    const started = isWaiting ? '0001-01-01T00:00:00Z' : time(seat.startedMs)
    const own = [level, seat.flowSchema, String(seat.queue?.index ?? -1), String(index), seat.distinguisher, time(seat.arrivedMs), String(seat.seats), '0', '0s', started]
    return withDetails ? [...own, ...details(seat)] : own
  }
  return [
    withDetails ? [...requestHeads, ...detailHeads] : requestHeads,
    ...levels.flatMap(({ name, set }) => [
      ...set.queues.flatMap(queue => queue.waiting.map(({ seat }, index) => row(name, seat, index, true))),
      ...[...set.executing].map(seat => row(name, seat, -1, false)),
    ]),
  ]
}

function details(seat: Seat): string[] {
  const { user, info } = seat.about as { user: UserInfo; info: RequestInfo }
  return [user.name, info.verb, info.path, info.namespace, info.name, groupVersion(info.group, info.version), info.resource, info.subresource]
}

/** As Go's tabwriter: columns as wide as their widest cell, a comma after each but the last. */
function columns(rows: readonly string[][]): string {
  const widths: number[] = []
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length + 2, 8)))
  return rows.map(row => `${row.map((cell, i) => (i < row.length - 1 ? `${cell},`.padEnd(widths[i] ?? 0) : cell)).join('')}\n`).join('')
}
