/** What can go wrong with expressions. */

/** An expression that cannot be compiled. `message` shows every fault with its place, as Kubernetes does after "compilation failed: ". */
export class CelCompileError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'CelCompileError'
  }
}

/** An evaluation that failed. `message` is what Kubernetes shows. */
export class CelError extends Error {
  /** The budget was used up: no operator absorbs this. */
  readonly isCostLimit: boolean
  constructor(message: string, isCostLimit = false) {
    super(message)
    this.name = 'CelError'
    this.isCostLimit = isCostLimit
  }
}
