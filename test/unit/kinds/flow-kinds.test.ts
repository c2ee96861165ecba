/** flowcontrol.apiserver.k8s.io: flow schemas and priority levels. */
import { describe, expect, it } from 'vitest'
import { bootstrapObjects } from '../../../src-main/api/bootstrap-objects.ts'
import { FieldPath } from '../../../src-main/api/field-errors.ts'
import { flowSchemas, priorityLevelConfigurations } from '../../../src-main/api/resources.ts'
import type { AnyResource } from '../../../src-main/api/resource.ts'
import { createdObject, createFaults, type Changes } from './judge.ts'

const group = { kind: 'Group', group: { name: 'g' } }
const rule = (subjects: object[], nonResourceRules?: object[]): Changes => ({ 'spec.rules': [{ subjects, ...(nonResourceRules ? { nonResourceRules } : {}) }] })
const urls = (...nonResourceURLs: string[]): object[] => [{ verbs: ['get'], nonResourceURLs }]
const queuing = (settings: object): Changes => ({ 'spec.limited.limitResponse': { type: 'Queue', queuing: settings } })

describe('creates', () => {
  it.each<[AnyResource, Changes, string[]]>([
    [flowSchemas, { 'spec.matchingPrecedence': -1 }, ['spec.matchingPrecedence: Invalid value: -1: must be a positive value']],
    [flowSchemas, { 'spec.matchingPrecedence': 10_001 }, ['spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000']],
    [flowSchemas, { 'spec.matchingPrecedence': 1 }, ["spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1"]],
    [flowSchemas, { 'spec.priorityLevelConfiguration': { name: '' } }, ['spec.priorityLevelConfiguration.name: Required value: must reference a priority level']],
    [
      flowSchemas,
      { 'spec.rules': [{}] },
      [
        'spec.rules[0].subjects: Required value: subjects must contain at least one value',
        'spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty',
      ],
    ],
    [flowSchemas, rule([{ kind: 'User' }], urls('*')), ["spec.rules[0].subjects[0].user: Required value: user is required when subject kind is 'User'"]],
    [flowSchemas, rule([{ ...group, user: { name: 'u' } }], urls('/x')), ["spec.rules[0].subjects[0].user: Forbidden: user is forbidden when subject kind is not 'User'"]],
    [
      flowSchemas,
      rule([group], urls('x', '/a//b', '/*/x')),
      [
        'spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "x": must start with slash',
        'spec.rules[0].nonResourceRules[0].nonResourceURLs[1]: Invalid value: "/a//b": must not contain double slash',
        'spec.rules[0].nonResourceRules[0].nonResourceURLs[2]: Invalid value: "/*/x": wildcard can only do suffix matching',
      ],
    ],
    [priorityLevelConfigurations, queuing({ queues: 4, handSize: 8 }), ['spec.limited.limitResponse.queuing.handSize: Invalid value: 8: should not be greater than queues (4)']],
    [
      priorityLevelConfigurations,
      queuing({ queues: 64, handSize: 30 }),
      ['spec.limited.limitResponse.queuing.handSize: Invalid value: 30: required entropy bits of deckSize 64 and handSize 30 should not be greater than 60'],
    ],
    [
      priorityLevelConfigurations,
      { 'spec.type': 'Exempt' },
      ["spec.type: Invalid value: \"Exempt\": must be 'Exempt' if and only if `name` is 'exempt'", 'spec.limited: Forbidden: must be nil if the type is not Limited'],
    ],
  ])('$plural with %j', (r, changes, wanted) => {
    expect(createFaults(r, changes)).toEqual(wanted)
  })
})

it('queues have the sizes of upstream unless they say others', () => {
  expect(createdObject(priorityLevelConfigurations, queuing({}))).toMatchObject({
    spec: { limited: { nominalConcurrencyShares: 30, lendablePercent: 0, limitResponse: { queuing: { queues: 64, handSize: 8, queueLengthLimit: 50 } } } },
  })
})

it('every bootstrap object is legal, and the mandatory ones cannot be altered', () => {
  const objects = bootstrapObjects().filter(object => object.kind === 'FlowSchema' || object.kind === 'PriorityLevelConfiguration')
  const declarationOf = (kind: string): AnyResource => (kind === 'FlowSchema' ? flowSchemas : priorityLevelConfigurations)
  expect(objects.length).toBe(19)
  expect(objects.flatMap(object => declarationOf(object.kind).validate?.(object, FieldPath.root()) ?? [])).toEqual([])
  const exempt = objects.find(object => object.kind === 'FlowSchema' && object.metadata.name === 'exempt') as unknown as { spec: { matchingPrecedence: number } }
  exempt.spec.matchingPrecedence = 2
  expect((flowSchemas.validate?.(exempt as never, FieldPath.root()) ?? []).map(fault => fault.message)[0]).toMatch(/spec of 'exempt' must equal the fixed value$/)
})
