/** The container runtime on Docker Engine, API 1.41 to the newest. */
import { readFileSync } from 'node:fs'
import { arch } from 'node:os'
import { createInterface } from 'node:readline'
import type { Clock } from '../../base/env.ts'
import { EngineConnection, laterVersion } from './engine-connection.ts'
import { dockerImageName, pullParts } from './image-name.ts'
import { outputChunks } from './output-frames.ts'
import { containerBody, sandboxBody } from './docker-specs.ts'
import { RuntimeError, containerLabels } from './runtime.ts'
import type { ContainerRuntime, ExecSpec, ImageInfo, LogOptions, OutputChunk, PodNetworkSpec, ProcessStream, RegistryAuth, RuntimeContainer, RuntimeEvent, RuntimeInfo } from './runtime.ts'
import { sandboxFileSystem } from './sandbox-image.ts'

/** A pull of many gigabytes over a slow line; progress lines keep it alive. */
const pullIdleMs = 300_000
const reconnectMs = 2_000

interface ListedContainer { Id: string; State: string; Status: string; Labels: Record<string, string> }
interface InspectedContainer {
  Id: string
  Created: string
  Image: string
  State: { Status: string; Running: boolean; Pid: number; ExitCode: number; OOMKilled: boolean; Error: string; StartedAt: string; FinishedAt: string }
  Config: { Image: string; Labels: Record<string, string>; Tty: boolean }
  NetworkSettings: { Networks?: Record<string, { IPAddress?: string }> }
}
interface InspectedImage { Id: string; RepoTags?: string[]; RepoDigests?: string[]; Size: number; Created?: string | number; Config?: { User?: string } }

export interface DockerOptions { readonly socketPath: string; readonly networkName: string; readonly sandboxImage: string; readonly clock: Clock }

export function dockerRuntime(options: DockerOptions): ContainerRuntime {
  const engine = new EngineConnection(options.socketPath)
  const lowestOomScore = lowestOomScoreHere()
  // An exited container does not change any more, and a running one only with an event that its list status shows.
  const inspected = new Map<string, { status: string; container: RuntimeContainer }>()

  async function inspect(id: string): Promise<RuntimeContainer | undefined> {
    try {
      return toContainer(await engine.call<InspectedContainer>('GET', `/containers/${id}/json`), options.networkName)
    } catch (fault) {
      if (isGone(fault)) return undefined
      throw fault
    }
  }

  async function list(podUID?: string): Promise<readonly RuntimeContainer[]> {
    const labels = [containerLabels.type, ...(podUID === undefined ? [] : [`${containerLabels.podUID}=${podUID}`])]
    const listed = await engine.call<ListedContainer[]>('GET', '/containers/json', { query: { all: '1', filters: JSON.stringify({ label: labels }) } })
    const out: RuntimeContainer[] = []
    for (const entry of listed) {
      const known = inspected.get(entry.Id)
      if (known && known.status === entry.State) { out.push(known.container); continue }
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
        return toImage(await engine.call<InspectedImage>('GET', `/images/${encodeURI(candidate)}/json`))
      } catch (fault) {
        if (!isGone(fault) && !(fault instanceof RuntimeError && fault.code === 400)) throw fault
      }
    }
    return undefined
  }

  async function hijackProcess(path: string, body: unknown, query: Record<string, string> | undefined, tty: boolean, resizePath: string, exitCode: () => Promise<number>): Promise<ProcessStream> {
    const socket = await engine.hijack(path, { ...(body === undefined ? {} : { body }), ...(query ? { query } : {}) })
    return {
      output: outputChunks(socket, tty),
      input: socket,
      resize: async (columns, rows) => { await engine.call('POST', resizePath, { query: { h: String(rows), w: String(columns) } }) },
      exitCode,
      close: () => { socket.destroy() },
    }
  }

  return {
    async info(): Promise<RuntimeInfo> {
      const [version, info] = await Promise.all([
        engine.call<{ Version: string; ApiVersion: string }>('GET', '/version', { timeoutMs: 15_000 }),
        engine.call<{ OperatingSystem: string; KernelVersion: string; Architecture: string; CgroupVersion?: string; NCPU: number; MemTotal: number; DockerRootDir: string }>('GET', '/info', { timeoutMs: 15_000 }),
      ])
      return {
        version: version.Version, apiVersion: version.ApiVersion, operatingSystem: info.OperatingSystem, kernelVersion: info.KernelVersion, architecture: info.Architecture,
        cgroupVersion: Number(info.CgroupVersion ?? 1), cpus: info.NCPU, memoryBytes: info.MemTotal, rootDir: info.DockerRootDir,
      }
    },
    list,
    inspect,
    async createSandbox(spec) {
      const made = await engine.call<{ Id: string }>('POST', '/containers/create', { query: { name: spec.name }, body: sandboxBody(spec, { ...options, lowestOomScore }) })
      return made.Id
    },
    async createContainer(spec) {
      const made = await engine.call<{ Id: string }>('POST', '/containers/create', { query: { name: spec.name }, body: containerBody(spec, lowestOomScore) })
      return made.Id
    },
    async start(id) { inspected.delete(id); await engine.call('POST', `/containers/${id}/start`) },
    async stop(id, graceSeconds) {
      try {
        await engine.call('POST', `/containers/${id}/stop`, { query: { t: String(Math.max(0, Math.round(graceSeconds))) }, timeoutMs: (graceSeconds + 60) * 1000 })
      } catch (fault) {
        if (!isGone(fault)) throw fault
      } finally { inspected.delete(id) }
    },
    async remove(id) {
      inspected.delete(id)
      try {
        await engine.call('DELETE', `/containers/${id}`, { query: { force: '1', v: '1' } })
      } catch (fault) {
        // 409: its removal is already under way.
        if (!isGone(fault) && !(fault instanceof RuntimeError && fault.code === 409 && fault.message.includes('already in progress'))) throw fault
      }
    },
    async logs(id, log: LogOptions, signal): Promise<AsyncIterable<OutputChunk>> {
      const description = await engine.call<InspectedContainer>('GET', `/containers/${id}/json`)
      const answer = await engine.open('GET', `/containers/${id}/logs`, {
        timeoutMs: 0,
        query: {
          stdout: '1', stderr: '1', timestamps: log.timestamps ? '1' : '0', follow: log.follow ? '1' : '0', tail: log.tail === undefined ? 'all' : String(log.tail),
          ...(log.sinceMs === undefined ? {} : { since: (log.sinceMs / 1000).toFixed(9) }),
        },
        ...(signal ? { signal } : {}),
      })
      return outputChunks(answer, description.Config.Tty)
    },
    async exec(id, spec: ExecSpec) {
      const body = { AttachStdin: spec.stdin, AttachStdout: spec.stdout, AttachStderr: spec.stderr && !spec.tty, Tty: spec.tty, Cmd: spec.command }
      const made = await engine.call<{ Id: string }>('POST', `/containers/${id}/exec`, { body })
      return hijackProcess(`/exec/${made.Id}/start`, { Detach: false, Tty: spec.tty }, undefined, spec.tty, `/exec/${made.Id}/resize`, async () => {
        // The engine closes the stream a little before it notes the exit code.
        for (let attempt = 0; ; attempt++) {
          const state = await engine.call<{ Running: boolean; ExitCode: number | null }>('GET', `/exec/${made.Id}/json`)
          if (!state.Running || attempt >= 50) return state.ExitCode ?? 137
          await options.clock.sleep(20)
        }
      })
    },
    async attach(id, spec) {
      const description = await engine.call<InspectedContainer>('GET', `/containers/${id}/json`)
      const query = { stream: '1', stdin: spec.stdin ? '1' : '0', stdout: spec.stdout ? '1' : '0', stderr: spec.stderr ? '1' : '0' }
      return hijackProcess(`/containers/${id}/attach`, undefined, query, description.Config.Tty, `/containers/${id}/resize`, async () => (await inspect(id))?.exitCode ?? 0)
    },
    image,
    async images() {
      const listed = await engine.call<{ Id: string; RepoTags?: string[] | null; RepoDigests?: string[] | null; Size: number; Created: number }[]>('GET', '/images/json')
      return listed.map(entry => toImage({ Id: entry.Id, RepoTags: entry.RepoTags ?? [], RepoDigests: entry.RepoDigests ?? [], Size: entry.Size, Created: entry.Created }))
    },
    async pull(name, auth: RegistryAuth | undefined, signal) {
      const headers: Record<string, string> = auth ? { 'X-Registry-Auth': Buffer.from(JSON.stringify(auth)).toString('base64url') } : {}
      const answer = await engine.open('POST', '/images/create', { query: pullParts(name), headers, timeoutMs: pullIdleMs, ...(signal ? { signal } : {}) })
      for await (const line of createInterface({ input: answer })) {
        const progress = JSON.parse(line) as { error?: string; errorDetail?: { message?: string } }
        if (progress.error !== undefined) throw new RuntimeError(500, progress.errorDetail?.message ?? progress.error)
      }
    },
    async removeImage(id) { try { await engine.call('DELETE', `/images/${id}`, { query: { force: '1' } }) } catch (fault) { if (!isGone(fault)) throw fault } },
    async ensureSandboxImage() {
      if (await image(options.sandboxImage)) return
      const [repo = '', tag = 'latest'] = options.sandboxImage.split(':')
      const answer = await engine.open('POST', '/images/create', {
        query: { fromSrc: '-', repo, tag, changes: 'ENTRYPOINT ["/pause"]' }, bytes: sandboxFileSystem(arch() === 'arm64' ? 'arm64' : 'x64'),
      })
      for await (const line of createInterface({ input: answer })) {
        const progress = JSON.parse(line) as { error?: string }
        if (progress.error !== undefined) throw new RuntimeError(500, progress.error)
      }
    },
    ensurePodNetwork: spec => ensureNetwork(engine, options.networkName, spec),
    async removePodNetwork() { try { await engine.call('DELETE', `/networks/${options.networkName}`) } catch (fault) { if (!isGone(fault)) throw fault } },
    watch(onEvent, signal) { void watchEvents(engine, options.clock, inspected, onEvent, signal) },
  }
}

async function ensureNetwork(engine: EngineConnection, name: string, spec: PodNetworkSpec): Promise<void> {
  try {
    const present = await engine.call<{ IPAM?: { Config?: { Subnet?: string }[] } }>('GET', `/networks/${name}`)
    if (present.IPAM?.Config?.[0]?.Subnet === spec.subnet) return
    await engine.call('DELETE', `/networks/${name}`)
  } catch (fault) {
    if (!isGone(fault)) throw fault
  }
  const version = await engine.call<{ ApiVersion: string }>('GET', '/version')
  const body = {
    Name: name, CheckDuplicate: true, Driver: 'bridge', Internal: false, Attachable: false, Labels: { [containerLabels.type]: 'network' },
    IPAM: { Driver: 'default', Config: [{ Subnet: spec.subnet, Gateway: spec.gateway }] },
    Options: {
      'com.docker.network.bridge.name': spec.bridge,
      'com.docker.network.bridge.enable_ip_masquerade': 'false',
      'com.docker.network.bridge.enable_icc': 'true',
      'com.docker.network.driver.mtu': String(spec.mtu),
      // From Docker 28 (API 1.48) other hosts may not reach containers by their own addresses unless told so.
      ...(laterVersion(version.ApiVersion, '1.48') === version.ApiVersion ? { 'com.docker.network.bridge.gateway_mode_ipv4': 'nat-unprotected' } : {}),
    },
  }
  await engine.call('POST', '/networks/create', { body })
}

async function watchEvents(engine: EngineConnection, clock: Clock, inspected: Map<string, unknown>, onEvent: (event: RuntimeEvent) => void, signal: AbortSignal): Promise<void> {
  const filters = JSON.stringify({ type: ['container'], label: [containerLabels.type], event: ['create', 'start', 'die', 'destroy', 'oom', 'kill', 'stop'] })
  while (!signal.aborted) {
    try {
      const answer = await engine.open('GET', '/events', { query: { filters }, timeoutMs: 0, signal })
      inspected.clear()
      onEvent({ podUID: '', containerID: '', action: 'connected' })
      for await (const line of createInterface({ input: answer })) {
        const event = JSON.parse(line) as { Action: string; Actor: { ID: string; Attributes: Record<string, string> } }
        inspected.delete(event.Actor.ID)
        onEvent({ podUID: event.Actor.Attributes[containerLabels.podUID] ?? '', containerID: event.Actor.ID, action: event.Action })
      }
    } catch { /* the engine is restarting; the list after the reconnection tells what happened meanwhile */ }
    try { await clock.sleep(reconnectMs, signal) } catch { return }
  }
}

function toContainer(c: InspectedContainer, networkName: string): RuntimeContainer {
  const labels = c.Config.Labels
  // One that failed to start stays "created" for Docker.
  const phase = c.State.Running ? 'running' : c.State.Status === 'created' && c.State.Error === '' ? 'created' : 'exited'
  return {
    id: c.Id, type: labels[containerLabels.type] === 'sandbox' ? 'sandbox' : 'container', name: labels[containerLabels.containerName] ?? '', podUID: labels[containerLabels.podUID] ?? '',
    podName: labels[containerLabels.podName] ?? '', podNamespace: labels[containerLabels.podNamespace] ?? '', labels, restartCount: Number(labels[containerLabels.restartCount] ?? 0),
    hash: labels[containerLabels.hash] ?? '', phase, pid: c.State.Pid, createdAtMs: timeMs(c.Created), startedAtMs: timeMs(c.State.StartedAt), finishedAtMs: timeMs(c.State.FinishedAt),
    exitCode: c.State.ExitCode, oomKilled: c.State.OOMKilled, error: c.State.Error, image: c.Config.Image, imageID: c.Image, address: c.NetworkSettings.Networks?.[networkName]?.IPAddress ?? '',
  }
}

function toImage(image: InspectedImage): ImageInfo {
  const digest = image.RepoDigests?.find(name => !name.startsWith('<none>'))
  const names = [...(image.RepoDigests ?? []), ...(image.RepoTags ?? [])].filter(name => !name.includes('<none>'))
  const created = typeof image.Created === 'number' ? image.Created * 1000 : timeMs(image.Created ?? '')
  return { id: image.Id, reference: digest === undefined ? `docker://${image.Id}` : `docker-pullable://${digest}`, names, sizeBytes: image.Size, user: image.Config?.User ?? '', createdAtMs: created }
}

/** A host that is itself a container may lack CAP_SYS_RESOURCE (bit 24): then nothing can be made less killable than usual. */
function lowestOomScoreHere(): number {
  let status = ''
  try { status = readFileSync('/proc/self/status', 'utf8') } catch { /* not on Linux: as if nothing were missing */ }
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
