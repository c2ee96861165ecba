/**
 * A queue between a producer that cannot wait (the store) and one consumer that reads at its own pace. What waits is
 * small (a reference to a stored entry); the consumer's form of it is made when it is read. The producer bounds it.
 */

export class EventQueue<T, U> implements AsyncIterable<U>, AsyncIterator<U> {
  #items: T[] = []
  #head = 0
  #closed = false
  #wake: (() => void) | undefined
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

  async next(): Promise<IteratorResult<U>> {
    for (;;) {
      if (this.#head < this.#items.length) {
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
        return { value: this.#convert(value), done: false }
      }
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
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
