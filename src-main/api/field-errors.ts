/**
 * Paths and faults of validation, with the wording of Kubernetes' field package. `toAggregate`-style joining into a
 * Status is in status-error.ts (`invalid`).
 */

/** A path such as `spec.containers[0].name` or `metadata.labels[app]`. Immutable. */
export class FieldPath {
  readonly #text: string
  private constructor(text: string) {
    this.#text = text
  }
  static root(...names: string[]): FieldPath {
    return new FieldPath(names.join('.'))
  }
  child(...names: string[]): FieldPath {
    const tail = names.join('.')
    return new FieldPath(this.#text === '' ? tail : `${this.#text}.${tail}`)
  }
  index(i: number): FieldPath {
    return new FieldPath(`${this.#text}[${i}]`)
  }
  key(k: string): FieldPath {
    return new FieldPath(`${this.#text}[${k}]`)
  }
  toString(): string {
    return this.#text === '' ? '<nil>' : this.#text
  }
}

export type FieldErrorType =
  | 'FieldValueNotFound'
  | 'FieldValueRequired'
  | 'FieldValueDuplicate'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'InternalError'
  | 'FieldValueTypeInvalid'

export interface FieldError {
  readonly type: FieldErrorType
  readonly field: string
  /** Text of the cause: `Invalid value: "x": must be …`, without the field. */
  readonly message: string
}

export type FieldErrorList = FieldError[]

/** How Go prints a bad value: strings quoted, numbers and booleans bare, structures as JSON. */
function show(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (typeof value === 'bigint') return value.toString()
  return JSON.stringify(value)
}

function at(path: FieldPath | string): string {
  return path.toString()
}

export function required(path: FieldPath, detail: string): FieldError {
  return { type: 'FieldValueRequired', field: at(path), message: detail === '' ? 'Required value' : `Required value: ${detail}` }
}
export function invalidValue(path: FieldPath, value: unknown, detail: string): FieldError {
  return { type: 'FieldValueInvalid', field: at(path), message: `Invalid value: ${show(value)}: ${detail}` }
}
export function duplicate(path: FieldPath, value: unknown): FieldError {
  return { type: 'FieldValueDuplicate', field: at(path), message: `Duplicate value: ${show(value)}` }
}
export function notSupported(path: FieldPath, value: unknown, supported: readonly string[]): FieldError {
  const list = [...supported]
    .sort()
    .map(v => JSON.stringify(v))
    .join(', ')
  return { type: 'FieldValueNotSupported', field: at(path), message: `Unsupported value: ${show(value)}: supported values: ${list}` }
}
export function forbiddenField(path: FieldPath, detail: string): FieldError {
  return { type: 'FieldValueForbidden', field: at(path), message: `Forbidden: ${detail}` }
}
export function tooLong(path: FieldPath, _value: unknown, max: number): FieldError {
  return { type: 'FieldValueTooLong', field: at(path), message: `Too long: may not be more than ${max} ${max === 1 ? 'byte' : 'bytes'}` }
}
export function tooMany(path: FieldPath, actual: number, max: number): FieldError {
  return { type: 'FieldValueTooMany', field: at(path), message: `Too many: ${actual}: must have at most ${max} ${max === 1 ? 'item' : 'items'}` }
}
export function notFoundField(path: FieldPath, value: unknown): FieldError {
  return { type: 'FieldValueNotFound', field: at(path), message: `Not found: ${show(value)}` }
}
export function typeInvalid(path: FieldPath, value: unknown, detail: string): FieldError {
  return { type: 'FieldValueTypeInvalid', field: at(path), message: `Invalid value: ${show(value)}: ${detail}` }
}
/** As notSupported, for the few lists that Kubernetes gives in its own order. */
export function notSupportedInOrder(path: FieldPath, value: unknown, supported: readonly string[]): FieldError {
  return { type: 'FieldValueNotSupported', field: at(path), message: `Unsupported value: ${show(value)}: supported values: ${supported.map(v => JSON.stringify(v)).join(', ')}` }
}
/** Invalid, where Kubernetes leaves the value out of the text. */
export function invalidWithoutValue(path: FieldPath, detail: string): FieldError {
  return { type: 'FieldValueInvalid', field: at(path), message: `Invalid value: ${detail}` }
}
