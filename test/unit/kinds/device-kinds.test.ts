/** resource.k8s.io: what claims, classes, slices and taint rules may say. */
import { describe, expect, it } from 'vitest'
import { deviceClasses, deviceTaintRules, resourceClaims, resourceClaimTemplates, resourceSlices } from '../../../src-main/api/resources.ts'
import type { AnyResource } from '../../../src-main/api/resource.ts'
import { createdObject, createFaults, statusFaults, updateFaults, type Changes } from './judge.ts'

const exactly = (more: object = {}): object => ({ deviceClassName: 'd', ...more })
const requests = (...list: object[]): Changes => ({ 'spec.devices': { requests: list } })
const device = (more: object = {}): Changes => ({ 'spec.devices': [{ name: 'a', ...more }] })
const oneOf = 'exactly one of `exactly` or `firstAvailable` is required'
const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"

describe('creates', () => {
  it.each<[AnyResource, Changes, string[]]>([
    [resourceClaims, requests({ name: 'r' }), [`spec.devices.requests[0]: Required value: ${oneOf}`]],
    [
      resourceClaims,
      requests({ name: 'r', exactly: exactly(), firstAvailable: [{ name: 's', deviceClassName: 'd' }] }),
      [`spec.devices.requests[0]: Invalid value: null: ${oneOf}, but multiple fields are set`],
    ],
    [resourceClaims, requests({ name: 'A', exactly: exactly() }), [`spec.devices.requests[0].name: Invalid value: "A": ${label}`]],
    [
      resourceClaims,
      requests({ name: 'r', exactly: exactly({ allocationMode: 'All', count: 2 }) }),
      ["spec.devices.requests[0].exactly.count: Invalid value: 2: must not be specified when allocationMode is 'All'"],
    ],
    [
      resourceClaims,
      requests({ name: 'r', exactly: exactly({ selectors: [{ cel: { expression: '1' } }] }) }),
      ['spec.devices.requests[0].exactly.selectors[0].cel.expression: Invalid value: "1": must evaluate to bool or the unknown type, not int'],
    ],
    [
      resourceClaims,
      requests({
        name: 'r',
        exactly: exactly({
          selectors: [
            { cel: { expression: 'device.driver == "gpu.example.com" && device.attributes["gpu.example.com"].model == "x"' } },
            { cel: { expression: 'device.capacity["gpu.example.com"].memory.compareTo(quantity("16Gi")) >= 0' } },
          ],
        }),
      }),
      [],
    ],
    [
      resourceClaims,
      { 'spec.devices': { requests: [{ name: 'r', exactly: exactly() }], constraints: [{ requests: ['r', 'q'], matchAttribute: 'nodomain' }] } },
      [
        'spec.devices.constraints[0].requests[1]: Invalid value: "q": must be the name of a request in the claim or the name of a request and a subrequest separated by \'/\'',
        'spec.devices.constraints[0].matchAttribute: Invalid value: "nodomain": a fully qualified name must be a domain and a name separated by a slash',
      ],
    ],
    [deviceClasses, { 'spec.config': [{}] }, ['spec.config[0].opaque: Required value']],
    [
      deviceClasses,
      { 'spec.config': [{ opaque: { driver: 'x.example.com', parameters: [1] } }] },
      ['spec.config[0].opaque.parameters: Invalid value: "<value omitted>": must be a valid JSON object'],
    ],
    [deviceTaintRules, { 'spec.taint.effect': 'x' }, ['spec.taint.effect: Unsupported value: "x": supported values: "NoExecute", "NoSchedule", "None"']],
    [resourceSlices, { 'spec.allNodes': undefined }, ['spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required']],
    [
      resourceSlices,
      { 'spec.nodeName': 'n' },
      ['spec: Invalid value: "{`nodeName`, `allNodes`}": exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required, but multiple fields are set'],
    ],
    [
      resourceSlices,
      device({ attributes: { v: { version: '1.2' } } }),
      ['spec.devices[0].attributes[v].version: Invalid value: "1.2": must be a string compatible with semver.org spec 2.0.0'],
    ],
    [resourceSlices, device({ attributes: { v: {} } }), ['spec.devices[0].attributes[v]: Invalid value: "": exactly one value must be specified']],
    [
      resourceSlices,
      device({ capacity: { m: { value: '10', requestPolicy: { default: '1', validValues: ['1'] } } } }),
      ['spec.devices[0].capacity[m].requestPolicy: Forbidden: allowMultipleAllocations must be true'],
    ],
    [
      resourceSlices,
      device({ allowMultipleAllocations: true, capacity: { m: { value: '10', requestPolicy: { default: '3', validValues: ['4', '2', '20'] } } } }),
      [
        'spec.devices[0].capacity[m].requestPolicy.validValues[1]: Invalid value: "2": values must be sorted in ascending order',
        'spec.devices[0].capacity[m].requestPolicy.validValues[2]: Invalid value: "20": option is larger than capacity value: 10',
        'spec.devices[0].capacity[m].requestPolicy.validValues: Invalid value: "3": default value is not valid according to the requestPolicy',
      ],
    ],
    [
      resourceSlices,
      device({ allowMultipleAllocations: true, capacity: { m: { value: '10', requestPolicy: { default: '4', validRange: { min: '1', step: '2' } } } } }),
      ['spec.devices[0].capacity[m].requestPolicy.validRange.step: Invalid value: "4": value is not a multiple of a given step (2) from (1)'],
    ],
    [
      resourceSlices,
      device({ bindingConditions: ['ok'] }),
      ['spec.devices[0].bindingFailureConditions: Invalid value: null: bindingFailureConditions are required to use bindingConditions'],
    ],
  ])('$plural with %j', (r, changes, wanted) => {
    expect(createFaults(r, changes)).toEqual(wanted)
  })
})

it('claims and templates ask for one device when they do not say how many', () => {
  const asked = { devices: { requests: [{ name: 'r', exactly: exactly() }] } }
  expect(createdObject(resourceClaims, { spec: asked })).toMatchObject({ spec: { devices: { requests: [{ exactly: { allocationMode: 'ExactCount', count: 1 } }] } } })
  expect(createdObject(resourceClaimTemplates, { spec: { spec: asked } })).toMatchObject({ spec: { spec: { devices: { requests: [{ exactly: { count: 1 } }] } } } })
})

it('a claim never changes; a slice keeps driver, node and pool', () => {
  expect(updateFaults(resourceClaims, {}, requests({ name: 'z', exactly: exactly() }))).toEqual(['spec: Invalid value: null: field is immutable'])
  expect(updateFaults(resourceSlices, {}, { 'spec.driver': 'x.example.com' })).toEqual(['spec.driver: Invalid value: "x.example.com": field is immutable'])
})

it('a reservation needs an allocation, a report an allocated device', () => {
  const reservedFor = [{ resource: 'pods', name: 'p', uid: 'u' }]
  expect(statusFaults(resourceClaims, {}, { 'status.reservedFor': reservedFor })).toEqual(['status.reservedFor: Forbidden: may not be specified when `allocated` is not set'])
  expect(statusFaults(resourceClaims, {}, { 'status.devices': [{ driver: 'd.example.com', pool: 'p', device: 'x' }] })).toEqual([
    'status.devices[0]: Invalid value: "d.example.com/p/x": must be an allocated device in the claim',
  ])
  const results = [{ request: 'r', driver: 'd.example.com', pool: 'p', device: 'x' }]
  const claim = requests({ name: 'r', exactly: exactly() })
  expect(statusFaults(resourceClaims, claim, { ...claim, status: { allocation: { devices: { results } }, reservedFor } })).toEqual([])
})

it('the time of a taint is that of its effect', () => {
  const added = '2020-01-01T00:00:00Z'
  expect(createdObject(deviceTaintRules)).toMatchObject({ spec: { taint: { timeAdded: '2026-01-02T00:00:00Z' } } })
  expect(createdObject(deviceTaintRules, { 'spec.taint.timeAdded': added })).toMatchObject({ spec: { taint: { timeAdded: added } } })
})
