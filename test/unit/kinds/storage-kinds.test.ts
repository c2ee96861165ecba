/** storage.k8s.io, storagemigration.k8s.io, claims and volumes: what is refused, and with which words. */
import { describe, expect, it } from 'vitest'
import {
  csiDrivers,
  csiNodes,
  csiStorageCapacities,
  persistentVolumeClaims,
  persistentVolumes,
  storageClasses,
  storageVersionMigrations,
  volumeAttachments,
  volumeAttributesClasses,
} from '../../../src-main/api/resources.ts'
import type { AnyResource } from '../../../src-main/api/resource.ts'
import { createdObject, createFaults, statusFaults, updateFaults, type Changes } from './judge.ts'

const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
const expression = (...values: string[]): object => ({ matchLabelExpressions: [{ key: 'zone', values }] })

describe('creates', () => {
  it.each<[AnyResource, Changes, string[]]>([
    [csiDrivers, { 'spec.fsGroupPolicy': 'x' }, ['spec.fsGroupPolicy: Unsupported value: "x": supported values: "File", "None", "ReadWriteOnceWithFSType"']],
    [csiDrivers, { 'spec.volumeLifecycleModes': ['x'] }, ['spec.volumeLifecycleModes: Unsupported value: "x": supported values: "Persistent", "Ephemeral"']],
    [
      csiDrivers,
      { 'spec.tokenRequests': [{ audience: 'a', expirationSeconds: 5 }, { audience: 'a' }, { audience: 'b', expirationSeconds: 2 ** 33 }] },
      [
        'spec.tokenRequests[0].expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes',
        'spec.tokenRequests[1].audience: Duplicate value: "a"',
        'spec.tokenRequests[2].expirationSeconds: Invalid value: 8589934592: may not specify a duration larger than 2^32 seconds',
      ],
    ],
    [
      csiDrivers,
      { 'spec.serviceAccountTokenInSecrets': true },
      ['spec.serviceAccountTokenInSecrets: Invalid value: true: serviceAccountTokenInSecrets is set but no tokenRequests are specified'],
    ],
    [csiNodes, { 'spec.drivers': [{ name: '', nodeID: '' }] }, ['spec.drivers[0].name: Required value', 'spec.drivers[0].nodeID: Required value']],
    [csiNodes, { 'spec.drivers': [{ name: 'a', nodeID: 'x', topologyKeys: ['k', 'k'] }] }, ['spec.drivers[0]: Duplicate value: "k"']],
    [
      csiNodes,
      { 'spec.drivers': [{ name: 'a', nodeID: 'x', allocatable: { count: -1 } }] },
      ['spec.drivers[0].allocatable.count: Invalid value: -1: must be greater than or equal to 0'],
    ],
    [csiStorageCapacities, { capacity: '-1' }, ['capacity: Invalid value: "-1": must be greater than or equal to 0']],
    [csiStorageCapacities, { storageClassName: 'A_' }, [`storageClassName: Invalid value: "A_": ${subdomain}`]],
    [volumeAttachments, { 'spec.attacher': '' }, ['spec.attacher: Required value']],
    [volumeAttachments, { 'spec.source': {} }, ['spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName']],
    [volumeAttachments, { 'spec.nodeName': 'A_' }, [`spec.nodeName: Invalid value: "A_": ${subdomain}`]],
    [volumeAttributesClasses, { driverName: '', parameters: {} }, ['driverName: Required value', 'parameters: Required value: must contain at least one key/value pair']],
    [storageClasses, { provisioner: '' }, ['provisioner: Required value']],
    [
      storageClasses,
      { allowedTopologies: [expression('a', 'a'), expression('b'), expression('b')] },
      ['allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: "a"', 'allowedTopologies[2].matchLabelExpressions: Duplicate value: ""'],
    ],
    [storageVersionMigrations, { 'spec.resource': {} }, ['spec.resource.resource: Required value: resource is required to be set']],
    [persistentVolumes, { 'spec.accessModes': [] }, ['spec.accessModes: Required value']],
    [persistentVolumes, { 'spec.hostPath': { path: '' } }, ['spec.hostPath.path: Required value']],
    [
      persistentVolumes,
      { 'spec.hostPath': { path: '//.' }, 'spec.persistentVolumeReclaimPolicy': 'Recycle' },
      ["spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'"],
    ],
    [
      persistentVolumeClaims,
      { 'spec.dataSource': { kind: 'PersistentVolumeClaim', name: 'a' }, 'spec.dataSourceRef': { kind: 'PersistentVolumeClaim', name: 'b' } },
      ['spec: Invalid value: {}: must match dataSourceRef'],
    ],
    [
      persistentVolumeClaims,
      { 'spec.dataSourceRef': { kind: 'K', name: 'a' } },
      [
        'spec.dataSource: Invalid value: "K": must be \'PersistentVolumeClaim\' when referencing the default apiGroup',
        'spec.dataSourceRef: Invalid value: "K": must be \'PersistentVolumeClaim\' when referencing the default apiGroup',
      ],
    ],
  ])('$plural with %j', (r, changes, wanted) => {
    expect(createFaults(r, changes)).toEqual(wanted)
  })
})

describe('updates', () => {
  it.each<[AnyResource, Changes, Changes, string[]]>([
    [volumeAttachments, {}, { 'spec.nodeName': 'm' }, ['spec: Invalid value: null: field is immutable']],
    [csiStorageCapacities, {}, { nodeTopology: { matchLabels: { z: 'q' } } }, ['nodeTopology: Invalid value: {"matchLabels":{"z":"q"}}: field is immutable']],
    [csiDrivers, {}, { 'spec.attachRequired': false }, ['spec.attachedRequired: Invalid value: false: field is immutable']],
    [csiNodes, { 'spec.drivers': [{ name: 'a', nodeID: 'x' }] }, { 'spec.drivers': [{ name: 'a', nodeID: 'x', allocatable: { count: 2 } }] }, []],
    [volumeAttributesClasses, {}, { parameters: { z: 'z' } }, ['parameters: Forbidden: updates to parameters are forbidden.']],
    [
      persistentVolumeClaims,
      { 'status.phase': 'Bound', 'status.capacity': { storage: '1Gi' }, 'spec.resources': { requests: { storage: '2Gi' } } },
      { 'status.phase': 'Bound', 'spec.resources': { requests: { storage: '1Gi' } } },
      ['spec.resources.requests.storage: Forbidden: field can not be less than status.capacity'],
    ],
    [
      persistentVolumeClaims,
      { 'status.phase': 'Bound', 'status.capacity': { storage: '1Gi' } },
      { 'status.phase': 'Bound', 'spec.resources': { requests: { storage: '2Gi' } } },
      [],
    ],
  ])('$plural from %j to %j', (r, before, after, wanted) => {
    expect(updateFaults(r, before, after)).toEqual(wanted)
  })
})

it('a claim names its source in both ways, whichever was given', () => {
  const source = { kind: 'PersistentVolumeClaim', name: 'a' }
  expect(createdObject(persistentVolumeClaims, { 'spec.dataSource': source })).toMatchObject({ spec: { dataSource: source, dataSourceRef: source } })
  expect(createdObject(persistentVolumeClaims, { 'spec.dataSourceRef': source })).toMatchObject({ spec: { dataSource: source, dataSourceRef: source } })
  expect(createdObject(persistentVolumeClaims, { 'spec.dataSource': { apiGroup: 'example.com', kind: 'K', name: 'a' } })).not.toHaveProperty('spec.dataSource')
})

it('resizing has known states, of storage alone', () => {
  const known = '"ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress", "NodeResizeInfeasible", "NodeResizePending"'
  expect(statusFaults(persistentVolumeClaims, {}, { 'status.allocatedResourceStatuses': { cpu: 'x' } })).toEqual([
    'status.allocatedResourceStatuses: Unsupported value: "cpu": supported values: "storage"',
    `status.allocatedResourceStatuses: Unsupported value: "cpu": supported values: ${known}`,
  ])
})

it('a migration ends once, in one way', () => {
  const condition = (type: string, status = 'True'): object => ({ type, status, reason: 'Because', lastTransitionTime: '2026-01-01T00:00:00Z' })
  const after = { 'status.conditions': [condition('Succeeded'), condition('Failed')] }
  expect(statusFaults(storageVersionMigrations, {}, after).map(text => text.replace(/\[.*\]/, '…'))).toEqual([
    'status.conditions: Invalid value: …: Both success and failed conditions cannot be true at the same time',
  ])
  expect(statusFaults(storageVersionMigrations, { 'status.resourceVersion': '7' }, { 'status.resourceVersion': '8' })).toEqual([
    'status.resourceVersion: Invalid value: "8": field is immutable',
  ])
})
