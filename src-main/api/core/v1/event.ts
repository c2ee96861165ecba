import { defineResource } from '../../resource.ts'
import { nameColumn } from '../../columns.ts'
import type { Event } from '../../generated/core-v1.ts'

export type { Event }

export const events = defineResource<Event>({
  group: '', version: 'v1', kind: 'Event', plural: 'events', scope: 'Namespaced',
  shortNames: ['ev'],
  schema: 'io.k8s.api.core.v1.Event',
  columns: [nameColumn()],
  menu: { area: 'cluster', order: 40 },
})
