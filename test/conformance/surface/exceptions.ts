/** Where our surface differs from kube-apiserver's on purpose, and why. */
export interface SurfaceException {
  readonly facts: RegExp
  readonly reason: string
}

export const surfaceExceptions: readonly SurfaceException[] = []
