/** Validation of probes and lifecycle handlers. */
import type { HTTPGetAction, LifecycleHandler, Probe } from '../../generated/core-v1.ts'
import { forbiddenField, invalidValue, notSupported, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import { isHttpHeaderName, isPort, isPortName } from '../../names.ts'
import { nonNegative, oneOf } from '../../validation.ts'

const moreThanOne = 'may not specify more than 1 handler type'

interface Handler {
  exec?: { command?: string[] }
  httpGet?: HTTPGetAction
  tcpSocket?: { port: number | string }
  grpc?: { port: number }
  sleep?: { seconds: number }
}

function portFaults(port: number | string | undefined, path: FieldPath): FieldErrorList {
  if (typeof port === 'string') return isPortName(port).map(text => invalidValue(path, port, text))
  return isPort(port ?? 0).map(text => invalidValue(path, port ?? 0, text))
}

function httpFaults(http: HTTPGetAction, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if (!http.path) faults.push(required(at.child('path'), ''))
  faults.push(...portFaults(http.port, at.child('port')), ...oneOf(http.scheme, ['HTTP', 'HTTPS'], at.child('scheme')))
  for (const header of http.httpHeaders ?? []) faults.push(...isHttpHeaderName(header.name).map(text => invalidValue(at.child('httpHeaders'), header.name, text)))
  return faults
}

function handlerFaults(handler: Handler, at: FieldPath, gracePeriodSeconds: number | undefined): FieldErrorList {
  const faults: FieldErrorList = []
  let count = 0
  const counted = (name: string, check: (path: FieldPath) => FieldErrorList): void => {
    const path = at.child(name)
    faults.push(...(count > 0 ? [forbiddenField(path, moreThanOne)] : check(path)))
    count++
  }
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler
  if (exec !== undefined) counted('exec', path => ((exec.command?.length ?? 0) === 0 ? [required(path.child('command'), '')] : []))
  if (httpGet !== undefined) counted('httpGet', path => httpFaults(httpGet, path))
  if (tcpSocket !== undefined) counted('tcpSocket', path => portFaults(tcpSocket.port, path.child('port')))
  if (grpc !== undefined) counted('grpc', path => isPort(grpc.port).map(text => invalidValue(path.child('port'), grpc.port, text)))
  if (sleep !== undefined) counted('sleep', path => sleepFaults(sleep.seconds, gracePeriodSeconds ?? 30, path))
  return count === 0 ? [required(at, 'must specify a handler type')] : faults
}

function sleepFaults(seconds: number, gracePeriodSeconds: number, path: FieldPath): FieldErrorList {
  const legal = seconds >= 0 && seconds <= gracePeriodSeconds
  return legal ? [] : [invalidValue(path, seconds, `must be non-negative and less than terminationGracePeriodSeconds (${gracePeriodSeconds})`)]
}

/** postStart or preStop. */
export function lifecycleHandlerFaults(handler: LifecycleHandler | undefined, at: FieldPath, gracePeriodSeconds: number | undefined): FieldErrorList {
  return handler === undefined ? [] : handlerFaults(handler, at, gracePeriodSeconds)
}

/** Only SIG names of the node's operating system are legal, and only once the pod names it. */
export function stopSignalFaults(signal: string | undefined, os: string | undefined, path: FieldPath): FieldErrorList {
  if (signal === undefined) return []
  if (os === undefined || os === '') return [forbiddenField(path, 'may not be set for containers with empty `spec.os.name`')]
  return os === 'windows' && signal !== 'SIGTERM' && signal !== 'SIGKILL' ? [notSupported(path, signal, ['SIGKILL', 'SIGTERM'])] : []
}

export type ProbeKind = 'livenessProbe' | 'readinessProbe' | 'startupProbe'

export function probeFaults(probe: Probe | undefined, kind: ProbeKind, at: FieldPath, gracePeriodSeconds: number | undefined): FieldErrorList {
  if (probe === undefined) return []
  const faults = handlerFaults(probe, at, gracePeriodSeconds)
  for (const name of ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'] as const)
    faults.push(...nonNegative(probe[name], at.child(name)))
  const grace = probe.terminationGracePeriodSeconds
  if (grace !== undefined && grace <= 0) faults.push(invalidValue(at.child('terminationGracePeriodSeconds'), grace, 'must be greater than 0'))
  if (kind === 'readinessProbe') {
    if (grace !== undefined) faults.push(invalidValue(at.child('terminationGracePeriodSeconds'), grace, 'must not be set for readinessProbes'))
  } else if (probe.successThreshold !== 1) faults.push(invalidValue(at.child('successThreshold'), probe.successThreshold ?? 0, 'must be 1'))
  return faults
}
