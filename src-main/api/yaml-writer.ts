/** YAML in the exact layout of sigs.k8s.io/yaml: sorted keys, lists at their parent's indent, lines folded after 80 columns. */
import { compareBytes, isObject, stringifyJson } from './json.ts'
import { resolvePlain } from './yaml-scalars.ts'

const width = 80

/** YAML of a JSON value, with a final line break. */
export function stringifyYaml(value: unknown): string {
  if (isObject(value) && Object.keys(value).length > 0) return mapText(value, 0)
  if (Array.isArray(value) && value.length > 0) return listText(value, 0)
  return `${scalarText(value, 0, 0)}\n`
}

function mapText(map: Record<string, unknown>, indent: number): string {
  return Object.keys(map)
    .filter(key => map[key] !== undefined)
    .sort(compareKeys)
    .map((key, i) => (i === 0 ? '' : ' '.repeat(indent)) + pairText(key, map[key], indent))
    .join('')
}

function pairText(key: string, value: unknown, indent: number): string {
  const name = keyText(key)
  const head = name.length > 128 ? `? ${name}\n${' '.repeat(indent)}:` : `${name}:`
  if (Array.isArray(value) && value.length > 0) return `${head}\n${' '.repeat(indent)}${listText(value, indent)}`
  if (isObject(value) && hasFields(value)) return `${head}\n${' '.repeat(indent + 2)}${mapText(value, indent + 2)}`
  return `${head} ${scalarText(value, indent + 2, indent + head.length + 1)}\n`
}

function hasFields(map: Record<string, unknown>): boolean {
  return Object.values(map).some(v => v !== undefined)
}

function listText(list: readonly unknown[], indent: number): string {
  return list.map((item, i) => `${i === 0 ? '' : ' '.repeat(indent)}- ${itemText(item, indent + 2)}`).join('')
}

function itemText(item: unknown, indent: number): string {
  if (Array.isArray(item) && item.length > 0) return listText(item, indent)
  if (isObject(item) && hasFields(item)) return mapText(item, indent)
  return `${scalarText(item, indent, indent)}\n`
}

function keyText(key: string): string {
  return key.includes('\n') ? doubleQuoted(key) : (scalarStyle(key, true) ?? doubleQuoted(key))
}

function scalarText(value: unknown, indent: number, column: number): string {
  if (typeof value === 'string') return stringText(value, indent, column)
  if (value === null || value === undefined) return 'null'
  if (Array.isArray(value)) return '[]'
  if (typeof value === 'object') return '{}'
  if (typeof value === 'number') return numberText(value)
  return String(value)
}

function numberText(value: number): string {
  return stringifyJson(value).replace(/e([+-])(\d)$/, 'e$10$2')
}

function stringText(text: string, indent: number, column: number): string {
  if (text.includes('\n')) return literalAllowed(text) ? literal(text, indent) : fold(doubleQuoted(text), indent, column, true)
  const plain = scalarStyle(text, false)
  return plain === undefined ? fold(doubleQuoted(text), indent, column, true) : fold(plain, indent, column, false)
}

/** Plain or single-quoted text, or undefined where only double quotes do. */
function scalarStyle(text: string, isKey: boolean): string | undefined {
  if (isUnprintable(text)) return undefined
  if (!resolvesToText(text)) return text === '' && isKey ? "''" : undefined
  return plainAllowed(text) ? text : `'${text.replaceAll("'", "''")}'`
}

function resolvesToText(text: string): boolean {
  if (text === '<<' || text === '=' || /^[-+]?\d[\d_]*(:[0-5]?\d)+(\.\d*)?$/.test(text)) return false
  if (/^\d{4}-\d\d?-\d\d?([Tt]|[ \t]|$)/.test(text)) return false
  try {
    return typeof resolvePlain(text) === 'string'
  } catch {
    return false
  }
}

function plainAllowed(text: string): boolean {
  if (/^[\s#,[\]{}&*!|>'"%@`]/.test(text) || /^[-?:](\s|$)/.test(text) || /\s$/.test(text)) return false
  return !/^(---|\.\.\.)/.test(text) && !/:(\s|$)/.test(text) && !/\s#/.test(text) && !text.includes('\t')
}

function isUnprintable(text: string): boolean {
  return /[^\n\t\x20-\x7e\x85\u00a0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]|\ufeff/u.test(text)
}

function literalAllowed(text: string): boolean {
  return !isUnprintable(text) && !/[ ]\n|[ ]$/.test(text)
}

function literal(text: string, indent: number): string {
  const hint = /^[ \n]/.test(text) ? '2' : ''
  const chomp = !text.endsWith('\n') ? '-' : text === '\n' || text.endsWith('\n\n') ? '+' : ''
  const body = text.endsWith('\n') ? text.slice(0, -1) : text
  return `|${hint}${chomp}\n${body
    .split('\n')
    .map(line => (line === '' ? '' : ' '.repeat(indent) + line))
    .join('\n')}`
}

const escapes: Readonly<Record<string, string>> = {
  '\0': '\\0',
  '\x07': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\x1b': '\\e',
  '"': '\\"',
  '\\': '\\\\',
  '\x85': '\\N',
  '\xa0': '\\_',
  '\u2028': '\\L',
  '\u2029': '\\P',
}

function doubleQuoted(text: string): string {
  let out = ''
  for (const c of text) {
    const known = escapes[c]
    const code = c.codePointAt(0) ?? 0
    if (known !== undefined) out += known
    else if (!isUnprintable(c)) out += c
    else if (code <= 0xff) out += `\\x${code.toString(16).toUpperCase().padStart(2, '0')}`
    else out += code <= 0xffff ? `\\u${code.toString(16).toUpperCase().padStart(4, '0')}` : `\\U${code.toString(16).toUpperCase().padStart(8, '0')}`
  }
  return `"${out}"`
}

/** Breaks a long line at single spaces once it is beyond the width. */
function fold(text: string, indent: number, start: number, quoted: boolean): string {
  if (start + text.length <= width) return text
  let out = ''
  let column = start
  for (let i = 0; i < text.length; i++) {
    const inner = i > (quoted ? 1 : 0) && i < text.length - (quoted ? 2 : 1)
    if (text[i] === ' ' && inner && column > width && text[i - 1] !== ' ' && text[i + 1] !== ' ') {
      out += `\n${' '.repeat(indent)}`
      column = indent
    } else {
      out += text[i] ?? ''
      column++
    }
  }
  return out
}

/** go-yaml's order of keys: letters after other characters, runs of digits by their number. */
function compareKeys(a: string, b: string): number {
  const x = [...a]
  const y = [...b]
  for (let i = 0; i < x.length && i < y.length; i++) {
    const p = x[i] ?? ''
    const q = y[i] ?? ''
    if (p === q) continue
    const pLetter = /\p{L}/u.test(p)
    const qLetter = /\p{L}/u.test(q)
    if (pLetter && qLetter) return compareBytes(p, q)
    if (pLetter !== qLetter) return pLetter ? 1 : -1
    return compareDigits(x, y, i) || compareBytes(p, q)
  }
  return x.length - y.length
}

function compareDigits(x: readonly string[], y: readonly string[], at: number): number {
  const a = /^\d*/.exec(x.slice(at).join(''))?.[0] ?? ''
  const b = /^\d*/.exec(y.slice(at).join(''))?.[0] ?? ''
  if (a === '' || b === '') return 0
  const difference = BigInt(a) - BigInt(b)
  return difference === 0n ? a.length - b.length : difference < 0n ? -1 : 1
}
