/** Admission of subresources that have handlers of their own: CONNECT for streams, CREATE for the others. */
import type { KubernetesObject } from '../../api/meta.ts'
import { groupVersion } from '../../api/meta.ts'
import type { Call } from './call.ts'
import { admissionAttributes, mutate, validateAdmission } from './call.ts'

/** Subresources that connect to something else. `log` is a plain read. */
const connecting: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward', 'proxy'])

/** Throws a StatusError where a plugin refuses. */
export async function connectAdmission(call: Call): Promise<void> {
  const { info, resource: r } = call
  if (!connecting.has(info.subresource)) return
  const object: KubernetesObject = { apiVersion: groupVersion(r.group, r.version), kind: `${r.kind}${info.subresource}Options`, metadata: {} }
  const attributes = admissionAttributes(call, { operation: 'CONNECT', name: info.name, object, previous: undefined, options: Object.fromEntries(info.query), dryRun: false })
  await mutate(call, attributes)
  await validateAdmission(call, attributes)
}
