/** Checks of literals after the types are known: durations, timestamps and patterns must be valid, lists and maps of one type. */
import type { Expr, SourceError } from './ast.ts'
import type { Checked } from './checker.ts'
import { CelError } from './errors.ts'
import { parseDuration, parseTimestamp } from './library/time.ts'
import { regexFault } from './regex.ts'
import { dynType, formatType, optionalValueType, sameType } from './types.ts'
import type { CelType } from './types.ts'

export function literalFaults(checked: Checked): SourceError[] {
  const faults: SourceError[] = []
  const offset = (id: number): number => checked.parsed.offsets.get(id) ?? 0
  const calls: Readonly<Record<string, (text: string) => unknown>> = { duration: parseDuration, timestamp: parseTimestamp }
  const visited = new Set<number>()
  const visit = (e: Expr, exempt: boolean): void => {
    if (visited.has(e.id)) return
    visited.add(e.id)
    const first = e.kind === 'call' ? e.args[0] : undefined
    if (e.kind === 'call' && first?.kind === 'literal' && typeof first.value === 'string') {
      const check = Object.hasOwn(calls, e.fn) && !e.target ? calls[e.fn] : undefined
      const invalid = check ? throws(() => check(first.value as string)) : e.fn === 'matches' && e.target !== undefined && regexFault(first.value) !== undefined
      if (invalid) faults.push({ offset: offset(first.id), message: `invalid ${e.fn} argument` })
    }
    if (!exempt) faults.push(...mixed(e, checked, offset))
    for (const child of children(e)) visit(child, exempt || (e.kind === 'call' && e.fn === 'format'))
  }
  visit(checked.parsed.expr, false)
  return faults
}

function throws(run: () => unknown): boolean {
  try {
    run()
    return false
  } catch (fault) {
    if (fault instanceof CelError) return true
    throw fault
  }
}

function mixed(e: Expr, checked: Checked, offset: (id: number) => number): SourceError[] {
  const type = (of: Expr): CelType => checked.types.get(of.id) ?? dynType
  const unlike = (items: readonly { at: number; type: CelType }[]): SourceError[] => {
    const [first] = items
    const other = items.find(item => first && !sameType(first.type, item.type))
    return first && other ? [{ offset: offset(other.at), message: `expected type '${formatType(first.type)}' but found '${formatType(other.type)}'` }] : []
  }
  const inner = (t: CelType, optional: boolean): CelType => (optional ? (optionalValueType(t) ?? t) : t)
  if (e.kind === 'list') return unlike(e.elements.map((item, i) => ({ at: item.id, type: inner(type(item), e.optional.has(i)) })))
  if (e.kind !== 'map') return []
  return [
    ...unlike(e.entries.map(entry => ({ at: entry.key.id, type: type(entry.key) }))),
    ...unlike(e.entries.map(entry => ({ at: entry.value.id, type: inner(type(entry.value), entry.optional) }))),
  ]
}

/** The nodes directly below. */
export function children(e: Expr): readonly Expr[] {
  switch (e.kind) {
    case 'select':
      return [e.operand]
    case 'call':
      return e.target ? [e.target, ...e.args] : e.args
    case 'list':
      return e.elements
    case 'map':
      return e.entries.flatMap(entry => [entry.key, entry.value])
    case 'struct':
      return e.fields.map(field => field.value)
    case 'comprehension':
      return [e.range, e.init, e.condition, e.step, e.result]
    default:
      return []
  }
}
