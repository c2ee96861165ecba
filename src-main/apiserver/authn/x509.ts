/** Client certificates: the common name is the user, organizations are groups. */
import { X509Certificate, createHash } from 'node:crypto'
import { unauthorized } from '../../api/status-error.ts'
import type { ApiRequest, UserInfo } from '../../api/request.ts'
import type { Env } from '../../base/env.ts'
import type { Authenticator } from '../contracts.ts'

const clientAuth = '1.3.6.1.5.5.7.3.2'
const anyUsage = '2.5.29.37.0'

interface Verified {
  readonly user: UserInfo
  readonly fromMs: number
  readonly toMs: number
}

/**
 * Accepts certificates that one of `authorities` (PEM) signed directly, within their validity and for client
 * authentication. A certificate that fails is a wrong credential: 401. Intermediate authorities are not followed.
 */
export function createX509Authenticator(options: { env: Env; authorities: readonly string[] }): Authenticator {
  const authorities = options.authorities.map(pem => new X509Certificate(pem))
  // serve.ts hands out one array a connection, so a signature is checked once a connection.
  const verified = new WeakMap<Uint8Array, Verified | 'refused'>()

  return {
    authenticate(request: ApiRequest) {
      const der = request.peer?.certificate
      if (!der) return Promise.resolve(undefined)
      let known = verified.get(der)
      if (known === undefined) verified.set(der, (known = verify(der, authorities)))
      const now = options.env.clock.now()
      if (known === 'refused' || now < known.fromMs || now > known.toMs) return Promise.reject(unauthorized())
      return Promise.resolve(known.user)
    },
  }
}

function verify(der: Uint8Array, authorities: readonly X509Certificate[]): Verified | 'refused' {
  try {
    const certificate = new X509Certificate(der)
    if (certificate.ca || !authorities.some(ca => certificate.checkIssued(ca) && certificate.verify(ca.publicKey))) return 'refused'
    if (!certificate.keyUsage?.some(usage => usage === clientAuth || usage === anyUsage)) return 'refused'
    // Node's types call it an object of strings, but repeated parts of a name come as arrays.
    const subject = certificate.toLegacyObject().subject as unknown as Record<string, string | string[] | undefined>
    const name = [subject['CN'] ?? []].flat().at(-1) ?? ''
    if (name === '') return 'refused'
    const fingerprint = createHash('sha256').update(der).digest('hex')
    return {
      user: { name, groups: [subject['O'] ?? []].flat(), extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${fingerprint}`] } },
      fromMs: Date.parse(certificate.validFrom),
      toMs: Date.parse(certificate.validTo),
    }
  } catch {
    return 'refused'
  }
}
