/** How Go's %v prints decoded JSON: `map[a:1 b:[x y]]`, keys sorted. Some of Kubernetes' errors repeat values so. */
import { compareBytes, isObject } from '../json.ts'

export function goMap(value: unknown): string {
  if (value === null || value === undefined) return '<nil>'
  if (Array.isArray(value)) return `[${value.map(goMap).join(' ')}]`
  if (isObject(value))
    return `map[${Object.keys(value)
      .sort(compareBytes)
      .map(key => `${key}:${goMap(value[key])}`)
      .join(' ')}]`
  return String(value)
}
