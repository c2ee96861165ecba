/**
 * The filter box: words that must all hold. `ns:shop`, `status!=Running`, `restarts>3`, `cpu>500m`, `label:app=web`,
 * `/regex/`, `!word`, or a part of any shown cell.
 */
import { parseQuantity, milliValue } from '../../src-main/api/quantity.ts'
import { parseLabelSelector } from '../../src-main/api/selectors.ts'
import { compilePattern } from './pattern.ts'

export interface Filterable {
  /** Text of a column by its id or title in lower case, undefined when there is none. */ cell(column: string): string | number | undefined
  /** All shown texts in one. */ text(): string
  labels(): Readonly<Record<string, string>>
  namespace(): string
}
export type Filter = (row: Filterable) => boolean
export interface ParsedFilter {
  filter: Filter | undefined
  error: string
}

export function parseFilter(input: string): ParsedFilter {
  const tests: Filter[] = []
  for (const word of splitWords(input)) {
    try {
      tests.push(testOf(word))
    } catch (error) {
      return { filter: undefined, error: error instanceof Error ? error.message : 'The filter cannot be read' }
    }
  }
  return { filter: tests.length === 0 ? undefined : row => tests.every(test => test(row)), error: '' }
}

/** Words apart by blanks; blanks inside /…/ and "…" belong to the word. */
function splitWords(input: string): string[] {
  return input.match(/!?\/(?:[^/\\]|\\.)+\/|(?:[^\s"]|"[^"]*")+/g) ?? []
}

function testOf(word: string): Filter {
  if (word.startsWith('!') && word.length > 1 && !word.startsWith('!=')) {
    const inner = testOf(word.slice(1))
    return row => !inner(row)
  }
  const named = /^(ns|namespace|label|l):(.+)$/.exec(word)
  if (named?.[1] && named[2]) return namedTest(named[1], unquote(named[2]))
  const compared = /^([A-Za-z][\w-]*)(!=|!~|>=|<=|=|~|>|<)(.*)$/.exec(word)
  if (compared?.[1] && compared[2] && compared[3] !== undefined && compared[3] !== '') return comparison(compared[1].toLowerCase(), compared[2], unquote(compared[3]))
  const matcher = compilePattern(unquote(word))
  return row => matcher(row.text())
}

function unquote(text: string): string {
  return text.replaceAll('"', '')
}

function namedTest(name: string, value: string): Filter {
  if (name === 'ns' || name === 'namespace') {
    const names = new Set(value.split(','))
    return row => names.has(row.namespace())
  }
  const matches = parseLabelSelector(value)
  return row => matches(row.labels())
}

function comparison(column: string, operator: string, wanted: string): Filter {
  if (operator === '~' || operator === '!~') {
    const matcher = compilePattern(`/${wanted}/`)
    return row => matcher(String(row.cell(column) ?? '')) === (operator === '~')
  }
  if (operator === '=' || operator === '!=') {
    const lower = wanted.toLowerCase()
    return row => (String(row.cell(column) ?? '').toLowerCase() === lower) === (operator === '=')
  }
  const limit = numberOf(wanted)
  if (Number.isNaN(limit)) throw new Error(`${wanted} is not a number`)
  return row => {
    const value = numberOf(row.cell(column))
    if (Number.isNaN(value)) return false
    return operator === '>' ? value > limit : operator === '<' ? value < limit : operator === '>=' ? value >= limit : value <= limit
  }
}

const secondsOf: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, y: 31_536_000 }

/** Numbers, quantities (`500m`, `2Gi`) and, as a cell's text, ages (`3d4h`). In thousandths, as CPU is compared. */
export function numberOf(value: string | number | undefined): number {
  if (value === undefined || value === '') return NaN
  if (typeof value === 'number') return value * 1000
  const ages = [...value.matchAll(/(\d+)([smhdy])/g)]
  if (ages.length > 1 || /^\d+[hdy]$/.test(value)) return ages.reduce((sum, a) => sum + Number(a[1]) * (secondsOf[a[2] ?? 's'] ?? 0), 0) * 1000
  try {
    return milliValue(parseQuantity(value.split(' ')[0] ?? ''))
  } catch {
    return NaN
  }
}
