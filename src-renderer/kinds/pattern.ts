/** User-typed patterns, matched in linear time (RE2); plain words take the quick way. */
import { RE2JS } from 're2js'

export type Matcher = (text: string) => boolean

/** Longest pattern that is compiled: more is a paste by mistake. */
const maxPattern = 1000

/** `/…/` or a text with meta characters is a pattern, others a part of the text, both without case. Throws Error with the fault. */
export function compilePattern(text: string): Matcher {
  if (text.length > maxPattern) throw new Error(`The pattern is longer than ${maxPattern} characters`)
  const slashed = /^\/(.+?)\/?$/.exec(text)
  if (!slashed) {
    const part = text.toLowerCase()
    return value => value.toLowerCase().includes(part)
  }
  return compileRegex(slashed[1] ?? '')
}

/** Always a regular expression, without case. */
export function compileRegex(source: string): Matcher {
  if (source.length > maxPattern) throw new Error(`The pattern is longer than ${maxPattern} characters`)
  if (!/[\\^$.|?*+()[\]{}]/.test(source)) {
    const part = source.toLowerCase()
    return value => value.toLowerCase().includes(part)
  }
  const compiled = RE2JS.compile(source, RE2JS.CASE_INSENSITIVE)
  return value => compiled.matcher(value).find()
}
