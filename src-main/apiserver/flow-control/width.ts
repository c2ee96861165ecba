/** How many seats a request takes: one, and more for lists of many objects. Pure. */
import type { RequestInfo } from '../contracts.ts'

/** As upstream. */
const OBJECTS_PER_SEAT = 100
const MAX_SEATS = 10
/** A single request never takes more than this share of its level, nor what the queues of one flow could not share. */
const MAX_SHARE = 0.15

/** Whether a request's width depends on how many objects there are. */
export function readsMany(info: RequestInfo): boolean {
  if (!info.isResource || info.name !== '') return false
  if (info.verb === 'list') return true
  if (info.verb !== 'watch') return false
  const version = info.query.get('resourceVersion') ?? ''
  return info.query.get('sendInitialEvents') === 'true' || version === '' || version === '0'
}

/** `count` objects are stored; `nominal` seats are the level's, `handSize` the queues of one flow (0 without queues). */
export function seatsOfList(info: RequestInfo, count: number, nominal: number, handSize: number): number {
  const limit = Number(info.query.get('limit') ?? '')
  const selects = info.query.has('labelSelector') || info.query.has('fieldSelector')
  const read = limit > 0 && limit < count && !selects ? limit : count
  const most = Math.max(1, Math.min(MAX_SEATS, Math.ceil(nominal * MAX_SHARE), handSize > 0 ? Math.floor(nominal / handSize) : MAX_SEATS))
  return Math.max(1, Math.min(most, Math.ceil(read / OBJECTS_PER_SEAT)))
}
