import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import type { ServiceAccount } from '../../generated/core-v1.ts'

export type { ServiceAccount }

/** User name of a service account in authentication and RBAC. */
export function serviceAccountUserName(namespace: string, name: string): string {
  return `system:serviceaccount:${namespace}:${name}`
}

/** Groups every service account is in. */
export function serviceAccountGroups(namespace: string): string[] {
  return ['system:serviceaccounts', `system:serviceaccounts:${namespace}`]
}

/** Of the secrets that an account may use only the names are kept. */
function keepSecretNames(account: ServiceAccount): void {
  if (account.secrets !== undefined) account.secrets = account.secrets.map(({ name }) => (name === undefined ? {} : { name }))
}

export const serviceAccounts = defineResource<ServiceAccount>({
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  scope: 'Namespaced',
  shortNames: ['sa'],
  schema: 'io.k8s.api.core.v1.ServiceAccount',
  subresources: { others: ['token'] },
  columns: [nameColumn(), ageColumn()],
  menu: { area: 'access', order: 10 },
  prepareForCreate: keepSecretNames,
  prepareForUpdate: keepSecretNames,
  warnings(account) {
    const annotation = 'kubernetes.io/enforce-mountable-secrets'
    return Object.hasOwn(account.metadata.annotations ?? {}, annotation)
      ? [`metadata.annotations[${annotation}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`]
      : []
  },
})
