/** The list of controllers. To add one: a directory with its wiring and pure planner, and a line here. */
import type { AnyResource } from '../api/resource.ts'
import type { AnyController } from '../controller-runtime/controller.ts'
import { bootstrapTokenCleaner } from './bootstrap-token-cleaner/bootstrap-token-cleaner.ts'
import { certificateApprover, certificateSigner } from './certificates/certificates.ts'
import type { CertificateTools } from './certificates/certificates.ts'
import { clusterRoleAggregationController } from './clusterrole-aggregation/clusterrole-aggregation.ts'
import { cronJobController } from './cronjob/cronjob.ts'
import { daemonSetController } from './daemonset/daemonset.ts'
import { deploymentController } from './deployment/deployment.ts'
import { disruptionController } from './disruption/disruption.ts'
import { endpointsController } from './endpoints/endpoints.ts'
import { endpointSliceMirroringController } from './endpointslice-mirroring/endpointslice-mirroring.ts'
import { endpointSliceController } from './endpointslice/endpointslice.ts'
import { ephemeralVolumeController } from './ephemeral-volume/ephemeral-volume.ts'
import { garbageCollector } from './garbage-collector/garbage-collector.ts'
import { horizontalPodAutoscalerController } from './horizontal-pod-autoscaler/horizontal-pod-autoscaler.ts'
import { jobController } from './job/job.ts'
import { namespaceController } from './namespace/namespace.ts'
import { nodeIpamController } from './node-ipam/node-ipam.ts'
import type { NodeIpamOptions } from './node-ipam/node-ipam.ts'
import { nodeLifecycleController } from './node-lifecycle/node-lifecycle.ts'
import type { NodeLifecycleOptions } from './node-lifecycle/node-lifecycle.ts'
import { nodeTtlController } from './node-ttl/node-ttl.ts'
import { persistentVolumeBinder } from './persistent-volume-binder/persistent-volume-binder.ts'
import { podGarbageCollector } from './pod-gc/pod-gc.ts'
import { pvProtectionController } from './pv-protection/pv-protection.ts'
import { pvcProtectionController } from './pvc-protection/pvc-protection.ts'
import { replicaSetController, replicationController } from './replicaset/replicaset.ts'
import { resourceQuotaController } from './resourcequota/resourcequota.ts'
import { rootCaCertPublisher } from './root-ca-cert-publisher/root-ca-cert-publisher.ts'
import { serviceAccountController } from './serviceaccount/serviceaccount.ts'
import { serviceCIDRController } from './servicecidr/servicecidr.ts'
import { statefulSetController } from './statefulset/statefulset.ts'
import { taintEvictionController } from './taint-eviction/taint-eviction.ts'
import { ttlAfterFinishedController } from './ttl-after-finished/ttl-after-finished.ts'
import { vacProtectionController } from './vac-protection/vac-protection.ts'
import { validatingAdmissionPolicyStatusController } from './validating-admission-policy-status/validating-admission-policy-status.ts'
import { volumeExpandController } from './volume-expand/volume-expand.ts'

export type { CertificateTools, RequestFacts } from './certificates/certificates.ts'

export interface ControllersOptions {
  /** All kinds served now, custom ones too. */
  readonly resources: () => readonly AnyResource[]
  /** PEM of the cluster's CA, for pods; absent: kube-root-ca.crt is not published. */
  readonly certificateAuthority?: () => string
  /** Absent: certificate requests stay pending. */
  readonly certificates?: CertificateTools
  readonly nodeLifecycle?: NodeLifecycleOptions
  readonly nodeIpam?: NodeIpamOptions
}

export function allControllers(options: ControllersOptions): AnyController[] {
  return [
    replicaSetController,
    replicationController,
    deploymentController,
    endpointsController,
    endpointSliceController,
    endpointSliceMirroringController,
    namespaceController(options.resources),
    garbageCollector(options.resources),
    serviceAccountController,
    ...(options.certificateAuthority ? [rootCaCertPublisher(options.certificateAuthority)] : []),
    nodeIpamController(options.nodeIpam),
    nodeLifecycleController(options.nodeLifecycle),
    taintEvictionController,
    podGarbageCollector,
    ...(options.certificates ? [certificateApprover(options.certificates), certificateSigner(options.certificates)] : []),
    clusterRoleAggregationController,
    bootstrapTokenCleaner,
    disruptionController,
    daemonSetController,
    jobController,
    statefulSetController,
    cronJobController,
    resourceQuotaController,
    serviceCIDRController,
    horizontalPodAutoscalerController(options.resources),
    ttlAfterFinishedController,
    nodeTtlController(),
    persistentVolumeBinder,
    pvcProtectionController,
    pvProtectionController,
    vacProtectionController,
    ephemeralVolumeController,
    volumeExpandController,
    validatingAdmissionPolicyStatusController(options.resources),
  ]
}
