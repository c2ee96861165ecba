/**
 * YAML as kubectl and the API server read it (sigs.k8s.io/yaml: YAML 1.1 words such as yes, off and 010), as JSON values.
 * Aliases, depth and tags are bounded; timestamps stay text. The parser of the package `yaml` makes the tree, the
 * meaning of scalars is decided here.
 */
import { Lexer, LineCounter, isAlias, isMap, isPair, isScalar, isSeq, parseAllDocuments, parseDocument } from 'yaml'
import type { Document, Node, Pair, Scalar, YAMLMap } from 'yaml'
import { JsonError, duplicateKeys, isObject, maxJsonDepth, parseJson, setOwn } from './json.ts'
import type { JsonObject } from './json.ts'

import { readBlockYaml } from './yaml-block.ts'
import { resolvePlain } from './yaml-scalars.ts'

export { stringifyYaml } from './yaml-writer.ts'

/** Text that is not YAML, or YAML that is no JSON value; `message` starts with `yaml: `. */
export class YamlError extends Error {
  constructor(message: string) {
    super(message.startsWith('yaml: ') ? message : `yaml: ${message}`)
    this.name = 'YamlError'
  }
}

/** Values that aliases may add to a document; a bomb of ten nested anchors would make billions. */
const maxAliasedNodes = 100_000

/** The whole parser reads about half a megabyte a second, and others wait meanwhile. */
const maxComplexLength = 512 * 1024

const options = { schema: 'failsafe', uniqueKeys: false, merge: false, version: '1.1', logLevel: 'silent', prettyErrors: false, strict: false } as const

/** All documents of a text; empty ones are left out. Throws YamlError. */
export function parseYaml(text: string): unknown[] {
  const json = asJson(text)
  if (json) return json.value === null ? [] : [json.value]
  checkNesting(text)
  const lines = new LineCounter()
  const documents = guarded(() => parseAllDocuments(text, { ...options, lineCounter: lines }))
  if (!Array.isArray(documents)) return []
  return documents.map(d => new Reader(d, lines).value()).filter(value => value !== null)
}

/** The first document of a text, with texts for keys that stand twice: `line 5: key "data" already set in map`. */
export function parseYamlDocument(text: string): { value: unknown; duplicates: string[] } {
  const json = asJson(text)
  if (json && duplicateKeys(text).length === 0) return { value: json.value, duplicates: [] }
  const simple = json ? undefined : readBlockYaml(text)
  if (simple) return { value: simple.value, duplicates: simple.duplicates }
  if (text.length > maxComplexLength)
    throw new YamlError(`document is longer than ${maxComplexLength} characters and uses more than block mappings, sequences and scalars of one line; send it as JSON`)
  checkNesting(text)
  const lines = new LineCounter()
  const document = guarded(() => firstDocument(text, lines))
  if (document === undefined || document.contents === null) return { value: null, duplicates: [] }
  const reader = new Reader(document, lines)
  return { value: reader.value(), duplicates: reader.duplicates }
}

/** What programs send as YAML mostly is JSON, which is read a hundred times faster. Undefined where it is none. */
function asJson(text: string): { value: unknown } | undefined {
  if (!/^\s*[{[]/.test(text)) return undefined
  try {
    return { value: parseJson(text) }
  } catch (error) {
    if (error instanceof JsonError && error.message === 'exceeded max depth') throw new YamlError(error.message)
    return undefined
  }
}

/** The parser's time grows with the square of the depth, so depth is bounded before it. */
function checkNesting(text: string): void {
  if (!mayBeDeep(text)) return
  let flow = 0
  let block = 0
  for (const token of new Lexer().lex(text)) {
    if (token === '[' || token === '{') flow++
    else if (token === ']' || token === '}') flow = Math.max(0, flow - 1)
    else if (token.includes('\n')) block = 0
    else if (flow === 0 && (token === '-' || token === '?' || token === ':')) block++
    if (flow > maxJsonDepth || block > maxJsonDepth) throw new YamlError('exceeded max depth')
  }
}

/** Whether a text has as many brackets or as many indicators in one line as depth needs; quotes and block texts are not looked at. */
function mayBeDeep(text: string): boolean {
  let depth = 0
  let indicators = 0
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === 0x5b || c === 0x7b) depth++
    else if (c === 0x5d || c === 0x7d) depth--
    else if (c === 0x0a) indicators = 0
    else if (c === 0x2d || c === 0x3f || c === 0x3a) indicators++
    if (depth > maxJsonDepth || indicators > maxJsonDepth) return true
    // What closes more than it opens hides nothing of what follows.
    if (depth < 0) depth = 0
  }
  return false
}

function firstDocument(text: string, lines: LineCounter): Document.Parsed | undefined {
  // A separator is on a line of its own; one document is parsed without looking at the rest.
  const body = text.replace(/^---[ \t]*\r?\n/, '')
  const end = /^---(?:[ \t].*)?$/m.exec(body)
  const first = end ? body.slice(0, end.index) : body
  return parseDocument(first, { ...options, lineCounter: lines })
}

function guarded<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (error instanceof RangeError) throw new YamlError('exceeded max depth')
    throw error
  }
}

class Reader {
  readonly duplicates: string[] = []
  readonly #document: Document.Parsed
  readonly #lines: LineCounter
  /** What aliases mean where they stand: the last anchor of that name before them. */
  readonly #anchors = new Map<string, Node>()
  #aliased = 0
  #inAlias = 0
  #depth = 0

  constructor(document: Document.Parsed, lines: LineCounter) {
    this.#document = document
    this.#lines = lines
    const error = document.errors[0]
    if (error !== undefined) throw new YamlError(faultText(error, lines))
  }

  value(): unknown {
    return this.#node(this.#document.contents)
  }

  #node(node: unknown): unknown {
    if (this.#inAlias > 0 && ++this.#aliased > maxAliasedNodes) throw new YamlError('document contains excessive aliasing')
    if (node === null || node === undefined) return null
    if (++this.#depth > maxJsonDepth) throw new YamlError('exceeded max depth')
    try {
      return this.#anyNode(node as Node)
    } finally {
      this.#depth--
    }
  }

  #anyNode(node: Node): unknown {
    if (isAlias(node)) return this.#alias(this.#anchors.get(node.source), node.source)
    if (node.anchor !== undefined && this.#inAlias === 0) this.#anchors.set(node.anchor, node)
    if (isScalar(node)) return scalarValue(node)
    if (isSeq(node)) return node.items.map(item => this.#node(item))
    if (isMap(node)) return this.#map(node)
    throw new YamlError('unknown node')
  }

  #alias(target: Node | undefined, source: string): unknown {
    if (target === undefined) throw new YamlError(`unknown anchor '${source}' referenced`)
    this.#inAlias++
    const value = this.#node(target)
    this.#inAlias--
    return value
  }

  #map(map: YAMLMap): JsonObject {
    const out: JsonObject = {}
    for (const pair of map.items) if (!isMergeKey(pair)) this.#pair(out, pair)
    for (const pair of map.items) if (isMergeKey(pair)) this.#merge(out, this.#node(pair.value))
    return out
  }

  #pair(out: JsonObject, pair: Pair): void {
    if (!isPair(pair)) return
    const key = keyText(this.#node(pair.key))
    if (Object.hasOwn(out, key)) this.duplicates.push(`line ${this.#line(pair.key)}: key ${JSON.stringify(key)} already set in map`)
    setOwn(out, key, this.#node(pair.value))
  }

  #merge(out: JsonObject, value: unknown): void {
    for (const source of Array.isArray(value) ? value : [value]) {
      if (!isObject(source)) throw new YamlError('map merge requires map or sequence of maps as the value')
      for (const key of Object.keys(source)) if (!Object.hasOwn(out, key)) setOwn(out, key, source[key])
    }
  }

  #line(node: unknown): number {
    const range = (node as Partial<Node> | null)?.range
    return range ? this.#lines.linePos(range[0]).line : 0
  }
}

function isMergeKey(pair: Pair): boolean {
  return isScalar(pair.key) && pair.key.value === '<<' && pair.key.type === 'PLAIN'
}

function keyText(key: unknown): string {
  if (typeof key === 'string') return key
  if (typeof key === 'number' || typeof key === 'boolean' || typeof key === 'bigint') return String(key)
  if (key === null) return 'null'
  throw new YamlError('error converting YAML to JSON: unsupported map key')
}

function faultText(error: { message: string; code: string; pos: [number, number] }, lines: LineCounter): string {
  const line = lines.linePos(error.pos[0]).line
  if (error.code === 'BAD_INDENT' || error.code === 'MISSING_CHAR' || error.code === 'UNEXPECTED_TOKEN') return `line ${line}: did not find expected node content`
  return `line ${line}: ${(error.message.split('\n', 1)[0] ?? '').replace(/ at line \d+, column \d+:?$/, '')}`
}

function scalarValue(node: Scalar): unknown {
  const text = typeof node.value === 'string' ? node.value : String(node.value ?? '')
  const tag = node.tag
  if (tag === undefined || tag === '') return node.type === 'PLAIN' ? resolvePlain(text) : text
  switch (tag.replace(/^!!|^tag:yaml\.org,2002:/, '')) {
    case 'str':
    case '!':
      return text
    case 'binary':
      return decodeBinary(text)
    case 'null':
    case 'bool':
    case 'int':
    case 'float':
    case 'timestamp':
      return resolvePlain(text)
    default:
      throw new YamlError(`unsupported tag ${tag}`)
  }
}

function decodeBinary(text: string): string {
  try {
    return atob(text.replace(/\s/g, ''))
  } catch {
    throw new YamlError('!!binary value contains invalid base64 data')
  }
}

/** Faults of a text as an editor marks them: offsets into the text. */
export function yamlFaults(text: string): { from: number; to: number; message: string }[] {
  const documents = parseAllDocuments(text, { version: '1.1', logLevel: 'silent', prettyErrors: true })
  if (!Array.isArray(documents)) return []
  return documents
    .flatMap(document => document.errors)
    .map(fault => {
      const from = Math.min(fault.pos[0], text.length)
      return { from, to: Math.min(Math.max(fault.pos[1], from + 1), text.length), message: fault.message }
    })
}
