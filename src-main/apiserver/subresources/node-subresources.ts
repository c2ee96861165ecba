/**
 * Subresources that a node answers: pods/log, exec, attach, portforward, and the proxies. What can be known without the
 * node is checked here, with Kubernetes' texts; then the request goes to the agent as it came.
 */
import type { Duplex } from 'node:stream'
import { badRequest, invalid, notFound, serviceUnavailable } from '../../api/status-error.ts'
import { FieldPath, invalidValue, type FieldErrorList } from '../../api/field-errors.ts'
import type { Node, Pod, Service } from '../../api/generated/core-v1.ts'
import type { ApiResponse } from '../../api/request.ts'
import type { Env } from '../../base/env.ts'
import type { SubresourceContext, SubresourceHandler } from '../contracts.ts'
import { places, type LiveCopies } from '../live-copy.ts'
import { askAgent, type AgentAccess } from './agent-connection.ts'
import { forwardAnswer, forwardedHeaders, joinUpgrade, refuseUpgrade } from './forward.ts'
import { withOwnLinks } from './proxied-links.ts'

export interface NodeSubresourceOptions extends AgentAccess {
  readonly env: Env
  readonly copies: LiveCopies
}

/** Where a request goes: path and query on the agent of a node. */
interface Target {
  readonly node: string
  readonly path: string
}

/** The proxies of pods, services and nodes show pages: their own links lead through the proxy again. */
interface ProxyTarget extends Target {
  readonly rest: string
}

/** By `plural/subresource`. */
export function nodeSubresources(options: NodeSubresourceOptions): ReadonlyMap<string, SubresourceHandler> {
  const pods = options.copies.of<Pod>(places.pods)
  const nodes = options.copies.of<Node>(places.nodes)
  const services = options.copies.of<Service>(places.services)

  const podOf = (context: SubresourceContext): Pod => {
    const pod = pods.get(context.info.namespace, context.info.name)
    if (!pod) throw notFound('', 'pods', context.info.name)
    return pod
  }
  const podTarget = (context: SubresourceContext, agentPath: 'containerLogs' | 'exec' | 'attach'): Target | 'not-started' => {
    const pod = podOf(context)
    const { query, namespace, name } = context.info
    if (agentPath === 'containerLogs') checkLogOptions(query, name)
    else checkStreams(query, agentPath)
    const container = containerOf(pod, query.get('container') ?? '')
    const node = pod.spec?.nodeName ?? ''
    if (node === '') {
      if (agentPath === 'containerLogs') return 'not-started'
      throw badRequest(`pod ${name} does not have a host assigned`)
    }
    const forwarded = new URLSearchParams([...query].filter(([key]) => key !== 'container' && key !== 'insecureSkipTLSVerifyBackend'))
    return { node, path: `/${agentPath}/${namespace}/${name}/${encodeURIComponent(container)}${forwarded.size > 0 ? `?${forwarded.toString()}` : ''}` }
  }
  const forwardTarget = (context: SubresourceContext): Target => {
    const pod = podOf(context)
    const node = pod.spec?.nodeName ?? ''
    if (node === '') throw badRequest(`pod ${context.info.name} does not have a host assigned`)
    const query = context.info.query.toString()
    return { node, path: `/portForward/${context.info.namespace}/${context.info.name}${query === '' ? '' : `?${query}`}` }
  }
  const nodeTarget = (context: SubresourceContext): ProxyTarget => {
    const [name] = splitName(context.info.name)
    if (!nodes.get('', name)) throw notFound('', 'nodes', name)
    const rest = restOfPath(context)
    return { node: name, path: rest, rest }
  }

  const streaming = (target: (context: SubresourceContext) => Target | 'not-started'): SubresourceHandler => ({
    async handle(context) {
      const where = target(context)
      if (where === 'not-started') return { status: 200, headers: { 'content-type': 'text/plain' }, body: { kind: 'bytes', chunks: [] } }
      return pass(options, context, where)
    },
    upgrade: (context, socket, head) =>
      passUpgrade(
        options,
        context,
        () => {
          const where = target(context)
          if (where === 'not-started') throw badRequest('the pod has no node yet')
          return where
        },
        socket,
        head,
      ),
  })
  const proxy = (target: (context: SubresourceContext) => ProxyTarget): SubresourceHandler => ({
    async handle(context) {
      const where = target(context)
      const [path = '', query] = context.request.url.split('?', 2)
      const { method } = context.request
      // A page's relative links need the slash.
      if (path.endsWith('/proxy') && (method === 'GET' || method === 'HEAD'))
        return { status: 301, headers: { location: `${path}/${query === undefined ? '' : `?${query}`}` }, body: { kind: 'bytes', chunks: [] } }
      const rest = where.rest.split('?', 1)[0] ?? ''
      return withOwnLinks(await pass(options, context, where), path.endsWith(rest) ? path.slice(0, path.length - rest.length) : path)
    },
    upgrade: (context, socket, head) => passUpgrade(options, context, () => target(context), socket, head),
  })
  const upgradeOnly = (target: (context: SubresourceContext) => Target | 'not-started'): SubresourceHandler => ({
    handle: context => {
      target(context)
      return Promise.reject(badRequest('Upgrade request required'))
    },
    upgrade: streaming(target).upgrade,
  })
  // Pods and services are reached through the agent of the node where the pod runs: only it is in the pods' network.
  const podProxy = (context: SubresourceContext): ProxyTarget => {
    const [name, port, scheme] = splitName(context.info.name)
    const pod = pods.get(context.info.namespace, name)
    if (!pod) throw notFound('', 'pods', name)
    if (!pod.spec?.nodeName || !pod.status?.podIP) throw badRequest('address not allowed')
    return proxyTarget(pod, port === '' ? (pod.spec.containers.flatMap(one => one.ports ?? [])[0]?.containerPort ?? 80) : podPort(pod, port), scheme, context)
  }
  const serviceProxy = (context: SubresourceContext): ProxyTarget => {
    const [name, port, scheme] = splitName(context.info.name)
    const service = services.get(context.info.namespace, name)
    if (!service) throw notFound('', 'services', name)
    const ports = service.spec?.ports ?? []
    const found = port === '' && ports.length === 1 ? ports[0] : ports.find(one => one.name === port || String(one.port) === port)
    const selector = Object.entries(service.spec?.selector ?? {})
    if (!found || selector.length === 0) throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(context.info.name)}`)
    const ready = pods
      .list(context.info.namespace)
      .find(
        pod =>
          pod.status?.podIP &&
          pod.status.conditions?.some(one => one.type === 'Ready' && one.status === 'True') &&
          selector.every(([key, value]) => pod.metadata.labels?.[key] === value),
      )
    if (!ready) throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(context.info.name)}`)
    return proxyTarget(ready, podPort(ready, String(found.targetPort ?? found.port)), scheme, context)
  }
  return new Map<string, SubresourceHandler>([
    ['pods/log', streaming(context => podTarget(context, 'containerLogs'))],
    ['pods/exec', upgradeOnly(context => podTarget(context, 'exec'))],
    ['pods/attach', upgradeOnly(context => podTarget(context, 'attach'))],
    ['pods/portforward', upgradeOnly(forwardTarget)],
    ['pods/proxy', proxy(podProxy)],
    ['services/proxy', proxy(serviceProxy)],
    ['nodes/proxy', proxy(nodeTarget)],
  ])
}

async function pass(access: AgentAccess, context: SubresourceContext, target: Target): Promise<ApiResponse> {
  const { request } = context
  const body = request.body && 'bytes' in request.body ? request.body.bytes : undefined
  const answer = await askAgent(access, {
    node: target.node,
    method: request.method,
    path: target.path,
    headers: forwardedHeaders(request.headers),
    ...(body ? { body } : {}),
    ...(request.signal ? { signal: request.signal } : {}),
  })
  if (answer.kind === 'upgrade') {
    answer.stream.destroy()
    throw badRequest('the node switched protocols unasked')
  }
  return forwardAnswer(answer.message)
}

async function passUpgrade(access: AgentAccess, context: SubresourceContext, target: () => Target, socket: Duplex, head: Uint8Array): Promise<void> {
  try {
    const { request } = context
    const { node, path } = target()
    const answer = await askAgent(access, {
      node,
      method: request.method,
      path,
      headers: forwardedHeaders(request.headers, true),
      ...(request.signal ? { signal: request.signal } : {}),
    })
    await joinUpgrade(answer, socket, head)
  } catch (fault) {
    refuseUpgrade(socket, fault)
  }
}

/* ---- checks ---- */

/** The container to use; the annotation of kubectl or the only one when none is named. */
function containerOf(pod: Pod, asked: string): string {
  const name = pod.metadata.name ?? ''
  const names = (list: readonly { name: string }[] | undefined): string[] => (list ?? []).map(one => one.name)
  const [usual, init, ephemeral] = [names(pod.spec?.containers), names(pod.spec?.initContainers), names(pod.spec?.ephemeralContainers)]
  if (asked !== '') {
    if ([...usual, ...init, ...ephemeral].includes(asked)) return asked
    throw badRequest(`container ${asked} is not valid for pod ${name}`)
  }
  const [only] = usual
  if (usual.length === 1 && only !== undefined) return only
  const annotated = pod.metadata.annotations?.['kubectl.kubernetes.io/default-container']
  if (annotated !== undefined && usual.includes(annotated)) return annotated
  const choice = init.length > 0 ? `choose one of: [${usual.join(' ')}] or one of the init containers: [${init.join(' ')}]` : `choose one of: [${usual.join(' ')}]`
  throw badRequest(`a container name must be specified for pod ${name}, ${choice}`)
}

function checkStreams(query: URLSearchParams, action: 'exec' | 'attach'): void {
  const on = (key: string): boolean => ['true', '1'].includes(query.get(key) ?? '')
  if (!on('stdin') && !on('stdout') && !on('stderr')) throw badRequest('you must specify at least 1 of stdin, stdout, stderr')
  if (on('tty') && on('stderr')) throw badRequest('tty and stderr cannot both be true')
  if (action === 'exec' && query.getAll('command').length === 0) throw badRequest('you must specify at least one command')
}

function checkLogOptions(query: URLSearchParams, name: string): void {
  const faults: FieldErrorList = []
  const number = (key: string): number | undefined => {
    const text = query.get(key)
    if (text === null) return undefined
    const parsed = Number(text)
    if (text === '' || !Number.isInteger(parsed)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
    return parsed
  }
  const tail = number('tailLines')
  if (tail !== undefined && tail < 0) faults.push(invalidValue(FieldPath.root('tailLines'), tail, 'must be greater than or equal to 0'))
  const limit = number('limitBytes')
  if (limit !== undefined && limit < 1) faults.push(invalidValue(FieldPath.root('limitBytes'), limit, 'must be greater than 0'))
  const since = number('sinceSeconds')
  if (since !== undefined && query.has('sinceTime'))
    faults.push({ type: 'FieldValueForbidden', field: '', message: 'Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified' })
  if (since !== undefined && since < 1) faults.push(invalidValue(FieldPath.root('sinceSeconds'), since, 'must be greater than 0'))
  if (faults.length > 0) throw invalid('', 'PodLogOptions', name, faults)
}

/* ---- proxies ---- */

/** `[scheme:]name[:port]` of proxy paths. */
function splitName(text: string): [name: string, port: string, scheme: 'http' | 'https'] {
  const parts = text.split(':')
  if (parts.length === 1) return [parts[0] ?? '', '', 'http']
  if (parts.length === 2) return [parts[0] ?? '', parts[1] ?? '', 'http']
  if (parts.length === 3 && (parts[0] === 'http' || parts[0] === 'https' || parts[0] === '')) return [parts[1] ?? '', parts[2] ?? '', parts[0] === 'https' ? 'https' : 'http']
  throw badRequest(`invalid proxy request ${JSON.stringify(text)}`)
}

function podPort(pod: Pod, port: string): number {
  const named = pod.spec?.containers.flatMap(one => one.ports ?? []).find(one => one.name === port)
  const number = named?.containerPort ?? Number(port)
  if (!Number.isInteger(number) || number < 1 || number > 65535) throw badRequest(`no port ${JSON.stringify(port)} in pod ${JSON.stringify(pod.metadata.name ?? '')}`)
  return number
}

/**
 * Everything after `/proxy` of the request, query included, still percent-encoded. Dot segments (also written %2e) are
 * resolved within it: they must not climb out to other paths of the agent, which trusts us with everything.
 */
function restOfPath(context: SubresourceContext): string {
  const [path = '', query] = context.request.url.split('?', 2)
  const segments = path.split('/')
  const at = segments.findIndex((segment, i) => segment === 'proxy' && decodeURIComponent(segments[i - 1] ?? '') === context.info.name)
  const resolved = new URL(`http://node/${at < 0 ? '' : segments.slice(at + 1).join('/')}`).pathname
  return `${resolved}${query === undefined ? '' : `?${query}`}`
}

/** The agent's way into its pods' network: /podProxy/<namespace>/<pod>/<[https:]port>/<path>. */
function proxyTarget(pod: Pod, port: number, scheme: 'http' | 'https', context: SubresourceContext): ProxyTarget {
  const rest = restOfPath(context)
  const where = `${scheme === 'https' ? 'https:' : ''}${port}`
  return { node: pod.spec?.nodeName ?? '', path: `/podProxy/${pod.metadata.namespace ?? ''}/${pod.metadata.name ?? ''}/${where}${rest}`, rest }
}
