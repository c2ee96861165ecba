/**
 * Which SSH algorithms this runtime can do. Electron's crypto (BoringSSL) lacks some that Node's has, and ssh2 fails at
 * once when it is given one that is missing, so the lists are probed and chacha20 is never forced.
 */
import { getCiphers, getCurves, getHashes } from 'node:crypto'
import type { Algorithms, CipherAlgorithm, KexAlgorithm, ServerHostKeyAlgorithm } from 'ssh2'

const ciphers: readonly { name: CipherAlgorithm; needs: string }[] = [
  { name: 'aes128-gcm@openssh.com', needs: 'aes-128-gcm' },
  { name: 'aes256-gcm@openssh.com', needs: 'aes-256-gcm' },
  { name: 'aes128-ctr', needs: 'aes-128-ctr' },
  { name: 'aes192-ctr', needs: 'aes-192-ctr' },
  { name: 'aes256-ctr', needs: 'aes-256-ctr' },
]

/** Types of host keys in order of preference. A host has up to three; the accepted fingerprint may be any of them. */
export const hostKeyTypes: readonly (readonly ServerHostKeyAlgorithm[])[] = [
  ['ssh-ed25519'],
  ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521'],
  ['rsa-sha2-512', 'rsa-sha2-256'],
]

/** Lists for a connection; `only` limits the host key types. */
export function algorithms(only?: readonly ServerHostKeyAlgorithm[]): Algorithms {
  const known = new Set(getCiphers())
  const curves = new Set(getCurves())
  const hashes = new Set(getHashes().map(name => name.toLowerCase()))
  const kex: KexAlgorithm[] = ['curve25519-sha256', 'curve25519-sha256@libssh.org']
  if (curves.has('prime256v1')) kex.push('ecdh-sha2-nistp256')
  if (curves.has('secp384r1')) kex.push('ecdh-sha2-nistp384')
  if (curves.has('secp521r1')) kex.push('ecdh-sha2-nistp521')
  kex.push('diffie-hellman-group-exchange-sha256', 'diffie-hellman-group14-sha256', 'diffie-hellman-group16-sha512')
  return {
    cipher: ciphers.filter(cipher => known.has(cipher.needs)).map(cipher => cipher.name),
    kex,
    serverHostKey: [...(only ?? hostKeyTypes.flat())],
    hmac: hashes.has('sha512')
      ? ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512']
      : ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-256'],
    compress: ['none'],
  }
}
