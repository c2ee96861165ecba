/** What a claim asks for: requests, constraints between them, configuration. */
import { invalidValue, notSupported, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type { DeviceClaim, DeviceConstraint, DeviceRequest, DeviceSubRequest, ExactDeviceRequest } from '../../generated/resource-v1.ts'
import { isDns1123Label, isDns1123Subdomain } from '../../names.ts'
import { nameFaults } from '../../validation.ts'
import { fullAttributeNameFaults } from './device-names.ts'
import { deviceConfigurationFaults, deviceSelectorsFaults, deviceTolerationFaults } from './device-validation.ts'
import { itemsFaults, setFaults } from './lists.ts'

const maxRequests = 32
const maxAlternatives = 8
const maxTolerations = 16
const requestText = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
const oneOfText = 'exactly one of `exactly` or `firstAvailable` is required'

type Wanted = ExactDeviceRequest | DeviceSubRequest

/** Names that a claim's parts may refer to: `request` and `request/subrequest`. */
export function requestNames(claim: DeviceClaim | undefined): ReadonlySet<string> {
  return new Set((claim?.requests ?? []).flatMap(({ name, firstAvailable = [] }) => [name, ...firstAvailable.map(sub => `${name}/${sub.name}`)]))
}

export function setDeviceClaimDefaults(claim: DeviceClaim | undefined): void {
  for (const request of claim?.requests ?? []) {
    for (const wanted of [...(request.exactly === undefined ? [] : [request.exactly]), ...(request.firstAvailable ?? [])]) {
      wanted.allocationMode ||= 'ExactCount'
      if (wanted.allocationMode === 'ExactCount') wanted.count ||= 1
      for (const toleration of wanted.tolerations ?? []) toleration.operator ||= 'Equal'
    }
  }
}

/** Fields of features that are off in v1.37. */
export function dropDisabledClaimFields(claim: DeviceClaim | undefined): void {
  for (const { exactly, firstAvailable = [] } of claim?.requests ?? []) {
    delete exactly?.derivedAttributes
    for (const sub of firstAvailable) delete sub.derivedAttributes
  }
}

export function deviceClaimFaults(claim: DeviceClaim | undefined, at: FieldPath): FieldErrorList {
  const names = requestNames(claim)
  const references = (list: readonly string[] | undefined, path: FieldPath): FieldErrorList =>
    setFaults(
      list,
      maxRequests,
      path,
      (name, item) => requestReferenceFaults(name, item, names),
      name => name,
    )
  return [
    ...setFaults(
      claim?.requests,
      maxRequests,
      at.child('requests'),
      requestFaults,
      request => request.name,
      request => request,
    ),
    ...itemsFaults(claim?.constraints, maxRequests, at.child('constraints'), (constraint, path) => [
      ...references(constraint.requests, path.child('requests')),
      ...constraintFaults(constraint, path),
    ]),
    ...itemsFaults(claim?.config, maxRequests, at.child('config'), (config, path) => [
      ...references(config.requests, path.child('requests')),
      ...deviceConfigurationFaults(config.opaque, path),
    ]),
  ]
}

export function requestReferenceFaults(name: string, path: FieldPath, names: ReadonlySet<string>): FieldErrorList {
  const segments = name.split('/')
  if (segments.length > 2) return [invalidValue(path, name, requestText)]
  const faults = segments.flatMap(segment => nameFaults(segment, path, isDns1123Label))
  return names.has(name) ? faults : [...faults, invalidValue(path, name, requestText)]
}

function requestFaults(request: DeviceRequest, at: FieldPath): FieldErrorList {
  const { exactly, firstAvailable = [] } = request
  const faults = nameFaults(request.name ?? '', at.child('name'), isDns1123Label)
  if (exactly === undefined && firstAvailable.length === 0) faults.push(required(at, oneOfText))
  else if (exactly !== undefined && firstAvailable.length > 0) faults.push(invalidValue(at, null, `${oneOfText}, but multiple fields are set`))
  else if (exactly !== undefined) faults.push(...wantedFaults(exactly, at.child('exactly')))
  else
    faults.push(
      ...setFaults(
        firstAvailable,
        maxAlternatives,
        at.child('firstAvailable'),
        (sub, path) => [...nameFaults(sub.name ?? '', path.child('name'), isDns1123Label), ...wantedFaults(sub, path)],
        sub => sub.name,
        sub => sub,
      ),
    )
  return faults
}

function wantedFaults(wanted: Wanted, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = wanted.deviceClassName
    ? nameFaults(wanted.deviceClassName, at.child('deviceClassName'), isDns1123Subdomain)
    : [required(at.child('deviceClassName'), '')]
  faults.push(...deviceSelectorsFaults(wanted.selectors, at.child('selectors')))
  const { allocationMode = '', count = 0 } = wanted
  if (allocationMode === 'All') {
    if (count !== 0) faults.push(invalidValue(at.child('count'), count, "must not be specified when allocationMode is 'All'"))
  } else if (allocationMode === 'ExactCount') {
    if (count <= 0) faults.push(invalidValue(at.child('count'), count, 'must be greater than zero'))
  } else faults.push(notSupported(at.child('allocationMode'), allocationMode, ['All', 'ExactCount']))
  return [...faults, ...itemsFaults(wanted.tolerations, maxTolerations, at.child('tolerations'), deviceTolerationFaults)]
}

function constraintFaults(constraint: DeviceConstraint, at: FieldPath): FieldErrorList {
  if (constraint.matchAttribute !== undefined) return fullAttributeNameFaults(constraint.matchAttribute, at.child('matchAttribute'))
  if (constraint.distinctAttribute !== undefined) return fullAttributeNameFaults(constraint.distinctAttribute, at.child('distinctAttribute'))
  return [required(at, 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set')]
}
