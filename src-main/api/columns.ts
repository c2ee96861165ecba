/** Cells that many kinds share, with the texts of kubectl's server-side printers. Pure. */
import type { Column } from './resource.ts'
import type { KubernetesObject, LabelSelector } from './meta.ts'
import type { PodSpec } from './generated/core-v1.ts'
import { humanDuration, parseTime } from './time.ts'
import { labelSelectorToString } from './selectors.ts'

export const none = '<none>'
export const unknown = '<unknown>'
export const unset = '<unset>'

/** `5m`, `3d4h`: the time since a timestamp; `<unknown>` without one. */
export function ageText(timestamp: string | undefined, now: number): string {
  if (timestamp === undefined) return unknown
  const at = parseTime(timestamp)
  return Number.isNaN(at) ? unknown : humanDuration(now - at)
}

export function nameColumn<T extends KubernetesObject>(): Column<T> {
  return { name: 'Name', type: 'string', format: 'name', value: o => o.metadata.name ?? '' }
}

export function ageColumn<T extends KubernetesObject>(): Column<T> {
  return { name: 'Age', type: 'string', value: (o, now) => ageText(o.metadata.creationTimestamp, now) }
}

/** Kinds without a printer of their own show name and creation time. */
export function createdAtColumn<T extends KubernetesObject>(): Column<T> {
  return { name: 'Created At', type: 'date', value: o => o.metadata.creationTimestamp ?? null }
}

/** `a=b,c=d` in key order, `<none>` when empty. */
export function labelsText(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.keys(labels ?? {})
    .sort()
    .map(key => `${key}=${labels?.[key] ?? ''}`)
  return pairs.length === 0 ? none : pairs.join(',')
}

/** A label selector as text, `<none>` when it is absent or empty. */
export function selectorText(selector: LabelSelector | undefined): string {
  if (selector === undefined) return none
  const text = labelSelectorToString(selector)
  return text === '' ? none : text
}

/** The wide columns Containers and Images of everything that has a pod template. */
export function containerColumns<T>(podSpecOf: (object: T) => PodSpec | undefined, priority = 1): Column<T>[] {
  return [
    {
      name: 'Containers',
      type: 'string',
      priority,
      value: o =>
        containersOf(podSpecOf(o))
          .map(c => c.name)
          .join(','),
    },
    {
      name: 'Images',
      type: 'string',
      priority,
      value: o =>
        containersOf(podSpecOf(o))
          .map(c => c.image ?? '')
          .join(','),
    },
  ]
}

function containersOf(spec: PodSpec | undefined): PodSpec['containers'] {
  return spec?.containers ?? []
}
