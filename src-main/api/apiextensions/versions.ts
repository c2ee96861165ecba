/** Order of API versions by age and maturity. Pure. */

/** Sorts v10 before v2 before v1 before v1beta1 before v1alpha1 before anything else, which goes by name. */
export function compareVersionNames(a: string, b: string): number {
  const parse = (version: string): readonly [number, number, number] => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version)
    if (!match) return [-1, 0, 0]
    return [match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0, Number(match[1]), Number(match[3] ?? 0)]
  }
  const [x, y] = [parse(a), parse(b)]
  return y[0] - x[0] || y[1] - x[1] || y[2] - x[2] || (a < b ? -1 : a > b ? 1 : 0)
}
