/** Carries out one probe or lifecycle hook: exec, HTTP, TCP, gRPC health. Answers in kubelets' words. */
import { request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import type { Container, ExecAction, GRPCAction, HTTPGetAction, Probe, TCPSocketAction } from '../../api/generated/core-v1.ts'
import { assert } from '../../base/assert.ts'
import type { Clock } from '../../base/env.ts'
import type { ContainerRuntime } from '../container-runtime/runtime.ts'

export type ProbeResult = { readonly kind: 'success' } | { readonly kind: 'failure' | 'error'; readonly message: string }

/** As upstream: output of a probe is cut so that no event is flooded. */
const maxOutputBytes = 10 * 1024
const grpcRetryMs = 100

export interface ProbeTarget {
  readonly containerID: string
  readonly container: Container
  readonly podIP: string
}

export async function runProbe(runtime: ContainerRuntime, clock: Clock, probe: Probe, target: ProbeTarget): Promise<ProbeResult> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000
  if (probe.exec) return execProbe(runtime, clock, probe.exec, target.containerID, timeoutMs)
  if (probe.httpGet) return httpProbe(probe.httpGet, target, timeoutMs)
  if (probe.tcpSocket) return tcpProbe(probe.tcpSocket, target, timeoutMs)
  if (probe.grpc) return grpcProbe(clock, probe.grpc, target, timeoutMs)
  return { kind: 'error', message: 'missing probe handler' }
}

/** Runs a command; resolves with its output and exit code, or `timedOut`. */
export async function runCommand(
  runtime: ContainerRuntime,
  clock: Clock,
  containerID: string,
  command: readonly string[],
  timeoutMs: number,
): Promise<{ output: string; exitCode: number; timedOut: boolean }> {
  const process = await runtime.exec(containerID, { command, stdin: false, stdout: true, stderr: true, tty: false })
  let output = ''
  let timedOut = false
  const cancel =
    timeoutMs > 0
      ? clock.after(timeoutMs, () => {
          timedOut = true
          process.close()
        })
      : () => {}
  try {
    for await (const chunk of process.output) if (output.length < maxOutputBytes) output += chunk.bytes.toString('utf8')
  } catch (fault) {
    if (!timedOut) throw fault
  } finally {
    cancel()
  }
  if (timedOut) return { output: output.slice(0, maxOutputBytes), exitCode: -1, timedOut }
  return { output: output.slice(0, maxOutputBytes), exitCode: await process.exitCode(), timedOut }
}

async function execProbe(runtime: ContainerRuntime, clock: Clock, action: ExecAction, containerID: string, timeoutMs: number): Promise<ProbeResult> {
  try {
    const result = await runCommand(runtime, clock, containerID, action.command ?? [], timeoutMs)
    if (result.timedOut) return { kind: 'failure', message: `command timed out: "${(action.command ?? []).join(' ')}" timed out after ${timeoutMs / 1000}s` }
    return result.exitCode === 0 ? { kind: 'success' } : { kind: 'failure', message: result.output }
  } catch (fault) {
    return { kind: 'error', message: fault instanceof Error ? fault.message : String(fault) }
  }
}

/** A port by number or by the name of one of the container's ports. Throws where there is no such name. */
export function portNumber(port: unknown, container: Container): number {
  if (typeof port === 'number') return port
  const text = String(port)
  const named = container.ports?.find(candidate => candidate.name === text)
  if (named) return named.containerPort
  const parsed = Number(text)
  if (Number.isInteger(parsed) && parsed > 0) return parsed
  throw new Error(`couldn't find port: ${text}`)
}

export function httpProbe(action: HTTPGetAction, target: ProbeTarget, timeoutMs: number): Promise<ProbeResult> {
  const scheme = (action.scheme ?? 'HTTP').toLowerCase()
  const host = action.host || target.podIP
  let port: number
  try {
    port = portNumber(action.port, target.container)
  } catch (fault) {
    return Promise.resolve({ kind: 'error', message: String(fault) })
  }
  const path = (action.path ?? '/').startsWith('/') ? (action.path ?? '/') : `/${action.path ?? ''}`
  const url = `${scheme}://${host}:${port}${path}`
  const headers: Record<string, string> = { 'User-Agent': 'kube-probe/1.37', Accept: '*/*', Connection: 'close' }
  for (const header of action.httpHeaders ?? []) {
    const present = Object.keys(headers).find(name => name.toLowerCase() === header.name.toLowerCase())
    if (present !== undefined) delete headers[present]
    if (header.value !== '') headers[header.name] = header.value
  }
  return new Promise(resolve => {
    const options = { host, port, path, headers, method: 'GET', agent: false as const, rejectUnauthorized: false }
    const onAnswer = (answer: IncomingMessage): void => {
      clearTimer()
      answer.on('error', () => {}).resume()
      const code = answer.statusCode ?? 0
      request.destroy()
      resolve(code >= 200 && code < 400 ? { kind: 'success' } : { kind: 'failure', message: `HTTP probe failed with statuscode: ${code}` })
    }
    const request = scheme === 'https' ? httpsRequest(options, onAnswer) : httpRequest(options, onAnswer)
    request.setTimeout(timeoutMs)
    const clearTimer = (): void => {
      request.setTimeout(0)
    }
    request.on('timeout', () => {
      request.destroy(new Error('context deadline exceeded (Client.Timeout exceeded while awaiting headers)'))
    })
    request.on('error', fault => {
      resolve({ kind: 'failure', message: `Get "${url}": ${socketFault(fault, host, port)}` })
    })
    request.end()
  })
}

function tcpProbe(action: TCPSocketAction, target: ProbeTarget, timeoutMs: number): Promise<ProbeResult> {
  const host = action.host || target.podIP
  let port: number
  try {
    port = portNumber(action.port, target.container)
  } catch (fault) {
    return Promise.resolve({ kind: 'error', message: String(fault) })
  }
  return new Promise(resolve => {
    const socket = connect({ host, port })
    socket.setTimeout(timeoutMs, () => {
      socket.destroy()
      resolve({ kind: 'failure', message: `dial tcp ${host}:${port}: i/o timeout` })
    })
    socket.on('connect', () => {
      socket.destroy()
      resolve({ kind: 'success' })
    })
    socket.on('error', fault => {
      resolve({ kind: 'failure', message: socketFault(fault, host, port) })
    })
  })
}

/** grpc.health.v1.Health/Check over cleartext HTTP/2; the two messages are small enough to be written by hand. A server that does not listen yet is waited for. */
async function grpcProbe(clock: Clock, action: GRPCAction, target: ProbeTarget, timeoutMs: number): Promise<ProbeResult> {
  const address = `${target.podIP}:${action.port}`
  const deadlineMs = clock.awakeMs() + timeoutMs
  for (;;) {
    const leftMs = deadlineMs - clock.awakeMs()
    const result = leftMs > 0 ? await grpcCall(address, action.service ?? '', leftMs, timeoutMs) : undefined
    if (result) return result
    if (leftMs <= grpcRetryMs) return { kind: 'failure', message: `timeout: failed to connect service "${address}" within ${timeoutMs / 1000}s: context deadline exceeded` }
    await clock.sleep(grpcRetryMs)
  }
}

/** Undefined where no connection came about. */
async function grpcCall(address: string, service: string, leftMs: number, timeoutMs: number): Promise<ProbeResult | undefined> {
  // Few pods have gRPC probes, and the module costs megabytes.
  const { connect: http2Connect } = await import('node:http2')
  const name = Buffer.from(service)
  assert(name.length < 128, 'gRPC service names fit one length byte')
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, name.length]), name])
  const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message])
  return new Promise(resolve => {
    const session = http2Connect(`http://${address}`)
    let connected = false
    const finish = (result: ProbeResult | undefined): void => {
      session.destroy()
      resolve(result)
    }
    const fail = (text: string): void => {
      finish(connected ? { kind: 'failure', message: text } : undefined)
    }
    session.on('connect', () => {
      connected = true
    })
    session.setTimeout(leftMs, () => {
      fail(`timeout: health rpc did not complete within ${timeoutMs / 1000}s`)
    })
    session.on('error', fault => {
      fail(`error: health rpc probe failed: ${fault.message}`)
    })
    const call = session.request({ ':method': 'POST', ':path': '/grpc.health.v1.Health/Check', 'content-type': 'application/grpc', te: 'trailers' })
    let body = Buffer.alloc(0)
    let status = ''
    let text = ''
    const note = (headers: Record<string, unknown>): void => {
      status = String(headers['grpc-status'] ?? status)
      text = String(headers['grpc-message'] ?? text)
    }
    call.on('response', note)
    call.on('trailers', note)
    call.on('data', chunk => {
      if (body.length < 1024) body = Buffer.concat([body, chunk as Buffer])
    })
    call.on('error', fault => {
      fail(`error: health rpc probe failed: ${String(fault)}`)
    })
    call.on('end', () => {
      finish(grpcResult(status, text, body))
    })
    call.end(frame)
  })
}

/** A status code's name as Go's client prints it; codes that a health check may well give. */
const grpcCodes: Readonly<Record<string, string>> = {
  1: 'Canceled',
  2: 'Unknown',
  3: 'InvalidArgument',
  5: 'NotFound',
  7: 'PermissionDenied',
  8: 'ResourceExhausted',
  13: 'Internal',
  14: 'Unavailable',
  16: 'Unauthenticated',
}

function grpcResult(status: string, text: string, body: Buffer): ProbeResult {
  const serving = body.length >= 7 && body[5] === 0x08 ? body[6] : 0
  if (status === '0' || status === '')
    return serving === 1 ? { kind: 'success' } : { kind: 'failure', message: `service unhealthy (responded with "${serving === 2 ? 'NOT_SERVING' : 'UNKNOWN'}")` }
  let message = text
  try {
    message = decodeURIComponent(text)
  } catch {
    /* not encoded */
  }
  if (status === '12') return { kind: 'failure', message: `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${message}` }
  return { kind: 'failure', message: `error: health rpc probe failed: rpc error: code = ${grpcCodes[status] ?? `Code(${status})`} desc = ${message}` }
}

function socketFault(fault: Error, host: string, port: number): string {
  const code = (fault as NodeJS.ErrnoException).code
  if (code === 'ECONNREFUSED') return `dial tcp ${host}:${port}: connect: connection refused`
  if (code === 'EHOSTUNREACH') return `dial tcp ${host}:${port}: connect: no route to host`
  if (code === 'ECONNRESET') return `read tcp ${host}:${port}: connection reset by peer`
  return fault.message
}
