/** What a call costs at run time: cel-go's rules and, over them, those of Kubernetes' libraries (apiserver/pkg/cel/library/cost.go). */
import { regexFactor, stringTraversalFactor } from './limits.ts'
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

export function callCost(fn: string, overload: string, args: readonly CelValue[], result: CelValue): number {
  return kubernetesCost(fn, overload, args, result) ?? standardCost(overload, args)
}

function kubernetesCost(fn: string, overload: string, args: readonly CelValue[], result: CelValue): number | undefined {
  const first = args[0] ?? null
  const size = (index: number): number => sizeOf(args[index] ?? null)
  if (fn === 'check') return 350_000
  if (one.has(fn)) return 1
  if (overLists.has(fn)) return walk(first)
  if (overText.has(fn)) return part(size(0))
  switch (fn) {
    case 'fieldSelector':
    case 'labelSelector':
      return listOfRequirements(size(1))
    case 'replace':
    case 'split':
    case 'ip.isCanonical':
      return Math.ceil(size(0) * 2 * stringTraversalFactor)
    case 'join':
      return Math.ceil(sizeOf(result) * 2 * stringTraversalFactor)
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
    case '_==_':
      return first instanceof CelOpaque ? 1 : undefined
    default:
      return undefined
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
      return /^(less|greater)(_equals)?_(string|bytes)$/.test(overload) ? part(Math.min(size(0), size(1))) : 1
  }
}
