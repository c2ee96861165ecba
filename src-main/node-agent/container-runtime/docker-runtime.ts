/** The container runtime on Docker Engine, API 1.41 to the newest, through dockerode (docker-engine.ts). */
import { readFileSync } from 'node:fs'
import { arch } from 'node:os'
import { createInterface } from 'node:readline'
import type { Duplex, Readable } from 'node:stream'
import type { Clock } from '../../base/env.ts'
import { DockerEngine, abortedBy, laterVersion, noTimeout, parts } from './docker-engine.ts'
import { dockerImageName, pullParts } from './image-name.ts'
import { ReplayFilter } from './log-replays.ts'
import { outputChunks, followedLog } from './output-frames.ts'
import { containerBody, sandboxBody } from './docker-specs.ts'
import { RuntimeError, containerLabels } from './runtime.ts'
import type {
  ContainerRuntime,
  ExecSpec,
  ImageInfo,
  LogOptions,
  OutputChunk,
  PodNetworkSpec,
  ProcessStream,
  RegistryAuth,
  RuntimeContainer,
  RuntimeEvent,
  RuntimeInfo,
} from './runtime.ts'
import { sandboxFileSystem } from './sandbox-image.ts'

/** A pull of many gigabytes over a slow line; progress lines keep it alive. */
const pullIdleMs = 300_000
const reconnectMs = 2_000
const infoTimeoutMs = 15_000

/** The part of an inspected container that counts here; dockerode's own type says the same and more. */
interface InspectedContainer {
  Id: string
  Created: string
  Image: string
  State: { Status: string; Running: boolean; Pid: number; ExitCode: number; OOMKilled: boolean; Error: string; StartedAt: string; FinishedAt: string }
  Config: { Image: string; Labels: Record<string, string>; Tty?: boolean }
  NetworkSettings: { Networks?: Record<string, { IPAddress?: string }> }
}
interface InspectedImage {
  Id: string
  RepoTags?: string[] | null
  RepoDigests?: string[] | null
  Size: number
  Created?: string | number
  Config?: { User?: string }
}

export interface DockerOptions {
  readonly socketPath: string
  readonly networkName: string
  readonly sandboxImage: string
  readonly clock: Clock
}

export function dockerRuntime(options: DockerOptions): ContainerRuntime {
  const engine = new DockerEngine(options.socketPath)
  const lowestOomScore = lowestOomScoreHere()
  let sandboxImport: Promise<void> | undefined
  // An exited container does not change any more, and a running one only with an event that its list status shows.
  const inspected = new Map<string, { status: string; container: RuntimeContainer }>()

  async function inspect(id: string): Promise<RuntimeContainer | undefined> {
    try {
      return toContainer(await engine.ask(docker => docker.getContainer(id).inspect()), options.networkName)
    } catch (fault) {
      if (isGone(fault)) return undefined
      throw fault
    }
  }

  async function list(podUID?: string): Promise<readonly RuntimeContainer[]> {
    const labels = [containerLabels.type, ...(podUID === undefined ? [] : [`${containerLabels.podUID}=${podUID}`])]
    const listed = await engine.ask(docker => docker.listContainers({ all: true, filters: { label: labels } }))
    const out: RuntimeContainer[] = []
    for (const entry of listed) {
      const known = inspected.get(entry.Id)
      if (known && known.status === entry.State) {
        out.push(known.container)
        continue
      }
      const container = await inspect(entry.Id)
      if (!container) continue
      inspected.set(entry.Id, { status: entry.State, container })
      out.push(container)
    }
    if (podUID === undefined) {
      const present = new Set(listed.map(entry => entry.Id))
      for (const id of inspected.keys()) if (!present.has(id)) inspected.delete(id)
    }
    return out
  }

  async function image(name: string): Promise<ImageInfo | undefined> {
    for (const candidate of new Set([dockerImageName(name), name])) {
      try {
        return toImage(await engine.ask(docker => docker.getImage(encodeURI(candidate)).inspect()))
      } catch (fault) {
        if (!isGone(fault) && !(fault instanceof RuntimeError && fault.code === 400)) throw fault
      }
    }
    return undefined
  }

  async function processStream(
    opened: Promise<Duplex>,
    tty: boolean,
    resize: (size: { h: number; w: number }) => Promise<unknown>,
    exitCode: () => Promise<number>,
  ): Promise<ProcessStream> {
    const socket = await opened
    return {
      output: outputChunks(socket, tty),
      input: socket,
      resize: async (columns, rows) => {
        await resize({ h: rows, w: columns })
      },
      exitCode,
      close: () => {
        socket.destroy()
      },
    }
  }

  async function create(name: string, body: unknown): Promise<string> {
    return (await engine.ask(docker => docker.createContainer(parts({ name }, body)))).id
  }

  async function importSandboxImage(): Promise<void> {
    if (await image(options.sandboxImage)) return
    const [repo = '', tag = 'latest'] = options.sandboxImage.split(':')
    // dockerode's types want a path or a stream; bytes go through it as they are.
    const fileSystem: unknown = sandboxFileSystem(arch() === 'arm64' ? 'arm64' : 'x64')
    await progressEnds(engine.ask(docker => docker.importImage(fileSystem as string, { repo, tag, changes: 'ENTRYPOINT ["/pause"]' })))
  }

  return {
    async info(): Promise<RuntimeInfo> {
      const [version, info] = await Promise.all([
        engine.ask(docker => docker.version(), infoTimeoutMs),
        engine.ask(
          docker =>
            docker.info() as Promise<{
              OperatingSystem: string
              KernelVersion: string
              Architecture: string
              CgroupVersion?: string
              NCPU: number
              MemTotal: number
              DockerRootDir: string
            }>,
          infoTimeoutMs,
        ),
      ])
      return {
        version: version.Version,
        apiVersion: version.ApiVersion,
        operatingSystem: info.OperatingSystem,
        kernelVersion: info.KernelVersion,
        architecture: info.Architecture,
        cgroupVersion: Number(info.CgroupVersion ?? 1),
        cpus: info.NCPU,
        memoryBytes: info.MemTotal,
        rootDir: info.DockerRootDir,
      }
    },
    list,
    inspect,
    createSandbox: spec => create(spec.name, sandboxBody(spec, { ...options, lowestOomScore })),
    createContainer: spec => create(spec.name, containerBody(spec, lowestOomScore)),
    async start(id) {
      inspected.delete(id)
      await engine.ask(docker => docker.getContainer(id).start())
    },
    async updateLimits(id, limits) {
      // Docker takes 0 for "as it is"; no quota is said as -1, with the kernel's own period.
      await engine.ask(docker =>
        docker.getContainer(id).update({
          CpuShares: limits.cpuShares,
          CpuPeriod: limits.cpuPeriod || 100_000,
          CpuQuota: limits.cpuQuota || -1,
          Memory: limits.memoryBytes,
          MemorySwap: limits.memoryBytes,
        }),
      )
    },
    async stop(id, graceSeconds) {
      try {
        await engine.ask(docker => docker.getContainer(id).stop({ t: Math.max(0, Math.round(graceSeconds)) }), (graceSeconds + 60) * 1000)
      } catch (fault) {
        if (!isGone(fault)) throw fault
      } finally {
        inspected.delete(id)
      }
    },
    async remove(id) {
      inspected.delete(id)
      try {
        await engine.ask(docker => docker.getContainer(id).remove({ force: true, v: true }))
      } catch (fault) {
        // 409: its removal is already under way.
        if (!isGone(fault) && !(fault instanceof RuntimeError && fault.code === 409 && fault.message.includes('already in progress'))) throw fault
      }
    },
    async logs(id, log: LogOptions, signal): Promise<AsyncIterable<OutputChunk>> {
      const description = await engine.ask(docker => docker.getContainer(id).inspect())
      // A terminal's output has no frames, and so no entries whose times could be compared.
      const filtered = log.follow && !description.Config.Tty
      const read = (part: { follow: boolean; tail?: number | undefined; since?: string | undefined }): Promise<NodeJS.ReadableStream> =>
        engine.stream(
          `/containers/${id}/logs`,
          {
            stdout: true,
            stderr: true,
            timestamps: log.timestamps || filtered,
            follow: part.follow,
            tail: part.tail ?? 'all',
            ...(part.since === undefined ? {} : { since: part.since }),
          },
          signal,
        )
      const since = log.sinceMs === undefined ? undefined : (log.sinceMs / 1000).toFixed(9)
      const answer = await read({ follow: log.follow, tail: log.tail, since })
      if (!filtered) return outputChunks(answer as Readable, description.Config.Tty)
      const filter = new ReplayFilter(options.clock, log.timestamps)
      return followedLog(answer as Readable, filter, async () => {
        const newest = filter.newest()
        if (newest === undefined || signal?.aborted) return undefined
        return (await read({ follow: false, since: newest }).catch((fault: unknown) => {
          if (isGone(fault)) return undefined
          throw fault
        })) as Readable | undefined
      })
    },
    async exec(id, spec: ExecSpec) {
      const made = await engine.ask(docker =>
        docker.getContainer(id).exec({ AttachStdin: spec.stdin, AttachStdout: spec.stdout, AttachStderr: spec.stderr && !spec.tty, Tty: spec.tty, Cmd: [...spec.command] }),
      )
      return processStream(
        engine.ask(docker => docker.getExec(made.id).start({ hijack: true, Detach: false, Tty: spec.tty }), noTimeout),
        spec.tty,
        size => engine.ask(docker => docker.getExec(made.id).resize(size)),
        async () => {
          // The engine closes the stream a little before it notes the exit code.
          for (let attempt = 0; ; attempt++) {
            const state = await engine.ask(docker => docker.getExec(made.id).inspect())
            if (!state.Running || attempt >= 50) return state.ExitCode ?? 137
            await options.clock.sleep(20)
          }
        },
      )
    },
    async attach(id, spec) {
      const description = await engine.ask(docker => docker.getContainer(id).inspect())
      const wanted = { hijack: true, ...parts<object>({ stream: true, stdin: spec.stdin, stdout: spec.stdout, stderr: spec.stderr }) }
      const opened = engine.ask(docker => docker.getContainer(id).attach(wanted) as Promise<Duplex>, noTimeout)
      return processStream(
        opened,
        description.Config.Tty,
        size => engine.ask(docker => docker.getContainer(id).resize(size)),
        async () => (await inspect(id))?.exitCode ?? 0,
      )
    },
    image,
    async images() {
      return (await engine.ask(docker => docker.listImages())).map(toImage)
    },
    async pull(name, auth: RegistryAuth | undefined, signal) {
      await progressEnds(engine.ask(docker => docker.createImage(auth ?? {}, { ...parts<object>(pullParts(name)), ...abortedBy(signal) }), pullIdleMs))
    },
    async removeImage(id) {
      try {
        await engine.ask(docker => docker.getImage(encodeURI(id)).remove({ force: true }))
      } catch (fault) {
        if (!isGone(fault)) throw fault
      }
    },
    async removeUnusedImage(unused) {
      for (const name of unused.names.length > 0 ? unused.names : [unused.id]) {
        try {
          await engine.ask(docker => docker.getImage(encodeURI(name)).remove())
        } catch (fault) {
          if (fault instanceof RuntimeError && fault.code === 409) return false
          if (!isGone(fault)) throw fault
        }
      }
      return true
    },
    ensureSandboxImage() {
      // Pods that start at once share one import: each import makes another image.
      sandboxImport ??= importSandboxImage().finally(() => {
        sandboxImport = undefined
      })
      return sandboxImport
    },
    ensurePodNetwork: spec => ensureNetwork(engine, options.networkName, spec),
    async removePodNetwork() {
      try {
        await engine.ask(docker => docker.getNetwork(options.networkName).remove())
      } catch (fault) {
        if (!isGone(fault)) throw fault
      }
    },
    watch(onEvent, signal) {
      void watchEvents(engine, options.clock, inspected, onEvent, signal)
    },
  }
}

/** Reads a pull's or an import's progress to its end; throws what went wrong on the way. */
async function progressEnds(opened: Promise<NodeJS.ReadableStream>): Promise<void> {
  for await (const line of createInterface({ input: await opened })) {
    const progress = JSON.parse(line) as { error?: string; errorDetail?: { message?: string } }
    if (progress.error !== undefined) throw new RuntimeError(500, progress.errorDetail?.message ?? progress.error)
  }
}

async function ensureNetwork(engine: DockerEngine, name: string, spec: PodNetworkSpec): Promise<void> {
  try {
    const present = await engine.ask(docker => docker.getNetwork(name).inspect() as Promise<{ IPAM?: { Config?: { Subnet?: string }[] } }>)
    if (present.IPAM?.Config?.[0]?.Subnet === spec.subnet) return
    await engine.ask(docker => docker.getNetwork(name).remove())
  } catch (fault) {
    if (!isGone(fault)) throw fault
  }
  const version = await engine.ask(docker => docker.version())
  const body = {
    Name: name,
    CheckDuplicate: true,
    Driver: 'bridge',
    Internal: false,
    Attachable: false,
    Labels: { [containerLabels.type]: 'network' },
    IPAM: { Driver: 'default', Config: [{ Subnet: spec.subnet, Gateway: spec.gateway, AuxiliaryAddresses: { 'quarterdeck-probe': spec.reserved } }] },
    Options: {
      'com.docker.network.bridge.name': spec.bridge,
      'com.docker.network.bridge.enable_ip_masquerade': 'false',
      'com.docker.network.bridge.enable_icc': 'true',
      'com.docker.network.driver.mtu': String(spec.mtu),
      // From Docker 28 (API 1.48) other hosts may not reach containers by their own addresses unless told so.
      ...(laterVersion(version.ApiVersion, '1.48') === version.ApiVersion ? { 'com.docker.network.bridge.gateway_mode_ipv4': 'nat-unprotected' } : {}),
    },
  }
  await engine.ask(docker => docker.createNetwork(parts({}, body)))
}

async function watchEvents(engine: DockerEngine, clock: Clock, inspected: Map<string, unknown>, onEvent: (event: RuntimeEvent) => void, signal: AbortSignal): Promise<void> {
  const filters = { type: ['container' as const], label: [containerLabels.type], event: ['create', 'start', 'die', 'destroy', 'oom', 'kill', 'stop'] }
  while (!signal.aborted) {
    try {
      engine.forgetVersion()
      const answer = await engine.ask(docker => docker.getEvents({ filters, ...abortedBy(signal) }), noTimeout)
      inspected.clear()
      onEvent({ podUID: '', containerID: '', action: 'connected' })
      for await (const line of createInterface({ input: answer })) {
        const event = JSON.parse(line) as { Action: string; Actor: { ID: string; Attributes: Record<string, string> } }
        inspected.delete(event.Actor.ID)
        onEvent({ podUID: event.Actor.Attributes[containerLabels.podUID] ?? '', containerID: event.Actor.ID, action: event.Action })
      }
    } catch {
      /* the engine is restarting; the list after the reconnection tells what happened meanwhile */
    }
    try {
      await clock.sleep(reconnectMs, signal)
    } catch {
      return
    }
  }
}

function toContainer(c: InspectedContainer, networkName: string): RuntimeContainer {
  const labels = c.Config.Labels
  // One that failed to start stays "created" for Docker.
  const phase = c.State.Running ? 'running' : c.State.Status === 'created' && c.State.Error === '' ? 'created' : 'exited'
  return {
    id: c.Id,
    type: labels[containerLabels.type] === 'sandbox' ? 'sandbox' : 'container',
    name: labels[containerLabels.containerName] ?? '',
    podUID: labels[containerLabels.podUID] ?? '',
    podName: labels[containerLabels.podName] ?? '',
    podNamespace: labels[containerLabels.podNamespace] ?? '',
    labels,
    restartCount: Number(labels[containerLabels.restartCount] ?? 0),
    hash: labels[containerLabels.hash] ?? '',
    phase,
    pid: c.State.Pid,
    createdAtMs: timeMs(c.Created),
    startedAtMs: timeMs(c.State.StartedAt),
    finishedAtMs: timeMs(c.State.FinishedAt),
    exitCode: c.State.ExitCode,
    oomKilled: c.State.OOMKilled,
    error: c.State.Error,
    image: c.Config.Image,
    imageID: c.Image,
    address: c.NetworkSettings.Networks?.[networkName]?.IPAddress ?? '',
  }
}

function toImage(image: InspectedImage): ImageInfo {
  const digest = image.RepoDigests?.find(name => !name.startsWith('<none>'))
  const names = [...(image.RepoDigests ?? []), ...(image.RepoTags ?? [])].filter(name => !name.includes('<none>'))
  const created = typeof image.Created === 'number' ? image.Created * 1000 : timeMs(image.Created ?? '')
  return {
    id: image.Id,
    reference: digest === undefined ? `docker://${image.Id}` : `docker-pullable://${digest}`,
    names,
    sizeBytes: image.Size,
    user: image.Config?.User ?? '',
    createdAtMs: created,
  }
}

/** A host that is itself a container may lack CAP_SYS_RESOURCE (bit 24): then nothing can be made less killable than usual. */
function lowestOomScoreHere(): number {
  let status = ''
  try {
    status = readFileSync('/proc/self/status', 'utf8')
  } catch {
    /* not on Linux: as if nothing were missing */
  }
  const bounding = /^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1]
  return bounding !== undefined && ((BigInt(`0x${bounding}`) >> 24n) & 1n) === 0n ? 0 : -1000
}

/** Docker writes year 1 for "never". */
function timeMs(text: string): number {
  const ms = Date.parse(text)
  return Number.isNaN(ms) || ms < 0 ? 0 : ms
}

function isGone(fault: unknown): boolean {
  return fault instanceof RuntimeError && fault.code === 404
}
