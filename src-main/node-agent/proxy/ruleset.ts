/** A table of nftables as data, and the transaction that turns one state of it into another. Pure. */

export interface Chain {
  /** Hook line of a base chain: `type nat hook prerouting priority -110; policy accept;` */
  readonly hook?: string
  readonly rules: readonly string[]
}

export interface NftMap {
  readonly type: string
  readonly elements: ReadonlyMap<string, string>
}
export interface NftSet {
  readonly type: string
  readonly options: string
  /** Undefined: filled by rules, never by us. */ readonly elements?: ReadonlySet<string>
}

export interface Ruleset {
  readonly table: string
  readonly maps: ReadonlyMap<string, NftMap>
  readonly sets: ReadonlyMap<string, NftSet>
  readonly chains: ReadonlyMap<string, Chain>
}

/**
 * Input for `nft -f -`, one transaction. Without `previous` the whole table is replaced; with it only what differs is
 * touched, so that counters, connections' affinity and the kernel's time are kept. Empty where nothing differs.
 */
export function transaction(next: Ruleset, previous: Ruleset | undefined): string {
  const at = `ip ${next.table}`
  const lines: string[] = []
  const before: Ruleset = previous ?? { table: next.table, maps: new Map(), sets: new Map(), chains: new Map() }
  if (!previous) lines.push(`add table ${at}`, `delete table ${at}`, `add table ${at}`)
  for (const [name, set] of next.sets) if (!before.sets.has(name)) lines.push(`add set ${at} ${name} { type ${set.type}; ${set.options} }`)
  for (const [name, map] of next.maps) if (!before.maps.has(name)) lines.push(`add map ${at} ${name} { type ${map.type}; }`)
  for (const [name, chain] of next.chains) if (!before.chains.has(name)) lines.push(`add chain ${at} ${name}${chain.hook === undefined ? '' : ` { ${chain.hook} }`}`)
  for (const [name, map] of before.maps) {
    const gone = [...map.elements].filter(([key, value]) => next.maps.get(name)?.elements.get(key) !== value).map(([key, value]) => `${key} : ${value}`)
    if (gone.length > 0) lines.push(`delete element ${at} ${name} { ${gone.join(', ')} }`)
  }
  for (const [name, set] of before.sets) {
    const gone = [...(set.elements ?? [])].filter(key => !next.sets.get(name)?.elements?.has(key))
    if (gone.length > 0) lines.push(`delete element ${at} ${name} { ${gone.join(', ')} }`)
  }
  for (const [name, chain] of next.chains) {
    const old = before.chains.get(name)
    if (old && sameRules(old.rules, chain.rules)) continue
    if (old) lines.push(`flush chain ${at} ${name}`)
    for (const rule of chain.rules) lines.push(`add rule ${at} ${name} ${rule}`)
  }
  for (const [name, map] of next.maps) {
    const fresh = [...map.elements].filter(([key, value]) => before.maps.get(name)?.elements.get(key) !== value).map(([key, value]) => `${key} : ${value}`)
    if (fresh.length > 0) lines.push(`add element ${at} ${name} { ${fresh.join(', ')} }`)
  }
  for (const [name, set] of next.sets) {
    const fresh = [...(set.elements ?? [])].filter(key => !before.sets.get(name)?.elements?.has(key))
    if (fresh.length > 0) lines.push(`add element ${at} ${name} { ${fresh.join(', ')} }`)
  }
  const goneChains = [...before.chains.keys()].filter(name => !next.chains.has(name))
  for (const name of goneChains) lines.push(`flush chain ${at} ${name}`)
  for (const name of goneChains) lines.push(`delete chain ${at} ${name}`)
  for (const name of before.maps.keys()) if (!next.maps.has(name)) lines.push(`delete map ${at} ${name}`)
  for (const name of before.sets.keys()) if (!next.sets.has(name)) lines.push(`delete set ${at} ${name}`)
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}

function sameRules(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((rule, index) => rule === b[index])
}
