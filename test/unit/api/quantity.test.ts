import { describe, expect, it } from 'vitest'
import {
  QuantityError,
  addQuantity,
  canonicalQuantity,
  compareQuantity,
  formatQuantity,
  milliValue,
  parseQuantity,
  roundUpMilli,
  subQuantity,
  value,
} from '../../../src-main/api/quantity.ts'

describe('canonical form', () => {
  it.each([
    ['1', '1'],
    ['0', '0'],
    ['-0', '0'],
    ['0Mi', '0'],
    ['1.0', '1'],
    ['1.50', '1500m'],
    ['1.5', '1500m'],
    ['1000m', '1'],
    ['1024Mi', '1Gi'],
    ['1.5Gi', '1536Mi'],
    ['100000Ki', '100000Ki'],
    ['1048576', '1048576'],
    ['0.1', '100m'],
    ['2e6', '2e6'],
    ['1e3', '1e3'],
    ['1500m', '1500m'],
    ['123456789m', '123456789m'],
    ['0.0000000001', '1n'],
    ['-0.0000000001', '-1n'],
    ['100Ki', '100Ki'],
    ['1023Ki', '1023Ki'],
    ['1000', '1k'],
    ['1000k', '1M'],
    ['12e4', '120e3'],
    ['512', '512'],
    // Texts that look canonical to Kubernetes are repeated.
    ['+1', '+1'],
    ['00001', '00001'],
    ['1e+21', '1e+21'],
    ['1.500', '1.500'],
    ['8Ei', '9223372036854775807'],
    ['18446744073709551616', '18446744073709551616'],
    ['1000E', '1e21'],
  ])('%s is %s', (text, canonical) => {
    expect(canonicalQuantity(text)).toBe(canonical)
  })

  it('takes JSON numbers', () => {
    expect([5, 1.5, 1e21].map(canonicalQuantity)).toEqual(['5', '1500m', '1e+21'])
  })
})

it.each([
  ['', 'quantities must match'],
  ['abc', 'quantities must match'],
  ['1 Mi', 'quantities must match'],
  ['0x10', 'quantities must match'],
  ['1.1.1', 'quantities must match'],
  ['2e6Ki', 'quantities must match'],
  ['١', 'quantities must match'],
  ['NaN', 'quantities must match'],
  ['1Mi1', "unable to parse quantity's suffix"],
  ['1ki', "unable to parse quantity's suffix"],
  ['1e', "unable to parse quantity's suffix"],
  ['1mi', "unable to parse quantity's suffix"],
  ['1e999999999', "unable to parse quantity's suffix"],
])('refuses %j', (text, message) => {
  expect(() => parseQuantity(text)).toThrow(QuantityError)
  expect(() => parseQuantity(text)).toThrow(message)
})

it('computes exactly', () => {
  expect(milliValue(parseQuantity('0.1'))).toBe(100)
  expect(milliValue(parseQuantity('1n'))).toBe(1)
  expect(value(parseQuantity('1500m'))).toBe(2)
  expect(value(parseQuantity('2Gi'))).toBe(2 ** 31)
  expect(formatQuantity(addQuantity(parseQuantity('0.1'), parseQuantity('0.2')))).toBe('300m')
  expect(formatQuantity(subQuantity(parseQuantity('1Gi'), parseQuantity('512Mi')))).toBe('512Mi')
  expect(compareQuantity(parseQuantity('1Gi'), parseQuantity('1G'))).toBe(1)
  expect(formatQuantity(roundUpMilli(parseQuantity('1.23456789123')))).toBe('1235m')
})
