/**
 * PKCS#10 certificate requests and a self-signed certificate for the first minutes, written with a few lines of DER:
 * Node's crypto makes keys and signatures but no requests, and a whole X.509 library would cost the agent megabytes.
 * Keys are EC P-256.
 */
import { createPrivateKey, createPublicKey, createSign, generateKeyPairSync } from 'node:crypto'

const oids = {
  commonName: '550403',
  organization: '55040a',
  ecdsaWithSha256: '2a8648ce3d040302',
  extensionRequest: '2a864886f70d01090e',
  subjectAltName: '551d11',
} as const

export function newKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
}

export interface Subject {
  readonly commonName: string
  readonly organization: string
  readonly dnsNames?: readonly string[]
  readonly addresses?: readonly string[]
}

/** PEM of a certificate signing request. */
export function certificateRequest(keyPem: string, subject: Subject): string {
  const attributes = hasNames(subject) ? tlv(0xa0, tlv(0x30, oid(oids.extensionRequest), tlv(0x31, tlv(0x30, altNames(subject))))) : tlv(0xa0)
  const info = tlv(0x30, integer(0), nameOf(subject), publicKeyInfo(keyPem), attributes)
  return pem('CERTIFICATE REQUEST', tlv(0x30, info, tlv(0x30, oid(oids.ecdsaWithSha256)), signature(keyPem, info)))
}

/** PEM of a certificate that the key signs for itself: serves until the cluster has signed one. */
export function selfSigned(keyPem: string, subject: Subject, nowMs: number): string {
  const validity = tlv(0x30, utcTime(nowMs - 3_600_000), utcTime(nowMs + 365 * 86_400_000))
  const algorithm = tlv(0x30, oid(oids.ecdsaWithSha256))
  const extensions = hasNames(subject) ? [tlv(0xa3, tlv(0x30, altNames(subject)))] : []
  const body = tlv(0x30, tlv(0xa0, integer(2)), integer(Math.floor(nowMs / 1000)), algorithm, nameOf(subject), validity, nameOf(subject), publicKeyInfo(keyPem), ...extensions)
  return pem('CERTIFICATE', tlv(0x30, body, algorithm, signature(keyPem, body)))
}

function hasNames(subject: Subject): boolean {
  return (subject.dnsNames ?? []).length + (subject.addresses ?? []).length > 0
}

function altNames(subject: Subject): Buffer {
  const names = [
    ...(subject.dnsNames ?? []).map(name => tlv(0x82, Buffer.from(name, 'ascii'))),
    ...(subject.addresses ?? []).map(address => tlv(0x87, Buffer.from(address.split('.').map(Number)))),
  ]
  return tlv(0x30, oid(oids.subjectAltName), tlv(0x04, tlv(0x30, ...names)))
}

function nameOf(subject: Subject): Buffer {
  const part = (id: string, text: string): Buffer => tlv(0x31, tlv(0x30, oid(id), tlv(0x0c, Buffer.from(text, 'utf8'))))
  return tlv(0x30, part(oids.organization, subject.organization), part(oids.commonName, subject.commonName))
}

function publicKeyInfo(keyPem: string): Buffer {
  return createPublicKey(createPrivateKey(keyPem)).export({ type: 'spki', format: 'der' })
}

function signature(keyPem: string, bytes: Buffer): Buffer {
  return tlv(0x03, Buffer.from([0]), createSign('SHA256').update(bytes).sign(keyPem))
}

function tlv(tag: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const length = body.length < 128 ? Buffer.from([body.length]) : body.length < 256 ? Buffer.from([0x81, body.length]) : Buffer.from([0x82, body.length >> 8, body.length & 255])
  return Buffer.concat([Buffer.from([tag]), length, body])
}

function oid(hex: string): Buffer {
  return tlv(0x06, Buffer.from(hex, 'hex'))
}

function integer(value: number): Buffer {
  let hex = value.toString(16)
  if (hex.length % 2 === 1) hex = `0${hex}`
  const bytes = Buffer.from(hex, 'hex')
  return tlv(0x02, (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes)
}

function utcTime(ms: number): Buffer {
  return tlv(0x17, Buffer.from(new Date(ms).toISOString().replace(/^..(..)-(..)-(..)T(..):(..):(..).*$/, '$1$2$3$4$5$6Z'), 'ascii'))
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
