/** JSON Merge Patch (RFC 7396) as the API server applies it. */
import { cloneJson, isObject, setOwn } from '../json.ts'
import type { JsonObject } from '../json.ts'
import { badRequest } from '../status-error.ts'

/** The patched document, sharing nothing with the patch; `document` is altered in place. Throws badRequest where the patch is no object. */
export function applyMergePatch(document: unknown, patch: unknown): unknown {
  if (patch === null) throw badRequest('Invalid JSON Patch')
  if (!isObject(patch)) {
    const type = Array.isArray(patch) ? 'array' : typeof patch === 'boolean' ? 'bool' : typeof patch === 'bigint' ? 'number' : typeof patch
    throw badRequest(`error decoding patch: json: cannot unmarshal ${type} into Go value of type map[string]interface {}`)
  }
  return merge(document, patch)
}

function merge(document: unknown, patch: JsonObject): JsonObject {
  const out: JsonObject = isObject(document) ? document : {}
  for (const key of Object.keys(patch)) {
    const value = patch[key]
    if (value === null) delete out[key]
    else if (isObject(value)) setOwn(out, key, merge(Object.hasOwn(out, key) ? out[key] : undefined, value))
    else setOwn(out, key, cloneJson(value))
  }
  return out
}
