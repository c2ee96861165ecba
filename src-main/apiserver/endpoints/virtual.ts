/** Resources whose objects are not stored: reviews and metrics. */
import type { KubernetesObject } from '../../api/meta.ts'
import { groupVersion } from '../../api/meta.ts'
import type { ApiResponse } from '../../api/request.ts'
import { methodNotAllowed } from '../../api/status-error.ts'
import { FieldPath } from '../../api/field-errors.ts'
import { invalid } from '../../api/status-error.ts'
import type { VirtualStorage } from '../contracts.ts'
import { writeContext } from '../registry/scope.ts'
import { checkNamespace, readObject } from './body.ts'
import type { Call } from './call.ts'
import { admissionAttributes, mutate, validateAdmission, writeScope } from './call.ts'
import { listItem } from './list-bytes.ts'
import { recordManager } from './managed.ts'
import { collectionForms, negotiate } from './negotiation.ts'
import { listQuery, writeQuery } from './query-options.ts'
import { formsOf, objectResponse, partialOf, tableOf, valueResponse } from './respond.ts'
import { selectionOf } from './selection.ts'

export async function virtualEndpoint(call: Call, storage: VirtualStorage): Promise<ApiResponse> {
  const { resource: r, info } = call
  if (info.verb === 'create' && storage.create) return createVirtual(call, storage.create.bind(storage))
  if (info.verb === 'get' && storage.get) return objectResponse(call, 200, { object: await storage.get(info.name, info.namespace) })
  if (info.verb === 'list' && storage.list) return listVirtual(call, storage.list.bind(storage))
  throw methodNotAllowed(r.group, r.plural, info.verb)
}

async function createVirtual(call: Call, create: NonNullable<VirtualStorage['create']>): Promise<ApiResponse> {
  const { resource: r, info, user } = call
  const query = writeQuery(info.query, 'CreateOptions')
  // What is only answered, never kept, has no other forms.
  negotiate(call.request.headers['accept'], formsOf(r, { table: false, metadata: false }))
  const object = readObject(call, r, query.fieldValidation)
  checkNamespace(call, object)
  // Nobody sees the managers of what is not kept, but for refusals that show its metadata.
  if (Object.keys(object.metadata).some(key => key !== 'namespace')) recordManager(call, undefined, object, '')
  const scope = writeScope(call, query.dryRun, query.object)
  const attributes = admissionAttributes(call, { operation: 'CREATE', name: object.metadata.name ?? '', object, previous: undefined, options: query.object, dryRun: query.dryRun })
  const admitted = (await mutate(call, attributes)) ?? object
  r.prepareForCreate?.(admitted, writeContext(scope, call.env.clock.now()))
  const faults = r.validate?.(admitted, FieldPath.root()) ?? []
  if (faults.length > 0) throw invalid(r.group, r.kind, admitted.metadata.name ?? '', faults)
  await validateAdmission(call, { ...attributes, object: admitted })
  return objectResponse(call, 201, { object: await create(admitted, { user, namespace: info.namespace, dryRun: query.dryRun }) })
}

async function listVirtual(call: Call, list: NonNullable<VirtualStorage['list']>): Promise<ApiResponse> {
  const { resource: r, info } = call
  const query = listQuery(info.query, false)
  const form = negotiate(call.request.headers['accept'], formsOf(r, collectionForms))
  const selection = selectionOf(r, query.labelSelector, query.fieldSelector)
  const objects = (await list(info.namespace, query.labelSelector)).filter((object: KubernetesObject) => selection.matches(object))
  const metadata = {}
  if (form.as === 'Table') return valueResponse(call, 200, tableOf(call, objects, form, { metadata }), form.mediaType)
  if (form.as === 'PartialObjectMetadataList')
    return valueResponse(
      call,
      200,
      { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${form.metaVersion}`, metadata, items: objects.map(object => partialOf(object, form.metaVersion)) },
      form.mediaType,
    )
  const items = call.request.answer === 'objects' ? objects : objects.map(object => listItem(r, object))
  return valueResponse(call, 200, { kind: r.listKind ?? `${r.kind}List`, apiVersion: groupVersion(r.group, r.version), metadata, items }, form.mediaType)
}
