/**
 * Validators of names, labels, ports and addresses with Kubernetes' exact texts (apimachinery's validation package).
 * Each returns the texts of its faults: an empty list means valid. All run in linear time.
 */

function regexFault(message: string, pattern: string, ...examples: string[]): string {
  const shown = examples.map((e, i) => `${i > 0 ? ' or ' : ''}'${e}', `).join('')
  return `${message} (${examples.length > 0 ? `e.g. ${shown}` : ''}regex used for validation is '${pattern}')`
}

/** Kubernetes speaks of characters in some validators and of bytes in others; it counts bytes in all. */
function maxLength(max: number, unit: 'bytes' | 'characters' = 'characters'): string {
  return `must be no more than ${max} ${unit}`
}

/** Bytes of the UTF-8 of a text. */
export function byteLength(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c < 0x80) continue
    if (c < 0x800) bytes += 1
    else if (c >= 0xd800 && c < 0xdc00 && i + 1 < text.length) {
      bytes += 2
      i++
    } else bytes += 2
  }
  return bytes
}

const label1123 = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const subdomain1123 = `${label1123}(\\.${label1123})*`
const label1035 = '[a-z]([-a-z0-9]*[a-z0-9])?'
const qualifiedPart = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'

const label1123Regex = new RegExp(`^(?:${label1123})$`)
const subdomain1123Regex = new RegExp(`^(?:${subdomain1123})$`)
const label1035Regex = new RegExp(`^(?:${label1035})$`)
const qualifiedPartRegex = new RegExp(`^(?:${qualifiedPart})$`)

const label1123Fault = regexFault(
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  label1123,
  'my-name',
  '123-abc',
)
const subdomain1123Fault = regexFault(
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  subdomain1123,
  'example.com',
)
const label1035Fault = regexFault(
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  label1035,
  'my-name',
  'abc-123',
)

/** A name such as `my-name`, at most 63 bytes. */
export function isDns1123Label(v: string): string[] {
  const faults = byteLength(v) > 63 ? [maxLength(63)] : []
  if (label1123Regex.test(v)) return faults
  if (subdomain1123Regex.test(v)) return [...faults, 'must not contain dots']
  return [...faults, label1123Fault]
}

/** A name such as `example.com`, at most 253 bytes. */
export function isDns1123Subdomain(v: string): string[] {
  return [...(byteLength(v) > 253 ? [maxLength(253)] : []), ...(subdomain1123Regex.test(v) ? [] : [subdomain1123Fault])]
}

/** A name such as `my-name` that starts with a letter. */
export function isDns1035Label(v: string): string[] {
  return [...(byteLength(v) > 63 ? [maxLength(63)] : []), ...(label1035Regex.test(v) ? [] : [label1035Fault])]
}

const wildcardPattern = `\\*\\.${subdomain1123}`
const wildcardRegex = new RegExp(`^(?:${wildcardPattern})$`)

/** `*.example.com` */
export function isWildcardDns1123Subdomain(v: string): string[] {
  if (wildcardRegex.test(v)) return []
  return [
    regexFault(
      "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
      wildcardPattern,
      '*.example.com',
    ),
  ]
}

const qualifiedText = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"

/** A key of labels, annotations and the like: `example.com/MyName`. */
export function isQualifiedName(v: string): string[] {
  const faults: string[] = []
  const parts = v.split('/')
  let name = parts[0] ?? ''
  if (parts.length === 2) {
    const prefix = name
    name = parts[1] ?? ''
    if (prefix === '') faults.push('prefix part must be non-empty')
    else faults.push(...isDns1123Subdomain(prefix).map(fault => `prefix part ${fault}`))
  } else if (parts.length > 2) {
    return [
      `${regexFault(`a valid label key ${qualifiedText}`, qualifiedPart, 'MyName', 'my.name', '123-abc')} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ]
  }
  if (name === '') faults.push('name part must be non-empty')
  else if (byteLength(name) > 63) faults.push(`name part ${maxLength(63, 'bytes')}`)
  if (!qualifiedPartRegex.test(name)) faults.push(`name part ${regexFault(qualifiedText, qualifiedPart, 'MyName', 'my.name', '123-abc')}`)
  return faults
}

const labelValueFault = regexFault(
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  `(${qualifiedPart})?`,
  'MyValue',
  'my_value',
  '12345',
)

export function isValidLabelValue(v: string): string[] {
  return [...(byteLength(v) > 63 ? [maxLength(63, 'bytes')] : []), ...(v === '' || qualifiedPartRegex.test(v) ? [] : [labelValueFault])]
}

export function isInRange(v: number, min: number, max: number): string[] {
  return v >= min && v <= max ? [] : [`must be between ${min} and ${max}, inclusive`]
}

export function isPort(v: number): string[] {
  return isInRange(v, 1, 65_535)
}

/** A name of a port: `http`, at most 15 bytes. */
export function isPortName(v: string): string[] {
  const faults: string[] = []
  if (byteLength(v) > 15) faults.push(maxLength(15))
  if (!/^[-a-z0-9]+$/.test(v)) faults.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')
  if (!/[a-z]/.test(v)) faults.push('must contain at least one letter (a-z)')
  if (v.includes('--')) faults.push('must not contain consecutive hyphens')
  if (v.length > 0 && (v.startsWith('-') || v.endsWith('-'))) faults.push('must not begin or end with a hyphen')
  return faults
}

/** Bits of an IPv4 (32) or IPv6 (128) address with its numeric value, or undefined. Leading zeros are refused, as in Go. */
export function parseAddress(v: string): { bits: 32 | 128; value: bigint } | undefined {
  if (!v.includes(':')) {
    const value = parseIPv4(v)
    return value === undefined ? undefined : { bits: 32, value }
  }
  const value = parseIPv6(v)
  return value === undefined ? undefined : { bits: 128, value }
}

function parseIPv4(v: string): bigint | undefined {
  const m = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(v)
  if (!m) return undefined
  let value = 0n
  for (const octet of m.slice(1)) {
    if (Number(octet) > 255 || (octet.length > 1 && octet.startsWith('0'))) return undefined
    value = (value << 8n) | BigInt(octet)
  }
  return value
}

function parseIPv6(text: string): bigint | undefined {
  let v = text
  const last = v.slice(v.lastIndexOf(':') + 1)
  if (last.includes('.')) {
    const four = parseIPv4(last)
    if (four === undefined) return undefined
    v = `${v.slice(0, -last.length)}${(four >> 16n).toString(16)}:${(four & 0xffffn).toString(16)}`
  }
  const halves = v.split('::')
  if (halves.length > 2) return undefined
  const groups = halves.map(half => (half === '' ? [] : half.split(':')))
  const [head = [], tail = []] = groups
  const count = head.length + tail.length
  if (halves.length === 2 ? count > 7 : count !== 8) return undefined
  const all = [...head, ...new Array<string>(8 - count).fill('0'), ...tail]
  if (all.some(g => !/^[0-9a-fA-F]{1,4}$/.test(g))) return undefined
  return all.reduce((value, g) => (value << 16n) | BigInt(`0x${g}`), 0n)
}

/** What would be an address but for zeros that other programs read as octal. */
function hasLeadingZeros(v: string): boolean {
  return /^\d+(\.\d+){3}$/.test(v) && parseAddress(v.replace(/\b0+(?=\d)/g, '')) !== undefined
}

export function isIP(v: string): string[] {
  if (hasLeadingZeros(v) && !parseAddress(v)) return ['must not have leading 0s']
  return parseAddress(v) ? [] : ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)']
}

/** `10.9.8.0/24`: network prefix length included; bits below the mask are not checked. */
export function parseCIDR(v: string): { bits: 32 | 128; value: bigint; prefix: number } | undefined {
  const slash = v.indexOf('/')
  const address = slash < 0 ? undefined : parseAddress(v.slice(0, slash))
  const length = v.slice(slash + 1)
  if (!address || !/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > address.bits) return undefined
  return { ...address, prefix: Number(length) }
}

export function isCIDR(v: string): string[] {
  return parseCIDR(v) ? [] : ['must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)']
}

/** A key of ConfigMap and Secret data. */
export function isConfigMapKey(v: string): string[] {
  const faults = byteLength(v) > 253 ? [maxLength(253)] : []
  if (!/^[-._a-zA-Z0-9]+$/.test(v))
    faults.push(regexFault("a valid config key must consist of alphanumeric characters, '-', '_' or '.'", '[-._a-zA-Z0-9]+', 'key.name', 'KEY_NAME', 'key-name'))
  if (v === '.') faults.push("must not be '.'")
  else if (v === '..') faults.push("must not be '..'")
  else if (v.startsWith('..')) faults.push("must not start with '..'")
  return faults
}

/** An environment variable's name; since 1.34 nearly every printable ASCII text. */
export function isEnvVarName(v: string): string[] {
  if (v === '') return ['environment variable name must not be empty']
  return /^[ -<>-~]+$/.test(v) ? [] : ["a valid environment variable name must consist only of printable ASCII characters other than '='"]
}

export function isCIdentifier(v: string): string[] {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(v)) return []
  return [
    regexFault(
      "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
      '[A-Za-z_][A-Za-z0-9_]*',
      'my_name',
      'MY_NAME',
      'MyName',
    ),
  ]
}

export function isHttpHeaderName(v: string): string[] {
  return /^[-A-Za-z0-9]+$/.test(v) ? [] : [regexFault("a valid HTTP header must consist of alphanumeric characters or '-'", '[-A-Za-z0-9]+', 'X-Header-Name')]
}

export function isPercent(v: string): string[] {
  return /^[0-9]+%$/.test(v) ? [] : [regexFault("a valid percent string must be a numeric string followed by an ending '%'", '[0-9]+%', '1%', '93%')]
}

/** A name that stands in a URL path as one segment (Roles, for instance). */
export function isPathSegmentName(v: string): string[] {
  if (v === '.' || v === '..') return [`may not be '${v}'`]
  return ['/', '%'].filter(c => v.includes(c)).map(c => `may not contain '${c}'`)
}

/** A domain with at least two segments. */
export function isFullyQualifiedName(v: string): string[] {
  if (v === '') return ['must be non-empty']
  const faults = isDns1123Subdomain(v)
  if (faults.length > 0) return faults
  return v.split('.').length < 2 ? ['should be a domain with at least two segments separated by dots'] : []
}

const suffixAlphabet = 'bcdfghjklmnpqrstvwxz2456789'

/** Longest base that generateName keeps: 63 bytes less the five of the suffix. */
const maxGeneratedBase = 58

/** `base` with five random characters, as metadata.generateName makes it. */
export function generateName(base: string, random: { next(): number }): string {
  let suffix = ''
  for (let i = 0; i < 5; i++) suffix += suffixAlphabet[Math.floor(random.next() * suffixAlphabet.length)] ?? 'b'
  return base.slice(0, maxGeneratedBase) + suffix
}
