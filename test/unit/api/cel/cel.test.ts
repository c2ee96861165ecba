/** The expression language: results, errors, types and costs, by table. Expected texts and costs are those of Kubernetes v1.37. */
import { describe, expect, it } from 'vitest'
import { CelCompileError, CelError, celEnvironment } from '../../../../src-main/api/cel/cel.ts'
import { celValue, declTypeOfSchema, escapeName } from '../../../../src-main/api/cel/schema-types.ts'
import { dynType, formatType } from '../../../../src-main/api/cel/types.ts'
import { toJson } from '../../../../src-main/api/cel/values.ts'

const schema = {
  type: 'object',
  properties: {
    a: { type: 'integer' },
    s: { type: 'string', maxLength: 10 },
    l: { type: 'array', maxItems: 5, items: { type: 'string', maxLength: 4 } },
    m: { type: 'object', additionalProperties: { type: 'integer' } },
    set: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
    keyed: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
      items: { type: 'object', properties: { k: { type: 'string' }, v: { type: 'integer' } } },
    },
    when: { type: 'string', format: 'date-time' },
    'x-y': { type: 'string' },
    io: { 'x-kubernetes-int-or-string': true },
  },
}
const decl = declTypeOfSchema(schema, { root: false })
if (!decl) throw new Error('the schema has a type')
const self = {
  a: 3,
  s: 'hello',
  l: ['b', 'a'],
  m: { q: 4 },
  set: ['x', 'y'],
  keyed: [
    { k: 'p', v: 1 },
    { k: 'q', v: 2 },
  ],
  when: '2020-02-03T04:05:06Z',
  'x-y': 'z',
  io: 5,
}
const object = { metadata: { name: 'lib' }, data: { a: '1' }, n: 1.5 }
const env = celEnvironment({ variables: { self: decl, object: dynType } })

function evaluate(expression: string, limit = 1_000_000): unknown {
  const { value } = env.compile(expression).evaluate({ self: celValue(self, decl), object: celValue(object) }, { limit })
  return toJson(value)
}

function faultOf(run: () => unknown): string {
  try {
    run()
  } catch (fault) {
    if (fault instanceof CelError || fault instanceof CelCompileError) return fault.message
    throw fault
  }
  return 'no fault'
}

describe('values', () => {
  it.each<[string, unknown]>([
    ['1 + 2 * 3 - 4 / 2 % 3', 5],
    ['-(-3)', 3],
    ['7u / 2u == 3u', true],
    ['dyn(1) == 1.0 && dyn(1u) == 1', true],
    ["'héllo'.size()", 5],
    ["b'\\x00a'.size()", 2],
    ["r'\\d' == '\\\\d' && '''a\nb'''.size() == 3", true],
    ["'a' in ['a', 'b'] && 'k' in {'k': 1}", true],
    ['true || 1/0 == 1', true],
    ['1/0 == 1 && false', false],
    ['[0, 1].exists(x, 1/x == 1)', true],
    ['[1, 2, 3].filter(x, x > 1).map(y, y * 2)', [4, 6]],
    ['[1, 2, 3].map(x, x > 1, x)', [2, 3]],
    ['[1, 2, 2].exists_one(x, x == 1)', true],
    ['[[1, 2]].all(i, v, i == 0 && v.size() == 2)', true],
    ["{'a': 1}.transformMap(k, v, v + 1)", { a: 2 }],
    ["{'a': 'b'}.transformMapEntry(k, v, {v: k})", { b: 'a' }],
    ['[5, 6].transformList(i, v, i > 0, v)', [6]],
    ['[1,2,3].sum() == 6 && [3,1].min() == 1 && [1,2].indexOf(2) == 1 && [1,2].isSorted()', true],
    ['[3,1,2].sortBy(x, -x)', [3, 2, 1]],
    ['[[1],[2,3]].flatten().reverse().slice(0, 2)', [3, 2]],
    ['lists.range(3) + [1,1].distinct()', [0, 1, 2, 1]],
    ['sets.contains([1,2],[1]) && sets.intersects([1],[1,2]) && sets.equivalent([1,1],[1])', true],
    ["'A-b'.lowerAscii().split('-').join('+')", 'a+b'],
    ["'tacocat'.substring(4).charAt(0) + 'x'.replace('', '_')", 'c_x_'],
    ["'a,b,c'.split(',', 2)", ['a', 'b,c']],
    ["'%s is %d and %.2f, %x %e'.format([dyn('x'), dyn(3), dyn(1.5), dyn(255), dyn(1234.5)])", 'x is 3 and 1.50, ff 1.234500e+03'],
    ["'%s'.format([[dyn(1), dyn('a'), dyn({'b': 2.5})]])", '[1, a, {b: 2.5}]'],
    ["strings.quote('a\"b')", '"a\\"b"'],
    ["timestamp('2020-01-01T00:00:00Z').getFullYear() == 2020 && duration('1h').getMinutes() == 60", true],
    ["timestamp('2020-01-01T00:30:00Z').getHours('Europe/Berlin')", 1],
    ["string(timestamp('2020-01-01T00:00:00Z') + duration('90s'))", '2020-01-01T00:01:30Z'],
    ["quantity('1Gi').compareTo(quantity('1024Mi')) == 0 && quantity('1').add(2).asInteger() == 3", true],
    ["ip('10.0.0.1').isUnspecified() == false && cidr('10.0.0.0/8').containsIP('10.2.3.4')", true],
    ["string(ip('2001:DB8::0:1')) + ' ' + string(cidr('10.1.2.3/8').masked())", '2001:db8::1 10.0.0.0/8'],
    ["cidr('10.0.0.0/8').containsCIDR('10.9.0.0/16') && !cidr('10.9.0.0/16').containsCIDR('10.0.0.0/8')", true],
    ["url('https://[::1]:80/a b?q=1&q=2').getHostname() + url('https://x:80/p').getPort()", '::180'],
    ["url('https://x/p?q=1&q=2').getQuery()", { q: ['1', '2'] }],
    ["semver('1.2.3-rc.1').isLessThan(semver('v1.2.3', true)) && !isSemver('1.2')", true],
    ["!format.named('dns1123Label').value().validate('ok').hasValue() && format.dns1123Label().validate('No').hasValue()", true],
    ["object.metadata.name.find('[a-z]+') + 'a1b22'.findAll('[0-9]+').join(',')", 'lib1,22'],
    ["object.?data.?zz.orValue('none') + object.?data.?a.orValue('none')", 'none1'],
    ['optional.of(3).optMap(x, x + 1).value()', 4],
    ['[?optional.none(), 1] == [1] && {?"a": optional.of(1)} == {"a": 1}', true],
    ['[1][?5].hasValue()', false],
    ['has(object.foo) || has(object.data.a)', true],
    ['object.n + 0.5', 2],
    ['type(self.when) == google.protobuf.Timestamp && self.when.getMonth() == 1', true],
    ['self.x__dash__y + string(self.io == 5)', 'ztrue'],
    ["self.set == ['y', 'x'] || self.set + ['x', 'z'] == ['x', 'y', 'z']", true],
    ['self.keyed == [self.keyed[1], self.keyed[0]]', true],
  ])('%s', (expression, expected) => {
    expect(evaluate(expression)).toEqual(expected)
  })
})

describe('faults at run time', () => {
  it.each([
    ["object.data.nosuch == 'x'", 'no such key: nosuch'],
    ['1/0', 'division by zero'],
    ['9223372036854775807 + 1', 'integer overflow'],
    ['0u - 1u', 'unsigned integer overflow'],
    ['[1][5]', 'index out of bounds: 5'],
    ["'abc'.substring(5)", 'index out of range: 5'],
    ['optional.none().value()', 'optional.none() dereference'],
    ["quantity('x')", "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"],
    ["int('x')", "type conversion error from 'string' to 'int'"],
    ['[].max() == 1', 'max called on empty list'],
  ])('%s', (expression, message) => {
    expect(faultOf(() => evaluate(expression))).toBe(message)
  })

  it('stops an evaluation at its cost limit, which no operator absorbs', () => {
    expect(faultOf(() => evaluate('true || lists.range(1000).all(x, x >= 0)', 100))).toBe('no fault')
    expect(faultOf(() => evaluate('lists.range(1000).all(x, x >= 0) || true', 100))).toBe('operation cancelled: actual cost limit exceeded')
  })

  it.each(['lists.range(900000).distinct()', 'lists.range(1000000000)', 'sets.contains(lists.range(40000), lists.range(40000))', 'lists.range(5000).sortBy(x, -x)'])(
    'never begins what would take too long: %s',
    expression => {
      const began = process.hrtime.bigint()
      expect(faultOf(() => evaluate(expression))).toBe('operation cancelled: actual cost limit exceeded')
      expect(Number(process.hrtime.bigint() - began) / 1e6).toBeLessThan(20_000)
    },
  )

  it('collects many elements in as many steps', () => {
    const began = process.hrtime.bigint()
    expect(evaluate('lists.range(30000).map(x, x).size() + lists.range(20000).transformMap(i, v, v).size()')).toBe(50_000)
    expect(Number(process.hrtime.bigint() - began) / 1e6).toBeLessThan(20_000)
  })

  it('keeps lists as they are that others grow from', () => {
    expect(evaluate('[[1, 2] + [3]].map(l, [l + [4], l + [5], l])')).toEqual([
      [
        [1, 2, 3, 4],
        [1, 2, 3, 5],
        [1, 2, 3],
      ],
    ])
  })

  it('makes no text that fills the memory', () => {
    expect(faultOf(() => evaluate("'a'.replace('', 'b'.replace('', '0123456789'.replace('', '0123456789'))).replace('', 'x'.replace('', '0123456789')).size() > 0"))).toBe(
      'no fault',
    )
    expect(faultOf(() => evaluate('lists.range(4000).map(x, "0123456789").join("").replace("", "0123456789012345678901234567890123456789".replace("", "0123456789"))'))).toBe(
      'the text is too long',
    )
  })

  it('matches hostile patterns in linear time', () => {
    const began = process.hrtime.bigint()
    expect(evaluate(`'${'a'.repeat(5_000)}!'.matches('^(a+)+$')`)).toBe(false)
    expect(Number(process.hrtime.bigint() - began) / 1e6).toBeLessThan(20_000)
  })
})

describe('faults of compilation', () => {
  const marked = (expression: string, column: number, message: string): string => `ERROR: <input>:1:${column}: ${message}\n | ${expression}\n | ${'.'.repeat(column - 1)}^`
  it.each([
    ['self.nosuch > 0', 5, "undefined field 'nosuch'"],
    ["1 + 'a'", 3, "found no matching overload for '_+_' applied to '(int, string)'"],
    ['foo', 1, "undeclared reference to 'foo' (in container '')"],
    ["[1, 'a']", 5, "expected type 'int' but found 'string'"],
    ['"a".matches("[")', 13, 'invalid matches argument'],
    ["duration('x')", 10, 'invalid duration argument'],
    ['1 2', 3, "Syntax error: extraneous input '2' expecting <EOF>"],
    ['as.b', 1, 'reserved identifier: as'],
    ['self.a.b', 7, "type 'int' does not support field selection"],
    ['[1].all(x.y, true)', 10, 'argument must be a simple name'],
    ['[1].includes(1)', 13, "undeclared reference to 'includes' (in container '')"],
    [
      'self.a > ',
      10,
      "Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}",
    ],
  ])('%s', (expression, column, message) => {
    expect(faultOf(() => env.compile(expression))).toBe(marked(expression, column, message))
  })

  it('reports every fault of an expression', () => {
    expect(faultOf(() => env.compile('math.greatest(1, 2) == 2'))).toBe(
      "ERROR: <input>:1:1: undeclared reference to 'math' (in container '')\n | math.greatest(1, 2) == 2\n | ^\nERROR: <input>:1:14: undeclared reference to 'greatest' (in container '')\n | math.greatest(1, 2) == 2\n | .............^",
    )
  })

  it('refuses what nests too deep before the stack ends', () => {
    expect(faultOf(() => env.compile(`${'('.repeat(5_000)}1${')'.repeat(5_000)}`))).toContain('expression recursion limit exceeded: 250')
  })
})

describe('types and costs', () => {
  it.each<[string, string, number, number]>([
    ['self.a', 'int', 2, 2],
    ['self.l.all(x, x.startsWith("a"))', 'bool', 3, 28],
    ['self.s == "abc"', 'bool', 3, 3],
    ['object.metadata', 'dyn', 1, 1],
    ['[1, 2]', 'list(int)', 10, 10],
    ['has(self.a)', 'bool', 1, 1],
  ])('%s is a %s that costs %d to %d', (expression, type, min, max) => {
    const program = env.compile(expression)
    expect([formatType(program.resultType), program.estimate()]).toEqual([type, { min, max }])
  })

  it('never estimates less than an evaluation costs', () => {
    for (const expression of ['self.l.all(x, x.size() < 9 && self.s.contains(x))', 'self.l.map(x, x + self.s).join(",").matches("^[a-z]+$")', 'self.m.exists(k, self.m[k] > 3)']) {
      const program = env.compile(expression)
      const { cost } = program.evaluate({ self: celValue(self, decl) }, { limit: 1_000_000 })
      expect(cost).toBeLessThanOrEqual(program.estimate().max)
    }
  })

  it('escapes names of properties', () => {
    expect(['a.b', 'x-y', 'a/b', 'a__b', 'namespace', '9a'].map(escapeName)).toEqual(['a__dot__b', 'x__dash__y', 'a__slash__b', 'a__underscores__b', '__namespace__', undefined])
  })
})
