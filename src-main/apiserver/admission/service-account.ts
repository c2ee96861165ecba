/** Every pod runs as a service account, and gets a bounded token, the authority's certificate and its namespace mounted. */
import { forbidden } from '../../api/status-error.ts'
import { generateName } from '../../api/names.ts'
import type { Container, LocalObjectReference, Pod, PodSpec } from '../../api/generated/core-v1.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import type { Env } from '../../base/env.ts'
import type { AdmissionAttributes, AdmissionPlugin } from '../contracts.ts'
import { places, type LiveCopies } from '../live-copy.ts'
import { podReferences } from '../authz/pod-references.ts'

const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount'
const mirrorAnnotation = 'kubernetes.io/config.mirror'
/** An hour and a bit, so that the token can be told from one that somebody asked for by hand. */
const tokenSeconds = 3607

interface ServiceAccount extends KubernetesObject {
  imagePullSecrets?: LocalObjectReference[]
  automountServiceAccountToken?: boolean
}

export function serviceAccountAdmission(options: { env: Env; copies: LiveCopies }): AdmissionPlugin {
  const accounts = options.copies.of<ServiceAccount>(places.serviceAccounts)

  const accountOf = (a: AdmissionAttributes, name: string): ServiceAccount => {
    const account = accounts.get(a.namespace, name)
    if (!account) throw forbidden('', 'pods', a.name, `error looking up service account ${a.namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`)
    return account
  }
  const isPodCreate = (a: AdmissionAttributes): boolean => a.resource.group === '' && a.resource.plural === 'pods' && a.subresource === '' && a.operation === 'CREATE'

  return {
    name: 'ServiceAccount',
    async mutate(a) {
      if (!isPodCreate(a)) return
      const pod = a.object as Pod & { spec: PodSpec }
      if (pod.metadata.annotations?.[mirrorAnnotation] !== undefined) return
      const { spec } = pod
      spec.serviceAccountName ||= 'default'
      spec.serviceAccount = spec.serviceAccountName
      const account = accountOf(a, spec.serviceAccountName)
      if (spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) mountToken(spec, options.env)
      if ((spec.imagePullSecrets ?? []).length === 0 && (account.imagePullSecrets ?? []).length > 0) spec.imagePullSecrets = structuredClone(account.imagePullSecrets ?? [])
    },
    async validate(a) {
      if (!isPodCreate(a)) return
      const pod = a.object as Pod
      if (pod.metadata.annotations?.[mirrorAnnotation] === undefined) {
        accountOf(a, pod.spec?.serviceAccountName ?? '')
        return
      }
      if (pod.spec?.serviceAccountName) throw forbidden('', 'pods', a.name, 'a mirror pod may not reference service accounts')
      if (podReferences(pod).secrets.length > 0) throw forbidden('', 'pods', a.name, 'a mirror pod may not reference secrets')
      if ((pod.spec?.volumes ?? []).some(volume => volume.projected?.sources?.some(source => source.serviceAccountToken)))
        throw forbidden('', 'pods', a.name, 'a mirror pod may not use ServiceAccountToken volume projections')
    },
  }
}

function mountToken(spec: PodSpec, env: Env): void {
  const containers: Container[] = [...(spec.initContainers ?? []), ...spec.containers]
  const lacking = containers.filter(container => !(container.volumeMounts ?? []).some(mount => mount.mountPath === mountPath))
  if (lacking.length === 0) return
  const name = generateName('kube-api-access-', env.random)
  for (const container of lacking) container.volumeMounts = [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath }]
  spec.volumes = [
    ...(spec.volumes ?? []),
    {
      name,
      projected: {
        sources: [
          { serviceAccountToken: { expirationSeconds: tokenSeconds, path: 'token' } },
          { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
          { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
        ],
        defaultMode: 420,
      },
    },
  ]
}
