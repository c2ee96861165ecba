/** Cells of the tables of policies and bindings. */
import type { ParamKind, ParamRef } from '../../generated/admissionregistration-v1.ts'

const unset = '<unset>'

/** `apps/v1/Deployment`. */
export function paramKindText(kind: ParamKind | undefined): string {
  return kind ? `${kind.apiVersion ?? ''}/${kind.kind ?? ''}` : unset
}

/** `namespace/name`; `*` stands for the namespace of whatever is admitted. A selector is shown as Go prints it. */
export function paramRefText(ref: ParamRef | undefined): string {
  if (ref?.name) return `${ref.namespace || '*'}/${ref.name}`
  if (!ref?.selector) return unset
  const { matchLabels = {}, matchExpressions = [] } = ref.selector
  const labels = Object.keys(matchLabels)
    .sort()
    .map(key => `${key}: ${matchLabels[key]},`)
    .join('')
  const expressions = matchExpressions.map(({ key, operator, values = [] }) => `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${values.join(' ')}],},`).join('')
  return `&LabelSelector{MatchLabels:map[string]string{${labels}},MatchExpressions:[]LabelSelectorRequirement{${expressions}},}`
}
