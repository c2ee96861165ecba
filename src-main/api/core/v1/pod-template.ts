import { defineResource } from '../../resource.ts'
import { containerColumns, labelsText, nameColumn } from '../../columns.ts'
import type { PodTemplate } from '../../generated/core-v1.ts'
import { setPodTemplateDefaults } from './pod-defaults.ts'
import { podTemplateFaults } from './pod-validation.ts'

export type { PodTemplate }

export const podTemplates = defineResource<PodTemplate>({
  group: '',
  version: 'v1',
  kind: 'PodTemplate',
  plural: 'podtemplates',
  scope: 'Namespaced',
  generation: true,
  schema: 'io.k8s.api.core.v1.PodTemplate',
  columns: [nameColumn(), ...containerColumns<PodTemplate>(p => p.template?.spec, 0), { name: 'Pod Labels', type: 'string', value: p => labelsText(p.template?.metadata?.labels) }],
  setDefaults(object) {
    setPodTemplateDefaults(object.template)
  },
  validate: (object, at) => podTemplateFaults(object.template, at.child('template')),
})
