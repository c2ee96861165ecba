import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../../src-main/base/virtual-env.ts'
import { parseYaml, parseYamlDocument } from '../../../src-main/api/yaml.ts'
import { readBlockYaml } from '../../../src-main/api/yaml-block.ts'

const whole = (text: string): unknown => parseYaml(text)[0] ?? null
const manifest = `# a comment
apiVersion: v1
kind: ConfigMap
metadata:
  name: web
  labels:
    app.kubernetes.io/name: "web server"
    on: yes
  annotations: {}
data:
  'quoted key': 'it''s'
  url: http://x.example:80/a?b=c#d
  number: 010
  time: 12:30:45
  script: |
    #!/bin/sh
    echo "$1"

      deeper: stays
  folded: |-
    no end
  kept: |+
    two ends

spec:
  containers:
  - name: a
    args:
      - --flag=1
      - -x
      - "\\u00e9"
    ports: []
  -   name: b
      empty:
  nothing: ~
`

describe('block YAML', () => {
  test('reads an ordinary manifest as the whole parser does', () => {
    expect(readBlockYaml(manifest)?.value).toEqual(whole(manifest))
    expect(readBlockYaml(`---\n${manifest}`)?.value).toEqual(whole(manifest))
  })

  test.each([
    'a: &x 1',
    'a: *x',
    'a: !!str 1',
    'a: {b: 1}',
    'a: [1]',
    'a: >\n  x\n',
    'a: |2\n   x\n',
    'a: |\n  x',
    'a: x # comment',
    'a: "x" # comment',
    'a: x\n  y',
    'a: "x\n  y"',
    'a: "\\x41"',
    '- - a',
    '- a\nb: c',
    'a: b: c',
    'a: b:',
    '? a\n: b',
    '<<: x',
    'a: 1\n---\nb: 2',
    'a: 1\n...\n',
    '\ta: 1',
    'a: 1\r\nb: 2',
    'a:\n   b: 1\n  c: 2',
    'a: -',
    'x',
    "a: 'b",
    '',
    '# only a comment',
    'a: %b',
    'a: @b',
  ])('gives up on %j', text => {
    expect(readBlockYaml(text)).toBeUndefined()
  })

  test('tells keys that stand twice with their line, and the last one counts', () => {
    expect(parseYamlDocument('a: 1\nb:\n  c: 1\n  c: 2\na: 3\n')).toEqual({
      value: { a: 3, b: { c: 2 } },
      duplicates: ['line 4: key "c" already set in map', 'line 5: key "a" already set in map'],
    })
    expect(parseYamlDocument('a: 1\nb: {c: 1}\na: 3\n').duplicates).toEqual(['line 3: key "a" already set in map'])
  })

  test('keys of objects are only keys', () => {
    const value = readBlockYaml('__proto__:\n  polluted: x\nconstructor: y\n')?.value as object
    expect([Object.keys(value), ({} as { polluted?: string }).polluted]).toEqual([['__proto__', 'constructor'], undefined])
  })

  test('what is long and not simple is refused before it costs seconds', () => {
    expect(() => parseYamlDocument(`a: &b [${'1,'.repeat(300_000)}1]\n`)).toThrow(/longer than 524288 characters/)
    const long = Array.from({ length: 60_000 }, (_, i) => `key-${i}: some text ${i}\n`).join('')
    expect(Object.keys(parseYamlDocument(long).value as object).length).toBe(60_000)
  })

  test('never says anything else than the whole parser, over 4,000 seeded texts', () => {
    const random = seededRandom(20261123)
    const below = (n: number): number => Math.floor(random.next() * n)
    const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T
    const scalars = [
      'x',
      'a b',
      '1',
      '-1',
      '0x1F',
      '010',
      '1e3',
      '.5',
      '~',
      'null',
      'yes',
      'off',
      '""',
      "''",
      '"a b"',
      "'it''s'",
      '"\\n"',
      '{}',
      '[]',
      '-x',
      '--',
      'a:b',
      'a#b',
      'http://a/b',
      '2026-01-01',
      '12:30',
      '=',
      '<',
      '1_000',
      '',
      '',
      '|',
      '|-',
      '|+',
      'a ',
      'ü',
      '$x',
      '(a)',
      'a, b',
      'a]',
      'a: b',
      'a #b',
      '- a',
      '&a b',
      '"unfinished',
      '9223372036854775807',
    ]
    const keys = ['a', 'b', 'c1', 'a.b/c', '"q k"', "'s'", 'on', '1', '~x', '__proto__', '.x', 'a_b-', '_x']
    let simple = 0
    for (let round = 0; round < 4_000; round++) {
      const lines: string[] = []
      const block = (indent: number, depth: number): void => {
        const pad = ' '.repeat(indent)
        const isList = below(3) === 0
        for (let n = 1 + below(3); n > 0; n--) {
          const head = isList ? `${pad}-${' '.repeat(1 + below(2))}` : `${pad}${pick(keys)}:`
          if (below(8) === 0) lines.push(pick(['', '  ', `${pad}# c`, '# c']))
          if (isList && below(2) === 0 && depth < 4) {
            lines.push(`${head}${pick(keys)}: ${pick(scalars)}`)
            if (below(2) === 0) lines.push(`${' '.repeat(head.length)}${pick(keys)}: ${pick(scalars)}`)
            continue
          }
          const value = pick(scalars)
          lines.push(isList ? `${head}${value}` : `${head}${value === '' ? '' : ' '}${value}`)
          if (value.startsWith('|')) for (let m = below(3); m > 0; m--) lines.push(pick([`${pad}  text`, `${pad}   more: x`, '', `${pad}  # no comment`, ' '.repeat(indent + 4)]))
          if (value === '' && depth < 4 && below(3) > 0) block(below(6) === 0 && !isList ? indent : indent + 1 + below(3), depth + 1)
        }
      }
      block(0, 0)
      const text = `${lines.join('\n')}${pick(['\n', '', '\n\n'])}`
      let fast: ReturnType<typeof readBlockYaml>
      try {
        fast = readBlockYaml(text)
      } catch {
        expect(() => whole(text), text).toThrow()
        continue
      }
      if (!fast) continue
      simple++
      expect({ text, value: fast.value }).toEqual({ text, value: whole(text) })
    }
    expect(simple).toBeGreaterThan(500)
  })
})
