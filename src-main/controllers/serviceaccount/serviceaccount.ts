/** Every active namespace has a ServiceAccount named default. */
import { namespaces } from '../../api/core/v1/namespace.ts'
import { serviceAccounts } from '../../api/core/v1/service-account.ts'
import type { Namespace, ServiceAccount } from '../../api/generated/core-v1.ts'
import { isAlreadyExists } from '../../api/status-error.ts'
import { defineController } from '../../controller-runtime/controller.ts'

export const serviceAccountController = defineController<Namespace>({
  name: 'service-account-controller',
  for: namespaces,
  watches: [{ resource: serviceAccounts, keys: (account: ServiceAccount) => (account.metadata.name === 'default' ? [account.metadata.namespace ?? ''] : []) }],
  writes: [{ resource: serviceAccounts, verbs: ['create'] }],
  workers: 1,
  async reconcile({ cache, client }, name) {
    const namespace = cache.of(namespaces).get(name)
    if (!namespace || namespace.metadata.deletionTimestamp || cache.of(serviceAccounts).get(`${name}/default`)) return
    try {
      await client.resource(serviceAccounts).create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: name } })
    } catch (fault) {
      if (!isAlreadyExists(fault)) throw fault
    }
  },
})
