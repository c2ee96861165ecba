/**
 * Fair queues of one priority level: requests of a flow go to one of a few queues dealt by the flow's hash, and seats are
 * given to the queue that has had the least work so far, measured in seat-seconds (fair queuing as in KEP-1040). A flow
 * that floods fills its own queues and waits there; others are served past it. Level without queues refuses what finds no
 * seat. One thread: no request is served while another is being taken in, so all state is plain.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../../base/env.ts'
import { Demand } from './demand.ts'

/** Guess of how long a request holds its seats, corrected when it ends; as upstream. */
const ESTIMATED_SECONDS = 0.003

export type Refusal = 'concurrency-limit' | 'queue-full' | 'time-out' | 'cancelled'

/** A request at a level. */
export interface Seat {
  readonly flowSchema: string
  readonly distinguisher: string
  readonly seats: number
  readonly arrivedMs: number
  startedMs: number
  readonly queue: Queue | undefined
  /** What the request is, for dumps. */
  readonly about: object
}

export interface Wait {
  readonly timeoutMs: number
  /** Who waits; its signal is looked at only where it does, because making one costs. */
  readonly client: { readonly signal?: AbortSignal }
}

interface Waiting {
  readonly seat: Seat
  readonly decide: (refusal: Refusal | undefined) => void
}

export class Queue {
  readonly index: number
  readonly waiting: Waiting[] = []
  executing = 0
  seatsInUse = 0
  waitingSeats = 0
  /** Seat-seconds at which its oldest request may start, on the meter of the set. */
  nextDispatchR = 0
  constructor(index: number) {
    this.index = index
  }
}

export interface Queuing {
  readonly queues: number
  readonly handSize: number
  readonly queueLengthLimit: number
}

/** Hands of flows that are remembered. */
const KEPT_HANDS = 1_000

/** Indexes of the queues of a flow: a hand without repetition, dealt by 64 bits of a hash, as upstream. */
export function dealHand(flow: string, deckSize: number, handSize: number): number[] {
  let hash = createHash('sha256').update(flow).digest().readBigUInt64LE()
  const deck = Array.from({ length: deckSize }, (_, i) => i)
  const hand: number[] = []
  for (let i = 0; i < Math.min(handSize, deckSize); i++) {
    const left = BigInt(deck.length)
    const [card = 0] = deck.splice(Number(hash % left), 1)
    hash /= left
    hand.push(card)
  }
  return hand
}

export class QueueSet {
  readonly #clock: Clock
  #queuing: Queuing | undefined
  /** More than configured while those that were taken away still hold requests. */
  queues: Queue[] = []
  readonly demand: Demand
  readonly executing = new Set<Seat>()
  limit = 0
  waiting = 0
  waitingSeats = 0
  seatsInUse = 0
  dispatched = 0
  rejected = 0
  timedOut = 0
  cancelled = 0
  #currentR = 0
  #lastMs: number
  #robin = 0
  readonly #hands = new Map<string, number[]>()

  constructor(clock: Clock) {
    this.#clock = clock
    this.#lastMs = clock.awakeMs()
    this.demand = new Demand(clock.awakeMs())
  }

  get isIdle(): boolean {
    return this.waiting === 0 && this.executing.size === 0
  }

  /** `undefined`: no queues. Those that are too many give out what they hold. */
  configure(queuing: Queuing | undefined): void {
    if (queuing?.queues !== this.#queuing?.queues || queuing?.handSize !== this.#queuing?.handSize) this.#hands.clear()
    this.#queuing = queuing
    for (let i = this.queues.length; i < (queuing?.queues ?? 0); i++) this.queues.push(new Queue(i))
    this.#dropEmptied()
  }

  setLimit(limit: number): void {
    this.#advance()
    this.limit = limit
    this.#dispatch()
  }

  /** A seat at once, a promise of one, or why not. `flow` tells flows of a level apart. */
  take(flow: string, asked: { flowSchema: string; distinguisher: string; seats: number; about: object }, wait: Wait): Seat | Refusal | Promise<Seat | Refusal> {
    this.#advance()
    const now = this.#clock.awakeMs()
    const queue = this.#queuing === undefined ? undefined : this.#shortest(flow, this.#queuing)
    const seat: Seat = { ...asked, arrivedMs: now, startedMs: now, queue }
    if (!queue) {
      if (!this.#fits(seat.seats)) {
        this.rejected++
        return 'concurrency-limit'
      }
      this.#begin(seat)
      return seat
    }
    if (queue.waiting.length === 0 && queue.executing === 0) queue.nextDispatchR = this.#currentR
    if (this.waiting === 0 && this.#fits(seat.seats)) {
      this.#begin(seat)
      return seat
    }
    if (queue.waiting.length >= (this.#queuing?.queueLengthLimit ?? 0)) {
      this.rejected++
      return 'queue-full'
    }
    return this.#enqueue(seat, queue, wait)
  }

  #enqueue(seat: Seat, queue: Queue, wait: Wait): Promise<Seat | Refusal> {
    return new Promise(resolve => {
      const waiting: Waiting = {
        seat,
        decide: refusal => {
          cancel()
          wait.client.signal?.removeEventListener('abort', onAbort)
          resolve(refusal ?? seat)
        },
      }
      const giveUp = (refusal: 'time-out' | 'cancelled'): void => {
        const at = queue.waiting.indexOf(waiting)
        if (at < 0) return
        this.#advance()
        queue.waiting.splice(at, 1)
        this.#noLongerWaits(queue, seat)
        if (refusal === 'time-out') this.timedOut++
        else this.cancelled++
        waiting.decide(refusal)
        this.#dispatch()
      }
      const onAbort = (): void => {
        giveUp('cancelled')
      }
      const cancel = this.#clock.after(wait.timeoutMs, () => {
        giveUp('time-out')
      })
      wait.client.signal?.addEventListener('abort', onAbort, { once: true })
      queue.waiting.push(waiting)
      queue.waitingSeats += seat.seats
      this.waiting++
      this.waitingSeats += seat.seats
      this.#noteDemand()
      this.#dispatch()
    })
  }

  /** Gives the seats back; the queue is charged for the time that they were really held. */
  release(seat: Seat): void {
    if (!this.executing.delete(seat)) return
    this.#advance()
    this.seatsInUse -= seat.seats
    const { queue } = seat
    if (queue) {
      queue.executing--
      queue.seatsInUse -= seat.seats
      const heldSeconds = (this.#clock.awakeMs() - seat.startedMs) / 1_000
      queue.nextDispatchR += (heldSeconds - ESTIMATED_SECONDS) * seat.seats
    }
    this.#noteDemand()
    this.#dropEmptied()
    this.#dispatch()
  }

  #fits(seats: number): boolean {
    // A request wider than the whole level runs alone.
    return this.executing.size === 0 || this.seatsInUse + seats <= this.limit
  }

  #begin(seat: Seat): void {
    seat.startedMs = this.#clock.awakeMs()
    this.executing.add(seat)
    this.seatsInUse += seat.seats
    this.dispatched++
    const { queue } = seat
    if (queue) {
      queue.executing++
      queue.seatsInUse += seat.seats
      queue.nextDispatchR += ESTIMATED_SECONDS * seat.seats
    }
    this.#noteDemand()
  }

  #noLongerWaits(queue: Queue, seat: Seat): void {
    queue.waitingSeats -= seat.seats
    this.waiting--
    this.waitingSeats -= seat.seats
    this.#noteDemand()
  }

  /** Gives out seats, the queue with the least work first. Who is next but finds too few seats is waited for. */
  #dispatch(): void {
    while (this.waiting > 0) {
      const queue = this.#next()
      const first = queue?.waiting[0]
      if (!queue || !first || !this.#fits(first.seat.seats)) return
      this.#robin = queue.index
      queue.waiting.shift()
      this.#noLongerWaits(queue, first.seat)
      this.#begin(first.seat)
      first.decide(undefined)
    }
  }

  #next(): Queue | undefined {
    let best: Queue | undefined
    const count = this.queues.length
    for (let i = 1; i <= count; i++) {
      const queue = this.queues[(this.#robin + i) % count]
      if (queue && queue.waiting.length > 0 && (!best || queue.nextDispatchR < best.nextDispatchR)) best = queue
    }
    // A queue that got much for little must not be ahead of the meter for ever.
    if (best && best.nextDispatchR < this.#currentR - ESTIMATED_SECONDS * this.limit) best.nextDispatchR = this.#currentR
    return best
  }

  /** The queue of the flow's hand with the fewest seats waiting and in use. */
  #shortest(flow: string, queuing: Queuing): Queue | undefined {
    let hand = this.#hands.get(flow)
    if (!hand) {
      hand = dealHand(flow, queuing.queues, queuing.handSize)
      if (this.#hands.size >= KEPT_HANDS) this.#hands.clear()
      this.#hands.set(flow, hand)
    }
    let best: Queue | undefined
    for (const index of hand) {
      const queue = this.queues[index]
      if (queue && (!best || queue.waitingSeats + queue.seatsInUse < best.waitingSeats + best.seatsInUse)) best = queue
    }
    return best
  }

  /** Moves the meter on: each active queue has had its share of the seats since. */
  #advance(): void {
    const now = this.#clock.awakeMs()
    const seconds = (now - this.#lastMs) / 1_000
    this.#lastMs = now
    if (seconds <= 0 || this.isIdle || this.#queuing === undefined) return
    let active = 0
    for (const queue of this.queues) if (queue.waiting.length > 0 || queue.executing > 0) active++
    if (active > 0) this.#currentR += (seconds * Math.min(this.seatsInUse + this.waitingSeats, this.limit)) / active
  }

  #noteDemand(): void {
    this.demand.set(this.seatsInUse + this.waitingSeats, this.#clock.awakeMs())
  }

  #dropEmptied(): void {
    const wanted = this.#queuing?.queues ?? 0
    for (let last = this.queues.at(-1); last && this.queues.length > wanted && last.waiting.length === 0 && last.executing === 0; last = this.queues.at(-1)) this.queues.pop()
  }
}
