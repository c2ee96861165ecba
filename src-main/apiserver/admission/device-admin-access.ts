/** Claims that look into devices which others use are for namespaces that an administrator marked. */
import { FieldPath, forbiddenField } from '../../api/field-errors.ts'
import type { Namespace } from '../../api/generated/core-v1.ts'
import type { DeviceClaim, ResourceClaim, ResourceClaimTemplate } from '../../api/generated/resource-v1.ts'
import { invalid } from '../../api/status-error.ts'
import type { AdmissionAttributes, AdmissionPlugin } from '../contracts.ts'
import { places, type LiveCopies } from '../live-copy.ts'

const label = 'resource.kubernetes.io/admin-access'

/** Path of the first request or result that asks for admin access. */
function adminPath(a: AdmissionAttributes): FieldPath | undefined {
  if (a.resource.plural === 'resourceclaims' && a.subresource === 'status') {
    const [next, previous] = [a.object, a.previous].map(one => (one as ResourceClaim | undefined)?.status?.allocation?.devices?.results ?? [])
    if (previous?.some(result => result.adminAccess === true)) return undefined
    const at = next?.findIndex(result => result.adminAccess === true) ?? -1
    return at < 0 ? undefined : FieldPath.root('status', 'allocation', 'devices', 'results').index(at).child('adminAccess')
  }
  if (a.operation !== 'CREATE' || a.subresource !== '') return undefined
  const isTemplate = a.resource.plural === 'resourceclaimtemplates'
  const claim: DeviceClaim | undefined = isTemplate ? (a.object as ResourceClaimTemplate).spec?.spec?.devices : (a.object as ResourceClaim).spec?.devices
  const at = claim?.requests?.findIndex(request => request.exactly?.adminAccess === true) ?? -1
  return at < 0 ? undefined : FieldPath.root('spec', 'devices', 'requests').index(at).child('adminAccess')
}

export function deviceAdminAccess(copies: LiveCopies): AdmissionPlugin {
  const namespaces = copies.of<Namespace>(places.namespaces)
  return {
    name: 'DeviceAdminAccess',
    async validate(a) {
      if (a.resource.group !== 'resource.k8s.io' || !['resourceclaims', 'resourceclaimtemplates'].includes(a.resource.plural)) return
      const path = adminPath(a)
      if (path === undefined || namespaces.get('', a.namespace)?.metadata.labels?.[label] === 'true') return
      const text = `admin access to devices requires the \`${label}: true\` label on the containing namespace`
      throw invalid(a.resource.group, a.resource.kind, a.name, [forbiddenField(path, text)])
    },
  }
}
