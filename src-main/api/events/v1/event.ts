import { defineResource } from '../../resource.ts'
import { nameColumn } from '../../columns.ts'
import type { Event } from '../../generated/events-v1.ts'

export type { Event }

export const eventsV1 = defineResource<Event>({
  group: 'events.k8s.io', version: 'v1', kind: 'Event', plural: 'events', scope: 'Namespaced',
  shortNames: ['ev'],
  schema: 'io.k8s.api.events.v1.Event',
  columns: [nameColumn()],
})
