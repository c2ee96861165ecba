/** Which status a job may be given. */
import { describe, expect, it } from 'vitest'
import { jobs } from '../../../src-main/api/resources.ts'
import { statusFaults, type Changes } from './judge.ts'

const [start, end] = ['2020-01-02T03:04:05Z', '2020-01-02T03:05:05Z']
const conditions = (...types: string[]): object[] => types.map(type => ({ type, status: 'True' }))
const indexed = { 'spec.completionMode': 'Indexed', 'spec.completions': 5, 'spec.parallelism': 2 }
const done = { 'status.conditions': conditions('SuccessCriteriaMet', 'Complete'), 'status.startTime': start, 'status.completionTime': end }

describe('a status', () => {
  it.each<[string, Changes, Changes, string[]]>([
    ['more ready than active', {}, { 'status.ready': 5 }, ['status.ready: Invalid value: 5: cannot set more ready pods than active']],
    [
      'complete at once',
      {},
      { 'status.conditions': conditions('Complete') },
      [
        'status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition',
        'status.completionTime: Required value: completionTime is required for Complete jobs',
        'status.startTime: Required value: startTime is required for finished job',
      ],
    ],
    [
      'failed without its reason',
      {},
      { 'status.conditions': conditions('Failed'), 'status.startTime': start },
      ['status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition'],
    ],
    ['failed with it', {}, { 'status.conditions': conditions('FailureTarget', 'Failed'), 'status.startTime': start }, []],
    ['complete', {}, done, []],
    ['complete with pods left', {}, { ...done, 'status.active': 1 }, ['status.active: Invalid value: 1: active>0 is invalid for finished job']],
    [
      'an end before its start',
      {},
      { ...done, 'status.completionTime': '2020-01-01T00:00:00Z' },
      ['status.completionTime: Invalid value: "2020-01-01T00:00:00Z": must be equal to or after `startTime`'],
    ],
    [
      'no longer complete',
      done,
      { 'status.startTime': start },
      [
        'status.conditions: Invalid value: cannot disable the terminal Complete=True condition',
        'status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition',
      ],
    ],
    ['fewer failures', { 'status.failed': 2 }, { 'status.failed': 1 }, ['status.failed: Invalid value: 1: cannot decrease the failed counter']],
    [
      'indexes of a job without them',
      {},
      { 'status.completedIndexes': '0' },
      ['status.completedIndexes: Invalid value: "0": cannot set non-empty completedIndexes when non-indexed completion mode'],
    ],
    ['indexes in order', indexed, { ...indexed, 'status.completedIndexes': '0,2-4' }, []],
    [
      'indexes out of order',
      indexed,
      { ...indexed, 'status.completedIndexes': '2-4,1' },
      ['status.completedIndexes: Invalid value: "2-4,1": error parsing completedIndexes: non-increasing order, previous: 4, current: 1'],
    ],
    [
      'an index too many',
      indexed,
      { ...indexed, 'status.completedIndexes': '5' },
      ['status.completedIndexes: Invalid value: "5": error parsing completedIndexes: too large index: "5"'],
    ],
    [
      'an index in both lists',
      { ...indexed, 'spec.backoffLimitPerIndex': 1 },
      { ...indexed, 'spec.backoffLimitPerIndex': 1, 'status.completedIndexes': '0-2', 'status.failedIndexes': '2-3' },
      ['status.failedIndexes: Invalid value: "2-3": failedIndexes and completedIndexes overlap at index: 2'],
    ],
    ['the same as before, however odd', { 'status.conditions': conditions('Complete') }, { 'status.conditions': conditions('Complete') }, []],
  ])('%s', (_title, before, after, wanted) => {
    expect(statusFaults(jobs, before, after)).toEqual(wanted)
  })
})
