import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import { invalidValue } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { DeviceClass } from '../../generated/resource-v1.ts'
import { isFullyQualifiedName, isQualifiedName } from '../../names.ts'
import { isExtendedResource } from '../../core/v1/resource-validation.ts'
import { deviceConfigurationFaults, deviceSelectorsFaults } from './device-validation.ts'
import { itemsFaults } from './lists.ts'

export type { DeviceClass }

const maxConfigurations = 32

function extendedResourceFaults(name: string | undefined, path: FieldPath): FieldErrorList {
  if (name === undefined || isExtendedResource(name)) return []
  const texts = [...(name.includes('/') ? isFullyQualifiedName(name) : ["a name must be a domain-prefixed path, such as 'example.com/my-prop'"]), ...isQualifiedName(name)]
  return [...new Set(texts)].map(text => invalidValue(path, name, text))
}

export const deviceClasses = defineResource<DeviceClass>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'DeviceClass',
  plural: 'deviceclasses',
  scope: 'Cluster',
  schema: 'io.k8s.api.resource.v1.DeviceClass',
  generation: true,
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'cluster', order: 60 },
  validate: (deviceClass, at) => [
    ...deviceSelectorsFaults(deviceClass.spec?.selectors, at.child('spec', 'selectors')),
    ...itemsFaults(deviceClass.spec?.config, maxConfigurations, at.child('spec', 'config'), (config, path) => deviceConfigurationFaults(config.opaque, path)),
    ...extendedResourceFaults(deviceClass.spec?.extendedResourceName, at.child('spec', 'extendedResourceName')),
  ],
})
