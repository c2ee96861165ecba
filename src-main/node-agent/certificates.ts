/**
 * The agent's two certificates: one to speak to the API (asked for with the bootstrap token, later with itself), one for
 * its own server. Renewed at two thirds of their life; kept on disk.
 */
import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { certificateSigningRequests } from '../api/certificates/v1/certificate-signing-request.ts'
import type { CertificateSigningRequest } from '../api/generated/certificates-v1.ts'
import type { AgentConfig } from '../api/agent.ts'
import type { Env } from '../base/env.ts'
import type { Client } from '../client/client.ts'
import { certificateRequest, newKey } from './certificate-request.ts'
import type { Subject } from './certificate-request.ts'
import { readTextFile, writeFileAtomic } from './checkpoint.ts'

/** Usually signed within a tenth of a second: asked soon at first, then less often. */
const poll = { firstMs: 50, maxMs: 1_000 }
/** A request that nobody signs in this time is made anew. */
const giveUpMs = 120_000

export interface Identity {
  readonly key: string
  readonly certificate: string
}

export type IdentityKind = 'client' | 'serving'

const signers: Record<IdentityKind, { name: string; usages: string[] }> = {
  client: { name: 'kubernetes.io/kube-apiserver-client-kubelet', usages: ['digital signature', 'client auth'] },
  serving: { name: 'kubernetes.io/kubelet-serving', usages: ['digital signature', 'server auth'] },
}

/** Undefined where there is none that still holds. */
export async function loadIdentity(stateDir: string, kind: IdentityKind, nowMs: number): Promise<Identity | undefined> {
  const text = await readTextFile(join(stateDir, 'pki', `${kind}.pem`))
  const key = /-----BEGIN PRIVATE KEY-----[\s\S]*?-----END PRIVATE KEY-----\n?/.exec(text ?? '')?.[0]
  const certificate = /-----BEGIN CERTIFICATE-----[\s\S]*-----END CERTIFICATE-----\n?/.exec(text ?? '')?.[0]
  if (key === undefined || certificate === undefined) return undefined
  try {
    return Date.parse(new X509Certificate(certificate).validTo) > nowMs ? { key, certificate } : undefined
  } catch {
    return undefined
  }
}

/** When to ask for the next one. */
export function renewalTimeMs(certificate: string): number {
  const parsed = new X509Certificate(certificate)
  const from = Date.parse(parsed.validFrom)
  return from + ((Date.parse(parsed.validTo) - from) * 2) / 3
}

/** Asks for a certificate and waits for it. Throws where it is refused, not signed in time, or the API is away. */
export async function requestIdentity(options: { env: Env; client: Client; config: AgentConfig; stateDir: string; kind: IdentityKind; signal: AbortSignal }): Promise<Identity> {
  const { env, client, config, kind, signal } = options
  const key = newKey()
  const subject: Subject = {
    commonName: `system:node:${config.nodeName}`,
    organization: 'system:nodes',
    ...(kind === 'serving' ? { dnsNames: [config.nodeName], addresses: [config.nodeAddress] } : {}),
  }
  const request = certificateRequest(key, subject)
  const signer = signers[kind]
  const made = await client.resource(certificateSigningRequests).create({
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { generateName: kind === 'client' ? 'node-csr-' : 'csr-' },
    spec: { request: Buffer.from(request).toString('base64'), signerName: signer.name, usages: signer.usages },
  } as CertificateSigningRequest)
  const name = made.metadata.name ?? ''
  const startMs = env.clock.awakeMs()
  for (let waitMs = poll.firstMs; ; waitMs = Math.min(poll.maxMs, waitMs * 2)) {
    await env.clock.sleep(waitMs, signal)
    const now = await client.resource(certificateSigningRequests).get(name)
    const refused = now.status?.conditions?.find(c => c.type === 'Denied' || c.type === 'Failed')
    if (refused) throw new Error(`certificate request ${name} was refused: ${refused.message ?? refused.reason ?? refused.type}`)
    if (now.status?.certificate) {
      const certificate = Buffer.from(now.status.certificate, 'base64').toString('utf8')
      await writeFileAtomic(join(options.stateDir, 'pki', `${kind}.pem`), `${key}${certificate}`)
      return { key, certificate }
    }
    if (env.clock.awakeMs() - startMs > giveUpMs) throw new Error(`certificate request ${name} was not signed within ${giveUpMs / 1000} s`)
  }
}
