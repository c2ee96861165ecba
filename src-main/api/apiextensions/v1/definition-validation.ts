import type { CustomResourceDefinition } from '../../generated/apiextensions-v1.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'

export function definitionFaults(_definition: CustomResourceDefinition, _previous: CustomResourceDefinition | undefined, _at: FieldPath): FieldErrorList {
  return []
}
export function definitionStatusFaults(_definition: CustomResourceDefinition, _at: FieldPath): FieldErrorList {
  return []
}
