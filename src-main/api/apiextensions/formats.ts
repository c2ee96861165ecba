/**
 * String formats that values of custom kinds are checked against: those of Kubernetes' kube-openapi, with its oddities
 * (a host name of one label has no dash, a duration may be `2 days`). Every check takes linear time.
 */
import { compileRegex } from '../cel/regex.ts'
import { parseAddress, parseCIDR } from '../names.ts'
import { parseGoDuration } from '../time.ts'

type Check = (text: string) => boolean

const uuid = (third: string, fourth: string): RegExp => new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${third}-?${fourth}-?[0-9a-f]{12}$`, 'i')
const anyGroup = '[0-9a-f]{4}'
const variant = '[89ab][0-9a-f]{3}'
const uuids = { any: uuid(anyGroup, anyGroup), 3: uuid('3[0-9a-f]{3}', anyGroup), 4: uuid('4[0-9a-f]{3}', variant), 5: uuid('5[0-9a-f]{3}', variant) }

/** Leading zeros of octets are tolerated, as upstream. */
function withoutZeros(text: string): string {
  return text.includes('.') && text.length < 64 ? text.replace(/(^|[.:])0+(?=\d)/g, '$1') : text
}

const hostnamePattern =
  '^([a-zA-Z0-9\\p{S}\\p{L}]((-?[a-zA-Z0-9\\p{S}\\p{L}]{0,62})?)|([a-zA-Z0-9\\p{S}\\p{L}](([a-zA-Z0-9-\\p{S}\\p{L}]{0,61}[a-zA-Z0-9\\p{S}\\p{L}])?)(\\.)){1,}([a-zA-Z\\p{L}]){2,63})$'
let hostname: { test(text: string): boolean } | undefined

function isHostname(text: string): boolean {
  const bytes = (part: string): number => new TextEncoder().encode(part).length
  if (text.length > 255 || bytes(text) > 255) return false
  hostname ??= compileRegex(hostnamePattern)
  return hostname.test(text) && text.split('.').every(part => bytes(part) <= 63)
}

function isEmail(text: string): boolean {
  // `Name <local@domain>` is an address too.
  const bracket = /^[^<>]*<([^<>]*)>\s*$/.exec(text)
  const address = (bracket?.[1] ?? text).trim()
  const at = address.lastIndexOf('@')
  if (at <= 0) return false
  const [local, domain] = [address.slice(0, at), address.slice(at + 1)]
  const atoms = (part: string): boolean => part !== '' && part.split('.').every(atom => /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u0080-\u{10ffff}]+$/u.test(atom))
  const isQuoted = /^"(?:[^"\\\r\n]|\\.)*"$/.test(local)
  return (isQuoted || atoms(local)) && (atoms(domain) || /^\[[^[\]\\\s]+\]$/.test(domain))
}

function isRequestUri(text: string): boolean {
  if (text === '' || /[\u0000-\u001f\u007f]/.test(text) || /%(?![0-9a-fA-F]{2})/.test(text.split('?')[0] ?? '')) return false
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(text)
  const rest = scheme ? text.slice(scheme[0].length) : text
  if (!rest.startsWith('/')) return scheme !== null && rest !== ''
  if (!rest.startsWith('//') || !scheme) return true
  const authority = rest.slice(2).split(/[/?]/, 1)[0] ?? ''
  const host = authority.slice(authority.lastIndexOf('@') + 1)
  return !/[\s<>"\\^`{|}]/.test(host) && /^(?:\[[^\]]*\]|[^:]*)(?::\d*)?$/.test(host)
}

function isMac(text: string): boolean {
  if (text.length > 60) return false
  const groups = /^[0-9a-fA-F]{2}([:-])/.exec(text)
  const parts = groups ? text.split(groups[1] ?? ':') : text.split('.')
  const width = groups ? 2 : 4
  const bytes = (parts.length * width) / 2
  return [6, 8, 20].includes(bytes) && parts.every(part => part.length === width && /^[0-9a-fA-F]+$/.test(part))
}

function isIsbn10(text: string): boolean {
  const digits = text.replace(/[\s-]+/g, '')
  if (!/^(?:[0-9]{9}X|[0-9]{10})$/.test(digits)) return false
  return [...digits].reduce((sum, digit, i) => sum + (i + 1) * (digit === 'X' ? 10 : Number(digit)), 0) % 11 === 0
}

function isIsbn13(text: string): boolean {
  const digits = text.replace(/[\s-]+/g, '')
  if (!/^[0-9]{13}$/.test(digits)) return false
  const sum = [...digits.slice(0, 12)].reduce((total, digit, i) => total + (i % 2 === 0 ? 1 : 3) * Number(digit), 0)
  return Number(digits[12]) === (10 - (sum % 10)) % 10
}

const cards = /^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$/

function isCreditCard(text: string): boolean {
  const digits = text.replace(/[^0-9]+/g, '')
  if (!cards.test(digits)) return false
  const sum = [...digits].reverse().reduce((total, digit, i) => {
    const value = Number(digit) * (i % 2 === 0 ? 1 : 2)
    return total + (value >= 10 ? (value % 10) + 1 : value)
  }, 0)
  return sum % 10 === 0
}

export function isDate(text: string): boolean {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text)
  if (!parts) return false
  const [year, month, day] = [Number(parts[1]), Number(parts[2]), Number(parts[3])]
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  const days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
  return days !== undefined && day >= 1 && day <= days
}

export function isDateTime(text: string): boolean {
  const [date = '', time = ''] = text.toLowerCase().split('t')
  if (text.length < 4 || !isDate(date)) return false
  const parts = /^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$/.exec(time)
  return parts !== null && (parts[1] ?? '') <= '23' && (parts[2] ?? '') <= '59' && (parts[3] ?? '') <= '59'
}

const unitNames: readonly (readonly string[])[] = [['ns'], ['us', 'µs'], ['ms'], ['s'], ['m'], ['h', 'hr'], ['d'], ['w', 'wk']]
const unitStarts = ['nano', 'micro', 'milli', 'sec', 'min', 'hour', 'day', 'week']

/** A Go duration, or a number and a unit somewhere in the text. */
export function isDuration(text: string): boolean {
  if (parseGoDuration(text) !== undefined) return true
  // By hand: a pattern with two repetitions would look at long runs of digits again and again.
  for (let at = 0; at < text.length;) {
    if (!/[0-9]/.test(text[at] ?? '')) {
      at++
      continue
    }
    while (/[0-9]/.test(text[at] ?? '')) at++
    while (/\s/.test(text[at] ?? '')) at++
    const from = at
    while (/[A-Za-zµ]/.test(text[at] ?? '')) at++
    const unit = text.slice(from, at).toLowerCase()
    if (unit !== '' && (unitNames.some(names => names.includes(unit)) || unitStarts.some(start => unit.startsWith(start)))) return true
  }
  return false
}

function isBase64(text: string): boolean {
  const end = text.endsWith('==') ? text.length - 2 : text.endsWith('=') ? text.length - 1 : text.length
  return text.length > 0 && text.length % 4 === 0 && /^[A-Za-z0-9+/]*$/.test(text.slice(0, end))
}

const channel = '(0|[1-9]\\d?|1\\d\\d?|2[0-4]\\d|25[0-5])'
const rgbColor = new RegExp(`^rgb\\(\\s*${channel}\\s*,\\s*${channel}\\s*,\\s*${channel}\\s*\\)$`)

const checks: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['bsonobjectid', text => /^[0-9a-fA-F]{24}$/.test(text)],
  ['uri', isRequestUri],
  ['email', isEmail],
  ['hostname', isHostname],
  ['ipv4', text => text.includes('.') && parseAddress(withoutZeros(text)) !== undefined],
  ['ipv6', text => text.includes(':') && parseAddress(text) !== undefined],
  ['cidr', text => parseCIDR(withoutZeros(text)) !== undefined],
  ['mac', isMac],
  ['uuid', text => uuids.any.test(text)],
  ['uuid3', text => uuids[3].test(text)],
  ['uuid4', text => uuids[4].test(text)],
  ['uuid5', text => uuids[5].test(text)],
  ['isbn', text => isIsbn10(text) || isIsbn13(text)],
  ['isbn10', isIsbn10],
  ['isbn13', isIsbn13],
  ['creditcard', isCreditCard],
  ['ssn', text => /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(text)],
  ['hexcolor', text => /^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/.test(text)],
  ['rgbcolor', text => text.length < 256 && rgbColor.test(text)],
  ['byte', isBase64],
  ['password', () => true],
  ['date', isDate],
  ['duration', isDuration],
  ['datetime', isDateTime],
  ['k8sshortname', text => text.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text)],
  ['k8slongname', text => text.length <= 253 && text.split('.').every(part => /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(part))],
])

/** Formats that are checked, by their normal name (without dashes). */
export const supportedFormats: ReadonlySet<string> = new Set(checks.keys())

/** Whether a text has a format, given by any of its spellings; unknown formats fit everything. */
export function hasFormat(text: string, format: string): boolean {
  return checks.get(format.replaceAll('-', ''))?.(text) ?? true
}
