/** DELETE of a collection: what its selectors match, one object after the other. */
import { groupVersion } from '../../api/meta.ts'
import type { ApiResponse } from '../../api/request.ts'
import { objectOf } from '../registry/storage.ts'
import { checkDeleteRequest, isGoneAlready } from '../registry/deletion.ts'
import type { Call } from './call.ts'
import { deleteRequest, deleteWithAdmission } from './delete.ts'
import { listItem } from './list-bytes.ts'
import { listMetadataOf, readList } from './list.ts'
import { listQuery } from './query-options.ts'
import { doneResponse } from './respond.ts'
import { selectionOf } from './selection.ts'

/** Deletions that run at the same time: they share the store's group commits. */
const WORKERS = 16

export async function deleteCollectionEndpoint(call: Call): Promise<ApiResponse> {
  const { resource: r } = call
  const query = listQuery(call.info.query, false)
  const options = deleteRequest(call)
  checkDeleteRequest(options)
  const selection = selectionOf(r, query.labelSelector, query.fieldSelector)
  const { result, metadata } = await readList(call, query, selection)
  const objects = result.entries.map(entry => objectOf(r, entry))
  const waiting = [...objects]
  const work = async (): Promise<void> => {
    for (let object = waiting.shift(); object; object = waiting.shift()) {
      try {
        await deleteWithAdmission(call, object.metadata.name ?? '', options, object.metadata.namespace ?? '')
      } catch (fault) {
        if (!isGoneAlready(fault)) {
          waiting.length = 0
          throw fault
        }
      }
    }
  }
  await Promise.all(Array.from({ length: WORKERS }, work))
  const items = call.request.answer === 'objects' ? objects : objects.map(object => listItem(r, object))
  return doneResponse(call, 200, { kind: r.listKind ?? `${r.kind}List`, apiVersion: groupVersion(r.group, r.version), metadata: listMetadataOf(r, metadata), items })
}
