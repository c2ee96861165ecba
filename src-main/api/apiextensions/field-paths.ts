/** The simple JSON paths of rules (`fieldPath`) and selectable fields: `.spec.name`, `.spec['a.b']`. Pure. */
import type { StructuralSchema } from './structural-schema.ts'

export interface FoundField {
  /** As faults show it: `spec.name`, `spec[key]`. */
  readonly path: string
  readonly first: string
  readonly schema: StructuralSchema | undefined
}

/** Delimiters, quoted texts and names. */
function tokens(text: string): string[] {
  const out: string[] = []
  for (let at = 0; at < text.length;) {
    let end = at + 1
    if (text[at] === "'") {
      while (end < text.length && !(text[end] === "'" && text[end - 1] !== '\\')) end++
      end++
    } else if (!'.[]'.includes(text[at] ?? '')) while (end < text.length && !'.[]'.includes(text[end] ?? '')) end++
    out.push(text.slice(at, end))
    at = end
  }
  return out
}

const escapes: Readonly<Record<string, string>> = { a: '\u0007', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', "'": "'", '\\': '\\' }

function unquote(token: string): { readonly text: string } | { readonly fault: string } {
  if (token.length < 2 || !token.startsWith("'") || !token.endsWith("'")) return { fault: `expected single quoted string but got ${token}` }
  let fault: string | undefined
  const text = token.slice(1, -1).replace(/\\./g, escape => {
    const found = escapes[escape[1] ?? '']
    if (found === undefined) fault = `invalid string literal: invalid escape char ${escape}`
    return found ?? ''
  })
  return fault === undefined ? { text } : { fault }
}

/** What a path leads to in a schema, or why it leads nowhere, in Kubernetes' words. */
export function findField(text: string, root: StructuralSchema, options: { readonly brackets: boolean }): FoundField | { readonly fault: string } {
  const list = tokens(text)
  let schema: StructuralSchema | undefined = root
  let path = ''
  let first = ''
  for (let at = 0; at < list.length;) {
    const token = list[at++] ?? ''
    if (token !== '.' && token !== '[') return { fault: `expected [ or . but got: ${token}` }
    if (token === '[' && !options.brackets) return { fault: 'array notation is not allowed' }
    const next = list[at++]
    if (next === undefined) return { fault: 'unexpected end of JSON path' }
    const name = token === '[' ? unquote(next) : { text: next }
    if ('fault' in name) return name
    const isNamed: boolean = (schema?.properties.size ?? 0) > 0
    if (!isNamed && !schema?.additionalProperties) return { fault: 'does not refer to a valid field' }
    if (isNamed && !schema?.properties.has(name.text)) return { fault: 'does not refer to a valid field' }
    schema = isNamed ? schema?.properties.get(name.text) : schema?.additionalProperties?.schema
    path = isNamed ? (path === '' ? name.text : `${path}.${name.text}`) : `${path}[${name.text}]`
    if (first === '') first = name.text
    if (token === '[') {
      const close = list[at++]
      if (close === undefined) return { fault: 'unexpected end of JSON path' }
      if (close !== ']') return { fault: `expected ] but got ${close}` }
    }
  }
  return { path, first, schema }
}
