/** Event, in its core shape. events.k8s.io/v1 reads and writes the same objects (events/v1/event.ts). */
import { defineResource } from '../../resource.ts'
import type { Column } from '../../resource.ts'
import { ageText } from '../../columns.ts'
import { invalidValue, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { Event, ObjectReference } from '../../generated/core-v1.ts'
import { isQualifiedName } from '../../names.ts'

export type { Event }

const maxReason = 128
const maxAction = 128
const maxNote = 1024
const maxInstance = 128

/** `pod/web-1`: what kubectl shows as OBJECT. */
export function eventObjectText(reference: ObjectReference | undefined): string {
  const kind = (reference?.kind ?? '').toLowerCase()
  return reference?.name ? `${kind}/${reference.name}` : kind
}

/** When it was seen last: the series' end, lastTimestamp or eventTime; undefined when it tells none. */
export function eventLastSeen(event: Event): string | undefined {
  return event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime ?? undefined
}

export function eventCount(event: Event): number {
  return event.series?.count ?? (event.count || 1)
}

function sourceText(event: Event): string {
  const component = event.source?.component || event.reportingComponent || ''
  const host = event.source?.host || event.reportingInstance || ''
  return host === '' ? component : `${component}, ${host}`
}

function lastSeenText(event: Event, now: number): string {
  const firstSeen = event.firstTimestamp ?? event.eventTime ?? undefined
  const last = event.series !== undefined && event.series !== null ? event.series.lastObservedTime : (event.lastTimestamp ?? undefined)
  return ageText(last ?? firstSeen, now)
}

export const eventColumns: readonly Column<Event>[] = [
  { name: 'Last Seen', type: 'string', format: '', value: lastSeenText },
  { name: 'Type', type: 'string', value: e => e.type ?? '' },
  { name: 'Reason', type: 'string', value: e => e.reason ?? '' },
  { name: 'Object', type: 'string', value: e => eventObjectText(e.involvedObject) },
  { name: 'Subobject', type: 'string', priority: 1, value: e => e.involvedObject?.fieldPath ?? '' },
  { name: 'Source', type: 'string', priority: 1, value: sourceText },
  { name: 'Message', type: 'string', value: e => (e.message ?? '').trim() },
  { name: 'First Seen', type: 'string', priority: 1, value: (e, now) => ageText(e.firstTimestamp ?? e.eventTime ?? undefined, now) },
  { name: 'Count', type: 'string', priority: 1, value: eventCount },
  { name: 'Name', type: 'string', format: 'name', priority: 1, value: e => e.metadata.name ?? '' },
]

/** Faults of an event's place: it lives in the namespace of what it is about, or in `default` for cluster-scoped objects. */
function namespaceFaults(event: Event, at: FieldPath): FieldErrorList {
  const about = event.involvedObject?.namespace ?? ''
  const own = event.metadata.namespace ?? ''
  // With an eventTime, only that of cluster-scoped objects matters.
  if (event.eventTime ? about !== '' || own === 'default' || own === 'kube-system' : about === own || (about === '' && own === 'default')) return []
  return [invalidValue(at.child('involvedObject', 'namespace'), about, 'does not match event.namespace')]
}

/** The stricter rules for events with an eventTime. */
function newStyleFaults(event: Event, at: FieldPath, componentField: string): FieldErrorList {
  const faults: FieldErrorList = []
  const component = event.reportingComponent ?? ''
  if (component === '') faults.push(required(at.child(componentField), ''))
  faults.push(...isQualifiedName(component).map(text => invalidValue(at.child(componentField), component, text)))
  const bounded = (field: 'reportingInstance' | 'action' | 'reason', max: number): void => {
    const value = event[field] ?? ''
    if (value === '') faults.push(required(at.child(field), ''))
    if (value.length > max) faults.push(invalidValue(at.child(field), '', `can have at most ${max} characters`))
  }
  bounded('reportingInstance', maxInstance)
  bounded('action', maxAction)
  bounded('reason', maxReason)
  if ((event.message ?? '').length > maxNote) faults.push(invalidValue(at.child('message'), '', `can have at most ${maxNote} characters`))
  return faults
}

/** `componentField` is what the version calls the component that reports. */
export function eventFaults(event: Event, at: FieldPath, componentField = 'reportingComponent'): FieldErrorList {
  return [...namespaceFaults(event, at), ...(event.eventTime ? newStyleFaults(event, at, componentField) : [])]
}

export const events = defineResource<Event>({
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  scope: 'Namespaced',
  shortNames: ['ev'],
  schema: 'io.k8s.api.core.v1.Event',
  columns: eventColumns,
  menu: { area: 'cluster', order: 40 },
  fields: {
    'involvedObject.kind': e => e.involvedObject?.kind ?? '',
    'involvedObject.namespace': e => e.involvedObject?.namespace ?? '',
    'involvedObject.name': e => e.involvedObject?.name ?? '',
    'involvedObject.uid': e => e.involvedObject?.uid ?? '',
    'involvedObject.apiVersion': e => e.involvedObject?.apiVersion ?? '',
    'involvedObject.resourceVersion': e => e.involvedObject?.resourceVersion ?? '',
    'involvedObject.fieldPath': e => e.involvedObject?.fieldPath ?? '',
    reason: e => e.reason ?? '',
    reportingComponent: e => e.reportingComponent ?? '',
    source: e => e.source?.component || e.reportingComponent || '',
    type: e => e.type ?? '',
  },
  validate: (event, at) => eventFaults(event, at),
})
