/** Just enough of PKCS#10 to read a request's organizations: a walk over its DER. */
import { derElements } from '../../api/certificates/v1/der.ts'

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
    const whole = derElements(der)[0]
    const info = whole && derElements(whole.content)[0]
    const subject = info && derElements(info.content)[1]
    if (!subject) return []
    const found: string[] = []
    for (const set of derElements(subject.content)) {
      for (const pair of derElements(set.content)) {
        const [oid, value] = derElements(pair.content)
        if (oid && value && Buffer.from(oid.content).toString('hex') === organizationOid) found.push(Buffer.from(value.content).toString('utf8'))
      }
    }
    return found
  } catch {
    return []
  }
}
