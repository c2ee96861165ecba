/** Regular expressions of RE2's syntax in linear time: the one adapter over re2js. */
import { RE2JS } from 're2js'
import { CelError } from './errors.ts'

export interface Regex {
  /** Anywhere in the text. */
  test(text: string): boolean
  /** All matches from left to right, at most `limit` (negative: all). */
  findAll(text: string, limit: number): string[]
}

/** Patterns kept compiled; more are forgotten from the oldest on. */
const cached = 512
const compiled = new Map<string, Regex>()

/** Throws CelError with Go's text. */
export function compileRegex(pattern: string): Regex {
  const known = compiled.get(pattern)
  if (known) return known
  const regex = build(pattern)
  if (compiled.size >= cached) compiled.delete(compiled.keys().next().value ?? '')
  compiled.set(pattern, regex)
  return regex
}

/** Undefined where the pattern is valid, else what Go's regexp package says. */
export function regexFault(pattern: string): string | undefined {
  try {
    compileRegex(pattern)
    return undefined
  } catch (fault) {
    return fault instanceof Error ? fault.message : String(fault)
  }
}

function build(pattern: string): Regex {
  let re: RE2JS
  try {
    re = RE2JS.compile(pattern)
  } catch (fault) {
    throw new CelError(fault instanceof Error ? fault.message : String(fault))
  }
  return {
    test: text => re.matcher(text).find(),
    findAll(text, limit) {
      const out: string[] = []
      const matcher = re.matcher(text)
      while ((limit < 0 || out.length < limit) && matcher.find()) out.push(matcher.group() ?? '')
      return out
    },
  }
}
