import { describe, expect, test } from 'vitest'
import { RE2JS } from 're2js'
import { compileRegex } from '../../../src-renderer/kinds/pattern.ts'
import { quickPattern } from '../../../src-renderer/kinds/quick-pattern.ts'

describe('a quick pattern', () => {
  test.each<[string, boolean, string]>([
    ['status=5\\d\\d', true, 'status=5'],
    ['(GET|POST) .* 5\\d\\d$', true, ' 5'],
    ['^a.*b.*c$', false, 'a'],
    ['one|two', true, ''],
    ['took=3[0-9]{2}ms', true, 'took=3'],
    ['a{2,400}b{2,400}', false, ''],
    ['[^ ]+ ERROR', true, ' error'],
    ['a?'.repeat(30) + 'b', false, 'b'],
    ['(x|xy)'.repeat(20) + 'b', false, 'b'],
    ['(x)?'.repeat(20) + 'b', false, 'b'],
    ['x{1,8}'.repeat(4) + 'b', false, 'b'],
  ])('%s goes by the browser: %s; every match has %j', (source, native, needs) => {
    const quick = quickPattern(source)
    expect([quick?.regex !== undefined, quick?.needs]).toEqual([native, needs])
  })
  test.each(['(a+)+$', '(ab)*', '(?i)x', '\\pL', '[[:alpha:]]', 'a**', '\\Qa.b\\E', '(a', 'a)', '[z-a]', 'é+', '(?=x)'])('%s is left to RE2', source => {
    expect(quickPattern(source)).toBeUndefined()
  })

  test('matches what RE2 matches, for patterns and texts at random', () => {
    let seed = 11
    const next = (): number => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648
    const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T
    const atoms = [
      'a',
      'B',
      '1',
      '-',
      '\\d',
      '\\w',
      '\\s',
      '\\S',
      '.',
      '[a-c]',
      '[^ab]',
      '[\\d-]',
      '\\.',
      '\\b',
      '^',
      '$',
      '(a|b1)',
      '(?:1|)',
      '|',
      ' ',
      '(b)?',
      '\\W',
      '[\\s_]',
      '\\B',
    ]
    const quantifiers = ['', '', '', '*', '+', '?', '{2}', '{1,3}', '+?', '{0,}']
    const letters = ['a', 'A', 'b', 'B', '1', '-', ' ', '.', '_', 'c', '\t']
    const unlike: string[] = []
    let compared = 0
    for (let i = 0; i < 4000; i++) {
      const source = Array.from({ length: 1 + Math.floor(next() * 5) }, () => pick(atoms) + pick(quantifiers)).join('')
      let re2
      try {
        re2 = RE2JS.compile(source, RE2JS.CASE_INSENSITIVE)
      } catch {
        continue
      }
      const matcher = compileRegex(source)
      for (let t = 0; t < 4; t++) {
        const text = Array.from({ length: Math.floor(next() * 9) }, () => pick(letters)).join('')
        compared++
        if (matcher(text) !== re2.matcher(text).find()) unlike.push(`${source} on ${JSON.stringify(text)}`)
      }
    }
    expect([unlike, compared > 5000]).toEqual([[], true])
  })
  test('of one repetition ends soon on a hostile line', () => {
    expect(compileRegex('.*x$')('a'.repeat(16_384))).toBe(false)
  })
})
