/** Every active namespace has the cluster's CA in the ConfigMap kube-root-ca.crt, for pods that talk to the API. */
import { configMaps } from '../../api/core/v1/config-map.ts'
import { namespaces } from '../../api/core/v1/namespace.ts'
import type { ConfigMap, Namespace } from '../../api/generated/core-v1.ts'
import { deepEqual } from '../../api/json.ts'
import { isAlreadyExists } from '../../api/status-error.ts'
import { defineController } from '../../controller-runtime/controller.ts'
import type { ControllerDefinition } from '../../controller-runtime/controller.ts'

const configMapName = 'kube-root-ca.crt'
const descriptionAnnotation = 'kubernetes.io/description'
const description =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. ' +
  'No other usage is guaranteed across distributions of Kubernetes clusters.'

export function rootCaCertPublisher(certificateAuthority: () => string): ControllerDefinition<Namespace> {
  return defineController<Namespace>({
    name: 'root-ca-cert-publisher',
    for: namespaces,
    watches: [{ resource: configMaps, keys: (map: ConfigMap) => (map.metadata.name === configMapName ? [map.metadata.namespace ?? ''] : []) }],
    writes: [{ resource: configMaps, verbs: ['create', 'update'] }],
    workers: 1,
    async reconcile({ cache, client }, name) {
      const namespace = cache.of(namespaces).get(name)
      if (!namespace || namespace.metadata.deletionTimestamp) return
      const data = { 'ca.crt': certificateAuthority() }
      const present = cache.of(configMaps).get(`${name}/${configMapName}`)
      if (present && deepEqual(present.data, data) && present.metadata.annotations?.[descriptionAnnotation] !== undefined) return
      const annotations = { ...present?.metadata.annotations, [descriptionAnnotation]: description }
      const writer = client.resource(configMaps)
      if (present) {
        await writer.update({ ...present, metadata: { ...present.metadata, annotations }, data })
        return
      }
      try {
        await writer.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: configMapName, namespace: name, annotations }, data })
      } catch (fault) {
        if (!isAlreadyExists(fault)) throw fault
      }
    },
  })
}
