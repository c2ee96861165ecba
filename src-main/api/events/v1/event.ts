/** Event of events.k8s.io/v1: the same stored objects as core/v1 Event under newer field names. */
import { defineResource } from '../../resource.ts'
import { events as coreEvents, eventColumns } from '../../core/v1/event.ts'
import type { Event as CoreEvent } from '../../generated/core-v1.ts'
import type { Event } from '../../generated/events-v1.ts'
import { invalidValue, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { KubernetesObject } from '../../meta.ts'
import { deepEqual } from '../../json.ts'
import { eventFaults } from '../../core/v1/event.ts'

export type { Event }

/** New name → core name, where they differ. */
const renamed: Readonly<Record<string, string>> = {
  regarding: 'involvedObject',
  note: 'message',
  reportingController: 'reportingComponent',
  deprecatedSource: 'source',
  deprecatedFirstTimestamp: 'firstTimestamp',
  deprecatedLastTimestamp: 'lastTimestamp',
  deprecatedCount: 'count',
}
const renamedBack = Object.fromEntries(Object.entries(renamed).map(([next, core]) => [core, next]))

function rename(object: KubernetesObject, names: Readonly<Record<string, string>>, apiVersion: string): KubernetesObject {
  const out: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(object)) out[Object.hasOwn(names, key) ? (names[key] ?? key) : key] = value
  return { ...out, apiVersion, kind: 'Event', metadata: object.metadata }
}

export function toCoreEvent(event: Event): CoreEvent {
  return rename(event, renamed, 'v1') as CoreEvent
}

function fromCoreEvent(stored: KubernetesObject): Event {
  const event = rename(stored, renamedBack, 'events.k8s.io/v1') as unknown as Event
  // Core events always say these, if only as nothing.
  if (event.reportingController === '') delete event.reportingController
  if (event.reportingInstance === '') delete event.reportingInstance
  return event
}

function validate(event: Event, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = eventFaults(toCoreEvent(event), at, 'reportingController')
  if (event.series !== undefined) {
    if ((event.series.count ?? 0) < 2) faults.push(invalidValue(at.child('series.count'), '', 'should be at least 2'))
    if (!event.series.lastObservedTime) faults.push(required(at.child('series.lastObservedTime'), ''))
  }
  if (!event.eventTime) faults.push(required(at.child('eventTime'), ''))
  if (event.type !== 'Normal' && event.type !== 'Warning') faults.push(invalidValue(at.child('type'), '', 'has invalid value: ' + (event.type ?? '')))
  if (event.deprecatedFirstTimestamp) faults.push(invalidValue(at.child('firstTimestamp'), '', 'needs to be unset'))
  if (event.deprecatedLastTimestamp) faults.push(invalidValue(at.child('lastTimestamp'), '', 'needs to be unset'))
  if (event.deprecatedCount) faults.push(invalidValue(at.child('count'), '', 'needs to be unset'))
  if (event.deprecatedSource?.component || event.deprecatedSource?.host) faults.push(invalidValue(at.child('source'), '', 'needs to be unset'))
  return faults
}

const frozen = ['involvedObject', 'reason', 'message', 'action', 'reportingInstance', 'type'] as const

export const eventsV1 = defineResource<Event>({
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  scope: 'Namespaced',
  shortNames: ['ev'],
  schema: 'io.k8s.api.events.v1.Event',
  conversion: { of: coreEvents, toStored: toCoreEvent, fromStored: fromCoreEvent },
  columns: eventColumns.map(column => ({ ...column, value: (event: Event, now: number) => column.value(toCoreEvent(event), now) })),
  fields: {
    'regarding.kind': e => e.regarding?.kind ?? '',
    'regarding.namespace': e => e.regarding?.namespace ?? '',
    'regarding.name': e => e.regarding?.name ?? '',
    'regarding.uid': e => e.regarding?.uid ?? '',
    'regarding.apiVersion': e => e.regarding?.apiVersion ?? '',
    'regarding.resourceVersion': e => e.regarding?.resourceVersion ?? '',
    'regarding.fieldPath': e => e.regarding?.fieldPath ?? '',
    reason: e => e.reason ?? '',
    reportingController: e => e.reportingController ?? '',
    type: e => e.type ?? '',
  },
  validate,
  validateUpdate(next, previous, at) {
    const [to, from] = [toCoreEvent(next), toCoreEvent(previous)]
    return frozen.filter(field => !deepEqual(to[field] ?? null, from[field] ?? null)).map(field => invalidValue(at.child(field), to[field] ?? '', 'field is immutable'))
  },
})
