/**
 * Brings files to a host by digest. What is there already is not sent again; a cut transfer goes on where it stopped;
 * nothing gets its final name before its digest was verified on the host.
 */
import { createReadStream } from 'node:fs'
import { hostFiles } from './host-files.ts'
import { ProvisioningError } from './errors.ts'
import type { RemoteHost } from './remote-host.ts'
import { sh } from './shell.ts'

/** A file of this computer and its gzip form, which is what travels. */
export interface Artifact {
  readonly name: string
  /** SHA-256 of the file, hexadecimal. */
  readonly digest: string
  readonly bytes: number
  readonly gzipPath: string
  readonly gzipDigest: string
  readonly gzipBytes: number
}

export interface UploadOptions {
  readonly path: string
  readonly mode: string
  readonly signal?: AbortSignal
  readonly onProgress?: (sentBytes: number, totalBytes: number) => void
}

/** Resolves true when bytes were sent, false when the host had the file. Throws DiskFull, ChecksumMismatch, ConnectionLost. */
export async function upload(host: RemoteHost, artifact: Artifact, options: UploadOptions): Promise<boolean> {
  const signal = options.signal ? { signal: options.signal } : {}
  if (await hasFile(host, options.path, artifact.digest, signal)) return false
  const part = `${hostFiles.uploadDir}/${artifact.gzipDigest}.gz.part`
  const asked = await host.mustRoot(sh`umask 077; mkdir -p ${hostFiles.uploadDir} && touch ${part} && wc -c < ${part}`, { ...signal, what: `preparing the upload of ${artifact.name}` })
  let offset = Number(asked.trim()) || 0
  if (offset > artifact.gzipBytes) {
    await host.mustRoot(sh`: > ${part}`, signal)
    offset = 0
  }
  if (offset < artifact.gzipBytes) {
    await host.mustRoot(sh`cat >> ${part}`, {
      ...signal, what: `sending ${artifact.name}`, input: createReadStream(artifact.gzipPath, { start: offset, highWaterMark: 256 * 1024 }), timeoutMs: 3_600_000,
      onSent: bytes => options.onProgress?.(offset + bytes, artifact.gzipBytes),
    })
  }
  const directory = options.path.slice(0, options.path.lastIndexOf('/'))
  const result = await host.mustRoot(sh`set -e
if ! echo ${`${artifact.gzipDigest}  ${part}`} | sha256sum -c - >/dev/null 2>&1; then rm -f ${part}; echo mismatch; exit 0; fi
mkdir -p ${directory}; umask 077
gzip -dc ${part} > ${`${options.path}.new`} || { rm -f ${`${options.path}.new`}; exit 1; }
if ! echo ${`${artifact.digest}  ${options.path}.new`} | sha256sum -c - >/dev/null 2>&1; then rm -f ${`${options.path}.new`} ${part}; echo mismatch; exit 0; fi
chmod ${options.mode} ${`${options.path}.new`}; chmod 755 ${directory}; mv -f ${`${options.path}.new`} ${options.path}; rm -f ${part}; rmdir ${hostFiles.uploadDir} 2>/dev/null || true`, { ...signal, what: `unpacking ${artifact.name}` })
  if (result.includes('mismatch')) throw new ProvisioningError('ChecksumMismatch', `${artifact.name} arrived damaged and was thrown away.`, { host: host.connection.target.address })
  return true
}

/** Whether the host has this file already. */
export async function hasFile(host: RemoteHost, path: string, digest: string, options: { signal?: AbortSignal } = {}): Promise<boolean> {
  const result = await host.root(sh`[ -f ${path} ] && echo ${`${digest}  ${path}`} | sha256sum -c - >/dev/null 2>&1`, { ...options, what: 'comparing a file' })
  return result.status === 0
}

/** A small file, written beside its place and renamed. The content travels on standard input. */
export async function writeFile(host: RemoteHost, path: string, content: string, mode: string, signal?: AbortSignal): Promise<void> {
  const directory = path.slice(0, path.lastIndexOf('/'))
  await host.mustRoot(sh`set -e; umask 077; mkdir -p ${directory}; cat > ${`${path}.new`}; chmod ${mode} ${`${path}.new`}; mv -f ${`${path}.new`} ${path}`, { input: content, what: `writing ${path}`, ...(signal ? { signal } : {}) })
}
