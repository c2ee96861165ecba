/** What a call costs at run time: cel-go's rules and, over them, those of Kubernetes' libraries (apiserver/pkg/cel/library/cost.go). */
import { listCost, regexFactor, stringTraversalFactor } from './limits.ts'
import { CelList, CelMap, CelOpaque, sizeOf } from './values.ts'
import type { CelValue } from './values.ts'

const one = new Set(
  (
    'serviceAccount path group resource subresource namespace name allowed reason error errored masked prefixLength family isUnspecified isLoopback isLinkLocalMulticast ' +
    'isLinkLocalUnicast isGlobalUnicast format.named sign asInteger isInteger asApproximateFloat isGreaterThan isLessThan compareTo add sub major minor patch ' +
    'getScheme getHostname getHost getPort getEscapedPath getQuery'
  ).split(' '),
)
const overLists = new Set(['isSorted', 'sum', 'max', 'min', 'indexOf', 'lastIndexOf', 'includes'])
const overText = new Set(['url', 'lowerAscii', 'upperAscii', 'substring', 'trim', 'jsonpatch.escapeKey', 'cidr', 'isIP', 'isCIDR', 'quantity', 'isQuantity', 'semver', 'isSemver'])

const part = (size: number, factor = stringTraversalFactor): number => Math.ceil(size * factor)

/** A regular expression over a text. */
function regexCost(text: number, pattern: number): number {
  return part(1 + text) * part(pattern, regexFactor)
}

/**
 * Costs that depend on the arguments; a number is the same for all. They are spent before the call: one that would take
 * too long never begins.
 */
export type CostRule = number | ((args: readonly CelValue[]) => number)

const byOverload: ReadonlySet<string> = new Set([
  'starts_with_string',
  'ends_with_string',
  'string_to_bytes',
  'bytes_to_string',
  'strings_quote',
  'string_format',
  'in_list',
  'equals',
  'not_equals',
  'add_string',
  'add_bytes',
  'matches',
  'matches_string',
  'contains_string',
])

/** What calls of an overload cost; found once when an expression is compiled. */
export function costRule(fn: string, overload: string): CostRule {
  if (fn === 'check') return 350_000
  const extension = extensionRule(overload)
  if (extension) return extension
  if (one.has(fn)) return 1
  if (overLists.has(fn)) return args => walk(args[0] ?? null)
  if (overText.has(fn)) return args => part(sizeOf(args[0] ?? null))
  if (overload === 'equals') return equalityCost
  if (byFunction.has(fn)) return args => functionCost(fn, overload, args)
  if (byOverload.has(overload)) return args => standardCost(overload, args)
  if (/^(less|greater)(_equals)?_(string|bytes)$/.test(overload)) return args => part(Math.min(sizeOf(args[0] ?? null), sizeOf(args[1] ?? null)))
  return 1
}

const byFunction: ReadonlySet<string> = new Set([
  'fieldSelector',
  'labelSelector',
  'replace',
  'split',
  'ip.isCanonical',
  'join',
  'find',
  'findAll',
  'ip',
  'containsIP',
  'containsCIDR',
  'validate',
])

/** A call that makes a list. */
const listCall = (size: number): number => Math.trunc(size) + 1 + listCost
/** Every element with every other. */
const selfCompare = (list: CelValue): number => {
  const size = sizeOf(list)
  const text = list instanceof CelList && size > 0 && (typeof list.at(0) === 'string' || list.at(0) instanceof Uint8Array)
  return listCall(size * size * (text ? 2 + stringTraversalFactor : 2))
}

/** cel-go's lists and sets extensions. */
function extensionRule(overload: string): CostRule | undefined {
  const number = (value: CelValue | undefined): number => (typeof value === 'bigint' ? Math.max(0, Number(value)) : 1)
  if (/^list_\w+_sort$/.test(overload) || overload === 'list_distinct') return ([list = null]) => selfCompare(list)
  if (overload.endsWith('_sortByAssociatedKeys')) return ([, keys = null]) => selfCompare(keys)
  switch (overload) {
    case 'lists_range':
      return ([count]) => listCall(number(count))
    case 'list_slice':
      return ([, start, end]) => listCall(Math.max(0, number(end) - number(start)))
    case 'list_reverse':
      return ([list = null]) => listCall(sizeOf(list))
    case 'list_flatten':
      return ([list = null]) => listCall(sizeOf(list))
    case 'list_flatten_int':
      return ([list = null, depth]) => listCall(sizeOf(list) * number(depth))
    case 'list_sets_contains_list':
    case 'list_sets_intersects_list':
      return ([a = null, b = null]) => sizeOf(a) * sizeOf(b) + 1
    case 'list_sets_equivalent_list':
      return ([a = null, b = null]) => sizeOf(a) * sizeOf(b) * 2 + 1
    default:
      return undefined
  }
}

function joinedSize([list, separator]: readonly CelValue[]): number {
  if (!(list instanceof CelList)) return 1
  let size = Math.max(0, list.size - 1) * (typeof separator === 'string' ? sizeOf(separator) : 0)
  for (const item of list) size += sizeOf(item)
  return size
}

function equalityCost(args: readonly CelValue[]): number {
  const [first = null, second = null] = args
  if (typeof first !== 'object' && typeof first !== 'string') return 1
  return first instanceof CelOpaque ? 1 : part(Math.min(sizeOf(first), sizeOf(second)))
}

function functionCost(fn: string, overload: string, args: readonly CelValue[]): number {
  const size = (index: number): number => sizeOf(args[index] ?? null)
  switch (fn) {
    case 'fieldSelector':
    case 'labelSelector':
      return listOfRequirements(size(1))
    case 'join':
      return Math.ceil(joinedSize(args) * 2 * stringTraversalFactor)
    case 'find':
    case 'findAll':
      return regexCost(size(0), size(1))
    case 'ip':
      return overload === 'cidr_ip' ? 1 : part(size(0))
    case 'containsIP':
      return part(size(0) * 2) + (overload === 'cidr_contains_ip_string' ? part(size(1)) : 0)
    case 'containsCIDR':
      return part(size(0) * 2) + part(size(0)) + 1 + (overload === 'cidr_contains_cidr_string' ? part(size(1)) : 0)
    case 'validate':
      return regexCost(size(1), size(0))
    default:
      return Math.ceil(size(0) * 2 * stringTraversalFactor)
  }
}

/** A selector is a list of requirements: at most one for two characters. */
export function listOfRequirements(length: number): number {
  return 10 + part(length) + Math.ceil(Math.ceil(length * 0.5) * 50)
}

/** Every scalar in a value, texts by their length. */
function walk(value: CelValue): number {
  if (typeof value === 'string') return Math.trunc(utf8Length(value) * stringTraversalFactor)
  if (value instanceof Uint8Array) return Math.trunc(value.length * stringTraversalFactor)
  if (value instanceof CelList) return [...value].reduce<number>((sum, item) => sum + walk(item), 0)
  if (value instanceof CelMap) return value.keys().reduce<number>((sum, key) => sum + walk(key) + walk(value.get(key) ?? null), 0)
  return 1
}

const encoder = new TextEncoder()
function utf8Length(text: string): number {
  return encoder.encode(text).length
}

function standardCost(overload: string, args: readonly CelValue[]): number {
  const size = (index: number): number => sizeOf(args[index] ?? null)
  switch (overload) {
    case 'starts_with_string':
    case 'ends_with_string':
      return part(size(1))
    case 'string_to_bytes':
    case 'bytes_to_string':
    case 'strings_quote':
    case 'string_format':
      return part(size(0))
    case 'in_list':
      return size(1)
    case 'equals':
    case 'not_equals':
      return part(Math.min(size(0), size(1)))
    case 'add_string':
    case 'add_bytes':
      return part(size(0) + size(1))
    case 'matches':
    case 'matches_string':
      return regexCost(size(0), size(1))
    case 'contains_string':
      return part(size(0)) * part(size(1))
    default:
      return 1
  }
}
