/**
 * The one contract between the window and the main process, with two carriers: Electron's IPC and a WebSocket. A `call`
 * is asked once and answered once; a `stream` gives items until either side ends it and may take input while it lives.
 * Every input is checked (`check` throws BridgeError 'invalid') before anything happens: the window is not trusted.
 * Values are JSON plus Uint8Array.
 */
import type { Machine, PreflightResult } from './infra/v1alpha1/machine.ts'

export type BridgeErrorCode = 'invalid' | 'unauthorized' | 'not-found' | 'unavailable' | 'failed' | 'too-large' | 'cancelled'

export class BridgeError extends Error {
  readonly code: BridgeErrorCode
  /** What the user can do about it. */
  readonly hint: string | undefined
  constructor(code: BridgeErrorCode, message: string, hint?: string) {
    super(message)
    this.name = 'BridgeError'
    this.code = code
    this.hint = hint
  }
}

export interface Call<I, O> {
  readonly type: 'call'
  readonly check: (input: unknown) => I
  readonly output?: O
}
export interface Stream<I, O, U> {
  readonly type: 'stream'
  readonly check: (input: unknown) => I
  readonly checkUp: (item: unknown) => U
  readonly output?: O
}

export function call<I, O>(check: (input: unknown) => I): Call<I, O> {
  return { type: 'call', check }
}
export function stream<I, O, U = never>(check: (input: unknown) => I, checkUp: (item: unknown) => U = nothingUp): Stream<I, O, U> {
  return { type: 'stream', check, checkUp }
}

function nothingUp(): never {
  throw new BridgeError('invalid', 'this stream takes no input')
}

/* ---- shapes ---- */

export interface AppInfo {
  version: string
  carrier: 'electron' | 'web'
  /** Where kubectl finds the admin kubeconfig. */
  kubeconfigPath: string
  apiAddress: string
  kubernetesVersion: string
  dockerOnThisComputer: boolean
}

export interface KubernetesRequest {
  method: string
  path: string
  headers?: Record<string, string>
  /** JSON text, YAML text or a plain value. */ body?: unknown
}
export interface KubernetesAnswer {
  status: number
  contentType: string
  /** Parsed when it is JSON, else text. */ body: unknown
  warnings: string[]
}

/** Credentials typed in the window. They live in memory and in the Secret that the wizard makes, nowhere else. */
export interface HostCredentials {
  privateKey?: string
  passphrase?: string
  password?: string
  sudoPassword?: string
  /** Instead of privateKey: one of the key files that `machines.sshConfig` named. It is read by the main process and never reaches the window. */
  identityFile?: string
  /** Keys of this computer's SSH agent. */
  useAgent?: boolean
}
export interface HostHop {
  user: string
  address: string
  port: number
  /** The accepted key; the way ends at a hop without one, whose key the answer then shows. */
  fingerprint?: string
}
export interface HostAddress {
  user: string
  address: string
  port: number
  /** Jump hosts on the way, the nearest to this computer first. */
  jump?: HostHop[]
}
/** A host of ~/.ssh/config as `ssh <alias>` reaches it. */
export interface SshConfigHost {
  alias: string
  user: string
  address: string
  port: number
  jump: { user: string; address: string; port: number }[]
  /** Key files that exist. */
  identityFiles: string[]
  useAgent: boolean
  /** Why it cannot be taken. */
  problem?: string
}
export interface SshConfigAnswer {
  hosts: SshConfigHost[]
  /** An SSH agent runs on this computer. */
  agent: boolean
  /** Why the file could not be read. */
  problem?: string
}

export interface ConnectAnswer {
  /** `SHA256:…` of the host's key, and its type. */
  fingerprint: string
  keyType: string
  loggedIn: boolean
  /** A jump host whose key has not been accepted yet, by its place in `jump`: accept it and ask again. */
  hop?: { index: number; fingerprint: string; keyType: string }
  /** Present when the log-in failed. */
  error?: { code: string; message: string; hint: string }
  hostname?: string
  prettyName?: string
}

export interface PreflightItem {
  /** Index into the input's hosts. */ host: number
  result: PreflightResult
}
export interface PlanAnswer {
  hosts: { steps: { name: string; title: string; changes: string[] }[]; error?: string }[]
}
export interface MachineOutput {
  machine: string
  step: string
  /** stdout or stderr text, may hold several lines. */ text: string
  at: number
}

export interface ImagePushProgress {
  node: string
  state: 'waiting' | 'sending' | 'loading' | 'done' | 'failed'
  sentBytes: number
  totalBytes: number
  message?: string
}
export interface PracticeProgress {
  state: 'running' | 'ready' | 'failed' | 'removed'
  message: string
  hosts?: number
}

/** Bytes and millicores. `usage` is absent where no fresh sample exists. */
export interface ResourceAmounts {
  cpuMillicores: number
  memoryBytes: number
}
export interface NodeUsage {
  name: string
  ready: boolean
  unschedulable: boolean
  allocatable: ResourceAmounts & { pods: number }
  requests: ResourceAmounts
  limits: ResourceAmounts
  usage?: ResourceAmounts
  /** ms since 1970 of the usage sample. */
  sampledAt?: number
  pods: number
  disk?: { usedBytes: number; capacityBytes: number }
  network?: { receivedBytesPerSecond: number; sentBytesPerSecond: number }
}
export interface PodUsage {
  namespace: string
  name: string
  usage: ResourceAmounts
  sampledAt: number
  containers: { name: string; usage: ResourceAmounts }[]
}
export interface CapacityWarning {
  /** C1 … C20. */
  id: string
  severity: 'warning' | 'critical'
  title: string
  /** Plain words with numbers. */
  message: string
  /** What to do. */
  advice: string
  /** Objects it speaks of. */
  subjects: { kind: string; namespace?: string; name: string }[]
  since: number
}
export interface Balance {
  /** 0 to 100; B = 100·(1 − 2·max σ). Undefined with fewer than two nodes. */
  score?: number
  /** Percent points between the fullest and the emptiest node, by resource. */
  spread: { cpu: number; memory: number }
  pools: { name: string; nodes: string[] }[]
}
export interface MonitoringSnapshot {
  at: number
  nodes: NodeUsage[]
  pods: PodUsage[]
  warnings: CapacityWarning[]
  balance: Balance
}
export interface SeriesAnswer {
  /** ms since 1970, ascending. */ times: number[]
  cpuMillicores: (number | null)[]
  memoryBytes: (number | null)[]
}

/** Why a pod without a node has none. */
export interface PlacementAnswer {
  /** A node that would take it now. */ fits?: string
  /** Every node's refusal, the one nearest to taking it first. `missing` in millicores for cpu, else in the resource's own unit. */
  nodes: { name: string; plugin: string; reasons: string[]; missing: { resource: string; amount: number }[] }[]
  /** Nodes that are not listed. */ more: number
}

/** Channel numbers of the Kubernetes remote-command protocol: 0 stdin, 1 stdout, 2 stderr, 3 error (JSON Status), 4 resize (JSON {Width, Height}). */
export interface ChannelData {
  channel: number
  data: Uint8Array
}

/* ---- checks ---- */

function record(input: unknown): Record<string, unknown> {
  if (input === null || typeof input !== 'object' || Array.isArray(input)) throw new BridgeError('invalid', 'an object is expected')
  return input as Record<string, unknown>
}
function text(input: Record<string, unknown>, name: string, max = 4096): string {
  const value = input[name]
  if (typeof value !== 'string' || value.length > max) throw new BridgeError('invalid', `${name} must be a text of at most ${max} characters`)
  return value
}
function optionalText(input: Record<string, unknown>, name: string, max = 4096): string | undefined {
  return input[name] === undefined ? undefined : text(input, name, max)
}
function apiPath(value: string): string {
  if (!/^\/(api|apis|openapi|version|healthz|livez|readyz|metrics)(\/|\?|$)/.test(value)) throw new BridgeError('invalid', 'the path must be one of the Kubernetes API')
  return value
}
function count(value: unknown, name: string, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) throw new BridgeError('invalid', `${name} must be a whole number from ${min} to ${max}`)
  return value
}
function list<T>(value: unknown, name: string, max: number, item: (entry: unknown) => T): T[] {
  if (!Array.isArray(value) || value.length > max) throw new BridgeError('invalid', `${name} must be a list of at most ${max}`)
  return value.map(item)
}

function checkNothing(input: unknown): Record<string, never> {
  if (input !== undefined && Object.keys(record(input)).length > 0) throw new BridgeError('invalid', 'no input is expected')
  return {}
}
function checkRequest(input: unknown): KubernetesRequest {
  const r = record(input)
  const method = text(r, 'method', 8)
  if (!['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].includes(method)) throw new BridgeError('invalid', 'method is not one of GET, POST, PUT, PATCH, DELETE')
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(r['headers'] === undefined ? {} : record(r['headers']))) {
    if (!['accept', 'content-type'].includes(name.toLowerCase()) || typeof value !== 'string')
      throw new BridgeError('invalid', 'only the headers accept and content-type may be given')
    headers[name.toLowerCase()] = value
  }
  return { method, path: apiPath(text(r, 'path', 8192)), headers, body: r['body'] }
}
function checkPath(input: unknown): { path: string; accept?: string } {
  const r = record(input)
  const accept = optionalText(r, 'accept', 512)
  return { path: apiPath(text(r, 'path', 8192)), ...(accept === undefined ? {} : { accept }) }
}
function checkChannelData(item: unknown): ChannelData {
  const r = record(item)
  const data = r['data']
  if (!(data instanceof Uint8Array) || data.length > 1024 * 1024) throw new BridgeError('invalid', 'data must be at most 1 MiB of bytes')
  return { channel: count(r['channel'], 'channel', 0, 4), data }
}
function checkHost(input: unknown): HostAddress {
  const r = record(input)
  const user = text(r, 'user', 64)
  const address = text(r, 'address', 255)
  if (!/^[A-Za-z_][A-Za-z0-9_.-]*\$?$/.test(user)) throw new BridgeError('invalid', `${JSON.stringify(user)} is not a user name`)
  if (!/^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$/.test(address)) throw new BridgeError('invalid', `${JSON.stringify(address)} is not a host name or address`)
  return { user, address, port: count(r['port'], 'port', 1, 65535), ...(r['jump'] === undefined ? {} : { jump: list(r['jump'], 'jump', 8, checkHop) }) }
}
function checkHop(input: unknown): HostHop {
  const r = record(input)
  const { user, address, port } = checkHost({ user: r['user'], address: r['address'], port: r['port'] })
  const fingerprint = optionalText(r, 'fingerprint', 256)
  return { user, address, port, ...(fingerprint === undefined ? {} : { fingerprint }) }
}
function checkCredentials(input: unknown): HostCredentials {
  const r = input === undefined ? {} : record(input)
  const out: HostCredentials = {}
  for (const name of ['privateKey', 'passphrase', 'password', 'sudoPassword'] as const) {
    const value = optionalText(r, name, 64 * 1024)
    if (value !== undefined) out[name] = value
  }
  const identityFile = optionalText(r, 'identityFile', 4096)
  if (identityFile !== undefined) out.identityFile = identityFile
  if (r['useAgent'] === true) out.useAgent = true
  return out
}
function checkConnect(input: unknown): { host: HostAddress; credentials: HostCredentials; fingerprint?: string } {
  const r = record(input)
  const fingerprint = optionalText(r, 'fingerprint', 256)
  return { host: checkHost(r['host']), credentials: checkCredentials(r['credentials']), ...(fingerprint === undefined ? {} : { fingerprint }) }
}
export interface HostsInput {
  hosts: (HostAddress & { fingerprint: string; name: string })[]
  credentials: HostCredentials
}
function checkHosts(input: unknown): HostsInput {
  const r = record(input)
  const hosts = list(r['hosts'], 'hosts', 500, entry => {
    const h = record(entry)
    return { ...checkHost(h), fingerprint: text(h, 'fingerprint', 256), name: text(h, 'name', 253) }
  })
  return { hosts, credentials: checkCredentials(r['credentials']) }
}
function checkMachine(input: unknown): { machine?: string } {
  const machine = optionalText(record(input), 'machine', 253)
  return machine === undefined ? {} : { machine }
}
export interface ImagePushInput {
  nodes: string[]
  source: { type: 'docker'; image: string } | { type: 'upload'; name: string; bytes: number }
}
function checkImagePush(input: unknown): ImagePushInput {
  const r = record(input)
  const nodes = list(r['nodes'], 'nodes', 1000, n => {
    if (typeof n !== 'string') throw new BridgeError('invalid', 'nodes must be names')
    return n
  })
  const source = record(r['source'])
  if (source['type'] === 'docker') return { nodes, source: { type: 'docker', image: text(source, 'image', 512) } }
  if (source['type'] === 'upload') return { nodes, source: { type: 'upload', name: text(source, 'name', 512), bytes: count(source['bytes'], 'bytes', 1, 64 * 2 ** 30) } }
  throw new BridgeError('invalid', 'source.type must be docker or upload')
}
function checkChunk(item: unknown): Uint8Array {
  if (!(item instanceof Uint8Array) || item.length > 1024 * 1024) throw new BridgeError('invalid', 'a chunk must be at most 1 MiB of bytes')
  return item
}
function checkPracticeUp(input: unknown): { hosts: number } {
  return { hosts: count(record(input)['hosts'], 'hosts', 1, 8) }
}
function checkSeries(input: unknown): { node: string; namespace?: string; pod?: string; minutes: number } {
  const r = record(input)
  const namespace = optionalText(r, 'namespace', 253)
  const pod = optionalText(r, 'pod', 253)
  return { node: text(r, 'node', 253), minutes: count(r['minutes'], 'minutes', 1, 7 * 24 * 60), ...(namespace ? { namespace } : {}), ...(pod ? { pod } : {}) }
}

function checkPodName(input: unknown): { namespace: string; pod: string } {
  const r = record(input)
  return { namespace: text(r, 'namespace', 253), pod: text(r, 'pod', 253) }
}

/** Every method the window can call. Nothing else is reachable from it. */
export const bridge = {
  'app.info': call<Record<string, never>, AppInfo>(checkNothing),
  /** One API request with the admin's rights; answers of at most 64 MiB. */
  'kubernetes.request': call<KubernetesRequest, KubernetesAnswer>(checkRequest),
  /** GET whose body is streamed as it comes: watches and followed logs. First item has `status`; text follows in pieces (UTF-8 whole characters). */
  'kubernetes.stream': stream<{ path: string; accept?: string }, { status: number; contentType: string } | { text: string }>(checkPath),
  /** exec and attach: `path` with its query; channels both ways. */
  'kubernetes.exec': stream<{ path: string }, ChannelData, ChannelData>(checkPath, checkChannelData),
  /** Reads the host key and tries to log in when the given fingerprint is the host's. Changes nothing on the host. */
  'machines.tryConnect': call<{ host: HostAddress; credentials: HostCredentials; fingerprint?: string }, ConnectAnswer>(checkConnect),
  /** Hosts of this computer's SSH configuration, for the wizard to choose from. */
  'machines.sshConfig': call<Record<string, never>, SshConfigAnswer>(checkNothing),
  'machines.preflight': stream<HostsInput, PreflightItem>(checkHosts),
  'machines.plan': call<HostsInput, PlanAnswer>(checkHosts),
  /** Creates the Secret and the Machines; the machine controller does the rest. */
  'machines.apply': call<HostsInput, { machines: Machine[] }>(checkHosts),
  /** Live output of the steps of one machine, or of all; begins with what is kept (last 2,000 lines a machine). */
  'machines.output': stream<{ machine?: string }, MachineOutput>(checkMachine),
  'images.push': stream<ImagePushInput, ImagePushProgress, Uint8Array>(checkImagePush, checkChunk),
  /** Images that the desktop's own Docker has, for pushing. */
  'images.local': call<Record<string, never>, { images: { name: string; bytes: number }[] }>(checkNothing),
  'practice.up': stream<{ hosts: number }, PracticeProgress>(checkPracticeUp),
  'practice.down': stream<Record<string, never>, PracticeProgress>(checkNothing),
  /** Now, and again whenever something changed (at most once a second). */
  'monitoring.snapshot': stream<Record<string, never>, MonitoringSnapshot>(checkNothing),
  /** Asks the scheduler's plugins about every node, for a pod that waits for one. */
  'monitoring.placement': call<{ namespace: string; pod: string }, PlacementAnswer>(checkPodName),
  'monitoring.series': call<{ node: string; namespace?: string; pod?: string; minutes: number }, SeriesAnswer>(checkSeries),
} as const

export type Bridge = typeof bridge
export type MethodName = keyof Bridge
export type CallName = { [M in MethodName]: Bridge[M] extends Call<infer _I, infer _O> ? M : never }[MethodName]
export type StreamName = Exclude<MethodName, CallName>
export type InputOf<M extends MethodName> = Bridge[M] extends Call<infer I, infer _O> ? I : Bridge[M] extends Stream<infer I, infer _O, infer _U> ? I : never
export type OutputOf<M extends MethodName> = Bridge[M] extends Call<infer _I, infer O> ? O : Bridge[M] extends Stream<infer _I, infer O, infer _U> ? O : never
export type UpOf<M extends StreamName> = Bridge[M] extends Stream<infer _I, infer _O, infer U> ? U : never

/** What the main process gives: one function a method. `up` are the items that the window sends. */
export type BridgeHandlers = {
  [M in MethodName]: Bridge[M] extends Call<infer I, infer O>
    ? (input: I, signal: AbortSignal) => Promise<O>
    : Bridge[M] extends Stream<infer I, infer O, infer U>
      ? (input: I, up: AsyncIterable<U>, signal: AbortSignal) => AsyncIterable<O>
      : never
}

/** What the window holds, whatever the carrier. */
export interface BridgeClient {
  call<M extends CallName>(method: M, input: InputOf<M>, signal?: AbortSignal): Promise<OutputOf<M>>
  stream<M extends StreamName>(method: M, input: InputOf<M>, signal?: AbortSignal): BridgeStream<OutputOf<M>, UpOf<M>>
}
export interface BridgeStream<O, U> extends AsyncIterable<O> {
  send(item: U): void
  /** Says that no more input comes. */
  end(): void
  cancel(): void
}
