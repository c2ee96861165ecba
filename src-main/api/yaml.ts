/**
 * YAML as kubectl and the API server read it (sigs.k8s.io/yaml: YAML 1.1 words such as yes, off and 010), as JSON values.
 * Aliases, depth and tags are bounded; timestamps stay text. The parser of the package `yaml` makes the tree, the
 * meaning of scalars is decided here.
 */
import { LineCounter, isAlias, isMap, isPair, isScalar, isSeq, parseAllDocuments, parseDocument } from 'yaml'
import type { Document, Node, Pair, Scalar, YAMLMap } from 'yaml'
import { JsonError, isObject, maxJsonDepth, setOwn } from './json.ts'
import type { JsonObject } from './json.ts'

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

const options = { schema: 'failsafe', uniqueKeys: false, merge: false, version: '1.1', logLevel: 'silent', prettyErrors: true, strict: false } as const

/** All documents of a text; empty ones are left out. Throws YamlError. */
export function parseYaml(text: string): unknown[] {
  const lines = new LineCounter()
  const documents = guarded(() => parseAllDocuments(text, { ...options, lineCounter: lines }))
  if (!Array.isArray(documents)) return []
  return documents.map(d => new Reader(d, lines).value()).filter(value => value !== null)
}

/** The first document of a text, with texts for keys that stand twice: `line 5: key "data" already set in map`. */
export function parseYamlDocument(text: string): { value: unknown; duplicates: string[] } {
  const lines = new LineCounter()
  const document = guarded(() => firstDocument(text, lines))
  if (document === undefined || document.contents === null) return { value: null, duplicates: [] }
  const reader = new Reader(document, lines)
  return { value: reader.value(), duplicates: reader.duplicates }
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
    if (isAlias(node)) return this.#alias(node.resolve(this.#document), node.source)
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
    case 'str': case '!': return text
    case 'binary': return decodeBinary(text)
    case 'null': case 'bool': case 'int': case 'float': case 'timestamp': return resolvePlain(text)
    default: throw new YamlError(`unsupported tag ${tag}`)
  }
}

function decodeBinary(text: string): string {
  try {
    return atob(text.replace(/\s/g, ''))
  } catch {
    throw new YamlError('!!binary value contains invalid base64 data')
  }
}

const words: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ...['', '~', 'null', 'Null', 'NULL'].map((w): [string, unknown] => [w, null]),
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map((w): [string, unknown] => [w, true]),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map((w): [string, unknown] => [w, false]),
])

/** What an unquoted scalar means: null, boolean, number or text. */
export function resolvePlain(text: string): unknown {
  if (words.has(text)) return words.get(text)
  if (!/^[-+.\d]/.test(text)) return text
  if (/^[-+]?\.(inf|Inf|INF)$/.test(text) || /^\.(nan|NaN|NAN)$/.test(text)) throw new JsonError(`json: unsupported value: ${text}`)
  const plain = text.replaceAll('_', '')
  const integer = parseInteger(plain)
  if (integer !== undefined) return integer
  if (/^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/.test(plain)) {
    const value = Number(plain)
    return Number.isFinite(value) ? value : text
  }
  return text
}

function parseInteger(text: string): number | bigint | undefined {
  const m = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9]\d*)$/.exec(text)
  if (!m) return undefined
  const [, sign = '', digits = ''] = m
  const octal = /^0[oO]?[0-7]+$/.test(digits)
  const exact = BigInt(octal ? `0o${digits.replace(/^0[oO]?/, '')}` : digits) * (sign === '-' ? -1n : 1n)
  if (exact >= BigInt(Number.MIN_SAFE_INTEGER) && exact <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(exact)
  return BigInt.asIntN(64, exact) === exact ? exact : Number(exact)
}

/** Faults of a text as an editor marks them: offsets into the text. */
export function yamlFaults(text: string): { from: number; to: number; message: string }[] {
  const documents = parseAllDocuments(text, { version: '1.1', logLevel: 'silent', prettyErrors: true })
  if (!Array.isArray(documents)) return []
  return documents.flatMap(document => document.errors).map(fault => {
    const from = Math.min(fault.pos[0], text.length)
    return { from, to: Math.min(Math.max(fault.pos[1], from + 1), text.length), message: fault.message }
  })
}
