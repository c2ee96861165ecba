/**
 * Seats of the priority levels: nominal by shares, then lent and borrowed by demand within the bounds that each level
 * allows (KEP-1040). Pure.
 */
import type { PriorityLevelConfiguration } from '../../api/generated/flowcontrol-v1.ts'

export interface SeatBounds {
  readonly nominal: number
  readonly least: number
  readonly most: number
}

/** Shares of a level that does not say; as upstream's defaults. */
const DEFAULT_SHARES = 30

function sharesOf(level: PriorityLevelConfiguration): number {
  const { exempt, limited, type } = level.spec
  return type === 'Exempt' ? (exempt?.nominalConcurrencyShares ?? 0) : (limited?.nominalConcurrencyShares ?? DEFAULT_SHARES)
}

/** Bounds by name, of `seats` in all. */
export function seatBounds(levels: readonly PriorityLevelConfiguration[], seats: number): Map<string, SeatBounds> {
  const sum = levels.reduce((total, level) => total + sharesOf(level), 0)
  return new Map(
    levels.map(level => {
      const { exempt, limited, type } = level.spec
      const nominal = sum === 0 ? 0 : Math.ceil((seats * sharesOf(level)) / sum)
      const lendable = Math.round((nominal * ((type === 'Exempt' ? exempt?.lendablePercent : limited?.lendablePercent) ?? 0)) / 100)
      const borrowing = type === 'Exempt' ? undefined : limited?.borrowingLimitPercent
      const most = borrowing === undefined || borrowing === null ? seats : nominal + Math.round((nominal * borrowing) / 100)
      return [level.metadata.name ?? '', { nominal, least: nominal - lendable, most: Math.max(most, nominal) }]
    }),
  )
}

export interface Claim {
  readonly bounds: SeatBounds
  /** Highest demand of the last period. */
  readonly highest: number
  readonly smoothed: number
}

/** Divides `seats` among claims: each gets what it needs up to its nominal share, and of the rest in proportion to its demand. */
export function allocate(claims: readonly Claim[], seats: number): number[] {
  const items = claims.map(({ bounds, highest, smoothed }) => {
    const lower = Math.max(bounds.least, Math.min(bounds.nominal, highest))
    return { lower, upper: Math.max(bounds.most, lower), target: Math.max(lower, smoothed, 0.001) }
  })
  const at = (proportion: number): number[] => items.map(({ lower, upper, target }) => Math.min(upper, Math.max(lower, proportion * target)))
  const total = (list: readonly number[]): number => list.reduce((sum, one) => sum + one, 0)
  if (total(items.map(item => item.lower)) >= seats) return shrunk(claims, items, seats)
  // The sum rises with the proportion, so halving finds it; a million times the least target passes every bound.
  let [low, high] = [0, Math.max(1, ...items.map(item => item.upper / item.target))]
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (total(at(middle)) < seats) low = middle
    else high = middle
  }
  return at(high).map(Math.round)
}

/** Not all lower bounds fit: what is above the guaranteed least is cut evenly. */
function shrunk(claims: readonly Claim[], items: readonly { readonly lower: number }[], seats: number): number[] {
  const least = claims.map(claim => claim.bounds.least)
  const leastSum = least.reduce((sum, one) => sum + one, 0)
  const lowerSum = items.reduce((sum, item) => sum + item.lower, 0)
  const share = lowerSum > leastSum ? Math.max(0, seats - leastSum) / (lowerSum - leastSum) : 0
  return items.map((item, i) => Math.round((least[i] ?? 0) + (item.lower - (least[i] ?? 0)) * share))
}
