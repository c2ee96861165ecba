/**
 * JSON as the stores keep it: integers beyond 2^53 are bigint in memory and plain digits on disk; `__proto__` and
 * `toJSON` are data like any other key.
 */

const encoder = new TextEncoder()

/** Newer than TypeScript's declarations of JSON. */
const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON

function bigintAsDigits(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? rawJson(value.toString()) : value
}

/** UTF-8 JSON of a plain value. The plain call is several times faster, so the replacer runs only where a bigint made it throw. */
export function encodeStored(value: unknown): Uint8Array {
  let text: string
  try {
    text = JSON.stringify(value)
  } catch (fault) {
    if (!(fault instanceof TypeError)) throw fault
    text = JSON.stringify(value, bigintAsDigits)
  }
  return encoder.encode(text)
}

const longDigits = /[0-9]{16}/

function exactIntegers(this: unknown, _key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || context?.source === undefined) return value
  return /^-?[0-9]+$/.test(context.source) ? BigInt(context.source) : value
}

/** The inverse of encodeStored. Throws SyntaxError. */
export function decodeStored(bytes: Uint8Array): unknown {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
  return longDigits.test(text) ? JSON.parse(text, exactIntegers as (key: string, value: unknown) => unknown) : JSON.parse(text)
}

/** Freezes a plain JSON value in place, stopping at parts that are frozen already. */
export function freezeDeep<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  freezeParts(value as Record<string, unknown>)
  return value
}

/** No list of values is made on the way: half the time of the plain form, on every object that is read or written. */
function freezeParts(value: Record<string, unknown> | readonly unknown[]): void {
  if (Array.isArray(value)) {
    for (const part of value as readonly unknown[]) if (typeof part === 'object' && part !== null && !Object.isFrozen(part)) freezeParts(part as Record<string, unknown>)
  } else {
    for (const key in value) {
      const part = (value as Record<string, unknown>)[key]
      if (typeof part === 'object' && part !== null && !Object.isFrozen(part)) freezeParts(part as Record<string, unknown>)
    }
  }
  Object.freeze(value)
}
