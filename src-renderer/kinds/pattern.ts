/**
 * User-typed patterns, matched in linear time (RE2). What the browser's own engine can match without ever going back far
 * takes that way: it is a hundred times as fast. Plain words take the quickest.
 */
import { RE2JS } from 're2js'
import { quickPattern } from './quick-pattern.ts'

export type Matcher = (text: string) => boolean

/** Longest pattern that is compiled: more is a paste by mistake. */
const maxPattern = 1000
/** A longer text is matched by RE2: the browser's engine may need its length squared. */
const quickLength = 2000

/** `/…/` or a text with meta characters is a pattern, others a part of the text, both without case. Throws Error with the fault. */
export function compilePattern(text: string): Matcher {
  if (text.length > maxPattern) throw new Error(`The pattern is longer than ${maxPattern} characters`)
  const slashed = /^\/(.+?)\/?$/.exec(text)
  return slashed ? compileRegex(slashed[1] ?? '') : containing(text)
}

function containing(part: string): Matcher {
  const lower = part.toLowerCase()
  return value => value.toLowerCase().includes(lower)
}

/** Always a regular expression, without case. */
export function compileRegex(source: string): Matcher {
  if (source.length > maxPattern) throw new Error(`The pattern is longer than ${maxPattern} characters`)
  if (!/[\\^$.|?*+()[\]{}]/.test(source)) return containing(source)
  const compiled = RE2JS.compile(source, RE2JS.CASE_INSENSITIVE)
  const slow: Matcher = value => compiled.matcher(value).find()
  const quick = quickPattern(source)
  if (!quick) return slow
  const native = quick.regex
  if (native) return value => (value.length <= quickLength ? native.test(value) : slow(value))
  return value => value.toLowerCase().includes(quick.needs) && slow(value)
}
