/**
 * Sets of field paths as structured-merge-diff has them, and their JSON form (FieldsV1). A path element is its text:
 * `f:name`, `k:{"name":"c"}`, `v:"x"`, `i:0`. Sets in hands are never mutated save by insert while they are made.
 */
import { compareBytes, deepFreeze, isObject, parseJson, stringifyJson } from '../json.ts'
import type { JsonObject } from '../json.ts'

export class FieldSet {
  readonly members: Set<string> = new Set()
  readonly children: Map<string, FieldSet> = new Map()

  get isEmpty(): boolean {
    if (this.members.size > 0) return false
    for (const child of this.children.values()) if (!child.isEmpty) return false
    return true
  }

  insert(path: readonly string[]): void {
    const last = path.at(-1)
    if (last === undefined) return
    let set: FieldSet = this
    for (let i = 0; i < path.length - 1; i++) set = set.descend(path[i] ?? '')
    set.members.add(last)
  }

  /** The set below an element, made when missing. */
  descend(element: string): FieldSet {
    const known = this.children.get(element)
    if (known) return known
    const made = new FieldSet()
    this.children.set(element, made)
    return made
  }

  has(path: readonly string[]): boolean {
    let set: FieldSet | undefined = this
    for (let i = 0; i < path.length - 1; i++) set = set?.children.get(path[i] ?? '')
    return set?.members.has(path.at(-1) ?? '') ?? false
  }
}

/** Sets that are alike may be shared, so results are read-only. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a.isEmpty) return b
  if (b.isEmpty) return a
  const out = new FieldSet()
  for (const m of a.members) out.members.add(m)
  for (const m of b.members) out.members.add(m)
  for (const [element, child] of a.children) {
    const other = b.children.get(element)
    out.children.set(element, other ? union(child, other) : child)
  }
  for (const [element, child] of b.children) if (!a.children.has(element)) out.children.set(element, child)
  return out
}

export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (b.isEmpty) return a
  const out = new FieldSet()
  for (const m of a.members) if (!b.members.has(m)) out.members.add(m)
  for (const [element, child] of a.children) {
    const other = b.children.get(element)
    const rest = other ? difference(child, other) : child
    if (!rest.isEmpty) out.children.set(element, rest)
  }
  return out
}

/** Like difference, but a member of b takes all below it along. */
export function recursiveDifference(a: FieldSet, b: FieldSet): FieldSet {
  if (b.isEmpty) return a
  const out = new FieldSet()
  for (const m of a.members) if (!b.members.has(m)) out.members.add(m)
  for (const [element, child] of a.children) {
    if (b.members.has(element)) continue
    const other = b.children.get(element)
    const rest = other ? recursiveDifference(child, other) : child
    if (!rest.isEmpty) out.children.set(element, rest)
  }
  return out
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const out = new FieldSet()
  for (const m of a.members) if (b.members.has(m)) out.members.add(m)
  for (const [element, child] of a.children) {
    const other = b.children.get(element)
    if (!other) continue
    const common = intersection(child, other)
    if (!common.isEmpty) out.children.set(element, common)
  }
  return out
}

/** All members as paths, in the order of SMD: by element, a member before what is below it. */
export function pathsOf(set: FieldSet, prefix: readonly string[] = []): string[][] {
  return sortedElements(set).flatMap(element => {
    const path = [...prefix, element]
    const child = set.children.get(element)
    return [...(set.members.has(element) ? [path] : []), ...(child ? pathsOf(child, path) : [])]
  })
}

/** `.spec.ports[port=80,protocol="TCP"].name` */
export function showPath(path: readonly string[]): string {
  return path.map(showElement).join('')
}

function showElement(element: string): string {
  const body = element.slice(2)
  switch (element[0]) {
    case 'k':
      return `[${Object.entries(asObject(body))
        .map(([key, v]) => `${key}=${stringifyJson(v)}`)
        .join(',')}]`
    case 'v':
      return `[=${body}]`
    case 'i':
      return `[${body}]`
    default:
      return `.${body}`
  }
}

function asObject(text: string): JsonObject {
  const value = parseJson(text)
  return isObject(value) ? value : {}
}

/** Texts of sets whose JSON forms are shared: the objects of a workload have the same fields, each thousands of times. */
const shared = new Map<string, JsonObject>()
const MAX_SHARED = 2_000
/** Longer ones are rare, and not kept for nobody. */
const MAX_SHARED_TEXT = 8 * 1024

/** The JSON form, frozen: sets that are alike have the same one. */
export function toFieldsV1(set: FieldSet): JsonObject {
  const known = written.get(set)
  if (known) return known
  const text = textOf(set)
  let form = shared.get(text)
  // The one that was asked for last stands last.
  if (form) shared.delete(text)
  else {
    form = deepFreeze(JSON.parse(text) as JsonObject)
    parsed.set(form, set)
    written.set(set, form)
  }
  if (text.length <= MAX_SHARED_TEXT) shared.set(text, form)
  if (shared.size > MAX_SHARED) shared.delete(shared.keys().next().value ?? '')
  return form
}

function textOf(set: FieldSet): string {
  let out = ''
  for (const element of sortedElements(set)) {
    const child = set.children.get(element)
    const below = child && !child.isEmpty ? textOf(child) : undefined
    const isMember = set.members.has(element)
    if (below === undefined && !isMember) continue
    if (out !== '') out += ','
    out += elementOf(element).quoted
    out += below === undefined ? ':{}' : isMember ? `:{".":{},${below.slice(1)}` : `:${below}`
  }
  return `{${out}}`
}

interface Element {
  /** With quotes and escapes. */
  readonly quoted: string
  /** The engine's own order is not that of bytes: a character lies beyond U+D7FF. */
  readonly isWide: boolean
}

/** The same few names come again and again. */
const elements = new Map<string, Element>()
const MAX_ELEMENTS = 10_000
/** Longer ones are somebody's data, and would cost memory. */
const MAX_ELEMENT_TEXT = 256

function elementOf(text: string): Element {
  let known = elements.get(text)
  if (!known) {
    known = { quoted: JSON.stringify(text), isWide: /[\ud800-\uffff]/.test(text) }
    if (text.length > MAX_ELEMENT_TEXT) return known
    if (elements.size >= MAX_ELEMENTS) elements.clear()
    elements.set(text, known)
  }
  return known
}

/** What stands in a set at this level, in order of bytes. */
function sortedElements(set: FieldSet): string[] {
  const found = [...set.members]
  for (const element of set.children.keys()) if (!set.members.has(element)) found.push(element)
  if (found.length < 2) return found
  return found.some(element => elementOf(element).isWide) ? found.sort(compareBytes) : found.sort()
}

const parsed = new WeakMap<object, FieldSet>()
/** The frozen JSON form that a set was read from. */
const written = new WeakMap<FieldSet, JsonObject>()

/** The set of a JSON form, remembered per (frozen) object. Elements that are none are skipped. */
export function fromFieldsV1(fields: unknown): FieldSet {
  if (!isObject(fields)) return new FieldSet()
  const known = parsed.get(fields)
  if (known) return known
  const set = readFields(fields)
  if (Object.isFrozen(fields)) {
    parsed.set(fields, set)
    written.set(set, fields)
  }
  return set
}

function readFields(fields: JsonObject): FieldSet {
  const set = new FieldSet()
  for (const [element, below] of Object.entries(fields)) {
    if (!/^[fkvi]:/.test(element)) continue
    const child = isObject(below) ? below : {}
    const keys = Object.keys(child)
    if (keys.length === 0 || Object.hasOwn(child, '.')) set.members.add(element)
    if (keys.length > (Object.hasOwn(child, '.') ? 1 : 0)) set.children.set(element, readFields(child))
  }
  return set
}
