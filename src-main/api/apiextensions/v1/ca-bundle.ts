/** Whether a bundle of certificates can be one: PEM blocks of certificates, in base64 as all bytes of the API. Pure. */
import { invalidWithoutValue } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'

/** Faults of a bundle without a single certificate. */
export function caBundleFaults(bundle: string, at: FieldPath): FieldErrorList {
  if (holdsCertificate(bundle)) return []
  return [{ ...invalidWithoutValue(at, ''), message: `Invalid value: ${JSON.stringify(bundle)}: unable to load root certificates: unable to parse bytes as PEM block` }]
}

function holdsCertificate(bundle: string): boolean {
  let text: string
  try {
    text = atob(bundle)
  } catch {
    return false
  }
  const block = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----/.exec(text)
  // A certificate is a sequence in DER.
  return block !== null && atobOrEmpty((block[1] ?? '').replace(/\s+/g, '')).startsWith('\u0030')
}

function atobOrEmpty(text: string): string {
  try {
    return atob(text)
  } catch {
    return ''
  }
}
