/**
 * Volumes of a pod on this host, below `<stateDir>/volumes/<uid>`. What the API gives (configMap, secret, projected,
 * downwardAPI) is refreshed while the pod runs; while the API is away the content stays as it was last.
 */
import { chmod, chown, lstat, mkdir, open, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import type { HostPathVolumeSource, Pod, Volume, VolumeMount } from '../../api/generated/core-v1.ts'
import { StatusError } from '../../api/status-error.ts'
import type { Env } from '../../base/env.ts'
import { runOrThrow } from '../commands.ts'
import type { RunCommand } from '../commands.ts'
import type { Mount } from '../container-runtime/runtime.ts'
import { writePayload } from './atomic-directory.ts'
import { expand } from './expansion.ts'
import { volumePayload } from './payloads.ts'
import type { PayloadSources } from './payloads.ts'
import { bytesOf } from './pod-resources.ts'

/** O_PATH: a handle on a file that cannot be read or written through, only named. Not in Node's constants. */
const openPathOnly = 0o10000000

export interface VolumesOptions {
  readonly env: Env
  readonly run: RunCommand
  readonly stateDir: string
}

export class Volumes {
  readonly #options: VolumesOptions
  constructor(options: VolumesOptions) {
    this.#options = options
  }

  podDir(uid: string): string {
    return join(this.#options.stateDir, 'volumes', uid)
  }

  /** Makes or refreshes all volumes; answers host paths by volume name. Throws with the first fault, in kubelets' words. */
  async ensure(pod: Pod, sources: PayloadSources): Promise<Map<string, string>> {
    const paths = new Map<string, string>()
    const used = new Set(
      [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? []), ...(pod.spec?.ephemeralContainers ?? [])].flatMap(c => (c.volumeMounts ?? []).map(m => m.name)),
    )
    for (const volume of pod.spec?.volumes ?? []) {
      if (!used.has(volume.name)) continue
      try {
        paths.set(volume.name, await this.#ensureOne(pod, volume, sources))
      } catch (fault) {
        throw new Error(`MountVolume.SetUp failed for volume "${volume.name}" : ${fault instanceof Error ? fault.message : String(fault)}`, { cause: fault })
      }
    }
    return paths
  }

  async #ensureOne(pod: Pod, volume: Volume, sources: PayloadSources): Promise<string> {
    if (volume.hostPath) return ensureHostPath(volume.hostPath)
    const directory = join(this.podDir(pod.metadata.uid ?? ''), 'volumes', volume.name)
    const fsGroup = pod.spec?.securityContext?.fsGroup
    if (volume.emptyDir) {
      await this.#ensureEmptyDir(directory, volume, fsGroup)
      return directory
    }
    await mkdir(directory, { recursive: true, mode: 0o755 })
    try {
      const payload = await volumePayload(pod, volume, sources)
      if (!payload) throw new Error(`volume type of "${volume.name}" is not supported by this node`)
      await writePayload(directory, payload, `${this.#options.env.clock.now()}_${Math.floor(this.#options.env.random.next() * 1e9)}`, fsGroup)
    } catch (fault) {
      // Without the API, content that is already there goes on serving; so it does when its source was deleted.
      const present = await readlink(join(directory, '..data')).catch(() => undefined)
      const apiAnswered = fault instanceof StatusError && fault.code < 500
      if (present === undefined || (apiAnswered && pod.status?.phase !== 'Running')) throw fault
    }
    return directory
  }

  async #ensureEmptyDir(directory: string, volume: Volume, fsGroup: number | undefined): Promise<void> {
    const present = await stat(directory).catch(() => undefined)
    const memory = volume.emptyDir?.medium === 'Memory'
    const mounted = memory && present !== undefined && (await this.#mountsBelow(directory)).includes(directory)
    if (present && (!memory || mounted)) return
    await mkdir(directory, { recursive: true, mode: 0o777 })
    if (memory) {
      const size = volume.emptyDir?.sizeLimit ? `,size=${bytesOf(volume.emptyDir.sizeLimit)}` : ''
      await runOrThrow(this.#options.run, 'mount', ['-t', 'tmpfs', '-o', `mode=0777${size}`, 'tmpfs', directory])
    }
    if (fsGroup !== undefined) await chown(directory, 0, fsGroup)
    await chmod(directory, fsGroup === undefined ? 0o777 : 0o2777)
  }

  /** A container's mount; `environment` serves subPathExpr. */
  async mountOf(pod: Pod, mount: VolumeMount, hostPath: string, containerName: string, index: number, environment: ReadonlyMap<string, string>): Promise<Mount> {
    const subPath = mount.subPathExpr ? expand(mount.subPathExpr, name => environment.get(name)) : mount.subPath
    const source = subPath ? await this.#bindSubPath(pod, hostPath, subPath, containerName, index) : hostPath
    const propagation = mount.mountPropagation === 'Bidirectional' ? 'rshared' : mount.mountPropagation === 'HostToContainer' ? 'rslave' : 'rprivate'
    const volume = pod.spec?.volumes?.find(candidate => candidate.name === mount.name)
    // Content that the API owns is never written by a container.
    const owned = volume?.configMap ?? volume?.secret ?? volume?.projected ?? volume?.downwardAPI
    return { source, target: mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`, readOnly: (mount.readOnly ?? false) || owned !== undefined, propagation }
  }

  /**
   * Binds a path inside a volume to a place that no container can reach, through an open handle whose real path was
   * checked: a link that a container plants meanwhile leads nowhere else.
   */
  async #bindSubPath(pod: Pod, root: string, subPath: string, containerName: string, index: number): Promise<string> {
    const clean = normalize(subPath)
    if (clean.startsWith('/') || clean.split('/').includes('..')) throw new Error(`subPath "${subPath}" must not leave its volume`)
    const wanted = join(root, clean)
    if (!(await lstat(wanted).catch(() => undefined))) await this.#makeInside(root, clean)
    const handle = await open(wanted, openPathOnly)
    try {
      const realRoot = await realPathOf(root)
      const real = await readlink(`/proc/self/fd/${handle.fd}`)
      if (real !== realRoot && !real.startsWith(`${realRoot}/`)) throw new Error(`subPath "${subPath}" leads out of its volume`)
      const target = join(this.podDir(pod.metadata.uid ?? ''), 'subpaths', containerName, String(index))
      await this.#unmountBelow(target)
      await rm(target, { recursive: true, force: true })
      const isDirectory = (await stat(`/proc/self/fd/${handle.fd}`)).isDirectory()
      if (isDirectory) await mkdir(target, { recursive: true })
      else {
        await mkdir(dirname(target), { recursive: true })
        await writeFile(target, '')
      }
      await runOrThrow(this.#options.run, 'mount', ['--no-canonicalize', '--bind', `/proc/${process.pid}/fd/${handle.fd}`, target])
      return target
    } finally {
      await handle.close()
    }
  }

  /** Makes missing directories one by one, never through a link that leaves the volume. */
  async #makeInside(root: string, clean: string): Promise<void> {
    const realRoot = await realPathOf(root)
    let at = root
    for (const part of clean.split('/')) {
      const parent = await realPathOf(at)
      if (parent !== realRoot && !parent.startsWith(`${realRoot}/`)) throw new Error(`subPath "${clean}" leads out of its volume`)
      at = join(parent, part)
      const made = await mkdir(at, { mode: 0o755 }).then(
        () => true,
        fault => {
          if ((fault as NodeJS.ErrnoException).code !== 'EEXIST') throw fault
          return false
        },
      )
      const owner = await stat(root)
      if (made) {
        await chown(at, owner.uid, owner.gid)
        await chmod(at, owner.mode & 0o7777)
      }
    }
  }

  /** Unmounts and deletes everything of the pod. */
  async remove(uid: string): Promise<void> {
    const directory = this.podDir(uid)
    await this.#unmountBelow(directory)
    if ((await this.#mountsBelow(directory)).length > 0) throw new Error(`volumes of pod ${uid} are still mounted`)
    await rm(directory, { recursive: true, force: true })
  }

  async #unmountBelow(path: string): Promise<void> {
    for (const target of (await this.#mountsBelow(path)).reverse()) await this.#options.run('umount', ['-l', target])
  }

  async #mountsBelow(path: string): Promise<string[]> {
    const table = await readFile('/proc/self/mounts', 'utf8').catch(() => '')
    return table
      .split('\n')
      .map(line => (line.split(' ')[1] ?? '').replaceAll('\\040', ' '))
      .filter(target => target === path || target.startsWith(`${path}/`))
  }
}

async function realPathOf(path: string): Promise<string> {
  const handle = await open(path, openPathOnly)
  try {
    return await readlink(`/proc/self/fd/${handle.fd}`)
  } finally {
    await handle.close()
  }
}

async function ensureHostPath(source: HostPathVolumeSource): Promise<string> {
  const path = source.path
  const type = source.type ?? ''
  const present = await stat(path).catch(() => undefined)
  if (type === 'DirectoryOrCreate' && !present) await mkdir(path, { recursive: true, mode: 0o755 })
  else if (type === 'FileOrCreate' && !present) await writeFile(path, '', { mode: 0o644, flag: 'a' })
  else if (type === '' && !present) await mkdir(path, { recursive: true, mode: 0o755 })
  const now = present ?? (await stat(path).catch(() => undefined))
  const fits =
    now === undefined
      ? false
      : type === '' ||
        (type.startsWith('Directory') && now.isDirectory()) ||
        (type.startsWith('File') && now.isFile()) ||
        (type === 'Socket' && now.isSocket()) ||
        (type === 'CharDevice' && now.isCharacterDevice()) ||
        (type === 'BlockDevice' && now.isBlockDevice())
  if (!fits) throw new Error(`hostPath type check failed: ${path} is not a ${describe(type)}`)
  return path
}

function describe(type: string): string {
  if (type.startsWith('Directory')) return 'directory'
  if (type.startsWith('File')) return 'file'
  return type === 'Socket' ? 'socket file' : type === 'CharDevice' ? 'character device' : 'block device'
}
