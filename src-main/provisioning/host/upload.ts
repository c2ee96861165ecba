/**
 * Brings files to a host by digest. What is there already is not sent again; a cut transfer goes on where it stopped;
 * nothing gets its final name before its digest was verified on the host.
 */
import { createReadStream } from 'node:fs'
import { hostFiles } from './host-files.ts'
import { codeOfOutput, ProvisioningError } from './errors.ts'
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

export interface FileToSend {
  readonly name: string
  readonly path: string
  readonly digest: string
  readonly bytes: number
}

/**
 * Sends a file into the upload directory and gives its path there, with its digest verified. A part that came before a cut
 * is kept and continued. Throws DiskFull, ChecksumMismatch, ConnectionLost.
 */
export async function sendVerified(host: RemoteHost, file: FileToSend, options: Pick<UploadOptions, 'signal' | 'onProgress'> = {}): Promise<string> {
  const signal = options.signal ? { signal: options.signal } : {}
  const part = `${hostFiles.uploadDir}/${file.digest}.part`
  const asked = await host.mustRoot(sh`umask 077; mkdir -p ${hostFiles.uploadDir} && touch ${part} && wc -c < ${part}`, { ...signal, what: `preparing the upload of ${file.name}` })
  let offset = Number(asked.trim()) || 0
  if (offset > file.bytes) {
    await host.mustRoot(sh`: > ${part}`, signal)
    offset = 0
  }
  if (offset < file.bytes) {
    await host.mustRoot(sh`cat >> ${part}`, {
      ...signal,
      what: `sending ${file.name}`,
      input: createReadStream(file.path, { start: offset, highWaterMark: 256 * 1024 }),
      timeoutMs: 3_600_000,
      onSent: bytes => options.onProgress?.(offset + bytes, file.bytes),
    })
  }
  const check = await host.root(sh`echo ${`${file.digest}  ${part}`} | sha256sum -c - >/dev/null 2>&1 || { rm -f ${part}; exit 7; }`, {
    ...signal,
    what: `verifying ${file.name}`,
    idleTimeoutMs: 300_000,
  })
  if (check.status !== 0) throw damaged(host, file.name)
  return part
}

/** Resolves true when bytes were sent, false when the host had the file. Throws DiskFull, ChecksumMismatch, ConnectionLost. */
export async function upload(host: RemoteHost, artifact: Artifact, options: UploadOptions): Promise<boolean> {
  const signal = options.signal ? { signal: options.signal } : {}
  const part = `${hostFiles.uploadDir}/${artifact.gzipDigest}.part`
  const state = await host.mustRoot(
    sh`if [ -f ${options.path} ] && echo ${`${artifact.digest}  ${options.path}`} | sha256sum -c - >/dev/null 2>&1; then echo there; elif [ -s ${part} ]; then echo begun; fi`,
    { ...signal, what: 'comparing a file' },
  )
  if (state.includes('there')) return false
  if (state.includes('begun')) await continueUpload(host, artifact, options)
  else await unpackOnTheWay(host, artifact, options, part)
  return true
}

/** The rest of a transfer that was cut; unpacked when all of it is there. */
async function continueUpload(host: RemoteHost, artifact: Artifact, options: UploadOptions): Promise<void> {
  const part = await sendVerified(host, { name: artifact.name, path: artifact.gzipPath, digest: artifact.gzipDigest, bytes: artifact.gzipBytes }, options)
  const fresh = `${options.path}.new`
  const result = await host.mustRoot(
    sh`set -e; umask 077; mkdir -p ${directoryOf(options.path)}; chmod 755 ${directoryOf(options.path)}
gzip -dc ${part} > ${fresh} || { rm -f ${fresh}; exit 1; }
if ! echo ${`${artifact.digest}  ${fresh}`} | sha256sum -c - >/dev/null 2>&1; then rm -f ${fresh} ${part}; echo mismatch; exit 0; fi
chmod ${options.mode} ${fresh}; mv -f ${fresh} ${options.path}; rm -f ${part}; rmdir ${hostFiles.uploadDir} 2>/dev/null || true`,
    { ...(options.signal ? { signal: options.signal } : {}), what: `unpacking ${artifact.name}` },
  )
  if (result.includes('mismatch')) throw damaged(host, artifact.name)
}

/**
 * Unpacked and hashed while it comes, which takes no longer than the sending. What came is kept beside it until the end:
 * after a cut the rest is sent. The digest is that of the pipe: a file that a full disk cut short shows in the status of
 * the program that writes both.
 */
async function unpackOnTheWay(host: RemoteHost, artifact: Artifact, options: UploadOptions, part: string): Promise<void> {
  const fresh = `${options.path}.new`
  const [pipe, sum] = [`${fresh}.pipe`, `${fresh}.sum`]
  const script = sh`umask 077; mkdir -p ${directoryOf(options.path)} ${hostFiles.uploadDir} && chmod 755 ${directoryOf(options.path)} && rm -f ${pipe} && mkfifo ${pipe} || exit 1
sha256sum < ${pipe} > ${sum} & summer=$!
tee ${part} | gzip -dc | tee ${pipe} > ${fresh}; whole=$?
[ "$whole" = 0 ] || kill "$summer" 2>/dev/null
wait; digest=; read -r digest rest < ${sum}; rm -f ${pipe} ${sum}
if [ "$whole" = 0 ] && [ "$digest" = ${artifact.digest} ]; then chmod ${options.mode} ${fresh} && mv -f ${fresh} ${options.path} && rm -f ${part} && { rmdir ${hostFiles.uploadDir} 2>/dev/null || true; }; exit; fi
rm -f ${fresh}; [ "$(wc -c < ${part})" -lt ${artifact.gzipBytes} ] && exit 8; rm -f ${part}; exit 9`
  const { status, stderr } = await host.root(script, {
    ...(options.signal ? { signal: options.signal } : {}),
    what: `sending ${artifact.name}`,
    input: createReadStream(artifact.gzipPath, { highWaterMark: 256 * 1024 }),
    timeoutMs: 3_600_000,
    idleTimeoutMs: 300_000,
    onSent: bytes => options.onProgress?.(bytes, artifact.gzipBytes),
  })
  if (status === 0) return
  const code = codeOfOutput(stderr)
  if (code === 'CommandFailed' && status === 9) throw damaged(host, artifact.name)
  throw new ProvisioningError(code, `Sending ${artifact.name} failed: ${stderr.trim().split('\n').slice(-2).join(' / ').slice(0, 300)}`, {
    host: host.connection.target.address,
    exitStatus: status,
  })
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}

function damaged(host: RemoteHost, name: string): ProvisioningError {
  return new ProvisioningError('ChecksumMismatch', `${name} arrived damaged and was thrown away.`, { host: host.connection.target.address })
}

/** A small file, written beside its place and renamed. The content travels on standard input. */
export async function writeFile(host: RemoteHost, path: string, content: string, mode: string, signal?: AbortSignal): Promise<void> {
  await host.mustRoot(sh`set -e; umask 077; mkdir -p ${directoryOf(path)}; cat > ${`${path}.new`}; chmod ${mode} ${`${path}.new`}; mv -f ${`${path}.new`} ${path}`, {
    input: content,
    what: `writing ${path}`,
    ...(signal ? { signal } : {}),
  })
}
