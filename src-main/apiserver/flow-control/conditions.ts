/** The condition Dangling of FlowSchemas: whether the priority level that they name is there. */
import type { FlowSchema, FlowSchemaCondition } from '../../api/generated/flowcontrol-v1.ts'
import { storageKey } from '../../api/resource.ts'
import { formatTime } from '../../api/time.ts'
import type { Env } from '../../base/env.ts'
import { StoreError } from '../../store/store.ts'
import type { StorableObject, Store } from '../../store/store.ts'

const place = { group: 'flowcontrol.apiserver.k8s.io', plural: 'flowschemas' }

/** Brings the condition of each schema up to date, in the store itself. What somebody else writes meanwhile comes again with the next change. */
export async function updateDangling(options: { env: Env; store: Store; schemas: readonly FlowSchema[]; hasLevel: (name: string) => boolean }): Promise<void> {
  const { env, store } = options
  for (const schema of options.schemas) {
    const wanted = conditionOf(schema, options.hasLevel)
    const present = schema.status?.conditions?.find(one => one.type === 'Dangling')
    if (present?.status === wanted.status && present?.message === wanted.message) continue
    const others = (schema.status?.conditions ?? []).filter(one => one.type !== 'Dangling')
    const changed = present?.status === wanted.status ? present?.lastTransitionTime : undefined
    const condition: FlowSchemaCondition = { ...wanted, lastTransitionTime: changed ?? formatTime(env.clock.now()) }
    const next = { ...schema, status: { ...schema.status, conditions: [...others, condition] } }
    await store
      .put(storageKey(place, '', schema.metadata.name ?? ''), next as unknown as StorableObject, { revision: Number(schema.metadata.resourceVersion) })
      .catch((fault: unknown) => {
        if (!(fault instanceof StoreError)) throw fault
        if (fault.code !== 'conflict' && fault.code !== 'missing') env.log.log('warn', 'the status of a flow schema could not be written', { fault })
      })
  }
}

function conditionOf(schema: FlowSchema, hasLevel: (name: string) => boolean): FlowSchemaCondition {
  const { name } = schema.spec.priorityLevelConfiguration
  const start = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(name)}`
  return hasLevel(name)
    ? { type: 'Dangling', status: 'False', reason: 'Found', message: `${start} and it exists` }
    : { type: 'Dangling', status: 'True', reason: 'NotFound', message: `${start} but there is no such object` }
}
