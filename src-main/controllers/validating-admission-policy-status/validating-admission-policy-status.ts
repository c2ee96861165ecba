/** Writes what type checking finds into the status of validating admission policies. */
import { typeCheck } from '../../api/admissionregistration/type-check.ts'
import { validatingAdmissionPolicies, type ValidatingAdmissionPolicy } from '../../api/admissionregistration/v1/validating-admission-policy.ts'
import type { AnyResource } from '../../api/resource.ts'
import { defineController } from '../../controller-runtime/controller.ts'

/** `resources` gives all kinds served now. */
export function validatingAdmissionPolicyStatusController(resources: () => readonly AnyResource[]) {
  return defineController<ValidatingAdmissionPolicy>({
    name: 'validatingadmissionpolicy-status-controller',
    for: validatingAdmissionPolicies,
    writes: [{ resource: validatingAdmissionPolicies, subresource: 'status', verbs: ['get', 'patch', 'update'] }],
    workers: 1,
    async reconcile({ cache, client }, name) {
      const policy = cache.of(validatingAdmissionPolicies).get(name)
      if (!policy || (policy.metadata.generation ?? 0) <= (policy.status?.observedGeneration ?? 0)) return
      const warnings = typeCheck(policy, resources())
      await client.resource(validatingAdmissionPolicies).updateStatus({
        ...policy,
        status: {
          ...policy.status,
          observedGeneration: policy.metadata.generation ?? 0,
          typeChecking: warnings.length > 0 ? { expressionWarnings: warnings } : {},
        },
      })
    },
  })
}
