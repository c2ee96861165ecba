/**
 * Errors of the API as Kubernetes words them (apimachinery's errors package): one constructor a reason, each with the
 * exact message, code and details. Anything else thrown becomes a plain 500 through statusOf.
 */
import type { Status, StatusCause, StatusDetails } from './generated/meta-v1.ts'
import type { FieldError, FieldErrorList } from './field-errors.ts'
import { quoteGo } from './json.ts'

export type { Status, StatusCause, StatusDetails }

/** An answer other than success, as an exception. `status` is what the client gets. */
export class StatusError extends Error {
  readonly status: Status
  readonly code: number
  readonly reason: string
  constructor(code: number, reason: string, message: string, details?: StatusDetails) {
    super(message)
    this.name = 'StatusError'
    this.code = code
    this.reason = reason
    this.status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      ...(reason === '' ? {} : { reason }),
      ...(details === undefined ? {} : { details }),
      code,
    }
  }

  /** The error of a received Status. */
  static from(status: Status): StatusError {
    return new StatusError(status.code ?? 500, status.reason ?? '', status.message ?? '', status.details)
  }
}

/** `pods`, or `deployments.apps`. */
export function qualified(group: string, resource: string): string {
  return group === '' ? resource : `${resource}.${group}`
}

function detailsOf(group: string, kind: string, name?: string): StatusDetails {
  return { ...(name ? { name } : {}), ...(group === '' ? {} : { group }), ...(kind === '' ? {} : { kind }) }
}

export function notFound(group: string, resource: string, name: string): StatusError {
  return new StatusError(404, 'NotFound', `${qualified(group, resource)} ${quoteGo(name)} not found`, detailsOf(group, resource, name))
}

/** For paths that no handler serves. */
export function pathNotFound(): StatusError {
  return new StatusError(404, 'NotFound', 'the server could not find the requested resource', {})
}

export function alreadyExists(group: string, resource: string, name: string): StatusError {
  return new StatusError(409, 'AlreadyExists', `${qualified(group, resource)} ${quoteGo(name)} already exists`, detailsOf(group, resource, name))
}

/** The name that generateName made was taken. */
export function generateNameConflict(group: string, resource: string, name: string, retryAfterSeconds: number): StatusError {
  return new StatusError(409, 'AlreadyExists', `${qualified(group, resource)} ${quoteGo(name)} already exists, the server was not able to generate a unique name for the object`, {
    ...detailsOf(group, resource, name),
    retryAfterSeconds,
  })
}

export const modifiedMessage = 'the object has been modified; please apply your changes to the latest version and try again'

export function conflict(group: string, resource: string, name: string, message: string = modifiedMessage): StatusError {
  return new StatusError(409, 'Conflict', `Operation cannot be fulfilled on ${qualified(group, resource)} ${quoteGo(name)}: ${message}`, detailsOf(group, resource, name))
}

/** Conflicts of a server-side apply; `causes` name manager and field. */
export function applyConflict(message: string, causes: StatusCause[]): StatusError {
  return new StatusError(409, 'Conflict', message, { causes })
}

/** Text of a fault as one line: `spec.replicas: Invalid value: -1: must be …`. */
export function fieldErrorText(error: FieldError): string {
  return `${error.field}: ${error.message}`
}

/** Joins faults as an aggregate does: one alone bare, several in brackets, each text once. */
export function aggregate(errors: readonly FieldError[]): string {
  const texts = [...new Set(errors.map(fieldErrorText))]
  return texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`
}

/** `group` and `kind` of the object, not of the resource: `Deployment.apps "x" is invalid: …`. */
export function invalid(group: string, kind: string, name: string, errors: FieldErrorList): StatusError {
  const subject = `${qualified(group, kind)} ${quoteGo(name)} is invalid`
  return new StatusError(422, 'Invalid', errors.length === 0 ? subject : `${subject}: ${aggregate(errors)}`, {
    ...detailsOf(group, kind, name),
    ...(errors.length === 0 ? {} : { causes: errors.map(e => ({ reason: e.type, message: e.message, field: e.field })) }),
  })
}

export function forbidden(group: string, resource: string, name: string, message: string): StatusError {
  const subject = resource === '' ? 'forbidden' : name === '' ? `${qualified(group, resource)} is forbidden` : `${qualified(group, resource)} ${quoteGo(name)} is forbidden`
  return new StatusError(403, 'Forbidden', `${subject}: ${message}`, detailsOf(group, resource, name))
}

export function unauthorized(message = 'Unauthorized'): StatusError {
  return new StatusError(401, 'Unauthorized', message)
}

export function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message)
}

/** A verb that the kind has not: `delete is not supported on resources of kind "pods"`. */
export function methodNotAllowed(group: string, resource: string, verb: string): StatusError {
  return new StatusError(405, 'MethodNotAllowed', `${verb} is not supported on resources of kind ${quoteGo(qualified(group, resource))}`, detailsOf(group, resource))
}

/** A method that the path has not. */
export function methodNotAllowedHere(): StatusError {
  return new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {})
}

export function gone(message: string): StatusError {
  return new StatusError(410, 'Gone', message)
}

export function expired(message: string): StatusError {
  return new StatusError(410, 'Expired', message)
}

/** 410 for a continue token whose snapshot is gone; `token` lets the client finish inconsistently. */
export function continueExpired(token: string): StatusError {
  const message =
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.'
  const error = new StatusError(410, 'Expired', message)
  error.status.metadata = { continue: token }
  return error
}

/** `details` may name a Retry-After through retryAfterSeconds. */
export function tooManyRequests(message: string, retryAfterSeconds?: number, causes?: StatusCause[]): StatusError {
  const details: StatusDetails = { ...(causes ? { causes } : {}), ...(retryAfterSeconds ? { retryAfterSeconds } : {}) }
  return new StatusError(429, 'TooManyRequests', message, retryAfterSeconds === undefined && causes === undefined ? undefined : details)
}

export function internalError(message: string): StatusError {
  return new StatusError(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] })
}

/** A 500 without a reason: Kubernetes' answer to errors it has no Status for. */
export function unknownError(message: string): StatusError {
  return new StatusError(500, '', message)
}

export function timeoutError(message: string, retryAfterSeconds = 0): StatusError {
  return new StatusError(504, 'Timeout', `Timeout: ${message}`, retryAfterSeconds > 0 ? { retryAfterSeconds } : {})
}

/** A read asked for a revision that the store has not reached. */
export function tooLargeResourceVersion(asked: string | number | bigint, current: string | number | bigint, retryAfterSeconds = 1): StatusError {
  return new StatusError(504, 'Timeout', `Timeout: Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds,
  })
}

export function serverTimeout(group: string, resource: string, operation: string, retryAfterSeconds = 0): StatusError {
  return new StatusError(500, 'ServerTimeout', `The ${operation} operation against ${qualified(group, resource)} could not be completed at this time, please try again.`, {
    name: operation,
    ...detailsOf(group, resource),
    ...(retryAfterSeconds > 0 ? { retryAfterSeconds } : {}),
  })
}

export function unsupportedMediaType(accepted: readonly string[]): StatusError {
  return new StatusError(415, 'UnsupportedMediaType', `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`)
}

export function notAcceptable(accepted: readonly string[]): StatusError {
  return new StatusError(406, 'NotAcceptable', `only the following media types are accepted: ${accepted.join(', ')}`)
}

export function requestTooLarge(message: string): StatusError {
  return new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: ${message}`)
}

export function serviceUnavailable(message: string): StatusError {
  return new StatusError(503, 'ServiceUnavailable', message)
}

/** The Status of anything thrown. Errors that are no StatusError are 500 without a reason, as in Kubernetes. */
export function statusOf(error: unknown): Status {
  if (error instanceof StatusError) return error.status
  return unknownError(error instanceof Error ? error.message : String(error)).status
}

function reasonOf(error: unknown): string {
  return error instanceof StatusError ? error.reason : ''
}

export function isNotFound(error: unknown): boolean {
  return reasonOf(error) === 'NotFound'
}
export function isAlreadyExists(error: unknown): boolean {
  return reasonOf(error) === 'AlreadyExists'
}
export function isConflict(error: unknown): boolean {
  return reasonOf(error) === 'Conflict'
}
export function isInvalid(error: unknown): boolean {
  return reasonOf(error) === 'Invalid'
}
export function isForbidden(error: unknown): boolean {
  return reasonOf(error) === 'Forbidden'
}
export function isUnauthorized(error: unknown): boolean {
  return reasonOf(error) === 'Unauthorized'
}
export function isBadRequest(error: unknown): boolean {
  return reasonOf(error) === 'BadRequest'
}
export function isExpired(error: unknown): boolean {
  return reasonOf(error) === 'Expired' || reasonOf(error) === 'Gone'
}
export function isTooManyRequests(error: unknown): boolean {
  return reasonOf(error) === 'TooManyRequests'
}
