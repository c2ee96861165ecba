/** IPv4 ranges of host routes against those of the cluster. */

/** True when two CIDR ranges share an address. False for what is not IPv4. */
export function overlaps(a: string, b: string): boolean {
  const left = parse(a)
  const right = parse(b)
  if (left === undefined || right === undefined) return false
  const bits = Math.min(left.bits, right.bits)
  if (bits === 0) return false // the default route overlaps everything and means nothing
  return left.address >>> (32 - bits) === right.address >>> (32 - bits)
}

function parse(range: string): { address: number; bits: number } | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(range)
  if (!match) return undefined
  const octets = match.slice(1, 5).map(Number)
  const bits = Number(match[5])
  if (octets.some(octet => octet > 255) || bits > 32) return undefined
  return { address: octets.reduce((sum, octet) => sum * 256 + octet, 0), bits }
}
