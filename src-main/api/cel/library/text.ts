/** cel-go's strings extension (version 2): positions and lengths are in code points. */
import { CelError } from '../errors.ts'
import { global, member } from '../functions.ts'
import type { Library } from '../functions.ts'
import { dynType, intType, listType, stringType } from '../types.ts'
import { ArrayList, CelList } from '../values.ts'
import { formatText } from './format-text.ts'

const s = stringType
const outOfRange = (index: bigint): CelError => new CelError(`index out of range: ${index}`)

function charAt(text: string, index: bigint): string {
  const points = Array.from(text)
  if (index < 0n || index > BigInt(points.length)) throw outOfRange(index)
  return points[Number(index)] ?? ''
}

function indexOf(text: string, part: string, offset = 0n): bigint {
  if (offset < 0n) throw outOfRange(offset)
  const points = Array.from(text)
  if (part === '') return offset > BigInt(points.length) ? BigInt(points.length) : offset
  const wanted = Array.from(part)
  for (let i = Number(offset); i <= points.length - wanted.length; i++) if (wanted.every((c, j) => points[i + j] === c)) return BigInt(i)
  return -1n
}

function lastIndexOf(text: string, part: string, offset?: bigint): bigint {
  const points = Array.from(text)
  if (offset !== undefined && offset < 0n) throw outOfRange(offset)
  if (part === '') return offset === undefined || offset > BigInt(points.length) ? BigInt(points.length) : offset
  const wanted = Array.from(part)
  if (offset !== undefined && offset >= BigInt(points.length)) return -1n
  for (let i = Math.min(Number(offset ?? points.length), points.length - wanted.length); i >= 0; i--) if (wanted.every((c, j) => points[i + j] === c)) return BigInt(i)
  return -1n
}

/** Of a text that a function makes, in UTF-16 units: costs alone would let a few calls fill the memory. */
const maxText = 16 * 1024 * 1024

function replace(text: string, from: string, to: string, limit = -1n): string {
  const count = from === '' ? text.length + 1 : text.split(from).length - 1
  if (text.length + count * to.length > maxText) throw new CelError('the text is too long')
  if (limit < 0n && from !== '') return text.replaceAll(from, () => to)
  const points = from === '' ? Array.from(text) : text.split(from)
  let left = limit < 0n ? Number.MAX_SAFE_INTEGER : Number(limit)
  if (from === '') {
    let out = ''
    for (const point of points) out += (left-- > 0 ? to : '') + point
    return left > 0 ? out + to : out
  }
  return points.reduce((out, piece, i) => (i === 0 ? piece : out + (left-- > 0 ? to : from) + piece), '')
}

/** As Go's SplitN. */
function split(text: string, separator: string, limit = -1n): CelList {
  if (limit === 0n) return new ArrayList([])
  const pieces = separator === '' ? Array.from(text) : text.split(separator)
  const most = Number(limit)
  if (most < 0 || pieces.length <= most) return new ArrayList(pieces)
  return new ArrayList([...pieces.slice(0, most - 1), pieces.slice(most - 1).join(separator)])
}

function substring(text: string, start: bigint, end?: bigint): string {
  const points = Array.from(text)
  const last = end ?? BigInt(points.length)
  if (end !== undefined && start > end) throw new CelError(`invalid substring range. start: ${start}, end: ${end}`)
  if (start < 0n || start > BigInt(points.length)) throw outOfRange(start)
  if (last < 0n || last > BigInt(points.length)) throw outOfRange(last)
  return points.slice(Number(start), Number(last)).join('')
}

function join(list: CelList, separator = ''): string {
  const parts: string[] = []
  let length = 0
  for (const item of list) {
    if (typeof item !== 'string') throw new CelError(`join: invalid input: ${String(item)}`)
    length += item.length + separator.length
    if (length > maxText) throw new CelError('the text is too long')
    parts.push(item)
  }
  return parts.join(separator)
}

const quoted: Readonly<Record<string, string>> = { '\x07': '\\a', '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\v': '\\v', '\\': '\\\\', '"': '\\"' }

function quote(text: string): string {
  return `"${Array.from(text.toWellFormed(), c => (Object.hasOwn(quoted, c) ? quoted[c] : c)).join('')}"`
}

const lower = (text: string): string => text.replace(/[A-Z]/g, c => c.toLowerCase())
const upper = (text: string): string => text.replace(/[a-z]/g, c => c.toUpperCase())
/** White space as Unicode and Go see it. */
const trim = (text: string): string => text.replace(/^[\s\u0085]+|[\s\u0085]+$/g, '')

export const textLibrary: Library = {
  charAt: [member('string_char_at_int', [s, intType], s, charAt)],
  indexOf: [member('string_index_of_string', [s, s], intType, indexOf), member('string_index_of_string_int', [s, s, intType], intType, indexOf)],
  lastIndexOf: [member('string_last_index_of_string', [s, s], intType, lastIndexOf), member('string_last_index_of_string_int', [s, s, intType], intType, lastIndexOf)],
  lowerAscii: [member('string_lower_ascii', [s], s, lower)],
  upperAscii: [member('string_upper_ascii', [s], s, upper)],
  replace: [member('string_replace_string_string', [s, s, s], s, replace), member('string_replace_string_string_int', [s, s, s, intType], s, replace)],
  split: [member('string_split_string', [s, s], listType(s), split), member('string_split_string_int', [s, s, intType], listType(s), split)],
  substring: [member('string_substring_int', [s, intType], s, substring), member('string_substring_int_int', [s, intType, intType], s, substring)],
  trim: [member('string_trim', [s], s, trim)],
  format: [member('string_format', [s, listType(dynType)], s, formatText)],
  'strings.quote': [global('strings_quote', [s], s, quote)],
  join: [member('list_join', [listType(s)], s, join), member('list_join_string', [listType(s), s], s, join)],
}
