/** OpenSSH's own form of an ed25519 key pair (PROTOCOL.key of OpenSSH), which every SSH program reads. */
import { randomBytes, type KeyObject } from 'node:crypto'

/** Unencrypted private key file and the line for authorized_keys. */
export function openSshPrivateKey(privateKey: KeyObject, publicKey: KeyObject, comment: string): { privateKey: string; publicKey: string } {
  const point = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
  const seed = Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url')
  const blob = Buffer.concat([field('ssh-ed25519'), field(point)])
  const check = randomBytes(4)
  const body = Buffer.concat([check, check, field('ssh-ed25519'), field(point), field(Buffer.concat([seed, point])), field(comment)])
  const padding = Uint8Array.from({ length: (8 - (body.length % 8)) % 8 }, (_, at) => at + 1)
  const file = Buffer.concat([Buffer.from('openssh-key-v1\0'), field('none'), field('none'), field(''), uint32(1), field(blob), field(Buffer.concat([body, padding]))])
  const lines = (file.toString('base64').match(/.{1,70}/g) ?? []).join('\n')
  return { privateKey: `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines}\n-----END OPENSSH PRIVATE KEY-----\n`, publicKey: `ssh-ed25519 ${blob.toString('base64')} ${comment}` }
}

function uint32(value: number): Buffer {
  const out = Buffer.alloc(4)
  out.writeUInt32BE(value)
  return out
}

function field(value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  return Buffer.concat([uint32(bytes.length), bytes])
}
