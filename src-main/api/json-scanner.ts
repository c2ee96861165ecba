/**
 * Reads JSON text without building values: the first fault with the wording of Go's encoding/json, and keys that
 * stand twice in one object. Used only where a text is faulty or duplicates matter; iterative, so depth costs no stack.
 */

interface ScanOptions {
  readonly maxDepth: number
  /** Must throw. */
  readonly fail: (message: string) => never
  /** Called for a key that its object has already; `path` leads to the object. */
  readonly onDuplicate?: (path: readonly (string | number)[], key: string) => void
  /** Called for every key, in order of the text. */
  readonly onKey?: (path: readonly (string | number)[], key: string, isRepeated: boolean) => void
}

/** Repeated keys that are told; each costs the length of its path. */
const MAX_DUPLICATES = 1_000

/** Longer texts have their faults in the order in which they were found: order costs the length of the path of every key. */
const MAX_ORDERED_LENGTH = 64 * 1024

/** Ends a walk that has found enough. */
class Enough extends Error {}

/** Paths of keys that stand more than once in an object, such as `spec.ports[0].name`, in order of the text; the first thousand. The text must be JSON. */
export function duplicateKeys(text: string): string[] {
  const found = new Set<string>()
  let repeats = 0
  try {
    scanJson(text, {
      maxDepth: Number.MAX_SAFE_INTEGER,
      fail: message => {
        throw new Error(message)
      },
      onDuplicate: (path, key) => {
        found.add(pathText([...path, key]))
        repeats++
        if (repeats >= MAX_DUPLICATES) throw new Enough()
      },
    })
  } catch (fault) {
    if (!(fault instanceof Enough)) throw fault
  }
  return [...found]
}

/** Faults of fields (`unknown field "a.b"`, `duplicate field "a.b"`) in the order in which the text gives rise to them. */
export function inOrderOfText(text: string, faults: readonly string[]): string[] {
  if (text.length > MAX_ORDERED_LENGTH) return [...faults]
  const wanted = new Map(faults.map(fault => [fault, Number.POSITIVE_INFINITY]))
  let position = 0
  scanJson(text, {
    maxDepth: Number.MAX_SAFE_INTEGER,
    fail: message => {
      throw new Error(message)
    },
    onKey: (path, key, isRepeated) => {
      const fault = `${isRepeated ? 'duplicate' : 'unknown'} field ${JSON.stringify(pathText([...path, key]))}`
      position++
      if (wanted.get(fault) === Number.POSITIVE_INFINITY) wanted.set(fault, position)
    },
  })
  return [...faults].sort((a, b) => (wanted.get(a) ?? 0) - (wanted.get(b) ?? 0))
}

/** `spec.ports[0].name` */
export function pathText(path: readonly (string | number)[]): string {
  let out = ''
  for (const part of path) out += typeof part === 'number' ? `[${part}]` : out === '' ? part : `.${part}`
  return out
}

function show(c: string): string {
  if (c === "'") return "'\\''"
  if (c === '"') return "'\"'"
  const code = c.codePointAt(0) ?? 0
  // Go looks at bytes: what is not ASCII shows as the first byte of its UTF-8.
  if (code >= 0x80) return `'${String.fromCharCode(new TextEncoder().encode(c)[0] ?? 0)}'`
  const escapes: Record<string, string> = { '\n': '\\n', '\t': '\\t', '\r': '\\r', '\\': '\\\\', '\b': '\\b', '\f': '\\f', '\v': '\\v', '\x07': '\\a' }
  return `'${escapes[c] ?? (code < 0x20 || code === 0x7f ? `\\x${code.toString(16).padStart(2, '0')}` : c)}'`
}

interface Frame {
  readonly list: boolean
  readonly keys: Set<string> | undefined
  index: number
  key: string
  begun: boolean
}

/** Walks the text; calls `fail` at the first fault. */
export function scanJson(text: string, options: ScanOptions): void {
  new Scanner(text, options).run()
}

class Scanner {
  readonly #text: string
  readonly #options: ScanOptions
  readonly #stack: Frame[] = []
  #at = 0

  constructor(text: string, options: ScanOptions) {
    this.#text = text
    this.#options = options
  }

  run(): void {
    this.#value()
    while (this.#stack.length > 0) this.#step()
    this.#space()
    if (this.#at < this.#text.length) this.#bad('after top-level value')
  }

  #bad(where: string): never {
    const code = this.#text.codePointAt(this.#at)
    // Go's scanner reads one blank at the end: inside a word or number that is a wrong character.
    if (code === undefined) return this.#options.fail(/^in literal|numeric literal$|escape/.test(where) ? `invalid character ' ' ${where}` : 'unexpected end of JSON input')
    return this.#options.fail(`invalid character ${show(String.fromCodePoint(code))} ${where}`)
  }

  #space(): void {
    for (;;) {
      const c = this.#text.charCodeAt(this.#at)
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return
      this.#at++
    }
  }

  /** Inside a list or object: its next item with the separator before it, or its end. */
  #step(): void {
    const frame = this.#stack.at(-1)
    if (frame === undefined) return
    this.#space()
    const c = this.#text[this.#at]
    if (c === (frame.list ? ']' : '}')) {
      this.#at++
      this.#stack.pop()
      return
    }
    if (frame.begun) {
      if (c !== ',') this.#bad(frame.list ? 'after array element' : 'after object key:value pair')
      this.#at++
      this.#space()
      frame.index++
    }
    frame.begun = true
    if (frame.list) this.#value()
    else this.#member(frame, 'looking for beginning of object key string')
  }

  #member(frame: Frame, where: string): void {
    if (this.#text[this.#at] !== '"') this.#bad(where)
    const start = this.#at
    this.#string()
    const key = JSON.parse(this.#text.slice(start, this.#at)) as string
    const isRepeated = frame.keys?.has(key) === true
    if (isRepeated || this.#options.onKey !== undefined) {
      const path = this.#stack.slice(0, -1).map(f => (f.list ? f.index : f.key))
      if (isRepeated) this.#options.onDuplicate?.(path, key)
      this.#options.onKey?.(path, key, isRepeated)
    }
    frame.keys?.add(key)
    frame.key = key
    this.#space()
    if (this.#text[this.#at] !== ':') this.#bad('after object key')
    this.#at++
    this.#value()
  }

  #value(): void {
    this.#space()
    const c = this.#text[this.#at]
    if (c === '{' || c === '[') this.#open(c === '[')
    else if (c === '"') this.#string()
    else if (c === 't') this.#literal('true')
    else if (c === 'f') this.#literal('false')
    else if (c === 'n') this.#literal('null')
    else if (c !== undefined && (c === '-' || (c >= '0' && c <= '9'))) this.#number()
    else this.#bad('looking for beginning of value')
  }

  /** Only notes where the walk is now: #step does the rest. */
  #open(list: boolean): void {
    this.#at++
    const frame: Frame = { list, keys: (this.#options.onDuplicate ?? this.#options.onKey) && !list ? new Set() : undefined, index: 0, key: '', begun: false }
    if (this.#stack.push(frame) > this.#options.maxDepth) this.#options.fail('exceeded max depth')
  }

  #string(): void {
    this.#at++
    for (;;) {
      const c = this.#text.charCodeAt(this.#at)
      if (Number.isNaN(c) || c < 0x20) this.#bad('in string literal')
      this.#at++
      if (c === 0x22) return
      if (c !== 0x5c) continue
      const e = this.#text[this.#at]
      if (e === undefined || !'"\\/bfnrtu'.includes(e)) this.#bad('in string escape code')
      this.#at++
      if (e !== 'u') continue
      for (let i = 0; i < 4; i++) {
        if (!/[0-9a-fA-F]/.test(this.#text[this.#at] ?? '')) this.#bad('in \\u hexadecimal character escape')
        this.#at++
      }
    }
  }

  #literal(word: string): void {
    for (let i = 0; i < word.length; i++) {
      if (this.#text[this.#at] !== word[i]) this.#bad(`in literal ${word} (expecting '${word[i] ?? ''}')`)
      this.#at++
    }
  }

  #digits(where: string): void {
    if (!/[0-9]/.test(this.#text[this.#at] ?? '')) this.#bad(where)
    while (/[0-9]/.test(this.#text[this.#at] ?? '')) this.#at++
  }

  #number(): void {
    if (this.#text[this.#at] === '-') this.#at++
    if (this.#text[this.#at] === '0') this.#at++
    else this.#digits('in numeric literal')
    if (this.#text[this.#at] === '.') {
      this.#at++
      this.#digits('after decimal point in numeric literal')
    }
    if (/[eE]/.test(this.#text[this.#at] ?? '')) {
      this.#at++
      if (/[+-]/.test(this.#text[this.#at] ?? '')) this.#at++
      this.#digits('in exponent of numeric literal')
    }
  }
}
