/** Kubernetes' ip, cidr and url libraries. */
import { parseAddress, parseCIDR } from '../../names.ts'
import { CelError } from '../errors.ts'
import { global, member } from '../functions.ts'
import type { Library } from '../functions.ts'
import { boolType, intType, listType, mapType, opaqueType, stringType, structType } from '../types.ts'
import { ArrayList, CelOpaque, ValueMap } from '../values.ts'

export const ipType = opaqueType('net.IP')
export const cidrType = opaqueType('net.CIDR')
export const urlType = structType('kubernetes.URL')

type Bits = 32 | 128

function addressText(bits: Bits, value: bigint): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map(shift => (value >> shift) & 255n).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(112 - 16 * i)) & 0xffffn))
  let best = { at: -1, length: 1 }
  for (let i = 0; i < 8; i++) {
    let length = 0
    while (i + length < 8 && groups[i + length] === 0) length++
    if (length > best.length) best = { at: i, length }
  }
  const hex = (part: readonly number[]): string => part.map(g => g.toString(16)).join(':')
  return best.at < 0 ? hex(groups) : `${hex(groups.slice(0, best.at))}::${hex(groups.slice(best.at + best.length))}`
}

class CelIP extends CelOpaque {
  readonly type = ipType
  readonly bits: Bits
  readonly value: bigint
  constructor(bits: Bits, value: bigint) {
    super()
    this.bits = bits
    this.value = value
  }
  equals(other: CelOpaque): boolean {
    return other instanceof CelIP && other.bits === this.bits && other.value === this.value
  }
  override get size(): number {
    return this.bits / 8
  }
  override text(): string {
    return addressText(this.bits, this.value)
  }
}

class CelCIDR extends CelOpaque {
  readonly type = cidrType
  readonly bits: Bits
  readonly value: bigint
  readonly prefix: number
  constructor(bits: Bits, value: bigint, prefix: number) {
    super()
    this.bits = bits
    this.value = value
    this.prefix = prefix
  }
  equals(other: CelOpaque): boolean {
    return other instanceof CelCIDR && other.bits === this.bits && other.value === this.value && other.prefix === this.prefix
  }
  override get size(): number {
    return Math.ceil(this.prefix / 8)
  }
  override text(): string {
    return `${addressText(this.bits, this.value)}/${this.prefix}`
  }
  /** Whether the first `prefix` bits agree. */
  covers(bits: Bits, value: bigint): boolean {
    const shift = BigInt(this.bits - this.prefix)
    return bits === this.bits && value >> shift === this.value >> shift
  }
}

const isMapped = (value: bigint): boolean => value >> 32n === 0xffffn

/** Throws CelError. */
function toIP(text: string): CelIP {
  const [plain = '', zone] = text.split('%', 2)
  const address = parseAddress(plain)
  if (!address) throw new CelError(`IP Address ${JSON.stringify(text)} parse error during conversion from string: ParseAddr(${JSON.stringify(text)}): unable to parse IP`)
  if (zone !== undefined) throw new CelError(`IP address ${JSON.stringify(text)} with zone value is not allowed`)
  if (address.bits === 128 && isMapped(address.value)) throw new CelError(`IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`)
  return new CelIP(address.bits, address.value)
}

/** Throws CelError. */
function toCIDR(text: string): CelCIDR {
  const prefix = 'network address parse error during conversion from string: '
  const cidr = parseCIDR(text)
  if (!cidr) throw new CelError(`${prefix}${prefix}netip.ParsePrefix(${JSON.stringify(text)}): ${text.includes('/') ? 'unable to parse IP' : "no '/'"}`)
  if (cidr.bits === 128 && isMapped(cidr.value)) throw new CelError(`${prefix}IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`)
  return new CelCIDR(cidr.bits, cidr.value, cidr.prefix)
}

function succeeds(run: () => unknown): boolean {
  try {
    run()
    return true
  } catch (fault) {
    if (fault instanceof CelError) return false
    throw fault
  }
}

const top = (ip: CelIP, bits: number): bigint => ip.value >> BigInt(ip.bits - bits)
const isUnspecified = (ip: CelIP): boolean => ip.value === 0n
const isLoopback = (ip: CelIP): boolean => (ip.bits === 32 ? top(ip, 8) === 127n : ip.value === 1n)
const isLinkLocalMulticast = (ip: CelIP): boolean => (ip.bits === 32 ? top(ip, 24) === 0xe00000n : top(ip, 8) === 0xffn && (top(ip, 16) & 0xfn) === 2n)
const isLinkLocalUnicast = (ip: CelIP): boolean => (ip.bits === 32 ? top(ip, 16) === 0xa9fen : top(ip, 10) === 0x3fan)
const isMulticast = (ip: CelIP): boolean => (ip.bits === 32 ? top(ip, 4) === 0xen : top(ip, 8) === 0xffn)
const isBroadcast = (ip: CelIP): boolean => ip.bits === 32 && ip.value === 0xffffffffn
const isGlobalUnicast = (ip: CelIP): boolean => !isUnspecified(ip) && !isBroadcast(ip) && !isLoopback(ip) && !isMulticast(ip) && !isLinkLocalUnicast(ip)

const addresses: Library = {
  ip: [global('string_to_ip', [stringType], ipType, toIP), member('cidr_ip', [cidrType], ipType, (c: CelCIDR) => new CelIP(c.bits, c.value))],
  family: [member('ip_family', [ipType], intType, (ip: CelIP) => (ip.bits === 32 ? 4n : 6n))],
  'ip.isCanonical': [global('ip_is_canonical', [stringType], boolType, (text: string) => toIP(text).text() === text)],
  isUnspecified: [member('ip_is_unspecified', [ipType], boolType, isUnspecified)],
  isLoopback: [member('ip_is_loopback', [ipType], boolType, isLoopback)],
  isLinkLocalMulticast: [member('ip_is_link_local_multicast', [ipType], boolType, isLinkLocalMulticast)],
  isLinkLocalUnicast: [member('ip_is_link_local_unicast', [ipType], boolType, isLinkLocalUnicast)],
  isGlobalUnicast: [member('ip_is_global_unicast', [ipType], boolType, isGlobalUnicast)],
  isIP: [global('is_ip', [stringType], boolType, (text: string) => succeeds(() => toIP(text)))],
  string: [global('ip_to_string', [ipType], stringType, (ip: CelIP) => ip.text()), global('cidr_to_string', [cidrType], stringType, (c: CelCIDR) => c.text())],
  cidr: [global('string_to_cidr', [stringType], cidrType, toCIDR)],
  containsIP: [
    member('cidr_contains_ip_string', [cidrType, stringType], boolType, (c: CelCIDR, text: string) => containsIP(c, toIP(text))),
    member('cidr_contains_ip_ip', [cidrType, ipType], boolType, containsIP),
  ],
  containsCIDR: [
    member('cidr_contains_cidr_string', [cidrType, stringType], boolType, (c: CelCIDR, text: string) => containsCIDR(c, toCIDR(text))),
    member('cidr_contains_cidr', [cidrType, cidrType], boolType, containsCIDR),
  ],
  prefixLength: [member('cidr_prefix_length', [cidrType], intType, (c: CelCIDR) => BigInt(c.prefix))],
  masked: [
    member('cidr_masked', [cidrType], cidrType, (c: CelCIDR) => {
      const shift = BigInt(c.bits - c.prefix)
      return new CelCIDR(c.bits, (c.value >> shift) << shift, c.prefix)
    }),
  ],
  isCIDR: [global('is_cidr', [stringType], boolType, (text: string) => succeeds(() => toCIDR(text)))],
}

function containsIP(c: CelCIDR, ip: CelIP): boolean {
  return c.covers(ip.bits, ip.value)
}
function containsCIDR(c: CelCIDR, other: CelCIDR): boolean {
  return c.prefix <= other.prefix && c.covers(other.bits, other.value)
}

interface UrlParts {
  readonly scheme: string
  readonly host: string
  readonly path: string
  readonly query: string
}

class CelUrl extends CelOpaque {
  readonly type = urlType
  readonly whole: string
  readonly parts: UrlParts
  constructor(whole: string, parts: UrlParts) {
    super()
    this.whole = whole
    this.parts = parts
  }
  equals(other: CelOpaque): boolean {
    return other instanceof CelUrl && other.whole === this.whole
  }
}

/** Go's ParseRequestURI: an absolute URI or an absolute path. The text of the fault, or the parts. */
export function parseRequestUri(text: string): UrlParts | string {
  const quoted = JSON.stringify(text)
  if (text === '') return 'parse "": empty url'
  if (/[\x00-\x1f\x7f]/.test(text)) return `parse ${quoted}: net/url: invalid control character in URL`
  const match = /^([a-zA-Z][a-zA-Z0-9+.-]*):(.*)$/s.exec(text)
  if (!match && text.startsWith(':')) return `parse ${quoted}: missing protocol scheme`
  const rest = match ? (match[2] ?? '') : text
  const scheme = (match?.[1] ?? '').toLowerCase()
  const withoutFragment = rest.split('#', 1)[0] ?? ''
  const question = withoutFragment.indexOf('?')
  const before = question < 0 ? withoutFragment : withoutFragment.slice(0, question)
  const query = question < 0 ? '' : withoutFragment.slice(question + 1)
  if (!before.startsWith('/')) return scheme === '' || before === '' ? `parse ${quoted}: invalid URI for request` : { scheme, host: '', path: '', query }
  const authority = before.startsWith('//') && (scheme !== '' || !before.startsWith('///'))
  const slash = authority ? before.indexOf('/', 2) : 0
  const host = authority ? before.slice(2, slash < 0 ? undefined : slash).replace(/^.*@/s, '') : ''
  const path = authority ? (slash < 0 ? '' : before.slice(slash)) : before
  const badEscape = /%(?![0-9a-fA-F]{2}).{0,2}/s.exec(`${host}${path}`)
  if (badEscape) return `parse ${quoted}: invalid URL escape ${JSON.stringify(badEscape[0])}`
  if (/[ <>"]/.test(host)) return `parse ${quoted}: invalid character ${JSON.stringify(/[ <>"]/.exec(host)?.[0] ?? '')} in host name`
  const port = /:([^:\]]*)$/.exec(host)
  if (port && !/^\d*$/.test(port[1] ?? '')) return `parse ${quoted}: invalid port ${JSON.stringify(port[0])} after host`
  return { scheme, host, path, query }
}

function toUrl(text: string): CelUrl {
  const parts = parseRequestUri(text)
  if (typeof parts === 'string') throw new CelError(`URL parse error during conversion from string: ${parts}`)
  return new CelUrl(text, parts)
}

function hostname(host: string): string {
  const bare = host.replace(/:\d*$/, '')
  return bare.startsWith('[') && bare.endsWith(']') ? bare.slice(1, -1) : bare
}

function escapedPath(path: string): string {
  return path.replace(/[^A-Za-z0-9\-._~$&+,/:;=@!'()*%[\]]/gu, c => encodeURIComponent(c))
}

function queryMap(query: string): ValueMap {
  const values = new Map<string, string[]>()
  for (const piece of query.split('&')) {
    if (piece === '' || piece.includes(';')) continue
    const [key = '', value = ''] = piece.split(/=(.*)/s, 2)
    try {
      const name = decodeURIComponent(key.replaceAll('+', ' '))
      values.set(name, [...(values.get(name) ?? []), decodeURIComponent(value.replaceAll('+', ' '))])
    } catch {
      // Go passes over what it cannot decode.
    }
  }
  return new ValueMap([...values].map(([key, list]) => [key, new ArrayList(list)] as const))
}

const urls: Library = {
  url: [global('string_to_url', [stringType], urlType, toUrl)],
  getScheme: [member('url_get_scheme', [urlType], stringType, (u: CelUrl) => u.parts.scheme)],
  getHost: [member('url_get_host', [urlType], stringType, (u: CelUrl) => u.parts.host)],
  getHostname: [member('url_get_hostname', [urlType], stringType, (u: CelUrl) => hostname(u.parts.host))],
  getPort: [member('url_get_port', [urlType], stringType, (u: CelUrl) => /:(\d*)$/.exec(u.parts.host)?.[1] ?? '')],
  getEscapedPath: [member('url_get_escaped_path', [urlType], stringType, (u: CelUrl) => escapedPath(u.parts.path))],
  getQuery: [member('url_get_query', [urlType], mapType(stringType, listType(stringType)), (u: CelUrl) => queryMap(u.parts.query))],
  isURL: [global('is_url_string', [stringType], boolType, (text: string) => typeof parseRequestUri(text) !== 'string')],
}

export const addressLibraries: readonly Library[] = [addresses, urls]
