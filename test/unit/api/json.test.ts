import { describe, expect, it } from 'vitest'
import {
  JsonError,
  cloneJson,
  compareBytes,
  deepEqual,
  deepFreeze,
  duplicateKeys,
  getOwn,
  maxJsonDepth,
  parseJson,
  quoteGo,
  setOwn,
  stringifyJson,
} from '../../../src-main/api/json.ts'

describe('parseJson', () => {
  it('keeps integers of int64 exactly and writes them back', () => {
    for (const text of ['9007199254740993', '-9223372036854775808', '9223372036854775807', '[1,9007199254740993,2]', '{"a":{"b":9007199254740993}}'])
      expect(stringifyJson(parseJson(text))).toBe(text)
  })

  it('reads integers beyond int64 as floats, as Kubernetes does', () => {
    expect(parseJson('9223372036854775808')).toBe(9223372036854775808)
  })

  it('refuses numbers beyond float64 instead of storing null', () => {
    expect(() => parseJson('{"a":1e400}')).toThrow('json: cannot unmarshal number 1e400 into Go value of type float64')
  })

  it.each(['__proto__', 'constructor', 'toJSON', 'length', 'hasOwnProperty'])('treats %s as an ordinary key', key => {
    const text = JSON.stringify({ a: 1 }).replace('"a"', JSON.stringify(key))
    const value = parseJson(text)
    expect(Object.hasOwn(value as object, key)).toBe(true)
    expect(stringifyJson(value)).toBe(text)
    expect(stringifyJson(cloneJson(value))).toBe(text)
    expect(getOwn({}, key)).toBeUndefined()
  })

  it('does not let __proto__ reach the prototype', () => {
    const value = cloneJson(parseJson('{"__proto__":{"polluted":true}}'))
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.isFrozen(deepFreeze(value))).toBe(true)
    expect(Object.isFrozen(Object.prototype)).toBe(false)
  })

  it('bounds nesting without using up the stack', () => {
    const depth = 1_500_000
    expect(() => parseJson('['.repeat(depth) + ']'.repeat(depth))).toThrow('exceeded max depth')
    expect(() => parseJson('{"a":'.repeat(depth))).toThrow(JsonError)
    expect(parseJson('['.repeat(maxJsonDepth) + ']'.repeat(maxJsonDepth))).toBeInstanceOf(Array)
  })

  it('replaces lone surrogates and refuses invalid UTF-8 and a byte order mark', () => {
    expect(parseJson('{"a":"\\ud800 \\u2603"}')).toEqual({ a: '\ufffd ☃' })
    expect(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22))).toThrow(JsonError)
    expect(() => parseJson(Uint8Array.of(0xef, 0xbb, 0xbf, 0x31))).toThrow("invalid character 'ï' looking for beginning of value")
  })

  it.each([
    ['', 'unexpected end of JSON input'],
    [' ', 'unexpected end of JSON input'],
    ['{', 'unexpected end of JSON input'],
    ['{"a"', 'unexpected end of JSON input'],
    ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
    ["{'a':1}", "invalid character '\\'' looking for beginning of object key string"],
    ['{} trailing', "invalid character 't' after top-level value"],
    ['\u0000', "invalid character '\\x00' looking for beginning of value"],
    ['[1 2]', "invalid character '2' after array element"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 "b"}', "invalid character '\"' after object key:value pair"],
    ['nul', "invalid character ' ' in literal null (expecting 'l')"],
    ['nulx', "invalid character 'x' in literal null (expecting 'l')"],
    ['01', "invalid character '1' after top-level value"],
    ['"\\x"', "invalid character 'x' in string escape code"],
    ['"\n"', "invalid character '\\n' in string literal"],
    ['-', "invalid character ' ' in numeric literal"],
    ['"\\', "invalid character ' ' in string escape code"],
    ['"a', 'unexpected end of JSON input'],
    ['1.x', "invalid character 'x' after decimal point in numeric literal"],
  ])('says of %j what Go says', (text, message) => {
    expect(() => parseJson(text)).toThrow(new JsonError(message))
  })
})

it('finds keys that stand twice, with their paths', () => {
  expect(duplicateKeys('{"a":1,"a":2,"b":{"c":[{"d":1,"d":2},{"d":3}]},"e":{"a":1}}')).toEqual(['a', 'b.c[0].d'])
})

it('compares without regard to order of keys and to undefined', () => {
  expect(deepEqual({ a: 1, b: undefined, c: [1, { d: 2n }] }, { c: [1, { d: 2n }], a: 1 })).toBe(true)
  expect(deepEqual({ a: 1 }, { a: 1, toString: 2 })).toBe(false)
  expect(deepEqual({ toString: 1 }, {})).toBe(false)
  expect(deepEqual([1], { 0: 1 })).toBe(false)
  expect(deepEqual({ a: null }, {})).toBe(false)
})

it('orders by UTF-8 bytes where UTF-16 differs', () => {
  const words = ['\u{10000}', '\uffff', 'b', 'a', 'aa', '\ue000', '\ud7ff']
  expect([...words].sort(compareBytes)).toEqual([...words].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
})

it('quotes as Go does', () => {
  expect(quoteGo('a"b\\\n\x01é☃\u200b')).toBe('"a\\"b\\\\\\n\\x01é☃\\u200b"')
})

it('sets own properties only', () => {
  const target = {}
  setOwn(target, '__proto__', { x: 1 })
  expect(Object.getPrototypeOf(target)).toBe(Object.prototype)
  expect(getOwn(target, '__proto__')).toEqual({ x: 1 })
})
