/** Texts and values that are made to cost much. */
import { expect, it } from 'vitest'
import { validateValue } from '../../../src-main/api/apiextensions/value-validation.ts'
import { duplicateKeys, inOrderOfText } from '../../../src-main/api/json.ts'
import { parseGoDuration } from '../../../src-main/api/time.ts'

it('reads durations in one pass', () => {
  expect([parseGoDuration('1.5h'), parseGoDuration('1.s'), parseGoDuration('.5s'), parseGoDuration('.s')]).toEqual([5_400_000, 1_000, 500, undefined])
  expect([parseGoDuration('1'.repeat(1_000)), parseGoDuration(`${'0'.repeat(2_000)}1s`)]).toEqual([undefined, undefined])
})

it('tells a bounded number of repeated keys', () => {
  const text = `[${Array.from({ length: 5_000 }, (_, i) => `{"k${i}":1,"k${i}":2}`).join(',')}]`
  expect(duplicateKeys(text)).toHaveLength(1_000)
})

it('puts faults in order in texts of usual size alone', () => {
  const faults = ['unknown field "b"', 'unknown field "a"']
  expect(inOrderOfText('{"a":1,"b":2}', faults)).toEqual(faults.toReversed())
  expect(inOrderOfText(`{"a":1,"b":"${'x'.repeat(70_000)}"}`, faults)).toEqual(faults)
})

it('keeps each fault of a value once, and a bounded number of them', () => {
  const schema = { type: 'object', additionalProperties: { type: 'string' } }
  const value = (count: number): object => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]))
  expect(validateValue(schema, value(3), undefined)).toHaveLength(3)
  expect(validateValue(schema, value(20_000), undefined)).toHaveLength(10_000)
  expect(validateValue({ allOf: [{ required: ['a'] }, { required: ['a'] }] }, {}, undefined).filter(({ code }) => code === 'required')).toHaveLength(1)
})
