/** For every kind that is stored: the smallest object that is legal, and one legal change of it. */
import type { KubernetesObject } from '../../../src-main/api/meta.ts'

const podSpec = { containers: [{ name: 'c', image: 'registry.test/app:1' }] }
const template = { metadata: { labels: { app: 'x' } }, spec: podSpec }
const selector = { matchLabels: { app: 'x' } }
const request = btoa('-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n')
const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } }

/** By `<group>/<kind>`; names of cluster-scoped kinds are chosen by the test. Kinds without an entry are legal with metadata alone. */
export const samples: Readonly<Record<string, Record<string, unknown>>> = {
  '/Pod': { spec: podSpec },
  '/Service': { spec: { ports: [{ port: 80 }] } },
  '/Event': { involvedObject: { kind: 'Pod', name: 'p', namespace: 'kinds' }, reason: 'Because', message: 'text' },
  '/ReplicationController': { spec: { selector: { app: 'x' }, template } },
  '/PodTemplate': { template },
  '/PersistentVolumeClaim': { spec: claim },
  '/PersistentVolume': { spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/tmp' } } },
  '/LimitRange': { spec: { limits: [{ type: 'Container', max: { cpu: '2' } }] } },
  'apps/Deployment': { spec: { selector, template } },
  'apps/ReplicaSet': { spec: { selector, template } },
  'apps/StatefulSet': { spec: { selector, template, serviceName: 's' } },
  'apps/DaemonSet': { spec: { selector, template } },
  'apps/ControllerRevision': { revision: 1, data: {} },
  'batch/Job': { spec: { template: { spec: { ...podSpec, restartPolicy: 'Never' } } } },
  'batch/CronJob': { spec: { schedule: '*/5 * * * *', jobTemplate: { spec: { template: { spec: { ...podSpec, restartPolicy: 'Never' } } } } } },
  'autoscaling/HorizontalPodAutoscaler': { spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' } } },
  'policy/PodDisruptionBudget': { spec: { minAvailable: 1, selector } },
  'networking.k8s.io/Ingress': { spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } } },
  'networking.k8s.io/IngressClass': { spec: { controller: 'example.com/c' } },
  'networking.k8s.io/ServiceCIDR': { spec: { cidrs: ['10.110.0.0/24'] } },
  'networking.k8s.io/IPAddress': { spec: { parentRef: { resource: 'services', name: 's', namespace: 'n' } } },
  'discovery.k8s.io/EndpointSlice': { addressType: 'IPv4', endpoints: [{ addresses: ['10.1.1.1'] }], ports: [{ name: 'http', port: 80 }] },
  'events.k8s.io/Event': {
    eventTime: '2020-01-02T03:04:05.000000Z',
    reportingController: 'example.com/c',
    reportingInstance: 'i',
    action: 'Act',
    reason: 'Because',
    type: 'Normal',
    regarding: { kind: 'Pod', name: 'p', namespace: 'kinds' },
  },
  'rbac.authorization.k8s.io/Role': { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] },
  'rbac.authorization.k8s.io/ClusterRole': { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] },
  'rbac.authorization.k8s.io/RoleBinding': { roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' } },
  'rbac.authorization.k8s.io/ClusterRoleBinding': { roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'r' } },
  'certificates.k8s.io/CertificateSigningRequest': { spec: { request, signerName: 'example.com/s', usages: ['client auth'] } },
  'scheduling.k8s.io/PriorityClass': { value: 100 },
  'node.k8s.io/RuntimeClass': { handler: 'runc' },
  'storage.k8s.io/StorageClass': { provisioner: 'example.com/p' },
  'infra.quarterdeck.app/Machine': { spec: { address: 'host-1.example.com', secretName: 'ssh' } },
}

/** A legal object of a kind. */
export function sampleOf(r: { group: string; version: string; kind: string; scope: string }, name: string, namespace = 'kinds'): KubernetesObject {
  const body = structuredClone(samples[`${r.group}/${r.kind}`] ?? {})
  const metadata = { name: r.kind === 'IPAddress' ? addressOf(name) : name, ...(r.scope === 'Namespaced' ? { namespace } : {}) }
  return { apiVersion: r.group === '' ? r.version : `${r.group}/${r.version}`, kind: r.kind, metadata, ...body }
}

/** Names of IPAddress objects are addresses. */
function addressOf(name: string): string {
  let sum = 0
  for (const character of name) sum = (sum * 31 + character.charCodeAt(0)) % 250
  return `192.0.2.${sum + 1}`
}
