/** Macros: has, the comprehensions over one and two variables, those of optionals, sortBy. */
import { accumulator } from './ast.ts'
import type { Expr, SourceError } from './ast.ts'
import type { CelValue } from './values.ts'

/** Gives nodes their ids and remembers where they stand. */
export class TreeMaker {
  readonly offsets = new Map<number, number>()
  readonly errors: SourceError[] = []
  #last = 0

  id(offset: number): number {
    this.offsets.set(++this.#last, offset)
    return this.#last
  }
  report(offset: number, message: string): void {
    this.errors.push({ offset, message })
  }
  offsetOf(expr: Expr): number {
    return this.offsets.get(expr.id) ?? 0
  }
  literal(offset: number, value: CelValue): Expr {
    return { id: this.id(offset), kind: 'literal', value }
  }
  ident(offset: number, name: string): Expr {
    return { id: this.id(offset), kind: 'ident', name }
  }
  call(offset: number, fn: string, ...args: Expr[]): Expr {
    return { id: this.id(offset), kind: 'call', fn, target: undefined, args }
  }
  list(offset: number, ...elements: Expr[]): Expr {
    return { id: this.id(offset), kind: 'list', elements, optional: new Set() }
  }
  /** The same tree with ids of its own. */
  copy(expr: Expr): Expr {
    const id = this.id(this.offsetOf(expr))
    switch (expr.kind) {
      case 'literal':
      case 'ident':
        return { ...expr, id }
      case 'select':
        return { ...expr, id, operand: this.copy(expr.operand) }
      case 'call':
        return { ...expr, id, target: expr.target && this.copy(expr.target), args: expr.args.map(a => this.copy(a)) }
      case 'list':
        return { ...expr, id, elements: expr.elements.map(e => this.copy(e)) }
      case 'map':
        return { ...expr, id, entries: expr.entries.map(e => ({ ...e, key: this.copy(e.key), value: this.copy(e.value) })) }
      case 'struct':
        return { ...expr, id, fields: expr.fields.map(f => ({ ...f, value: this.copy(f.value) })) }
      case 'comprehension':
        return {
          ...expr,
          id,
          range: this.copy(expr.range),
          init: this.copy(expr.init),
          condition: this.copy(expr.condition),
          step: this.copy(expr.step),
          result: this.copy(expr.result),
        }
    }
  }
}

interface Fold {
  readonly init: Expr
  readonly condition: Expr
  readonly step: Expr
  readonly result: Expr
}

/** A variable's name was expected, or it may not be used. */
class MacroFault extends Error {
  readonly at: Expr
  constructor(at: Expr, message: string) {
    super(message)
    this.at = at
  }
}

/** The expanded call, or undefined where it is no macro. Faults are reported to `make`. */
export function expandMacro(make: TreeMaker, name: string, target: Expr | undefined, args: readonly Expr[], offset: number): Expr | undefined {
  try {
    if (!target) return name === 'has' && args.length === 1 ? presence(make, args[0] as Expr, offset) : undefined
    return memberMacro(make, name, target, args, offset)
  } catch (fault) {
    if (!(fault instanceof MacroFault)) throw fault
    make.report(make.offsetOf(fault.at), fault.message)
    return fault.at
  }
}

function presence(make: TreeMaker, arg: Expr, offset: number): Expr {
  if (arg.kind !== 'select') throw new MacroFault(arg, 'invalid argument to has() macro')
  return { id: make.id(offset), kind: 'select', operand: arg.operand, field: arg.field, testOnly: true }
}

function memberMacro(make: TreeMaker, name: string, target: Expr, args: readonly Expr[], offset: number): Expr | undefined {
  const [a, b, c, d] = args
  const quantifier = name === 'all' || name === 'exists' || name === 'exists_one' || name === 'existsOne'
  if (quantifier && args.length === 2 && a && b) return single(make, target, a, offset, fold(make, name, b, offset), 'argument must be a simple name')
  if (quantifier && args.length === 3 && a && b && c) return double(make, target, a, b, offset, fold(make, name, c, offset))
  if (name === 'map' && (args.length === 2 || args.length === 3) && a && b)
    return single(make, target, a, offset, collecting(make, c ? b : undefined, c ?? b, offset), 'argument is not an identifier')
  if (name === 'filter' && args.length === 2 && a && b) return single(make, target, a, offset, collecting(make, b, a, offset), 'argument is not an identifier')
  if (name.startsWith('transform') && (args.length === 3 || args.length === 4) && a && b && c) return transform(make, name, target, [a, b, c, d], offset)
  if ((name === 'optMap' || name === 'optFlatMap') && args.length === 2 && a && b) return optionalMap(make, name, target, a, b, offset)
  if (name === 'sortBy' && args.length === 2 && a && b) return sortBy(make, target, a, b, offset)
  return undefined
}

function variable(arg: Expr, message: string): string {
  if (arg.kind !== 'ident') throw new MacroFault(arg, message)
  if (arg.name === accumulator || arg.name === '__result__') throw new MacroFault(arg, 'iteration variable overwrites accumulator variable')
  return arg.name
}

function single(make: TreeMaker, range: Expr, arg: Expr, offset: number, parts: Fold, message: string): Expr {
  return { id: make.id(offset), kind: 'comprehension', range, iterVar: variable(arg, message), iterVar2: undefined, accuVar: accumulator, ...parts }
}

function double(make: TreeMaker, range: Expr, first: Expr, second: Expr, offset: number, parts: Fold): Expr {
  const iterVar = variable(first, 'argument must be a simple name')
  const iterVar2 = variable(second, 'argument must be a simple name')
  if (iterVar === iterVar2) throw new MacroFault(second, `duplicate variable name: ${iterVar}`)
  return { id: make.id(offset), kind: 'comprehension', range, iterVar, iterVar2, accuVar: accumulator, ...parts }
}

function fold(make: TreeMaker, name: string, predicate: Expr, offset: number): Fold {
  const accu = (): Expr => make.ident(offset, accumulator)
  if (name === 'all')
    return {
      init: make.literal(offset, true),
      condition: make.call(offset, '@not_strictly_false', accu()),
      step: make.call(offset, '_&&_', accu(), predicate),
      result: accu(),
    }
  if (name === 'exists')
    return {
      init: make.literal(offset, false),
      condition: make.call(offset, '@not_strictly_false', make.call(offset, '!_', accu())),
      step: make.call(offset, '_||_', accu(), predicate),
      result: accu(),
    }
  return {
    init: make.literal(offset, 0n),
    condition: make.literal(offset, true),
    step: make.call(offset, '_?_:_', predicate, make.call(offset, '_+_', accu(), make.literal(offset, 1n)), accu()),
    result: make.call(offset, '_==_', accu(), make.literal(offset, 1n)),
  }
}

/** accu + [element], where the filter holds. */
function collecting(make: TreeMaker, filter: Expr | undefined, element: Expr, offset: number): Fold {
  const accu = (): Expr => make.ident(offset, accumulator)
  const step = make.call(offset, '_+_', accu(), make.list(offset, element))
  return filtered(make, make.list(offset), filter, step, offset)
}

function filtered(make: TreeMaker, init: Expr, filter: Expr | undefined, step: Expr, offset: number): Fold {
  return {
    init,
    condition: make.literal(offset, true),
    step: filter ? make.call(offset, '_?_:_', filter, step, make.ident(offset, accumulator)) : step,
    result: make.ident(offset, accumulator),
  }
}

function transform(make: TreeMaker, name: string, target: Expr, [a, b, c, d]: readonly [Expr, Expr, Expr, Expr | undefined], offset: number): Expr | undefined {
  const filter = d ? c : undefined
  const body = d ?? c
  const accu = make.ident(offset, accumulator)
  if (name === 'transformList') return double(make, target, a, b, offset, collecting(make, filter, body, offset))
  const emptyMap: Expr = { id: make.id(offset), kind: 'map', entries: [] }
  if (name === 'transformMap') {
    const key = make.ident(make.offsetOf(a), variable(a, 'argument must be a simple name'))
    return double(make, target, a, b, offset, filtered(make, emptyMap, filter, make.call(offset, 'cel.@mapInsert', accu, key, body), offset))
  }
  if (name === 'transformMapEntry') return double(make, target, a, b, offset, filtered(make, emptyMap, filter, make.call(offset, 'cel.@mapInsert', accu, body), offset))
  return undefined
}

/** A variable bound to a value: a comprehension over nothing. */
function bound(make: TreeMaker, name: string, value: Expr, result: Expr, offset: number): Expr {
  return {
    id: make.id(offset),
    kind: 'comprehension',
    range: make.list(offset),
    iterVar: '#unused',
    iterVar2: undefined,
    accuVar: name,
    init: value,
    condition: make.literal(offset, false),
    step: make.ident(offset, name),
    result,
  }
}

function optionalMap(make: TreeMaker, macro: string, target: Expr, name: Expr, body: Expr, offset: number): Expr {
  if (name.kind !== 'ident') throw new MacroFault(name, `${macro}() variable name must be a simple identifier`)
  const member = (fn: string, of: Expr): Expr => ({ id: make.id(offset), kind: 'call', fn, target: of, args: [] })
  const inner = bound(make, name.name, member('value', make.copy(target)), body, offset)
  return make.call(offset, '_?_:_', member('hasValue', target), macro === 'optMap' ? make.call(offset, 'optional.of', inner) : inner, make.call(offset, 'optional.none'))
}

function sortBy(make: TreeMaker, target: Expr, name: Expr, key: Expr, offset: number): Expr {
  if (!['list', 'select', 'ident', 'comprehension', 'call'].includes(target.kind))
    throw new MacroFault(target, 'sortBy can only be applied to a list, identifier, comprehension, call or select expression')
  const keys = single(make, make.ident(offset, '@__sortBy_input__'), name, offset, collecting(make, undefined, key, offset), 'argument is not an identifier')
  const call: Expr = { id: make.id(offset), kind: 'call', fn: '@sortByAssociatedKeys', target: make.ident(offset, '@__sortBy_input__'), args: [keys] }
  return bound(make, '@__sortBy_input__', target, call, offset)
}
