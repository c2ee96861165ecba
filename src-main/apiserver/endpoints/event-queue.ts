/**
 * A queue between a producer that cannot wait (the store) and one consumer that reads at its own pace. What waits is
 * small (a reference to a stored entry); the consumer's form of it is made when it is read. The producer bounds it.
 */

import type { Drainable, Sink } from '../../api/request.ts'

/** Items that are written before other work has its turn: a few milliseconds, however many watchers see the same event. */
const TURN_ITEMS = 128

/** Queues with a sink that have something to write. */
const waiting = new Set<{ flush(atMost: number): number }>()
let isTurnDue = false

function takeTurn(): void {
  let left = TURN_ITEMS
  for (const queue of waiting) {
    waiting.delete(queue)
    left -= queue.flush(left)
    if (left <= 0) break
  }
  isTurnDue = waiting.size > 0
  if (isTurnDue) setImmediate(takeTurn)
}

export class EventQueue<T, U> implements AsyncIterable<U>, AsyncIterator<U>, Drainable<U> {
  #items: T[] = []
  #head = 0
  #closed = false
  #wake: (() => void) | undefined
  #sink: Sink<U> | undefined
  /** The sink wants no more for now. */
  #isFull = false
  readonly #convert: (item: T) => U
  readonly #onClose: () => void

  /** `onClose` runs once, when either side ends the queue. */
  constructor(convert: (item: T) => U, onClose: () => void) {
    this.#convert = convert
    this.#onClose = onClose
  }

  get size(): number {
    return this.#items.length - this.#head
  }
  get isClosed(): boolean {
    return this.#closed
  }

  push(item: T): void {
    if (this.#closed) return
    this.#items.push(item)
    this.#notify()
  }

  /** No more items come; those waiting are still read. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#onClose()
    this.#notify()
  }

  /** Forgets what waits, leaves `last` as the end. */
  abandon(last: T): void {
    if (this.#closed) return
    this.#items = [last]
    this.#head = 0
    this.close()
  }

  [Symbol.asyncIterator](): AsyncIterator<U> {
    return this
  }

  drainTo(sink: Sink<U>): () => void {
    this.#sink = sink
    this.#notify()
    return () => {
      this.#isFull = false
      this.#notify()
    }
  }

  /** Writes to the sink; returns how many items went. An item that cannot be written ends this queue, and no other. */
  flush(atMost: number): number {
    try {
      return this.#write(atMost)
    } catch {
      this.#fail()
      return 1
    }
  }

  #fail(): void {
    const sink = this.#sink
    this.#sink = undefined
    this.#items = []
    this.#head = 0
    try {
      this.close()
    } finally {
      sink?.end()
    }
  }

  #write(atMost: number): number {
    const sink = this.#sink
    let count = 0
    while (sink && !this.#isFull && this.#head < this.#items.length && count < atMost) {
      this.#isFull = !sink.write(this.#convert(this.#take()))
      count++
    }
    if (!sink || this.#isFull) return count
    if (this.#head < this.#items.length) waiting.add(this)
    else if (this.#closed) {
      this.#sink = undefined
      sink.end()
    }
    return count
  }

  #take(): T {
    const value = this.#items[this.#head] as T
    this.#head++
    // Memory of read items is given back in large steps, so that a long queue costs no copying an item.
    if (this.#head === this.#items.length) {
      this.#items = []
      this.#head = 0
    } else if (this.#head >= 1_024) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return value
  }

  async next(): Promise<IteratorResult<U>> {
    for (;;) {
      if (this.#head < this.#items.length) return { value: this.#convert(this.#take()), done: false }
      if (this.#closed) return { value: undefined, done: true }
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  async return(): Promise<IteratorResult<U>> {
    this.#items = []
    this.#head = 0
    this.close()
    return { value: undefined, done: true }
  }

  #notify(): void {
    if (this.#sink) {
      if (this.#isFull) return
      waiting.add(this)
      if (!isTurnDue) setImmediate(takeTurn)
      isTurnDue = true
      return
    }
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
