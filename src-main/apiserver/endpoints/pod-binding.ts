/** POST pods/binding: gives a pod its node, once. */
import { cloneJson, isObject } from '../../api/json.ts'
import type { Pod } from '../../api/generated/core-v1.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import type { ApiResponse } from '../../api/request.ts'
import { badRequest, conflict, methodNotAllowedHere, unknownError } from '../../api/status-error.ts'
import { formatTime } from '../../api/time.ts'
import { readPlain } from './body.ts'
import type { Call } from './call.ts'
import { admissionAttributes, mutate, writeScope } from './call.ts'
import { writeQuery } from './query-options.ts'
import { doneResponse } from './respond.ts'

interface Binding extends KubernetesObject {
  target?: { kind?: string; name?: string }
}

export async function bindingEndpoint(call: Call): Promise<ApiResponse> {
  if (call.info.verb !== 'create') throw methodNotAllowedHere()
  const query = writeQuery(call.info.query, 'CreateOptions')
  const body = readPlain(call.request)
  if (!isObject(body)) throw badRequest('the object provided is unrecognized (must be of type Binding)')
  const binding = { apiVersion: 'v1', kind: 'Binding', metadata: {}, ...body } as unknown as Binding
  binding.metadata ??= {}
  if (binding.metadata.namespace && binding.metadata.namespace !== call.info.namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
  binding.metadata.namespace = call.info.namespace
  const attributes = admissionAttributes(call, { operation: 'CREATE', name: call.info.name, object: binding, previous: undefined, options: query.object, dryRun: query.dryRun })
  const admitted = ((await mutate(call, attributes)) ?? binding) as Binding
  if ((admitted.metadata.name ?? '') !== call.info.name) throw badRequest('name in URL does not match name in Binding object')
  checkTarget(admitted)
  await bind(call, admitted, query.dryRun, query.object)
  return doneResponse(call, 201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 })
}

function checkTarget(binding: Binding): void {
  const { kind, name } = binding.target ?? {}
  if (kind && kind !== 'Node') throw unknownError(`target.kind: Unsupported value: ${JSON.stringify(kind)}: supported values: "Node", "<empty>"`)
  if (!name) throw unknownError('target.name: Required value')
}

async function bind(call: Call, binding: Binding, dryRun: boolean, options: Readonly<Record<string, unknown>>): Promise<void> {
  const { name } = call.info
  const { uid, resourceVersion } = binding.metadata
  await call.registry.update(writeScope(call, dryRun, options), {
    name,
    whenMissing: 'never',
    retry: !resourceVersion,
    next: async previous => {
      const refused = (message: string): Error => conflict('', 'pods/binding', name, message)
      const pod = cloneJson(previous) as unknown as Pod & KubernetesObject
      if (uid && uid !== pod.metadata.uid) throw refused(`Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid ?? ''}`)
      if (pod.metadata.deletionTimestamp) throw refused(`pod ${name} is being deleted, cannot be assigned to a host`)
      if (pod.spec?.nodeName) throw refused(`pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`)
      if ((pod.spec?.schedulingGates?.length ?? 0) > 0) throw refused(`pod ${name} has non-empty .spec.schedulingGates`)
      assign(pod, binding, call.env.clock.now())
      if (resourceVersion) pod.metadata.resourceVersion = resourceVersion
      else delete pod.metadata.resourceVersion
      return pod
    },
  })
}

/** Sets node, annotations of the binding and the PodScheduled condition, in place. */
function assign(pod: Pod & KubernetesObject, binding: Binding, now: number): void {
  if (pod.spec) pod.spec.nodeName = binding.target?.name ?? ''
  if (binding.metadata.annotations) pod.metadata.annotations = { ...pod.metadata.annotations, ...binding.metadata.annotations }
  if (binding.metadata.labels) pod.metadata.labels = { ...pod.metadata.labels, ...binding.metadata.labels }
  const status = (pod.status ??= {})
  const others = (status.conditions ?? []).filter(condition => condition.type !== 'PodScheduled')
  const present = status.conditions?.find(condition => condition.type === 'PodScheduled')
  if (present?.status === 'True') return
  status.conditions = [...others, { type: 'PodScheduled', status: 'True', lastProbeTime: null as unknown as string, lastTransitionTime: formatTime(now) }]
}
