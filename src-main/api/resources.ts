/**
 * The list of kinds that are built in. Everything generic is derived from it: routes, discovery, OpenAPI, tables,
 * storage keys, clients, the garbage-collection graph, RBAC and the window's menu, lists and details.
 *
 * To add a kind: write api/<group>/<version>/<kind>.ts with `defineResource` (names and columns as kubectl shows them,
 * defaults, validation, strategy; field names and types come from resources/schema), import it here and add it to the
 * list below. test/conformance/kinds then checks it; nothing else has to know. Order is the order of discovery.
 */
import type { AnyResource } from './resource.ts'
import { namespaces } from './core/v1/namespace.ts'
import { nodes } from './core/v1/node.ts'
import { pods } from './core/v1/pod.ts'
import { services } from './core/v1/service.ts'
import { endpoints } from './core/v1/endpoints.ts'
import { configMaps } from './core/v1/config-map.ts'
import { secrets } from './core/v1/secret.ts'
import { serviceAccounts } from './core/v1/service-account.ts'
import { events } from './core/v1/event.ts'
import { limitRanges } from './core/v1/limit-range.ts'
import { resourceQuotas } from './core/v1/resource-quota.ts'
import { replicationControllers } from './core/v1/replication-controller.ts'
import { podTemplates } from './core/v1/pod-template.ts'
import { persistentVolumes } from './core/v1/persistent-volume.ts'
import { persistentVolumeClaims } from './core/v1/persistent-volume-claim.ts'
import { deployments } from './apps/v1/deployment.ts'
import { replicaSets } from './apps/v1/replica-set.ts'
import { statefulSets } from './apps/v1/stateful-set.ts'
import { daemonSets } from './apps/v1/daemon-set.ts'
import { controllerRevisions } from './apps/v1/controller-revision.ts'
import { jobs } from './batch/v1/job.ts'
import { cronJobs } from './batch/v1/cron-job.ts'
import { horizontalPodAutoscalers } from './autoscaling/v2/horizontal-pod-autoscaler.ts'
import { horizontalPodAutoscalersV1 } from './autoscaling/v1/horizontal-pod-autoscaler.ts'
import { podDisruptionBudgets } from './policy/v1/pod-disruption-budget.ts'
import { ingresses } from './networking/v1/ingress.ts'
import { ingressClasses } from './networking/v1/ingress-class.ts'
import { networkPolicies } from './networking/v1/network-policy.ts'
import { serviceCIDRs } from './networking/v1/service-cidr.ts'
import { ipAddresses } from './networking/v1/ip-address.ts'
import { endpointSlices } from './discovery/v1/endpoint-slice.ts'
import { eventsV1 } from './events/v1/event.ts'
import { leases } from './coordination/v1/lease.ts'
import { roles } from './rbac/v1/role.ts'
import { clusterRoles } from './rbac/v1/cluster-role.ts'
import { roleBindings } from './rbac/v1/role-binding.ts'
import { clusterRoleBindings } from './rbac/v1/cluster-role-binding.ts'
import { certificateSigningRequests } from './certificates/v1/certificate-signing-request.ts'
import { priorityClasses } from './scheduling/v1/priority-class.ts'
import { runtimeClasses } from './node/v1/runtime-class.ts'
import { storageClasses } from './storage/v1/storage-class.ts'
import { bindings } from './core/v1/binding.ts'
import { componentStatuses } from './core/v1/component-status.ts'
import { clusterTrustBundles } from './certificates/v1/cluster-trust-bundle.ts'
import { podCertificateRequests } from './certificates/v1/pod-certificate-request.ts'
import { volumeAttachments } from './storage/v1/volume-attachment.ts'
import { volumeAttributesClasses } from './storage/v1/volume-attributes-class.ts'
import { csiDrivers } from './storage/v1/csi-driver.ts'
import { csiNodes } from './storage/v1/csi-node.ts'
import { csiStorageCapacities } from './storage/v1/csi-storage-capacity.ts'
import { flowSchemas } from './flowcontrol/v1/flow-schema.ts'
import { priorityLevelConfigurations } from './flowcontrol/v1/priority-level-configuration.ts'
import { deviceClasses } from './resource/v1/device-class.ts'
import { deviceTaintRules } from './resource/v1/device-taint-rule.ts'
import { resourceClaims } from './resource/v1/resource-claim.ts'
import { resourceClaimTemplates } from './resource/v1/resource-claim-template.ts'
import { resourceSlices } from './resource/v1/resource-slice.ts'
import { storageVersionMigrations } from './storagemigration/v1/storage-version-migration.ts'
import { validatingWebhookConfigurations } from './admissionregistration/v1/validating-webhook-configuration.ts'
import { mutatingWebhookConfigurations } from './admissionregistration/v1/mutating-webhook-configuration.ts'
import { validatingAdmissionPolicies } from './admissionregistration/v1/validating-admission-policy.ts'
import { validatingAdmissionPolicyBindings } from './admissionregistration/v1/validating-admission-policy-binding.ts'
import { mutatingAdmissionPolicies } from './admissionregistration/v1/mutating-admission-policy.ts'
import { mutatingAdmissionPolicyBindings } from './admissionregistration/v1/mutating-admission-policy-binding.ts'
import { apiServices } from './apiregistration/v1/api-service.ts'
import { tokenReviews } from './authentication/v1/token-review.ts'
import { selfSubjectReviews } from './authentication/v1/self-subject-review.ts'
import { subjectAccessReviews } from './authorization/v1/subject-access-review.ts'
import { selfSubjectAccessReviews } from './authorization/v1/self-subject-access-review.ts'
import { selfSubjectRulesReviews } from './authorization/v1/self-subject-rules-review.ts'
import { localSubjectAccessReviews } from './authorization/v1/local-subject-access-review.ts'
import { nodeMetrics } from './metrics/v1beta1/node-metrics.ts'
import { podMetrics } from './metrics/v1beta1/pod-metrics.ts'
import { customResourceDefinitions } from './apiextensions/v1/custom-resource-definition.ts'
import { machines } from './infra/v1alpha1/machine-resource.ts'

export const allResources: readonly AnyResource[] = [
  namespaces,
  nodes,
  pods,
  services,
  endpoints,
  configMaps,
  secrets,
  serviceAccounts,
  events,
  limitRanges,
  resourceQuotas,
  replicationControllers,
  podTemplates,
  persistentVolumes,
  persistentVolumeClaims,
  deployments,
  replicaSets,
  statefulSets,
  daemonSets,
  controllerRevisions,
  jobs,
  cronJobs,
  horizontalPodAutoscalers,
  horizontalPodAutoscalersV1,
  podDisruptionBudgets,
  ingresses,
  ingressClasses,
  networkPolicies,
  serviceCIDRs,
  ipAddresses,
  endpointSlices,
  eventsV1,
  leases,
  roles,
  clusterRoles,
  roleBindings,
  clusterRoleBindings,
  certificateSigningRequests,
  priorityClasses,
  runtimeClasses,
  storageClasses,
  bindings,
  componentStatuses,
  clusterTrustBundles,
  podCertificateRequests,
  volumeAttachments,
  volumeAttributesClasses,
  csiDrivers,
  csiNodes,
  csiStorageCapacities,
  flowSchemas,
  priorityLevelConfigurations,
  deviceClasses,
  deviceTaintRules,
  resourceClaims,
  resourceClaimTemplates,
  resourceSlices,
  storageVersionMigrations,
  validatingWebhookConfigurations,
  mutatingWebhookConfigurations,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
  mutatingAdmissionPolicies,
  mutatingAdmissionPolicyBindings,
  apiServices,
  tokenReviews,
  selfSubjectReviews,
  subjectAccessReviews,
  selfSubjectAccessReviews,
  selfSubjectRulesReviews,
  localSubjectAccessReviews,
  nodeMetrics,
  podMetrics,
  customResourceDefinitions,
  machines,
]

export {
  namespaces,
  nodes,
  pods,
  services,
  endpoints,
  configMaps,
  secrets,
  serviceAccounts,
  events,
  limitRanges,
  resourceQuotas,
  replicationControllers,
  podTemplates,
  persistentVolumes,
  persistentVolumeClaims,
  deployments,
  replicaSets,
  statefulSets,
  daemonSets,
  controllerRevisions,
  jobs,
  cronJobs,
  horizontalPodAutoscalers,
  horizontalPodAutoscalersV1,
  podDisruptionBudgets,
  ingresses,
  ingressClasses,
  networkPolicies,
  serviceCIDRs,
  ipAddresses,
  endpointSlices,
  eventsV1,
  leases,
  roles,
  clusterRoles,
  roleBindings,
  clusterRoleBindings,
  certificateSigningRequests,
  priorityClasses,
  runtimeClasses,
  storageClasses,
  bindings,
  componentStatuses,
  clusterTrustBundles,
  podCertificateRequests,
  volumeAttachments,
  volumeAttributesClasses,
  csiDrivers,
  csiNodes,
  csiStorageCapacities,
  flowSchemas,
  priorityLevelConfigurations,
  deviceClasses,
  deviceTaintRules,
  resourceClaims,
  resourceClaimTemplates,
  resourceSlices,
  storageVersionMigrations,
  validatingWebhookConfigurations,
  mutatingWebhookConfigurations,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
  mutatingAdmissionPolicies,
  mutatingAdmissionPolicyBindings,
  apiServices,
  tokenReviews,
  selfSubjectReviews,
  subjectAccessReviews,
  selfSubjectAccessReviews,
  selfSubjectRulesReviews,
  localSubjectAccessReviews,
  nodeMetrics,
  podMetrics,
  customResourceDefinitions,
  machines,
}
