import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn } from '../../columns.ts'
import { forbiddenField, invalidValue, required, tooLong } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { VolumeAttachment, VolumeAttachmentStatus, VolumeError } from '../../generated/storage-v1.ts'
import { byteLength } from '../../names.ts'
import { immutableText, sameValue, subdomainFaults } from '../../validation.ts'
import { csiDriverNameFaults } from './csi-driver-name.ts'

export type { VolumeAttachment }

const maxMetadataBytes = 256 * 1024
const maxMessageBytes = 1024
const exactlyOne = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName'

function sourceFaults(attachment: VolumeAttachment, at: FieldPath): FieldErrorList {
  const { inlineVolumeSpec, persistentVolumeName } = attachment.spec?.source ?? {}
  const faults: FieldErrorList = []
  if (inlineVolumeSpec === undefined && persistentVolumeName === undefined) faults.push(required(at, exactlyOne))
  else if (inlineVolumeSpec !== undefined && persistentVolumeName !== undefined) faults.push(forbiddenField(at, exactlyOne))
  else if (persistentVolumeName === '') faults.push(required(at.child('persistentVolumeName'), 'must specify non empty persistentVolumeName'))
  if (persistentVolumeName !== undefined) faults.push(...subdomainFaults(persistentVolumeName, at.child('persistentVolumeName')))
  return faults
}

function errorFaults(error: VolumeError | undefined, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if (byteLength(error?.message ?? '') > maxMessageBytes) faults.push(tooLong(at.child('message'), '', maxMessageBytes))
  if (error?.errorCode !== undefined && error.errorCode < 0) faults.push(invalidValue(at.child('errorCode'), error.errorCode, 'must be between 0 and 2147483647, inclusive'))
  return faults
}

function statusFaults(status: VolumeAttachmentStatus | undefined, at: FieldPath): FieldErrorList {
  const size = Object.entries(status?.attachmentMetadata ?? {}).reduce((sum, [key, value]) => sum + byteLength(key) + byteLength(value), 0)
  return [
    ...(size > maxMetadataBytes ? [tooLong(at.child('attachmentMetadata'), '', maxMetadataBytes)] : []),
    ...errorFaults(status?.attachError, at.child('attachError')),
    ...errorFaults(status?.detachError, at.child('detachError')),
  ]
}

export const volumeAttachments = defineResource<VolumeAttachment>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'VolumeAttachment',
  plural: 'volumeattachments',
  scope: 'Cluster',
  schema: 'io.k8s.api.storage.v1.VolumeAttachment',
  subresources: { status: true },
  columns: [
    nameColumn(),
    { name: 'Attacher', type: 'string', format: 'name', value: a => a.spec?.attacher ?? '' },
    { name: 'PV', type: 'string', value: a => a.spec?.source?.persistentVolumeName ?? '' },
    { name: 'Node', type: 'string', value: a => a.spec?.nodeName ?? '' },
    { name: 'Attached', type: 'boolean', value: a => a.status?.attached ?? false },
    ageColumn(),
  ],
  menu: { area: 'storage', order: 50 },
  prepareForCreate(attachment) {
    attachment.status = { attached: false }
  },
  validate: (attachment, at) => [
    ...csiDriverNameFaults(attachment.spec?.attacher, at.child('spec', 'attacher')),
    ...sourceFaults(attachment, at.child('spec', 'source')),
    ...subdomainFaults(attachment.spec?.nodeName ?? '', at.child('spec', 'nodeName')),
    ...statusFaults(attachment.status, at.child('status')),
  ],
  validateUpdate: (next, previous, at) => (sameValue(next.spec, previous.spec) ? [] : [invalidValue(at.child('spec'), null, immutableText)]),
})
