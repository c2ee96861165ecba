import { describe, expect, it } from 'vitest'
import { FieldPath, invalidValue, required } from '../../../src-main/api/field-errors.ts'
import { validateFieldManager, validateObjectMeta, validateObjectMetaUpdate } from '../../../src-main/api/metadata.ts'
import * as errors from '../../../src-main/api/status-error.ts'
import { columnDefinitions, renderTable } from '../../../src-main/api/table.ts'
import * as time from '../../../src-main/api/time.ts'

const rules = { namespaced: true }
const texts = (list: { field: string; message: string }[]): string[] => list.map(e => `${e.field}: ${e.message}`)

describe('metadata of a create', () => {
  it.each([
    [{}, ['metadata.name: Required value: name or generateName is required']],
    [{ name: 'a', finalizers: ['a'] }, ['metadata.finalizers[0]: Invalid value: "a": name is neither a standard finalizer name nor is it fully qualified']],
    [
      { name: 'a', finalizers: ['foregroundDeletion', 'orphan'] },
      ['metadata.finalizers: Invalid value: ["foregroundDeletion","orphan"]: finalizer orphan and foregroundDeletion cannot be both set'],
    ],
    [{ name: 'a', ownerReferences: [{}] }, ['apiVersion', 'kind', 'name', 'uid'].map(f => `metadata.ownerReferences[0].${f}: Required value: must not be empty`)],
    [{ name: 'a', annotations: { k: 'x'.repeat(256 * 1024) } }, ['metadata.annotations: Too long: may not be more than 262144 bytes']],
    [
      { name: 'a', annotations: { K: '' }, labels: { a: '' }, generateName: 'b-', ownerReferences: [{ apiVersion: 'apps/v1', kind: 'X', name: 'x', uid: 'u', controller: true }] },
      [],
    ],
  ])('%#', (meta, faults) => {
    expect(texts(validateObjectMeta({ namespace: 'n', ...meta } as never, rules))).toEqual(faults)
  })

  it('has a namespace exactly where the kind has', () => {
    expect(texts(validateObjectMeta({ name: 'a', namespace: 'n' }, { namespaced: false }))).toEqual(['metadata.namespace: Forbidden: not allowed on this type'])
    expect(texts(validateObjectMeta({ name: 'a' }, rules))).toEqual(['metadata.namespace: Required value'])
  })
})

describe('metadata of an update', () => {
  const previous = { name: 'a', namespace: 'n', uid: 'u', resourceVersion: '1', creationTimestamp: '2020-01-01T00:00:00Z', generation: 2 }
  it.each([
    [{}, []],
    [{ uid: 'v' }, ['metadata.uid: Invalid value: "v": field is immutable']],
    [{ deletionTimestamp: '2001-01-01T00:00:00Z' }, ['metadata.deletionTimestamp: Invalid value: "2001-01-01T00:00:00Z": field is immutable']],
    [{ resourceVersion: '' }, ['metadata.resourceVersion: Invalid value: 0: must be specified for an update']],
    [{ generation: 1 }, ['metadata.generation: Invalid value: 1: must not be decremented']],
  ])('%#', (change, faults) => {
    expect(texts(validateObjectMetaUpdate({ ...previous, ...change }, previous))).toEqual(faults)
  })
  it('takes no new finalizers while the object is being deleted', () => {
    const dying = { ...previous, deletionTimestamp: '2020-01-01T00:00:00Z' }
    expect(texts(validateObjectMetaUpdate({ ...dying, finalizers: ['x.y/z'] }, dying))).toEqual([
      'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"x.y/z"}',
    ])
  })
  it('bounds names of managers', () => {
    expect(texts(validateFieldManager('m'.repeat(129), FieldPath.root('fieldManager')))).toEqual(['fieldManager: Too long: may not be more than 128 bytes'])
    expect(texts(validateFieldManager('a\u0007', FieldPath.root('fieldManager')))).toEqual(['fieldManager: Invalid value: "a\\u0007": should only contain printable characters'])
  })
})

describe('Status errors', () => {
  const at = FieldPath.root('spec')
  it.each([
    [errors.notFound('apps', 'deployments', 'x'), 404, 'NotFound', 'deployments.apps "x" not found', { name: 'x', group: 'apps', kind: 'deployments' }],
    [errors.alreadyExists('', 'pods', 'x'), 409, 'AlreadyExists', 'pods "x" already exists', { name: 'x', kind: 'pods' }],
    [
      errors.conflict('', 'pods', 'x'),
      409,
      'Conflict',
      'Operation cannot be fulfilled on pods "x": the object has been modified; please apply your changes to the latest version and try again',
      { name: 'x', kind: 'pods' },
    ],
    [errors.forbidden('', 'pods', '', 'no'), 403, 'Forbidden', 'pods is forbidden: no', { kind: 'pods' }],
    [errors.unauthorized(), 401, 'Unauthorized', 'Unauthorized', undefined],
    [errors.methodNotAllowed('', 'pods', 'delete'), 405, 'MethodNotAllowed', 'delete is not supported on resources of kind "pods"', { kind: 'pods' }],
    [errors.internalError('x'), 500, 'InternalError', 'Internal error occurred: x', { causes: [{ message: 'x' }] }],
    [errors.timeoutError('x', 3), 504, 'Timeout', 'Timeout: x', { retryAfterSeconds: 3 }],
    [
      errors.tooLargeResourceVersion(9, 2),
      504,
      'Timeout',
      'Timeout: Too large resource version: 9, current: 2',
      { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }], retryAfterSeconds: 1 },
    ],
    [errors.requestTooLarge('limit is 3145728'), 413, 'RequestEntityTooLarge', 'Request entity too large: limit is 3145728', undefined],
    [
      errors.invalid('apps', 'Deployment', 'd', [required(at, '')]),
      422,
      'Invalid',
      'Deployment.apps "d" is invalid: spec: Required value',
      { name: 'd', group: 'apps', kind: 'Deployment', causes: [{ reason: 'FieldValueRequired', message: 'Required value', field: 'spec' }] },
    ],
  ])('%#', (error, code, reason, message, details) => {
    expect(errors.statusOf(error)).toEqual({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, ...(details ? { details } : {}), code })
  })

  it('joins faults once each but keeps every cause', () => {
    const fault = invalidValue(at, 'x', 'bad')
    const { message, details } = errors.invalid('', 'Pod', 'p', [fault, fault, required(at, 'y')]).status
    expect([message, details?.causes?.length]).toEqual(['Pod "p" is invalid: [spec: Invalid value: "x": bad, spec: Required value: y]', 3])
  })

  it('answers 500 without a reason for anything else', () => {
    expect(errors.statusOf(new Error('boom'))).toEqual({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message: 'boom', code: 500 })
  })

  it('knows its own', () => {
    expect([
      errors.isNotFound(errors.notFound('', 'pods', 'x')),
      errors.isConflict(errors.notFound('', 'pods', 'x')),
      errors.isExpired(errors.gone('x')),
      errors.isNotFound(undefined),
    ]).toEqual([true, false, true, false])
  })
})

describe('times', () => {
  it.each([
    [0, '0s'],
    [119, '119s'],
    [120, '2m'],
    [200, '3m20s'],
    [599, '9m59s'],
    [600, '10m'],
    [10_799, '179m'],
    [10_800, '3h'],
    [7 * 3600 + 300, '7h5m'],
    [8 * 3600 + 300, '8h'],
    [47 * 3600, '47h'],
    [48 * 3600, '2d'],
    [76 * 3600, '3d4h'],
    [8 * 86400, '8d'],
    [730 * 86400, '2y'],
    [760 * 86400, '2y30d'],
    [9 * 365 * 86400, '9y'],
    [-5, '<invalid>'],
  ])('%d seconds are %s', (seconds, text) => {
    expect(time.humanDuration(seconds * 1_000)).toBe(text)
  })
  it('reads and writes RFC 3339', () => {
    expect(time.canonicalTime('2020-01-02T05:04:05.9+02:00')).toBe('2020-01-02T03:04:05Z')
    expect(time.canonicalMicroTime('2020-01-02T03:04:05.123456Z')).toBe('2020-01-02T03:04:05.123456Z')
    expect(time.canonicalMicroTime('2020-01-02T03:04:05.999999Z')).toBe('2020-01-02T03:04:05.999999Z')
    for (const bad of ['2020-02-30T00:00:00Z', '2020-01-01', '2020-01-01T24:00:00Z', 'x']) expect(time.canonicalTime(bad)).toBeUndefined()
    expect(time.formatMicroTime(Date.UTC(2026, 0, 1) + 1.5)).toBe('2026-01-01T00:00:00.001500Z')
    expect(time.ageOf(undefined, 0)).toBe('<unknown>')
  })
  it('reads and writes Go durations', () => {
    expect([time.parseGoDuration('1h30m'), time.parseGoDuration('-1.5s'), time.parseGoDuration('0'), time.parseGoDuration('1'), time.parseGoDuration('')]).toEqual([
      5_400_000,
      -1_500,
      0,
      undefined,
      undefined,
    ])
    expect([5_400_000, 1_500, 250, 0, 0.5].map(time.formatGoDuration)).toEqual(['1h30m0s', '1.5s', '250ms', '0s', '500µs'])
  })
})

it('renders tables with the columns of the kind', () => {
  const resource = {
    columns: [
      { name: 'Name', type: 'string' as const, value: (o: { metadata: { name?: string } }) => o.metadata.name },
      { name: 'Wide', type: 'integer' as const, priority: 1, value: () => undefined },
    ],
  }
  const object = { apiVersion: 'v1', kind: 'X', metadata: { name: 'a' } }
  expect(columnDefinitions(resource).map(c => [c.name, c.format, c.priority])).toEqual([
    ['Name', 'name', 0],
    ['Wide', '', 1],
  ])
  expect(renderTable(resource, [object], { now: 0 }).rows).toEqual([
    { cells: ['a', null], object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: { name: 'a' } } },
  ])
  expect(renderTable(resource, [object], { now: 0, includeObject: 'None' }).rows).toEqual([{ cells: ['a', null] }])
})
