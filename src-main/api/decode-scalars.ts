/** Scalars with a form of their own: quantities, times, base64, int-or-string. Faults are the texts of Go's decoders. */
import { quoteGo } from './json.ts'
import { QuantityError, formatQuantity, parseQuantity, quantityErrors, roundUpMilli } from './quantity.ts'
import { canonicalMicroTime, canonicalTime } from './time.ts'

export type Scalar = { readonly value: string } | { readonly fault: string }

/** A quantity in the form Kubernetes stores; resource lists keep no more than thousandths. */
export function convertQuantity(value: unknown, inResourceList: boolean): Scalar {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') return { fault: quantityErrors.format }
  try {
    const q = parseQuantity(typeof value === 'string' ? value.trim() : value)
    return { value: formatQuantity(inResourceList ? roundUpMilli(q) : q) }
  } catch (error) {
    if (error instanceof QuantityError) return { fault: error.message }
    throw error
  }
}

const layouts = { time: '2006-01-02T15:04:05Z07:00', micro: '2006-01-02T15:04:05.000000Z07:00' } as const

/** metav1.Time, or MicroTime with exactly six decimals. */
export function convertTime(value: unknown, micro: boolean): Scalar {
  if (typeof value !== 'string') {
    const type = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value === 'bigint' ? 'number' : typeof value
    return { fault: `json: cannot unmarshal ${type} into Go value of type string` }
  }
  const layout = micro ? layouts.micro : layouts.time
  if (micro && !/T\d\d:\d\d:\d\d[.,]\d{6}(Z|[+-])/.test(value)) return { fault: timeFault(value, layout, micro) }
  const time = micro ? canonicalMicroTime(value) : canonicalTime(value)
  return time === undefined ? { fault: timeFault(value, layout, micro) } : { value: time }
}

/** Go names the rest of the text and the element of the layout where parsing stopped. */
function timeFault(text: string, layout: string, micro: boolean): string {
  const elements: [RegExp, string][] = [
    [/^\d{4}/, '2006'],
    [/^-/, '-'],
    [/^\d\d/, '01'],
    [/^-/, '-'],
    [/^\d\d/, '02'],
    [/^T/, 'T'],
    [/^\d\d/, '15'],
    [/^:/, ':'],
    [/^\d\d/, '04'],
    [/^:/, ':'],
    [/^\d\d/, '05'],
    micro ? [/^[.,]\d{6}/, '.000000'] : [/^(?:[.,]\d+)?/, ''],
    [/^(?:Z|[+-]\d\d:\d\d)/, 'Z07:00'],
  ]
  let rest = text
  for (const [pattern, name] of elements) {
    const m = pattern.exec(rest)
    if (!m) return `parsing time ${quoteGo(text)} as ${quoteGo(layout)}: cannot parse ${quoteGo(rest)} as ${quoteGo(name)}`
    rest = rest.slice(m[0].length)
  }
  if (rest !== '') return `parsing time ${quoteGo(text)}: extra text: ${quoteGo(rest)}`
  return `parsing time ${quoteGo(text)}: ${outOfRange(text)} out of range`
}

function outOfRange(text: string): string {
  const [month = 0, day = 0, hour = 0, minute = 0] = [text.slice(5, 7), text.slice(8, 10), text.slice(11, 13), text.slice(14, 16)].map(Number)
  if (month < 1 || month > 12) return 'month'
  if (hour > 23) return 'hour'
  if (minute > 59) return 'minute'
  return day < 1 || day > 28 ? 'day' : 'second'
}

/** Standard base64; line breaks are skipped. The stored form has none. */
export function convertBytes(text: string): Scalar {
  const clean = text.replace(/[\r\n]/g, '')
  const m = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.exec(clean)
  return m ? { value: clean } : { fault: `illegal base64 data at input byte ${badByte(text)}` }
}

function badByte(text: string): number {
  let count = 0
  for (let i = 0; i < text.length; i++) {
    const c = text[i] ?? ''
    if (c === '\r' || c === '\n') continue
    if (/[A-Za-z0-9+/]/.test(c)) {
      count++
      continue
    }
    // Padding may stand for the third and fourth character of the last quantum.
    if (c !== '=' || count % 4 < 2) return i
    const tail = text.slice(i).replace(/[\r\n]/g, '')
    if (tail.length >= 4 - (count % 4) && /^=+/.exec(tail)?.[0].length === 4 - (count % 4)) return i + 4 - (count % 4)
    return tail === '=' ? text.length : i + 1
  }
  return text.length - (count % 4)
}

/** IntOrString: a text or an int32. */
export function convertIntOrString(value: unknown): boolean {
  return typeof value === 'string' || (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 2_147_483_648)
}
