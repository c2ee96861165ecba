import levelFacts from '../../../../resources/bootstrap/priority-level-configurations.json' with { type: 'json' }
import { defineResource } from '../../resource.ts'
import { ageColumn, nameColumn, none } from '../../columns.ts'
import { forbiddenField, invalidValue, notSupported, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import type {
  ExemptPriorityLevelConfiguration,
  LimitedPriorityLevelConfiguration,
  LimitResponse,
  PriorityLevelConfiguration,
  PriorityLevelConfigurationSpec,
  QueuingConfiguration,
} from '../../generated/flowcontrol-v1.ts'
import { deepEqual } from '../../json.ts'
import { flowConditionsFaults } from './flow-conditions.ts'

export type { PriorityLevelConfiguration }

const maxQueues = 10_000_000
/** Bits of a flow's hash from which its hand of queues is dealt. */
const maxHashBits = 60
const roundTripAnnotation = 'flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares'
const percentText = 'must be between 0 and 100, inclusive'

/** Bits that are needed to deal `handSize` of `deckSize` queues. */
const requiredEntropyBits = (deckSize: number, handSize: number): number => Math.ceil(Math.log2(deckSize) * handSize)

function queuingFaults(queuing: QueuingConfiguration, at: FieldPath): FieldErrorList {
  const { queues = 0, handSize = 0, queueLengthLimit = 0 } = queuing
  const faults: FieldErrorList = []
  if (queueLengthLimit <= 0) faults.push(invalidValue(at.child('queueLengthLimit'), queueLengthLimit, 'must be positive'))
  if (queues <= 0) faults.push(invalidValue(at.child('queues'), queues, 'must be positive'))
  else if (queues > maxQueues) faults.push(invalidValue(at.child('queues'), queues, `must not be greater than ${maxQueues}`))
  if (handSize <= 0) faults.push(invalidValue(at.child('handSize'), handSize, 'must be positive'))
  else if (handSize > queues) faults.push(invalidValue(at.child('handSize'), handSize, `should not be greater than queues (${queues})`))
  else if (requiredEntropyBits(queues, handSize) > maxHashBits)
    faults.push(invalidValue(at.child('handSize'), handSize, `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${maxHashBits}`))
  return faults
}

function limitResponseFaults(response: LimitResponse | undefined, at: FieldPath): FieldErrorList {
  const { type = '', queuing } = response ?? {}
  if (type === 'Reject') return queuing === undefined ? [] : [forbiddenField(at.child('queuing'), 'must be nil if limited.limitResponse.type is not Limited')]
  if (type === 'Queue')
    return queuing === undefined ? [required(at.child('queuing'), 'must not be empty if limited.limitResponse.type is Limited')] : queuingFaults(queuing, at.child('queuing'))
  return type === '' ? [required(at.child('type'), '')] : [notSupported(at.child('type'), type, ['Queue', 'Reject'])]
}

function sharesFaults(shares: ExemptPriorityLevelConfiguration, at: FieldPath): FieldErrorList {
  const { nominalConcurrencyShares: nominal = 0, lendablePercent: lendable = 0 } = shares
  const faults: FieldErrorList = []
  if (nominal < 0) faults.push(invalidValue(at.child('nominalConcurrencyShares'), nominal, 'must be a non-negative integer'))
  if (lendable < 0 || lendable > 100) faults.push(invalidValue(at.child('lendablePercent'), lendable, percentText))
  return faults
}

function limitedFaults(limited: LimitedPriorityLevelConfiguration, at: FieldPath): FieldErrorList {
  const faults = [...sharesFaults(limited, at), ...limitResponseFaults(limited.limitResponse, at.child('limitResponse'))]
  const borrowing = limited.borrowingLimitPercent
  if (borrowing !== undefined && borrowing < 0) faults.push(invalidValue(at.child('borrowingLimitPercent'), borrowing, 'if specified, must be a non-negative integer'))
  return faults
}

function specFaults(name: string, spec: Partial<PriorityLevelConfigurationSpec>, at: FieldPath): FieldErrorList {
  const { type = '', limited, exempt } = spec
  const faults: FieldErrorList = []
  if ((name === 'exempt') !== (type === 'Exempt')) faults.push(invalidValue(at.child('type'), type, "must be 'Exempt' if and only if `name` is 'exempt'"))
  if (type === 'Exempt') {
    if (limited !== undefined) faults.push(forbiddenField(at.child('limited'), 'must be nil if the type is not Limited'))
    if (exempt !== undefined) faults.push(...sharesFaults(exempt, at.child('exempt')))
  } else if (type === 'Limited') {
    if (exempt !== undefined) faults.push(forbiddenField(at.child('exempt'), 'must be nil if the type is Limited'))
    if (limited === undefined) faults.push(required(at.child('limited'), 'must not be empty when type is Limited'))
    else faults.push(...limitedFaults(limited, at.child('limited')))
  } else {
    if (limited !== undefined) faults.push(forbiddenField(at.child('limited'), 'must be nil if the type is not Limited'))
    faults.push(type === '' ? required(at.child('type'), '') : notSupported(at.child('type'), type, ['Exempt', 'Limited']))
  }
  return faults
}

/** The mandatory levels are fixed; of `exempt` the shares may change. */
function fixedFaults(level: PriorityLevelConfiguration, at: FieldPath): FieldErrorList {
  const name = level.metadata.name ?? ''
  const fixed = name === 'exempt' || name === 'catch-all' ? levelFacts.find(one => one.metadata.name === name) : undefined
  if (fixed === undefined) return []
  const { exempt: _have, ...have } = level.spec ?? {}
  const { exempt: _want, ...want } = fixed.spec
  if (name === 'exempt') return deepEqual(have, want) ? [] : [invalidValue(at, level.spec, `spec of '${name}' except the 'spec.exempt' field must equal the fixed value`)]
  return deepEqual(level.spec, fixed.spec) ? [] : [invalidValue(at, level.spec, `spec of '${name}' must equal the fixed value`)]
}

const queuingOf = (level: PriorityLevelConfiguration): QueuingConfiguration | undefined => level.spec?.limited?.limitResponse?.queuing

export const priorityLevelConfigurations = defineResource<PriorityLevelConfiguration>({
  group: 'flowcontrol.apiserver.k8s.io',
  version: 'v1',
  kind: 'PriorityLevelConfiguration',
  plural: 'prioritylevelconfigurations',
  scope: 'Cluster',
  schema: 'io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration',
  subresources: { status: true },
  generation: true,
  columns: [
    nameColumn(),
    { name: 'Type', type: 'string', value: l => l.spec?.type ?? '' },
    { name: 'NominalConcurrencyShares', type: 'string', value: l => (l.spec?.limited === undefined ? none : (l.spec.limited.nominalConcurrencyShares ?? 0)) },
    { name: 'Queues', type: 'string', value: l => queuingOf(l)?.queues ?? none },
    { name: 'HandSize', type: 'string', value: l => queuingOf(l)?.handSize ?? none },
    { name: 'QueueLengthLimit', type: 'string', value: l => queuingOf(l)?.queueLengthLimit ?? none },
    ageColumn(),
  ],
  menu: { area: 'access', order: 90 },
  setDefaults(level) {
    const { exempt, limited } = level.spec ?? {}
    if (exempt !== undefined) {
      exempt.nominalConcurrencyShares ??= 0
      exempt.lendablePercent ??= 0
    }
    if (limited === undefined) return
    limited.nominalConcurrencyShares ??= 30
    limited.lendablePercent ??= 0
    const queuing = limited.limitResponse?.queuing
    if (queuing === undefined) return
    queuing.handSize ||= 8
    queuing.queues ||= 64
    queuing.queueLengthLimit ||= 50
  },
  prepareForCreate(level) {
    level.status = {}
  },
  validate(level, at) {
    const faults: FieldErrorList = []
    if (level.metadata.annotations?.[roundTripAnnotation] !== undefined)
      faults.push(forbiddenField(at.child('metadata', 'annotations'), `annotation '${roundTripAnnotation}' is forbidden`))
    return [
      ...faults,
      ...specFaults(level.metadata.name ?? '', level.spec ?? {}, at.child('spec')),
      ...fixedFaults(level, at.child('spec')),
      ...flowConditionsFaults(level.status?.conditions, at.child('status')),
    ]
  },
  validateStatusUpdate: (next, _previous, at) => flowConditionsFaults(next.status?.conditions, at.child('status')),
})
