/** Who writes a policy with parameters, or binds one, must be allowed to read what it will read: its expressions can tell others. */
import type {
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  ParamKind,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from '../../../api/generated/admissionregistration-v1.ts'
import { FieldPath, forbiddenField } from '../../../api/field-errors.ts'
import { deepEqual } from '../../../api/json.ts'
import { parseGroupVersion } from '../../../api/meta.ts'
import type { AnyResource } from '../../../api/resource.ts'
import { invalid } from '../../../api/status-error.ts'
import type { AdmissionAttributes, AdmissionPlugin, Attributes, Authorizer } from '../../contracts.ts'
import { places, type LiveCopies } from '../../live-copy.ts'

type Policy = ValidatingAdmissionPolicy | MutatingAdmissionPolicy
type Binding = ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding

export interface ParamAccessOptions {
  readonly copies: LiveCopies
  readonly authorizer: Authorizer
  readonly resources: () => readonly AnyResource[]
}

interface Asked {
  readonly group: string
  readonly version: string
  readonly resource: string
}

/** Where the kind is not known: everything. */
const anything: Asked = { group: '*', version: '*', resource: '*' }

export function paramAccess(options: ParamAccessOptions): AdmissionPlugin {
  const validating = options.copies.of<ValidatingAdmissionPolicy>(places.validatingAdmissionPolicies)
  const mutating = options.copies.of<MutatingAdmissionPolicy>(places.mutatingAdmissionPolicies)

  function resolved(kind: ParamKind | undefined): Asked {
    if (!kind) return anything
    const { group, version } = parseGroupVersion(kind.apiVersion ?? '')
    const found = options.resources().find(r => r.group === group && r.version === version && r.kind === kind.kind)
    return { group, version, resource: found?.plural ?? '*' }
  }

  async function may(a: AdmissionAttributes, verb: string, asked: Asked, namespace: string, name: string): Promise<boolean> {
    // Superusers may read all there is, also what nobody granted yet.
    if (a.user.groups.includes('system:masters')) return true
    const attributes: Attributes = { user: a.user, verb, isResource: true, path: '', subresource: '', namespace, name, ...asked }
    return (await options.authorizer.authorize(attributes)).allowed
  }

  function refuse(a: AdmissionAttributes, field: string, text: string): never {
    throw invalid(a.resource.group, a.resource.kind, a.name, [forbiddenField(FieldPath.root('spec').child(field), text)])
  }

  async function checkPolicy(a: AdmissionAttributes): Promise<void> {
    const kind = (a.object as Policy | undefined)?.spec?.paramKind
    if (!kind || deepEqual(kind, (a.previous as Policy | undefined)?.spec?.paramKind)) return
    if (await may(a, 'get', resolved(kind), '*', '*')) return
    refuse(
      a,
      'paramKind',
      `user ${a.user.name} must have "get" permission on all objects of the referenced paramKind (kind=${kind.kind ?? ''}, apiVersion=${kind.apiVersion ?? ''})`,
    )
  }

  async function checkBinding(a: AdmissionAttributes): Promise<void> {
    const { paramRef: ref, policyName = '' } = (a.object as Binding | undefined)?.spec ?? {}
    const before = (a.previous as Binding | undefined)?.spec
    if (!ref || (deepEqual(ref, before?.paramRef) && policyName === before?.policyName)) return
    const copy = a.resource.plural.startsWith('validating') ? validating : mutating
    const policy = copy.get('', policyName)
    const verb = ref.name ? 'get' : 'list'
    if (await may(a, verb, resolved(policy?.spec?.paramKind), ref.namespace ?? '', ref.name ?? '')) return
    refuse(
      a,
      'paramRef',
      policy
        ? `user ${a.user.name} does not have ${JSON.stringify(verb)} permission on the object referenced by paramRef`
        : `unable to get policy ${policyName} to determine minimum required permissions and user ${a.user.name} does not have ${JSON.stringify(verb)} permission for all groups, versions and resources`,
    )
  }

  return {
    name: 'AdmissionPolicyParamAccess',
    async validate(a) {
      if (a.resource.group !== 'admissionregistration.k8s.io' || a.subresource !== '' || (a.operation !== 'CREATE' && a.operation !== 'UPDATE')) return
      if (a.resource.plural.endsWith('admissionpolicies')) await checkPolicy(a)
      else if (a.resource.plural.endsWith('admissionpolicybindings')) await checkBinding(a)
    },
  }
}
