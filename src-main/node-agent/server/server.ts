/**
 * The agent's HTTPS server on the node's loopback: the kubelet's API for logs, exec, attach, port-forward, pods and
 * metrics. Only the API server may use it: a client certificate of the cluster's CA with group system:masters or the
 * name kube-apiserver-kubelet-client.
 */
import { createServer } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { agentPorts } from '../../api/agent.ts'
import type { AgentConfig } from '../../api/agent.ts'
import { backoffMs } from '../../base/backoff.ts'
import type { Env } from '../../base/env.ts'
import { newKey, selfSigned } from '../certificate-request.ts'
import { loadIdentity, renewalTimeMs, requestIdentity } from '../certificates.ts'
import type { Identity } from '../certificates.ts'
import { containerLogs } from './logs.ts'
import { nodeLogs } from './node-logs.ts'
import { podProxy, podProxyUpgrade } from './pod-proxy.ts'
import { portForward } from './port-forward.ts'
import { remoteCommand } from './remote-command.ts'
import { HttpFault } from './request-scope.ts'
import type { AgentServerOptions, RequestScope } from './request-scope.ts'
import { resourceMetrics, summary } from './stats.ts'
import { StatsCollector } from './stats-collector.ts'

const retry = { initialMs: 2_000, maxMs: 30_000 }
const maxWaitMs = 3_600_000
/** A stalled client must not hold a request for ever before it has sent its headers. */
const headersTimeoutMs = 15_000

export async function startAgentServer(options: AgentServerOptions): Promise<void> {
  const { env, config, signal } = options
  let identity = await loadIdentity(options.stateDir, 'serving', env.clock.now())
  const first = identity ?? temporaryIdentity(env, config)
  const tls = { ca: config.certificateAuthority, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.2' as const }
  const stats = new StatsCollector(options)
  const scope: RequestScope = { ...options, stats }
  const server = createServer({ ...tls, cert: first.certificate, key: first.key, headersTimeout: headersTimeoutMs, requestTimeout: 0 })
  server.on('request', (request, response) => {
    void onRequest(scope, request, response)
  })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    void onUpgrade(scope, request, socket, head)
  })
  server.on('tlsClientError', () => {
    /* strangers on the loopback are turned away; that is not worth a line each */
  })
  void stats.run(signal)
  await listen(server, options)
  signal.addEventListener(
    'abort',
    () => {
      server.closeAllConnections()
      server.close()
    },
    { once: true },
  )
  void options.clientReady.then(async () => {
    for (let attempt = 0; !signal.aborted;) {
      const due = identity ? renewalTimeMs(identity.certificate) - env.clock.now() : 0
      try {
        if (due > 0) {
          await env.clock.sleep(Math.min(due, maxWaitMs), signal)
          continue
        }
        identity = await requestIdentity({ env, client: options.client, config, stateDir: options.stateDir, kind: 'serving', signal })
        server.setSecureContext({ ...tls, cert: identity.certificate, key: identity.key })
        attempt = 0
      } catch (fault) {
        if (signal.aborted) return
        env.log.log('info', 'no serving certificate yet', { fault: fault instanceof Error ? fault.message : String(fault) })
        await env.clock.sleep(backoffMs(retry, attempt++, env.random), signal).catch(() => {})
      }
    }
  })
}

function temporaryIdentity(env: Env, config: AgentConfig): Identity {
  const key = newKey()
  const subject = { commonName: `system:node:${config.nodeName}`, organization: 'system:nodes', dnsNames: [config.nodeName], addresses: [config.nodeAddress] }
  return { key, certificate: selfSigned(key, subject, env.clock.now()) }
}

async function listen(server: ReturnType<typeof createServer>, options: AgentServerOptions): Promise<void> {
  const { env, signal } = options
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(options.port ?? agentPorts.server, '127.0.0.1', () => {
          server.off('error', reject)
          resolve()
        })
      })
      return
    } catch (fault) {
      env.log.log('warn', 'agent server cannot listen', { fault: String(fault) })
      await env.clock.sleep(backoffMs(retry, attempt, env.random), signal).catch(() => {})
    }
  }
}

/** Who asks; throws unless it is the API server. */
function authorize(request: IncomingMessage): void {
  const subject = (request.socket as TLSSocket).getPeerCertificate().subject as { CN?: string; O?: string | string[] } | undefined
  const organizations = subject?.O === undefined ? [] : Array.isArray(subject.O) ? subject.O : [subject.O]
  if (subject?.CN !== 'kube-apiserver-kubelet-client' && !organizations.includes('system:masters')) throw new HttpFault(403, 'Forbidden')
}

async function onRequest(scope: RequestScope, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    authorize(request)
    await route(scope, request, response)
  } catch (fault) {
    if (response.headersSent) {
      response.destroy()
      return
    }
    const code = fault instanceof HttpFault ? fault.code : 500
    response.writeHead(code, { 'Content-Type': 'text/plain; charset=utf-8' }).end(fault instanceof Error ? fault.message : String(fault))
  }
}

async function route(scope: RequestScope, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'https://node')
  const parts = url.pathname
    .split('/')
    .filter(part => part !== '')
    .map(decodeURIComponent)
  const json = (value: unknown): void => {
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(value))
  }
  const text = (value: string, type = 'text/plain; version=0.0.4'): void => {
    response.writeHead(200, { 'Content-Type': type }).end(value)
  }
  switch (parts[0]) {
    case 'healthz':
      text('ok', 'text/plain; charset=utf-8')
      return
    case 'pods':
      json({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: scope.kubelet.pods() })
      return
    case 'runningpods':
      json({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: scope.kubelet.pods().filter(pod => pod.status?.phase === 'Running') })
      return
    case 'containerLogs':
      await containerLogs(scope, parts.slice(1), url.searchParams, request, response)
      return
    case 'logs':
      await nodeLogs(parts.slice(1), url.searchParams, request, response)
      return
    case 'podProxy':
      podProxy(scope, url, request, response)
      return
    case 'stats':
      json(summary(scope))
      return
    case 'metrics':
      text(parts[1] === 'resource' || parts.length === 1 || parts[1] === 'cadvisor' ? resourceMetrics(scope) : '')
      return
    case 'configz':
      json({
        kubeletconfig: {
          kind: 'KubeletConfiguration',
          apiVersion: 'kubelet.config.k8s.io/v1beta1',
          clusterDNS: [scope.config.clusterDNS],
          clusterDomain: scope.config.clusterDomain,
          maxPods: 110,
        },
      })
      return
    case 'exec':
    case 'attach':
    case 'portForward':
      throw new HttpFault(400, 'Upgrade request required')
    default:
      throw new HttpFault(404, '404 page not found')
  }
}

async function onUpgrade(scope: RequestScope, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  socket.on('error', () => {
    socket.destroy()
  })
  try {
    authorize(request)
    const url = new URL(request.url ?? '/', 'https://node')
    const parts = url.pathname
      .split('/')
      .filter(part => part !== '')
      .map(decodeURIComponent)
    if (parts[0] === 'exec' || parts[0] === 'attach') await remoteCommand(scope, parts[0], parts.slice(1), url.searchParams, request, socket, head)
    else if (parts[0] === 'portForward') await portForward(scope, parts.slice(1), request, socket, head)
    else if (parts[0] === 'podProxy') podProxyUpgrade(scope, url, request, socket, head)
    else throw new HttpFault(404, '404 page not found')
  } catch (fault) {
    const code = fault instanceof HttpFault ? fault.code : 500
    const message = fault instanceof Error ? fault.message : String(fault)
    socket.end(
      `HTTP/1.1 ${code} ${code === 403 ? 'Forbidden' : 'Error'}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(message)}\r\nConnection: close\r\n\r\n${message}`,
    )
  }
}
