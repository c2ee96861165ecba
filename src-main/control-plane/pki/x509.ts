/**
 * The one place that makes certificates: a thin layer over @peculiar/x509 and WebCrypto, loaded only when something
 * has to be issued (starting with valid files does not need it). Keys are EC P-256.
 */
import { webcrypto } from 'node:crypto'

/** The library needs the Reflect polyfill before it is loaded; both are loaded on first use only. */
async function library(): Promise<typeof import('@peculiar/x509')> {
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0])
  return x509
}

const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

export type ExtendedUsage = 'serverAuth' | 'clientAuth' | 'codeSigning'

const extendedUsageOids: Record<ExtendedUsage, string> = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2', codeSigning: '1.3.6.1.5.5.7.3.3' }

/** PEM texts. */
export interface KeyPair {
  readonly certificate: string
  readonly privateKey: string
}

export interface LeafRequest {
  readonly commonName: string
  readonly organizations?: readonly string[]
  readonly dnsNames?: readonly string[]
  readonly ipAddresses?: readonly string[]
  readonly usages: readonly ExtendedUsage[]
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** As relative names, so that no value needs escaping. */
function nameOf(commonName: string, organizations: readonly string[] = []): Record<string, string[]>[] {
  return [...organizations.map(o => ({ O: [o] })), { CN: [commonName] }]
}

function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16))
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x01 // positive and never zero
  return Buffer.from(bytes).toString('hex')
}

async function pemOfKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64')
  return `-----BEGIN PRIVATE KEY-----\n${(der.match(/.{1,64}/g) ?? []).join('\n')}\n-----END PRIVATE KEY-----\n`
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64')
  return webcrypto.subtle.importKey('pkcs8', der, ecdsa, true, ['sign'])
}

/** A self-signed certificate authority. */
export async function createAuthority(commonName: string, notBeforeMs: number, notAfterMs: number): Promise<KeyPair> {
  const x509 = await library()
  const keys = await webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: nameOf(commonName),
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(notAfterMs),
    signingAlgorithm: ecdsa,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.keyEncipherment, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificate: `${certificate.toString('pem')}\n`, privateKey: await pemOfKey(keys.privateKey) }
}

/** A certificate with a fresh key, signed by `authority`. */
export async function issueLeaf(authority: KeyPair, request: LeafRequest): Promise<KeyPair> {
  const x509 = await library()
  const keys = await webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify'])
  const issuer = new x509.X509Certificate(authority.certificate)
  const names = [...(request.dnsNames ?? []).map(value => ({ type: 'dns' as const, value })), ...(request.ipAddresses ?? []).map(value => ({ type: 'ip' as const, value }))]
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: nameOf(request.commonName, request.organizations),
    issuer: issuer.subject,
    notBefore: new Date(request.notBeforeMs),
    notAfter: new Date(request.notAfterMs),
    signingAlgorithm: ecdsa,
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.privateKey),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
      new x509.ExtendedKeyUsageExtension(request.usages.map(usage => extendedUsageOids[usage])),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
    ],
  })
  return { certificate: `${certificate.toString('pem')}\n`, privateKey: await pemOfKey(keys.privateKey) }
}

/** Usages of a CertificateSigningRequest (spec.usages) as extension bits. */
const keyUsageBits: Readonly<Record<string, number>> = {
  'digital signature': 1,
  signing: 1,
  'content commitment': 2,
  'key encipherment': 4,
  'data encipherment': 8,
  'key agreement': 16,
  'cert sign': 32,
  'crl sign': 64,
  'encipher only': 128,
  'decipher only': 256,
}
const extendedUsages: Readonly<Record<string, string>> = {
  any: '2.5.29.37.0',
  'server auth': '1.3.6.1.5.5.7.3.1',
  'client auth': '1.3.6.1.5.5.7.3.2',
  'code signing': '1.3.6.1.5.5.7.3.3',
  'email protection': '1.3.6.1.5.5.7.3.4',
  's/mime': '1.3.6.1.5.5.7.3.4',
  timestamping: '1.3.6.1.5.5.7.3.8',
  'ocsp signing': '1.3.6.1.5.5.7.3.9',
}

/**
 * Signs a PKCS#10 request with the subject, names and key that it carries. The caller has decided that it may have them.
 * Throws when the request's own signature is wrong.
 */
export async function signRequest(
  authority: KeyPair,
  requestPem: string,
  options: { readonly usages: readonly string[]; readonly notBeforeMs: number; readonly notAfterMs: number },
): Promise<string> {
  const x509 = await library()
  const request = new x509.Pkcs10CertificateRequest(requestPem)
  if (!(await request.verify())) throw new Error('the signature of the certificate request is wrong')
  const issuer = new x509.X509Certificate(authority.certificate)
  const names = request.extensions.find(extension => extension instanceof x509.SubjectAlternativeNameExtension)
  const bits = options.usages.reduce((sum, usage) => sum | (keyUsageBits[usage] ?? 0), 0)
  const extended = options.usages.flatMap(usage => extendedUsages[usage] ?? [])
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: request.subjectName,
    issuer: issuer.subjectName,
    notBefore: new Date(options.notBeforeMs),
    notAfter: new Date(options.notAfterMs),
    signingAlgorithm: ecdsa,
    publicKey: request.publicKey,
    signingKey: await importKey(authority.privateKey),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      ...(bits > 0 ? [new x509.KeyUsagesExtension(bits, true)] : []),
      ...(extended.length > 0 ? [new x509.ExtendedKeyUsageExtension(extended)] : []),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...(names ? [new x509.SubjectAlternativeNameExtension(names.rawData)] : []),
    ],
  })
  return `${certificate.toString('pem')}\n`
}

export interface RequestFacts {
  readonly commonName: string
  readonly organizations: readonly string[]
  readonly dnsNames: readonly string[]
  readonly ipAddresses: readonly string[]
  readonly uris: readonly string[]
  readonly emailAddresses: readonly string[]
}

/** What a PKCS#10 request asks for. Throws when it cannot be read or its signature is wrong. */
export async function readRequest(requestPem: string): Promise<RequestFacts> {
  const x509 = await library()
  const request = new x509.Pkcs10CertificateRequest(requestPem)
  if (!(await request.verify())) throw new Error('the signature of the certificate request is wrong')
  const extension = request.extensions.find(one => one instanceof x509.SubjectAlternativeNameExtension)
  const names = extension ? [...new x509.SubjectAlternativeNameExtension(extension.rawData).names.items] : []
  const of = (type: string): string[] => names.filter(one => one.type === type).map(one => one.value)
  return {
    commonName: request.subjectName.getField('CN').at(-1) ?? '',
    organizations: request.subjectName.getField('O'),
    dnsNames: of('dns'),
    ipAddresses: of('ip'),
    uris: of('url'),
    emailAddresses: of('email'),
  }
}
