/** Numbers of a range that are in use, with their owners; the base of cluster IP and node port allocation. */
import type { Random } from '../../base/env.ts'

export class NumberPool {
  readonly size: number
  readonly #taken = new Map<number, string>()

  /** Numbers 0 to size - 1. */
  constructor(size: number) {
    this.size = size
  }

  get free(): number {
    return this.size - this.#taken.size
  }

  ownerOf(offset: number): string | undefined {
    return this.#taken.get(offset)
  }

  /** False when somebody else has it; taking one's own again is fine. */
  take(offset: number, owner: string): boolean {
    const present = this.#taken.get(offset)
    if (present !== undefined && present !== owner) return false
    this.#taken.set(offset, owner)
    return true
  }

  /** A free number from `first` on, at random; from below `first` when those are all taken; undefined when there is none at all. */
  takeAny(owner: string, random: Random, first: number): number | undefined {
    return this.#takeWithin(owner, random, first, this.size) ?? this.#takeWithin(owner, random, 0, first)
  }

  /** Starts at a random place and goes round, so that a full pool costs one round. */
  #takeWithin(owner: string, random: Random, from: number, to: number): number | undefined {
    const width = to - from
    if (width <= 0) return undefined
    const start = Math.floor(random.next() * width)
    for (let i = 0; i < width; i++) {
      const offset = from + ((start + i) % width)
      if (!this.#taken.has(offset)) {
        this.#taken.set(offset, owner)
        return offset
      }
    }
    return undefined
  }

  /** Only its owner gives a number back. */
  release(offset: number, owner: string): void {
    if (this.#taken.get(offset) === owner) this.#taken.delete(offset)
  }
}
