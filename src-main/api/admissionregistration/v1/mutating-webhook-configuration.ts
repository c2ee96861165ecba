import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { MutatingWebhookConfiguration } from '../../generated/admissionregistration-v1.ts'
import { setWebhookDefaults } from './webhook-defaults.ts'
import { webhooksFaults } from './webhook-validation.ts'

export type { MutatingWebhookConfiguration }

export const mutatingWebhookConfigurations = defineResource<MutatingWebhookConfiguration>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'MutatingWebhookConfiguration',
  plural: 'mutatingwebhookconfigurations',
  scope: 'Cluster',
  categories: ['api-extensions'],
  generation: true,
  schema: 'io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration',
  columns: [nameColumn(), { name: 'Webhooks', type: 'integer', value: o => o.webhooks?.length ?? 0 }, ageColumn()],
  setDefaults(configuration) {
    for (const webhook of configuration.webhooks ?? []) {
      setWebhookDefaults(webhook)
      webhook.reinvocationPolicy ??= 'Never'
    }
  },
  validate: configuration => webhooksFaults(configuration.webhooks),
  menu: { area: 'access', order: 80 },
})
