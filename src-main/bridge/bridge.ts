/**
 * Serves the window: the Kubernetes calls on the API function itself, the rest by the parts that are given. A part that is
 * not there answers 'unavailable', so that the window can say so instead of showing emptiness.
 */
import { BridgeError } from '../api/bridge.ts'
import type { AppInfo, BridgeHandlers, KubernetesAnswer, KubernetesRequest, MethodName } from '../api/bridge.ts'
import type { ApiBody, ApiHandler, ApiRequest, ApiResponse, UserInfo } from '../api/request.ts'
import { openExec } from './exec.ts'
import type { Upgrade } from './exec.ts'

type Part<Prefix extends string> = { [M in MethodName as M extends `${Prefix}.${string}` ? M : never]?: BridgeHandlers[M] }

export interface BridgeParts {
  readonly info: () => Promise<AppInfo>
  readonly handle: ApiHandler
  readonly upgrade: Upgrade
  /** Whose rights the window has. */
  readonly user: UserInfo
  readonly machines?: Part<'machines'>
  readonly images?: Part<'images'>
  readonly practice?: Part<'practice'>
  readonly monitoring?: Part<'monitoring'>
}

/** Answers of kubernetes.request hold at most this much; lists are read in pages. */
const maxAnswerBytes = 64 * 2 ** 20

export function createBridgeHandlers(parts: BridgeParts): BridgeHandlers {
  const missing = (what: string): never => {
    throw new BridgeError('unavailable', `${what} is not available in this Quarterdeck`)
  }
  const noCall = (what: string) => async (): Promise<never> => missing(what)
  const noStream = (what: string) =>
    // eslint-disable-next-line require-yield -- it only ever throws
    async function* (): AsyncGenerator<never> {
      missing(what)
    }
  const { machines = {}, images = {}, practice = {}, monitoring = {} } = parts
  return {
    'app.info': () => parts.info(),
    'kubernetes.request': (input, signal) => request(parts, input, signal),
    'kubernetes.stream': (input, _up, signal) => stream(parts, input, signal),
    'kubernetes.exec': (input, up, signal) => openExec({ upgrade: parts.upgrade, user: parts.user, path: input.path }, up, signal),
    'machines.tryConnect': machines['machines.tryConnect'] ?? noCall('setting up machines'),
    'machines.sshConfig': machines['machines.sshConfig'] ?? noCall('setting up machines'),
    'machines.preflight': machines['machines.preflight'] ?? noStream('setting up machines'),
    'machines.plan': machines['machines.plan'] ?? noCall('setting up machines'),
    'machines.apply': machines['machines.apply'] ?? noCall('setting up machines'),
    'machines.output': machines['machines.output'] ?? noStream('the output of machines'),
    'images.push': images['images.push'] ?? noStream('pushing images'),
    'images.local': images['images.local'] ?? noCall('listing local images'),
    'practice.up': practice['practice.up'] ?? noStream('making practice hosts'),
    'practice.down': practice['practice.down'] ?? noStream('making practice hosts'),
    'monitoring.snapshot': monitoring['monitoring.snapshot'] ?? noStream('monitoring'),
    'monitoring.series': monitoring['monitoring.series'] ?? noCall('monitoring'),
    'monitoring.placement': monitoring['monitoring.placement'] ?? noCall('monitoring'),
  }
}

async function request(parts: BridgeParts, input: KubernetesRequest, signal: AbortSignal): Promise<KubernetesAnswer> {
  if (/[?&](watch|follow)=(true|1)(&|$)/.test(input.path)) throw new BridgeError('invalid', 'watches and followed logs go by kubernetes.stream')
  const asked: ApiRequest = {
    method: input.method,
    url: input.path,
    headers: { accept: 'application/json', ...input.headers },
    user: parts.user,
    signal,
    answer: 'objects',
    ...(input.body === undefined ? {} : { body: typeof input.body === 'string' ? { bytes: new TextEncoder().encode(input.body) } : { object: input.body } }),
  }
  const response = await parts.handle(asked)
  const contentType = one(response.headers['content-type'])
  return { status: response.status, contentType, body: await valueOf(response.body, contentType), warnings: warningsOf(response) }
}

async function valueOf(body: ApiBody, contentType: string): Promise<unknown> {
  if (body.kind === 'none') return null
  if (body.kind === 'object') return body.object
  if (body.kind === 'events') throw new BridgeError('invalid', 'watches go by kubernetes.stream')
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body.chunks) {
    size += chunk.length
    if (size > maxAnswerBytes) throw new BridgeError('too-large', 'the answer is larger than 64 MiB', 'Ask for it in pages or with a selector.')
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString('utf8')
  if (!/json/.test(contentType)) return text
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

async function* stream(
  parts: BridgeParts,
  input: { path: string; accept?: string },
  signal: AbortSignal,
): AsyncGenerator<{ status: number; contentType: string } | { text: string }> {
  const response = await parts.handle({ method: 'GET', url: input.path, headers: { accept: input.accept ?? 'application/json' }, user: parts.user, signal, answer: 'bytes' })
  yield { status: response.status, contentType: one(response.headers['content-type']) }
  const { body } = response
  if (body.kind === 'object') {
    yield { text: JSON.stringify(body.object) }
    return
  }
  if (body.kind === 'events') {
    for await (const event of body.events) yield { text: `${JSON.stringify(event)}\n` }
    return
  }
  if (body.kind === 'none') return
  // One decoder for the whole stream: a character may be cut by the border of two chunks.
  const decoder = new TextDecoder()
  for await (const chunk of body.chunks) {
    if (signal.aborted) return
    const text = decoder.decode(chunk, { stream: true })
    if (text !== '') yield { text }
  }
  const rest = decoder.decode()
  if (rest !== '') yield { text: rest }
}

function one(value: string | readonly string[] | undefined): string {
  return typeof value === 'string' ? value : (value?.[0] ?? '')
}

/** The texts of Warning headers: `299 - "text"`. */
function warningsOf(response: ApiResponse): string[] {
  const header = response.headers['warning']
  const all = header === undefined ? [] : typeof header === 'string' ? [header] : header
  return all.map(text => /^\d{3} \S+ "(.*)"$/.exec(text)?.[1]?.replaceAll('\\"', '"') ?? text)
}
