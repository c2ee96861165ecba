/** What the status of FlowSchema and PriorityLevelConfiguration check alike. */
import { duplicate, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'

export function flowConditionsFaults(conditions: readonly { readonly type: string }[] | undefined, at: FieldPath): FieldErrorList {
  const types = new Set<string>()
  return (conditions ?? []).flatMap(({ type }, i) => {
    const path = at.child('conditions').index(i).child('type')
    const faults = [...(types.has(type) ? [duplicate(path, type)] : []), ...(type ? [] : [required(path, '')])]
    types.add(type)
    return faults
  })
}
