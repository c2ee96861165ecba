/** Makes images present: pull policies, one pull an image at a time, back-off, credentials of pull secrets. */
import type { Container, Pod } from '../../api/generated/core-v1.ts'
import { formatGoDuration } from '../../api/time.ts'
import type { Env } from '../../base/env.ts'
import { defaultPullPolicy, registryOf, withDefaultTag } from '../container-runtime/image-name.ts'
import type { ContainerRuntime, ImageInfo, RegistryAuth } from '../container-runtime/runtime.ts'
import type { ObjectSource } from './objects.ts'

const initialBackoffMs = 10_000
const maxBackoffMs = 300_000

export class ImageError extends Error {
  readonly reason: 'ErrImagePull' | 'ImagePullBackOff' | 'ErrImageNeverPull' | 'InvalidImageName' | 'ImageInspectError'
  readonly retryAfterMs: number
  constructor(reason: ImageError['reason'], message: string, retryAfterMs: number) {
    super(message)
    this.reason = reason
    this.retryAfterMs = retryAfterMs
  }
}

export type ImageEvent = (type: 'Normal' | 'Warning', reason: string, message: string) => void

interface Backoff {
  delayMs: number
  untilMs: number
  message: string
}

export interface ImagesOptions {
  readonly env: Env
  readonly runtime: ContainerRuntime
  readonly objects: ObjectSource
}

export class Images {
  readonly #options: ImagesOptions
  readonly #pulls = new Map<string, Promise<void>>()
  readonly #backoffs = new Map<string, Backoff>()
  constructor(options: ImagesOptions) {
    this.#options = options
  }

  /** Resolves with the image to run, or throws an ImageError whose reason the waiting container shows. */
  async ensure(pod: Pod, container: Container, event: ImageEvent, signal: AbortSignal): Promise<ImageInfo> {
    const name = container.image ?? ''
    if (!/^[\w][\w.\-:/@]*$/.test(name)) {
      event('Warning', 'InspectFailed', `Failed to apply default image tag "${name}": couldn't parse image name "${name}": invalid reference format`)
      throw new ImageError('InvalidImageName', `Failed to apply default image tag "${name}": couldn't parse image name "${name}": invalid reference format`, maxBackoffMs)
    }
    const policy = container.imagePullPolicy || defaultPullPolicy(name)
    const present = await this.#options.runtime.image(name)
    if (policy === 'Never' && !present) {
      const message = `Container image "${name}" is not present with pull policy of Never`
      event('Warning', 'ErrImageNeverPull', message)
      throw new ImageError('ErrImageNeverPull', message, initialBackoffMs)
    }
    if (present && policy !== 'Always') {
      event('Normal', 'Pulled', `Container image "${name}" already present on machine and can be accessed by the pod`)
      return present
    }
    return this.#pull(pod, name, event, signal)
  }

  async #pull(pod: Pod, name: string, event: ImageEvent, signal: AbortSignal): Promise<ImageInfo> {
    const { env, runtime } = this.#options
    const key = `${pod.metadata.uid ?? ''}/${name}`
    const backoff = this.#backoffs.get(key)
    const waitMs = backoff ? backoff.untilMs - env.clock.awakeMs() : 0
    if (backoff && waitMs > 0) {
      event('Normal', 'BackOff', `Back-off pulling image "${name}"`)
      throw new ImageError('ImagePullBackOff', `Back-off pulling image "${name}": ${backoff.message}`, waitMs)
    }
    event('Normal', 'Pulling', `Pulling image "${name}"`)
    const startMs = env.clock.awakeMs()
    try {
      const full = withDefaultTag(name)
      const running = this.#pulls.get(full) ?? this.#pullOnce(pod, full)
      await withAbort(running, signal)
      const image = await runtime.image(name)
      if (!image) throw new Error(`image "${name}" is not there after its pull`)
      this.#backoffs.delete(key)
      const took = formatGoDuration(Math.round(env.clock.awakeMs() - startMs))
      event('Normal', 'Pulled', `Successfully pulled image "${name}" in ${took} (${took} including waiting). Image size: ${image.sizeBytes} bytes.`)
      return image
    } catch (fault) {
      if (signal.aborted) throw fault
      const reasonText = fault instanceof Error ? fault.message : String(fault)
      event('Warning', 'Failed', `Failed to pull image "${name}": ${reasonText}`)
      event('Warning', 'Failed', 'Error: ErrImagePull')
      const delayMs = backoff ? Math.min(maxBackoffMs, backoff.delayMs * 2) : initialBackoffMs
      this.#backoffs.set(key, { delayMs, untilMs: env.clock.awakeMs() + delayMs, message: `ErrImagePull: ${reasonText}` })
      throw new ImageError('ErrImagePull', reasonText, 1_000)
    }
  }

  /** All pods that wait for one image share its pull. */
  #pullOnce(pod: Pod, name: string): Promise<void> {
    const pull = this.#tryCredentials(pod, name).finally(() => {
      this.#pulls.delete(name)
    })
    pull.catch(() => {})
    this.#pulls.set(name, pull)
    return pull
  }

  async #tryCredentials(pod: Pod, name: string): Promise<void> {
    const credentials = await this.#credentials(pod, registryOf(name))
    let last: unknown
    for (const auth of [...credentials, undefined]) {
      try {
        await this.#options.runtime.pull(name, auth)
        return
      } catch (fault) {
        last ??= fault
      }
    }
    throw last
  }

  async #credentials(pod: Pod, registry: string): Promise<RegistryAuth[]> {
    const out: RegistryAuth[] = []
    for (const reference of pod.spec?.imagePullSecrets ?? []) {
      const secret = await this.#options.objects.secret(pod.metadata.namespace ?? '', reference.name ?? '').catch(() => undefined)
      out.push(...credentialsOf(secret?.data ?? {}, registry))
    }
    return out
  }

  forget(podUID: string): void {
    for (const key of this.#backoffs.keys()) if (key.startsWith(`${podUID}/`)) this.#backoffs.delete(key)
  }
}

/** Credentials for a registry in a Secret of type kubernetes.io/dockerconfigjson or kubernetes.io/dockercfg. Pure. */
export function credentialsOf(data: Readonly<Record<string, string>>, registry: string): RegistryAuth[] {
  const text = data['.dockerconfigjson'] ?? data['.dockercfg']
  if (text === undefined) return []
  let config: { auths?: Record<string, unknown> }
  try {
    const parsed = JSON.parse(Buffer.from(text, 'base64').toString('utf8')) as Record<string, unknown>
    config = data['.dockerconfigjson'] === undefined ? { auths: parsed } : parsed
  } catch {
    return []
  }
  const out: RegistryAuth[] = []
  for (const [server, value] of Object.entries(config.auths ?? {})) {
    const host = server.replace(/^https?:\/\//, '').split('/')[0] ?? ''
    const same = host === registry || (registry === 'docker.io' && (host === 'index.docker.io' || host === 'registry-1.docker.io'))
    if (!same || typeof value !== 'object' || value === null) continue
    const entry = value as { username?: string; password?: string; auth?: string; identitytoken?: string }
    const decoded = entry.auth === undefined ? '' : Buffer.from(entry.auth, 'base64').toString('utf8')
    const colon = decoded.indexOf(':')
    const username = entry.username ?? (colon < 0 ? '' : decoded.slice(0, colon))
    const password = entry.password ?? (colon < 0 ? '' : decoded.slice(colon + 1))
    out.push({ username, password, serveraddress: host, ...(entry.identitytoken === undefined ? {} : { identitytoken: entry.identitytoken }) })
  }
  return out
}

function withAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(new Error('the pod is being stopped'))
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(new Error('the pod is being stopped'))
    }
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', onAbort)
    })
  })
}
