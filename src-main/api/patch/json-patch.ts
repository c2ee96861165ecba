/**
 * JSON Patch (RFC 6902) as the API server applies it. Safe against `__proto__` and its like: only own keys are read and
 * set. The document is patched in place and must belong to the caller.
 */
import { cloneJson, deepEqual, isObject, setOwn } from '../json.ts'
import { StatusError, badRequest } from '../status-error.ts'

/** Most operations in one patch, as in Kubernetes. */
export const maxJsonPatchOperations = 10_000

/** Bytes that copies may add to a document: a few doubling copies would fill the memory. */
const maxCopiedBytes = 3 * 1024 * 1024

/** An operation that cannot be done; Kubernetes hides the reason from the client. */
function rejected(): StatusError {
  return new StatusError(422, 'Invalid', 'the server rejected our request due to an error in our request', {})
}

interface Operation {
  readonly op: string
  readonly path: string[]
  readonly from?: string[]
  readonly value: unknown
}

/** The patched document. Throws StatusError: 400 where the patch is none, 413 beyond the limit, 422 where it cannot be applied. */
export function applyJsonPatch(document: unknown, operations: unknown): unknown {
  if (!Array.isArray(operations)) throw badRequest(`json: cannot unmarshal ${typeName(operations)} into Go value of type jsonpatch.Patch`)
  if (operations.length > maxJsonPatchOperations) {
    throw new StatusError(
      413,
      'RequestEntityTooLarge',
      `Request entity too large: The allowed maximum operations in a JSON patch is ${maxJsonPatchOperations}, got ${operations.length}`,
    )
  }
  const patch = new Patch(document)
  for (const operation of operations) patch.apply(readOperation(operation))
  return patch.document
}

function typeName(value: unknown): string {
  return value === null ? 'null' : typeof value === 'boolean' ? 'bool' : typeof value === 'bigint' ? 'number' : typeof value
}

function readOperation(value: unknown): Operation {
  if (!isObject(value)) throw badRequest(`json: cannot unmarshal ${Array.isArray(value) ? 'array' : typeName(value)} into Go value of type jsonpatch.Operation`)
  const { op, path, from } = value
  if (typeof op !== 'string' || typeof path !== 'string') throw rejected()
  const needsFrom = op === 'move' || op === 'copy'
  if (needsFrom && typeof from !== 'string') throw rejected()
  return { op, path: pointer(path), ...(typeof from === 'string' && needsFrom ? { from: pointer(from) } : {}), value: Object.hasOwn(value, 'value') ? value['value'] : null }
}

/** The keys of a JSON pointer. What stands before the first slash does not count, as in Kubernetes' library. */
function pointer(text: string): string[] {
  if (text === '') return []
  const slash = text.indexOf('/')
  if (slash < 0) throw rejected()
  return text
    .slice(slash + 1)
    .split('/')
    .map(key => key.replaceAll('~1', '/').replaceAll('~0', '~'))
}

class Patch {
  document: unknown
  #copied = 0

  constructor(document: unknown) {
    this.document = document
  }

  apply({ op, path, from, value }: Operation): void {
    switch (op) {
      case 'add':
        return this.#add(path, cloneJson(value))
      case 'remove':
        return this.#remove(path)
      case 'replace':
        return this.#replace(path, cloneJson(value))
      case 'move':
        return this.#move(from ?? [], path)
      case 'copy':
        return this.#add(path, this.#copyOf(this.#readOrNull(from ?? [])))
      case 'test':
        return this.#test(path, value)
      default:
        throw rejected()
    }
  }

  #copyOf(value: unknown): unknown {
    this.#copied += JSON.stringify(value, (_key, v: unknown) => (typeof v === 'bigint' ? v.toString() : v))?.length ?? 0
    if (this.#copied > maxCopiedBytes) throw rejected()
    return cloneJson(value)
  }

  #move(from: string[], path: string[]): void {
    if (path.length > from.length && from.every((key, i) => key === path[i])) throw rejected()
    const value = this.#read(from)
    this.#remove(from)
    this.#add(path, value)
  }

  #test(path: string[], value: unknown): void {
    if (!deepEqual(this.#readOrNull(path), value)) throw rejected()
  }

  /** A missing member of an object tests, and is copied, as null. */
  #readOrNull(path: string[]): unknown {
    if (path.length === 0) return this.document
    const parent = this.#parent(path)
    const key = path.at(-1) ?? ''
    if (isObject(parent) && !Object.hasOwn(parent, key)) return null
    return member(parent, key)
  }

  #read(path: string[]): unknown {
    return path.reduce((value, key) => member(value, key), this.document)
  }

  #parent(path: string[]): unknown {
    return this.#read(path.slice(0, -1))
  }

  #add(path: string[], value: unknown): void {
    if (path.length === 0) {
      this.document = value
      return
    }
    const parent = this.#parent(path)
    const key = path.at(-1) ?? ''
    if (Array.isArray(parent)) parent.splice(key === '-' ? parent.length : indexOf(key, parent.length + 1), 0, value)
    else if (isObject(parent)) setOwn(parent, key, value)
    else throw rejected()
  }

  #replace(path: string[], value: unknown): void {
    if (path.length === 0) {
      this.document = value
      return
    }
    const parent = this.#parent(path)
    const key = path.at(-1) ?? ''
    // A missing member is set, as Kubernetes' library does.
    if (Array.isArray(parent)) parent[indexOf(key, parent.length)] = value
    else if (isObject(parent)) setOwn(parent, key, value)
    else throw rejected()
  }

  #remove(path: string[]): void {
    const parent = this.#parent(path)
    const key = path.at(-1)
    if (key === undefined) throw rejected()
    member(parent, key)
    if (Array.isArray(parent)) parent.splice(indexOf(key, parent.length), 1)
    else if (isObject(parent)) delete parent[key]
  }
}

function member(value: unknown, key: string): unknown {
  if (Array.isArray(value)) return value[indexOf(key, value.length)] as unknown
  if (isObject(value) && Object.hasOwn(value, key)) return value[key]
  throw rejected()
}

/** An index below `length`; negative ones count from the end, as Kubernetes' library has it. */
function indexOf(key: string, length: number): number {
  if (!/^-?(0|[1-9]\d{0,8})$/.test(key)) throw rejected()
  const index = Number(key)
  const at = index < 0 ? index + length : index
  if (at < 0 || at >= length) throw rejected()
  return at
}
