/** The admission plugins in Kubernetes' order: all `mutate` in this order, then all `validate`. A new one is a file and a line here. */
import type { AnyResource } from '../../api/resource.ts'
import type { Env } from '../../base/env.ts'
import { createEscalationCheck } from '../authz/escalation.ts'
import type { Rbac } from '../authz/rbac.ts'
import type { AdmissionPlugin, Authorizer } from '../contracts.ts'
import type { LiveCopies } from '../live-copy.ts'
import { certificateApproval, certificateSigning, certificateSubjectRestriction, clusterTrustBundleAttest } from './certificates.ts'
import { persistentVolumeClaimResize } from './claim-resize.ts'
import { deviceAdminAccess } from './device-admin-access.ts'
import { defaultIngressClass, defaultStorageClass } from './default-classes.ts'
import { limitRanger } from './limit-ranger.ts'
import { createMatching } from './matching.ts'
import { mutatingPolicies } from './policies/mutating.ts'
import { paramAccess } from './policies/param-access.ts'
import { validatingPolicies } from './policies/validating.ts'
import type { HookCaller } from './webhooks/caller.ts'
import type { WebhookMetrics } from './webhooks/metrics.ts'
import { mutatingWebhooks, validatingWebhooks } from './webhooks/webhooks.ts'
import { namespaceLifecycle } from './namespace-lifecycle.ts'
import { nodeRestriction } from './node-restriction.ts'
import { podCertificates } from './pod-certificates.ts'
import { podSecurity } from './pod-security.ts'
import { podTopologyLabels } from './pod-topology-labels.ts'
import { priorityAdmission } from './priority.ts'
import { resourceQuotaAdmission } from './resource-quota.ts'
import { runtimeClassAdmission } from './runtime-class.ts'
import { serviceAccountAdmission } from './service-account.ts'
import { storageObjectInUseProtection } from './storage-in-use.ts'
import { defaultTolerationSeconds, taintNodesByCondition } from './tolerations.ts'

export function admissionPlugins(options: {
  env: Env
  copies: LiveCopies
  authorizer: Authorizer
  rbac: Rbac
  /** Admission that is configured at run time: webhooks and policies. Absent: none (simulations). */
  configured?: { resources: () => readonly AnyResource[]; caller: HookCaller; metrics: WebhookMetrics }
}): AdmissionPlugin[] {
  const { copies, authorizer } = options
  const configured = options.configured && { ...options, ...options.configured, matching: createMatching({ copies, resources: options.configured.resources }) }
  return [
    namespaceLifecycle(copies),
    limitRanger(copies),
    serviceAccountAdmission(options),
    nodeRestriction(copies),
    taintNodesByCondition,
    podSecurity(copies),
    priorityAdmission(copies),
    defaultTolerationSeconds,
    podTopologyLabels(copies),
    deviceAdminAccess(copies),
    defaultStorageClass(copies),
    storageObjectInUseProtection,
    persistentVolumeClaimResize(copies),
    runtimeClassAdmission(copies),
    certificateApproval(authorizer),
    certificateSigning(authorizer),
    clusterTrustBundleAttest(authorizer),
    podCertificates(authorizer),
    certificateSubjectRestriction,
    defaultIngressClass(copies),
    createEscalationCheck(options),
    ...(configured ? [paramAccess(configured), mutatingPolicies(configured), mutatingWebhooks(configured), validatingPolicies(configured), validatingWebhooks(configured)] : []),
    // Last, so that nobody refuses what was counted already.
    resourceQuotaAdmission(copies, options.env.clock),
  ]
}
