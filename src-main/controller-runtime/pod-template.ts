/** Pods from templates, and the hash that names a template. */
import type { Pod, PodTemplateSpec } from '../api/generated/core-v1.ts'
import { stringifyJson } from '../api/json.ts'
import type { KubernetesObject } from '../api/meta.ts'
import { controllerRef } from './ownership.ts'

/** generateName prefix of an owner's pods. */
export function podFromTemplate(owner: KubernetesObject, template: PodTemplateSpec | undefined): Pod {
  const metadata: Pod['metadata'] = {
    namespace: owner.metadata.namespace ?? '',
    generateName: `${owner.metadata.name ?? ''}-`,
    labels: { ...template?.metadata?.labels },
    ownerReferences: [controllerRef(owner)],
  }
  if (template?.metadata?.annotations) metadata.annotations = { ...template.metadata.annotations }
  if (template?.metadata?.finalizers) metadata.finalizers = [...template.metadata.finalizers]
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: template?.spec ?? { containers: [] } }
}

/** Kubernetes' alphabet for generated names: no vowels, no 0, 1, 3. */
const safeAlphabet = 'bcdfghjklmnpqrstvwxz2456789'

/**
 * Hash of a template as it stands in `pod-template-hash`: FNV-1a of 32 bits, its decimal digits written in the safe
 * alphabet. Differs from Kubernetes in what is hashed: canonical JSON, not Go's dump of the struct, so the values differ.
 */
export function templateHash(template: unknown, collisionCount?: number): string {
  const text = stringifyJson(sorted(template))
  let hash = fnv32a(0x811c9dc5, new TextEncoder().encode(text))
  if (collisionCount !== undefined) {
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setUint32(0, collisionCount, true)
    hash = fnv32a(hash, bytes)
  }
  return safeEncode(String(hash))
}

/** Each byte of `text` as a letter of the safe alphabet. */
export function safeEncode(text: string): string {
  return [...new TextEncoder().encode(text)].map(b => safeAlphabet[b % safeAlphabet.length]).join('')
}

function fnv32a(start: number, bytes: Uint8Array): number {
  let hash = start
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash >>> 0
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, v]) => v !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => [k, sorted(v)]),
  )
}
