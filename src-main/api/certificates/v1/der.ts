/** A walk over DER: enough of X.509 and PKCS#10 to read what the API checks of certificates and requests. Pure. */

export interface DerElement {
  readonly tag: number
  readonly content: Uint8Array
  /** Tag, length and content. */
  readonly whole: Uint8Array
}

/** The elements of a DER sequence's content; throws on anything that is no DER. */
export function derElements(der: Uint8Array): DerElement[] {
  const out: DerElement[] = []
  let at = 0
  while (at < der.length) {
    const tag = der[at] ?? 0
    let length = der[at + 1] ?? 0
    let start = at + 2
    if (length & 0x80) {
      const count = length & 0x7f
      if (count === 0 || count > 4) throw new Error('the length is no DER')
      length = 0
      for (let i = 0; i < count; i++) length = length * 256 + (der[start + i] ?? 0)
      start += count
    }
    if (start > der.length || start + length > der.length) throw new Error('the content is cut off')
    out.push({ tag, content: der.subarray(start, start + length), whole: der.subarray(at, start + length) })
    at = start + length
  }
  return out
}

const sequence = 0x30
const boolean = 0x01
const extensionsTag = 0xa3

/** 2.5.29.19 */
const basicConstraintsOid = '551d13'

const hex = (bytes: Uint8Array): string => [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join('')

function childrenOf(element: DerElement | undefined, tag = sequence): DerElement[] {
  if (element?.tag !== tag) throw new Error('another element was expected')
  return derElements(element.content)
}

/** The three parts of a signed structure (certificate or request): what is signed, the algorithm, the signature. */
export function signedParts(der: Uint8Array): { content: DerElement; algorithm: string; signature: Uint8Array } {
  const [whole, ...more] = derElements(der)
  const [content, algorithm, signature] = childrenOf(whole)
  const [oid] = childrenOf(algorithm)
  if (more.length > 0 || content?.tag !== sequence || oid === undefined || signature?.tag !== 0x03) throw new Error('no signed structure')
  return { content, algorithm: hex(oid.content), signature: signature.content.subarray(1) }
}

/** Whether a certificate may sign others; undefined when the bytes are no certificate. */
export function certificateAuthority(der: Uint8Array): boolean | undefined {
  try {
    const fields = derElements(signedParts(der).content.content)
    // Version (tag 0), serial, algorithm, issuer, validity, subject, key.
    if (fields.length < 6) return undefined
    const extensions = fields.find(field => field.tag === extensionsTag)
    if (extensions === undefined) return false
    for (const extension of childrenOf(derElements(extensions.content)[0])) {
      const [oid, ...rest] = childrenOf(extension)
      if (oid === undefined || hex(oid.content) !== basicConstraintsOid) continue
      const [flag] = childrenOf(derElements(rest.at(-1)?.content ?? new Uint8Array())[0])
      return flag?.tag === boolean && flag.content[0] !== 0
    }
    return false
  } catch {
    return undefined
  }
}

/** The public key (SubjectPublicKeyInfo) of a PKCS#10 request; undefined when the bytes are none. */
export function requestedKey(der: Uint8Array): Uint8Array | undefined {
  try {
    const [version, subject, key] = derElements(signedParts(der).content.content)
    return version?.tag === 0x02 && subject?.tag === sequence && key?.tag === sequence ? key.whole : undefined
  } catch {
    return undefined
  }
}

export interface PemBlock {
  readonly type: string
  readonly hasHeaders: boolean
  readonly bytes: Uint8Array
}

/** The PEM blocks of a text; what stands between them, and blocks that are no base64, are left out. */
export function pemBlocks(text: string): PemBlock[] {
  const blocks: PemBlock[] = []
  for (const [, type = '', body = ''] of text.matchAll(/^-----BEGIN ([^\n-]+)-----\s*\n([\s\S]*?)^-----END \1-----/gm)) {
    const lines = body.split('\n')
    const headers = lines.filter(line => line.includes(':'))
    const bytes = fromBase64(lines.filter(line => !line.includes(':')).join(''))
    if (bytes !== undefined) blocks.push({ type, hasHeaders: headers.length > 0, bytes })
  }
  return blocks
}

/** undefined for what is no base64. */
export function fromBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text.replace(/\s/g, '')), character => character.charCodeAt(0))
  } catch {
    return undefined
  }
}
