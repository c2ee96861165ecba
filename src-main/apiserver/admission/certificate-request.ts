/** Just enough of PKCS#10 to read a request's organizations: a walk over its DER. */

interface Element {
  readonly tag: number
  readonly content: Uint8Array
}

/** The elements of a DER sequence's content; throws on anything that is no DER. */
function elements(der: Uint8Array): Element[] {
  const out: Element[] = []
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
    if (start + length > der.length) throw new Error('the content is cut off')
    out.push({ tag, content: der.subarray(start, start + length) })
    at = start + length
  }
  return out
}

/** 2.5.4.10 */
const organizationOid = '55040a'

/**
 * Organizations of the subjects of a base64 PEM request (spec.request), of every block in it and whatever stands around
 * them: the signer may read another block than we would. Empty when none can be read (validation refuses those).
 */
export function organizationsOf(request: string): string[] {
  const text = Buffer.from(request, 'base64').toString('latin1')
  const blocks = [...text.matchAll(/-----BEGIN [^-]+-----([^-]*)/g)].map(match => (match[1] ?? '').replace(/^[^:\n]*:.*$/gm, ''))
  return blocks.flatMap(block => organizationsOfBlock(Buffer.from(block.replace(/\s/g, ''), 'base64')))
}

function organizationsOfBlock(der: Uint8Array): string[] {
  try {
    const whole = elements(der)[0]
    const info = whole && elements(whole.content)[0]
    const subject = info && elements(info.content)[1]
    if (!subject) return []
    const found: string[] = []
    for (const set of elements(subject.content)) {
      for (const pair of elements(set.content)) {
        const [oid, value] = elements(pair.content)
        if (oid && value && Buffer.from(oid.content).toString('hex') === organizationOid) found.push(Buffer.from(value.content).toString('utf8'))
      }
    }
    return found
  } catch {
    return []
  }
}
