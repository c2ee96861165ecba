/** Nothing is created in a namespace that is missing or going, and the namespaces of the system stay. */
import { forbidden, notFound, StatusError } from '../../api/status-error.ts'
import type { Namespace } from '../../api/generated/core-v1.ts'
import type { AdmissionPlugin } from '../contracts.ts'
import { places, type LiveCopies } from '../live-copy.ts'

const immortal = new Set(['default', 'kube-system', 'kube-public'])

export function namespaceLifecycle(copies: LiveCopies): AdmissionPlugin {
  const namespaces = copies.of<Namespace>(places.namespaces)
  return {
    name: 'NamespaceLifecycle',
    // Before the plugins that look things up in the namespace (service accounts, limits).
    mutate(a) {
      if (a.operation === 'DELETE' && a.resource.group === '' && a.resource.plural === 'namespaces' && a.subresource === '' && immortal.has(a.name)) {
        return Promise.reject(forbidden('', 'namespaces', a.name, 'this namespace may not be deleted'))
      }
      if (a.operation !== 'CREATE' || a.namespace === '' || a.resource.scope !== 'Namespaced') return Promise.resolve()
      // One must be able to ask what one may do anywhere.
      if (a.resource.plural === 'localsubjectaccessreviews') return Promise.resolve()
      const namespace = namespaces.get('', a.namespace)
      if (!namespace) return Promise.reject(notFound('', 'namespaces', a.namespace))
      if (namespace.metadata.deletionTimestamp === undefined && namespace.status?.phase !== 'Terminating') return Promise.resolve()
      return Promise.reject(terminating(a.resource.group, a.resource.plural, a.name, a.namespace))
    },
  }
}

function terminating(group: string, resource: string, name: string, namespace: string): StatusError {
  const error = forbidden(group, resource, name, `unable to create new content in namespace ${namespace} because it is being terminated`)
  return new StatusError(403, 'Forbidden', error.message, {
    ...error.status.details,
    causes: [{ reason: 'NamespaceTerminating', message: `namespace ${namespace} is being terminated`, field: 'metadata.namespace' }],
  })
}
