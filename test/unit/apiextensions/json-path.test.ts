/** kubectl's dialect of JSONPath. Expected values are those of client-go. */
import { describe, expect, test } from 'vitest'
import { findJsonPath, JsonPathError, parseJsonPath } from '../../../src-main/api/apiextensions/json-path.ts'

const data = {
  kind: 'List',
  items: [
    { name: 'a', size: 1, tags: ['x', 'y'], on: true },
    { name: 'b', size: 2, tags: ['y'], on: false },
    { name: 'c', size: 3, tags: [] },
  ],
  labels: { 'app.kubernetes.io/name': 'web', "it's": 'odd' },
  deep: { one: { name: 'd' }, two: { name: 'e' } },
}

describe('paths find', () => {
  test.each<[string, unknown[]]>([
    ['.kind', ['List']],
    ['.items[0].name', ['a']],
    ['.items[-1].name', ['c']],
    ['.items[*].name', ['a', 'b', 'c']],
    ['.items[0:2].name', ['a', 'b']],
    ['.items[::2].name', ['a', 'c']],
    ['.items[1:].name', ['b', 'c']],
    ['.items[0,2].name', ['a', 'c']],
    ['.items[?(@.size>1)].name', ['b', 'c']],
    ['.items[?(@.name=="b")].size', [2]],
    ['.items[?(@.on==true)].name', ['a']],
    ["['kind']", ['List']],
    ['.labels.app\\.kubernetes\\.io/name', ['web']],
    [".labels['app\\.kubernetes\\.io/name']", ['web']],
    // A dot in quotes parts names too.
    [".labels['app.kubernetes.io/name']", []],
    ['.deep.*.name', ['d', 'e']],
    ['.deep..name', ['d', 'e']],
    ['.none', []],
    ['.items[*].none', []],
    ['.__proto__.constructor', []],
    ['.items.constructor', []],
  ])('%s', (path, wanted) => {
    expect(findJsonPath(parseJsonPath(path), data)).toEqual(wanted)
  })
})

describe('paths that are none', () => {
  test.each(['.items[', '.items[?(@.a]', '.a[x]', "['a"])('%s', path => {
    expect(() => parseJsonPath(path)).toThrow(JsonPathError)
  })

  test('however deep they are', () => {
    expect(() => parseJsonPath(`.a${'[?(@.a'.repeat(5_000)}`)).toThrow(JsonPathError)
  })
})
