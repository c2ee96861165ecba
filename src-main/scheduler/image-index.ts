/** How many nodes hold each image, kept up to date as nodes report theirs. */
import type { Node } from '../api/generated/core-v1.ts'

function imagesOf(node: Node | undefined): Set<string> {
  return new Set((node?.status?.images ?? []).flatMap(image => image.names ?? []))
}

export class ImageIndex {
  readonly #holders = new Map<string, number>()

  /** Heartbeats keep the list of images as it is, which costs nothing here. */
  replace(previous: Node | undefined, next: Node | undefined): void {
    if (previous?.status?.images === next?.status?.images) return
    for (const name of imagesOf(previous)) {
      const left = (this.#holders.get(name) ?? 0) - 1
      if (left > 0) this.#holders.set(name, left)
      else this.#holders.delete(name)
    }
    for (const name of imagesOf(next)) this.#holders.set(name, (this.#holders.get(name) ?? 0) + 1)
  }

  holders(name: string): number {
    return this.#holders.get(name) ?? 0
  }
}
