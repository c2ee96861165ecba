import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '../generated/apiextensions-v1.ts'
import type { ResourceDefinition } from '../resource.ts'
import type { StructuralSchema } from './structural-schema.ts'

export interface ValidatorOptions {
  readonly definition: CustomResourceDefinition
  readonly version: CustomResourceDefinitionVersion
  readonly kind: string
  readonly apiVersion: string
  readonly schema: StructuralSchema
}

export function customResourceValidator(_options: ValidatorOptions): Pick<ResourceDefinition, 'validate' | 'validateStatusUpdate' | 'warnings'> {
  return {}
}
