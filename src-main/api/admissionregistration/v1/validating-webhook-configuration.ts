import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { ValidatingWebhookConfiguration } from '../../generated/admissionregistration-v1.ts'
import { setWebhookDefaults } from './webhook-defaults.ts'
import { webhooksFaults } from './webhook-validation.ts'

export type { ValidatingWebhookConfiguration }

export const validatingWebhookConfigurations = defineResource<ValidatingWebhookConfiguration>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingWebhookConfiguration',
  plural: 'validatingwebhookconfigurations',
  scope: 'Cluster',
  categories: ['api-extensions'],
  generation: true,
  schema: 'io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration',
  columns: [nameColumn(), { name: 'Webhooks', type: 'integer', value: o => o.webhooks?.length ?? 0 }, ageColumn()],
  setDefaults(configuration) {
    for (const webhook of configuration.webhooks ?? []) {
      setWebhookDefaults(webhook)
    }
  },
  validate: configuration => webhooksFaults(configuration.webhooks),
  menu: { area: 'access', order: 70 },
})
