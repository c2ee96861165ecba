/** What both kinds of webhook configurations take for granted. */
import type { MutatingWebhook, ValidatingWebhook } from '../../generated/admissionregistration-v1.ts'

const timeoutSeconds = 10
const servicePort = 443

/** Fills in one webhook, in place. */
export function setWebhookDefaults(webhook: MutatingWebhook | ValidatingWebhook): void {
  webhook.failurePolicy ??= 'Fail'
  webhook.matchPolicy ??= 'Equivalent'
  webhook.namespaceSelector ??= {}
  webhook.objectSelector ??= {}
  webhook.timeoutSeconds ??= timeoutSeconds
  for (const rule of webhook.rules ?? []) rule.scope ??= '*'
  const service = webhook.clientConfig?.service
  if (service) service.port ??= servicePort
}
