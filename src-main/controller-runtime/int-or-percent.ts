/** IntOrString of rollouts and budgets: `3` or `"25%"` of a total. */

export function intOrPercent(value: number | string | undefined, total: number, round: 'up' | 'down'): number {
  if (value === undefined) return 0
  if (typeof value === 'number') return value
  const percent = Number(value.endsWith('%') ? value.slice(0, -1) : value)
  if (!value.endsWith('%')) return Number.isFinite(percent) ? percent : 0
  const share = (percent * total) / 100
  return round === 'up' ? Math.ceil(share) : Math.floor(share)
}
