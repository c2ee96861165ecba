/**
 * Links of pages that come through a proxy of the API server: absolute paths (also those of redirects) are put below the
 * proxy's own path, so that a browser stays within it. Links to other hosts and relative ones are left as they are.
 */
import { Readable } from 'node:stream'
import { createGunzip, createInflate } from 'node:zlib'
import type { ApiResponse } from '../../api/request.ts'

/** Which attributes of which elements hold one address. */
const addressAttributes: Readonly<Record<string, readonly string[]>> = {
  a: ['href'],
  applet: ['codebase'],
  area: ['href'],
  audio: ['src'],
  base: ['href'],
  blockquote: ['cite'],
  body: ['background'],
  button: ['formaction'],
  command: ['icon'],
  del: ['cite'],
  embed: ['src'],
  form: ['action'],
  frame: ['longdesc', 'src'],
  head: ['profile'],
  html: ['manifest'],
  iframe: ['longdesc', 'src'],
  img: ['longdesc', 'src', 'usemap'],
  input: ['src', 'usemap', 'formaction'],
  ins: ['cite'],
  link: ['href'],
  object: ['classid', 'codebase', 'data', 'usemap'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  video: ['poster', 'src'],
}

const startTag = /<([a-zA-Z][a-zA-Z0-9]*)((?:\s+[^\s"'<>/=]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'=<>`]+))?)*\s*\/?)>/g
const attribute = /([^\s"'<>/=]+)(\s*=\s*)("[^"]*"|'[^']*'|[^\s"'=<>`]+)/g
/** A page larger than this is passed on as it is. */
const maxPageBytes = 8 << 20

/** `prefix`: path of the proxy, without the slash at its end. */
export function rewriteAddress(address: string, prefix: string): string {
  if (!address.startsWith('/') || address.startsWith('//') || address === prefix || address.startsWith(`${prefix}/`)) return address
  return prefix + address
}

export function rewritePage(page: string, prefix: string): string {
  return page.replace(startTag, (tag: string, name: string, rest: string) => {
    const wanted = addressAttributes[name.toLowerCase()]
    if (!wanted) return tag
    const changed = rest.replace(attribute, (whole: string, key: string, sign: string, value: string) => {
      if (!wanted.includes(key.toLowerCase())) return whole
      const quote = value.startsWith('"') || value.startsWith("'") ? value.charAt(0) : ''
      const address = quote === '' ? value : value.slice(1, -1)
      return `${key}${sign}${quote}${rewriteAddress(address, prefix)}${quote}`
    })
    return `<${name}${changed}>`
  })
}

/** The answer with its links below `prefix`; other content streams through untouched. */
export async function withOwnLinks(answer: ApiResponse, prefix: string): Promise<ApiResponse> {
  const headers = { ...answer.headers }
  const { location } = headers
  if (typeof location === 'string') headers['location'] = rewriteAddress(location, prefix)
  const encoding = String(headers['content-encoding'] ?? '')
  const isPage =
    String(headers['content-type'] ?? '')
      .toLowerCase()
      .startsWith('text/html') && ['', 'gzip', 'deflate'].includes(encoding)
  if (!isPage || answer.body.kind !== 'stream' || Number(headers['content-length'] ?? 0) > maxPageBytes) return { ...answer, headers }
  const raw = Readable.from(answer.body.chunks)
  const plain = encoding === '' ? raw : raw.pipe(encoding === 'gzip' ? createGunzip() : createInflate())
  raw.on('error', fault => {
    plain.destroy(fault)
  })
  const parts: Buffer[] = []
  for await (const chunk of plain) parts.push(Buffer.from(chunk as Uint8Array))
  const page = Buffer.from(rewritePage(Buffer.concat(parts).toString('utf8'), prefix))
  delete headers['content-encoding']
  headers['content-length'] = String(page.length)
  return { ...answer, headers, body: { kind: 'bytes', chunks: [page] } }
}
