import { describe, expect, it } from 'vitest'
import { YamlError, parseYaml, stringifyYaml } from '../../../src-main/api/yaml.ts'

describe('parseYaml', () => {
  it('reads YAML 1.1 scalars as kubectl does', () => {
    const [value] = parseYaml('a: yes\nb: off\nc: "no"\nd: 010\ne: 0x1F\nf: 1_000\ng: ~\nh: 2001-01-01\ni: 1e3\nj: 12:30:45\nk: 9007199254740993\nl: .5\nm: !!str 5\np: +12\nq:\n')
    expect(value).toEqual({
      a: true,
      b: false,
      c: 'no',
      d: 8,
      e: 31,
      f: 1000,
      g: null,
      h: '2001-01-01',
      i: 1000,
      j: '12:30:45',
      k: 9007199254740993n,
      l: 0.5,
      m: '5',
      p: 12,
      q: null,
    })
  })

  it('reads several documents and leaves out empty ones', () => {
    expect(parseYaml('---\na: 1\n---\n---\n# nothing\n---\nb: 2\n')).toEqual([{ a: 1 }, { b: 2 }])
  })

  it('merges, aliases and stringifies keys', () => {
    expect(parseYaml('x: &x {a: 1, b: 2}\nz:\n  <<: *x\n  b: 3\n1: one\ntrue: t\n')).toEqual([{ x: { a: 1, b: 2 }, z: { a: 1, b: 3 }, 1: 'one', true: 't' }])
  })

  it('bounds aliases, depth and tags', () => {
    const bomb = ['a0: &a0 [x,x,x,x,x,x,x,x,x,x]', ...Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(',')}]`)].join('\n')
    expect(() => parseYaml(bomb)).toThrow('excessive aliasing')
    expect(() => parseYaml('['.repeat(100_000))).toThrow(YamlError)
    expect(() => parseYaml('a: !!js/function x')).toThrow(YamlError)
    expect(() => parseYaml('a: &a [*a]')).toThrow(YamlError)
  })

  it('keeps hostile keys as data', () => {
    expect(JSON.stringify(parseYaml('__proto__: {x: 1}\nconstructor: c\n')[0])).toBe('{"__proto__":{"x":1},"constructor":"c"}')
  })
})

describe('stringifyYaml', () => {
  it('has the layout of kubectl', () => {
    expect(
      stringifyYaml({
        spec: { containers: [{ name: 'c', args: ['a', 'b'], env: [] }], nil: null, list: [[1, 2]], empty: {} },
        kind: 'Pod',
        apiVersion: 'v1',
        text: { bool: 'yes', num: '1', empty: '', multi: 'a\nb\n', noEnd: 'a\nb', colon: 'a: b', date: '2001-01-01', star: '*x', quote: "it's", big: 9007199254740993n, f: 1.5 },
      }),
    ).toBe(`apiVersion: v1
kind: Pod
spec:
  containers:
  - args:
    - a
    - b
    env: []
    name: c
  empty: {}
  list:
  - - 1
    - 2
  nil: null
text:
  big: 9007199254740993
  bool: "yes"
  colon: 'a: b'
  date: "2001-01-01"
  empty: ""
  f: 1.5
  multi: |
    a
    b
  noEnd: |-
    a
    b
  num: "1"
  quote: it's
  star: '*x'
`)
  })

  it('gives back what it wrote', () => {
    const value = {
      a: [
        '',
        ' ',
        'x ',
        '- a',
        '#',
        'a #b',
        'null',
        '0x1',
        '1:30',
        '\t',
        'é\u0007',
        '🚀',
        'a\n\n',
        '\n',
        ' lead\nx',
        '{}',
        '[',
        '!',
        '%',
        '@',
        '`',
        '"',
        "'",
        '---',
        '=',
        '<<',
        'k: v',
        'long '.repeat(60).trim(),
      ],
      '': 1,
      'a: b': 2,
      '1': 3,
      yes: 4,
    }
    expect(parseYaml(stringifyYaml(value))).toEqual([value])
  })
})
