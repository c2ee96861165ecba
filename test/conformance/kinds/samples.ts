/** For every kind that is stored: the smallest object that is legal, and one legal change of it. */
import type { KubernetesObject } from '../../../src-main/api/meta.ts'

const podSpec = { containers: [{ name: 'c', image: 'registry.test/app:1' }] }
const template = { metadata: { labels: { app: 'x' } }, spec: podSpec }
const selector = { matchLabels: { app: 'x' } }
const request = btoa('-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n')
const authority = [
  '-----BEGIN CERTIFICATE-----',
  'MIIBijCCAS+gAwIBAgIUMDwsu8vvB2Mnd3PsAnxaq/aH4v4wCgYIKoZIzj0EAwIw',
  'GTEXMBUGA1UEAwwOdGVzdC1hdXRob3JpdHkwIBcNMjYxMTIzMDMzOTMyWhgPMjEy',
  'NjEwMzAwMzM5MzJaMBkxFzAVBgNVBAMMDnRlc3QtYXV0aG9yaXR5MFkwEwYHKoZI',
  'zj0CAQYIKoZIzj0DAQcDQgAEvMZGhiyFbMkAW1JnOilvBWrKyoJN/WupWCPC5mnp',
  'mPlhI+GtkkvCe6kPr6gFHZUjuMAaxmGWnW3tPINUryalZKNTMFEwHQYDVR0OBBYE',
  'FK7lpf1nUDlvWFeMSlQ+FhJ3Ki9SMB8GA1UdIwQYMBaAFK7lpf1nUDlvWFeMSlQ+',
  'FhJ3Ki9SMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhAPpntQF1',
  '6iL9n4nAVHPJKby3oDSTRDIlhJGHtRHUk6VaAiEA6Y4XUNMp8juhklSNUvkaufbw',
  'lkh/7xZovDTezhZ0kKo=',
  '-----END CERTIFICATE-----',
  '',
].join('\n')
const matchConstraints = { resourceRules: [{ apiGroups: ['example.com'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['widgets'] }] }
const podCertificate = {
  signerName: 'example.com/s',
  podName: 'p',
  podUID: 'u1',
  serviceAccountName: 'default',
  serviceAccountUID: 'u2',
  nodeName: 'n',
  nodeUID: 'u3',
  stubPKCS10Request:
    'MIG6MGICAQAwADBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLzGRoYshWzJAFtSZzopbwVqysqCTf1rqVgjwuZp6Zj5YSPhrZJLwnupD6+oBR2VI7jAGsZhlp1t7TyDVK8mpWSgADAKBggqhkjOPQQDAgNIADBFAiEA9cGMekdUNMTT1ojbJ/iQCbD17OFkE++hWsSA5LzqhbgCIAZ+3TVSNAUeYKz1ielm8r721UKtXWEdzOjLGMaRFzYt',
}
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
  'admissionregistration.k8s.io/ValidatingAdmissionPolicy': { spec: { matchConstraints, validations: [{ expression: 'true' }] } },
  'admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding': { spec: { policyName: 'p', validationActions: ['Deny'] } },
  'admissionregistration.k8s.io/MutatingAdmissionPolicy': {
    spec: { matchConstraints, reinvocationPolicy: 'Never', mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression: 'Object{}' } }] },
  },
  'admissionregistration.k8s.io/MutatingAdmissionPolicyBinding': { spec: { policyName: 'p' } },
  'storage.k8s.io/VolumeAttachment': { spec: { attacher: 'csi.example.com', nodeName: 'n', source: { persistentVolumeName: 'v' } } },
  'storage.k8s.io/VolumeAttributesClass': { driverName: 'csi.example.com', parameters: { a: 'b' } },
  'storage.k8s.io/CSINode': { spec: { drivers: [] } },
  'storage.k8s.io/CSIStorageCapacity': { storageClassName: 'c' },
  'certificates.k8s.io/ClusterTrustBundle': { spec: { trustBundle: authority } },
  'certificates.k8s.io/PodCertificateRequest': { spec: podCertificate },
  'flowcontrol.apiserver.k8s.io/FlowSchema': { spec: { priorityLevelConfiguration: { name: 'global-default' } } },
  'flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration': { spec: { type: 'Limited', limited: { limitResponse: { type: 'Reject' } } } },
  'resource.k8s.io/DeviceTaintRule': { spec: { taint: { key: 'example.com/k', effect: 'NoSchedule' } } },
  'resource.k8s.io/ResourceSlice': { spec: { driver: 'gpu.example.com', allNodes: true, pool: { name: 'p', generation: 1, resourceSliceCount: 1 } } },
  'storagemigration.k8s.io/StorageVersionMigration': { spec: { resource: { resource: 'widgets', group: 'example.com' } } },
  'storage.k8s.io/StorageClass': { provisioner: 'example.com/p' },
  'infra.quarterdeck.app/Machine': { spec: { address: 'host-1.example.com', secretName: 'ssh' } },
}

/** A legal object of a kind. */
export function sampleOf(r: { group: string; version: string; kind: string; scope: string }, name: string, namespace = 'kinds'): KubernetesObject {
  const body = structuredClone(samples[`${r.group}/${r.kind}`] ?? {})
  if (r.kind === 'APIService') return apiService(name)
  if (r.kind === 'CustomResourceDefinition') return definition(name)
  const metadata = { name: r.kind === 'IPAddress' ? addressOf(name) : name, ...(r.scope === 'Namespaced' ? { namespace } : {}) }
  return { apiVersion: r.group === '' ? r.version : `${r.group}/${r.version}`, kind: r.kind, metadata, ...body }
}

/** APIServices are named after what they serve. */
function apiService(name: string): KubernetesObject {
  const group = `${name}.example.com`
  const spec = { group, version: 'v1', groupPriorityMinimum: 1000, versionPriority: 10, service: { name: 's', namespace: 'kinds' } }
  return { apiVersion: 'apiregistration.k8s.io/v1', kind: 'APIService', metadata: { name: `v1.${group}` }, spec } as KubernetesObject
}

/** Definitions are named after the kind that they define. */
function definition(name: string): KubernetesObject {
  const plural = `${name}widgets`
  const version = { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }
  const spec = { group: 'example.com', scope: 'Namespaced', names: { kind: `Widget${name.toUpperCase()}`, plural }, versions: [version] }
  return { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: `${plural}.example.com` }, spec } as KubernetesObject
}

/** Names of IPAddress objects are addresses. */
function addressOf(name: string): string {
  let sum = 0
  for (const character of name) sum = (sum * 31 + character.charCodeAt(0)) % 250
  return `192.0.2.${sum + 1}`
}
