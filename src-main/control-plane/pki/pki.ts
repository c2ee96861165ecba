/**
 * Keys and certificates of a cluster, kept in `<dataDir>/pki` (0600, written atomically):
 *
 *   ca.{crt,key}                      signs everything below and the nodes' client certificates
 *   apiserver.{crt,key}               serves the API
 *   apiserver-kubelet-client.{crt,key} API server → node agents
 *   admin.{crt,key}                   the user's kubeconfig (group system:masters)
 *   front-proxy-ca.{crt,key}          signs the next one, by which aggregated servers know the API server
 *   front-proxy-client.{crt,key}      API server → aggregated servers
 *   sa.{pub,key}                      signs service-account tokens (RS256)
 *
 * The authority lives ten years; leaves one year, and those with less than a third of their life left are made anew, at
 * every start and while it runs (renewal.ts; RELIABILITY.md H1). Differs from kubeadm: one authority for serving and
 * clients.
 */
import { X509Certificate, createPrivateKey, createPublicKey, generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import { join } from 'node:path'
import { readFileIfPresent, writeFileAtomically } from '../../base/node/atomic-file.ts'
import type { Env } from '../../base/env.ts'
import type { KeyPair, LeafRequest } from './x509.ts'

const dayMs = 86_400_000
const authorityLifeMs = 3650 * dayMs
const leafLifeMs = 365 * dayMs
/** Certificates are valid a little earlier than made, for clocks that lag. */
const backdateMs = 5 * 60_000

export interface ClusterKeys {
  readonly authority: KeyPair
  readonly serving: KeyPair
  readonly kubeletClient: KeyPair
  readonly admin: KeyPair
  /** An authority of its own: who shows its certificate may speak for any user. */
  readonly frontProxy: { readonly authority: KeyPair; readonly client: KeyPair }
  /** PEM; RSA 2048. */
  readonly serviceAccount: { readonly publicKey: string; readonly privateKey: string }
}

export interface ServingNames {
  readonly dnsNames: readonly string[]
  readonly ipAddresses: readonly string[]
}

export function defaultServingNames(clusterDomain = 'cluster.local', kubernetesServiceIP = '10.96.0.1'): ServingNames {
  return {
    dnsNames: ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', `kubernetes.default.svc.${clusterDomain}`, 'localhost'],
    ipAddresses: ['127.0.0.1', '::1', kubernetesServiceIP],
  }
}

/** Loads the cluster's keys from `directory`, making what is missing, about to expire, of another authority, or without the wanted names. */
export async function openClusterKeys(options: { directory: string; env: Env; names?: ServingNames }): Promise<ClusterKeys> {
  const { directory, env } = options
  const names = options.names ?? defaultServingNames()
  // Made by a thread of its own, beside everything else: an RSA key takes as long as all the others together.
  const serviceAccountKey = openServiceAccountKey(directory)
  serviceAccountKey.catch(() => {}) // awaited below, unless the authority fails first
  const [authority, frontAuthority] = await Promise.all([openAuthority(directory, env), openAuthority(directory, env, 'front-proxy-ca')])
  const leaf = (file: string, request: Omit<LeafRequest, 'notBeforeMs' | 'notAfterMs'>): Promise<KeyPair> => openLeaf(directory, file, authority, request, env)
  const [serving, kubeletClient, admin, frontClient, serviceAccount] = await Promise.all([
    leaf('apiserver', { commonName: 'kube-apiserver', usages: ['serverAuth'], ...names }),
    leaf('apiserver-kubelet-client', { commonName: 'kube-apiserver-kubelet-client', organizations: ['system:masters'], usages: ['clientAuth'] }),
    leaf('admin', { commonName: 'kubernetes-admin', organizations: ['system:masters'], usages: ['clientAuth'] }),
    openLeaf(directory, 'front-proxy-client', frontAuthority, { commonName: 'front-proxy-client', usages: ['clientAuth'] }, env),
    serviceAccountKey,
  ])
  return { authority, serving, kubeletClient, admin, frontProxy: { authority: frontAuthority, client: frontClient }, serviceAccount }
}

async function readPair(directory: string, name: string): Promise<KeyPair | undefined> {
  const [certificate, privateKey] = await Promise.all([readFileIfPresent(join(directory, `${name}.crt`)), readFileIfPresent(join(directory, `${name}.key`))])
  return certificate !== undefined && privateKey !== undefined ? { certificate, privateKey } : undefined
}

/** The key first: a certificate is never there without its key. */
async function writePair(directory: string, name: string, pair: KeyPair): Promise<void> {
  await writeFileAtomically(join(directory, `${name}.key`), pair.privateKey)
  await writeFileAtomically(join(directory, `${name}.crt`), pair.certificate)
}

async function openAuthority(directory: string, env: Env, name = 'ca'): Promise<KeyPair> {
  const present = await readPair(directory, name)
  if (present) return present
  const { createAuthority } = await import('./x509.ts')
  const now = env.clock.now()
  const made = await createAuthority(name === 'ca' ? 'kubernetes' : name, now - backdateMs, now + authorityLifeMs)
  await writePair(directory, name, made)
  return made
}

async function openLeaf(directory: string, name: string, authority: KeyPair, request: Omit<LeafRequest, 'notBeforeMs' | 'notAfterMs'>, env: Env): Promise<KeyPair> {
  const now = env.clock.now()
  const present = await readPair(directory, name)
  if (present && isUsable(present, authority, request, now)) return present
  const { issueLeaf } = await import('./x509.ts')
  const made = await issueLeaf(authority, { ...request, notBeforeMs: now - backdateMs, notAfterMs: now + leafLifeMs })
  await writePair(directory, name, made)
  return made
}

function isUsable(pair: KeyPair, authority: KeyPair, request: Omit<LeafRequest, 'notBeforeMs' | 'notAfterMs'>, nowMs: number): boolean {
  try {
    const certificate = new X509Certificate(pair.certificate)
    const from = Date.parse(certificate.validFrom)
    const to = Date.parse(certificate.validTo)
    if (nowMs < from || to - nowMs < (to - from) / 3) return false
    if (!certificate.checkPrivateKey(createPrivateKey(pair.privateKey))) return false
    if (!certificate.verify(new X509Certificate(authority.certificate).publicKey)) return false
    return (request.dnsNames ?? []).every(name => certificate.checkHost(name) !== undefined) && (request.ipAddresses ?? []).every(ip => certificate.checkIP(ip) !== undefined)
  } catch {
    return false // unreadable or damaged: made anew
  }
}

async function openServiceAccountKey(directory: string): Promise<{ publicKey: string; privateKey: string }> {
  const present = await readFileIfPresent(join(directory, 'sa.key'))
  if (present !== undefined) return { privateKey: present, publicKey: createPublicKey(present).export({ type: 'spki', format: 'pem' }).toString() }
  const pair = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  await writeFileAtomically(join(directory, 'sa.key'), pair.privateKey)
  await writeFileAtomically(join(directory, 'sa.pub'), pair.publicKey)
  return pair
}
