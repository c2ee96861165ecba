import { describe, expect, it } from 'vitest'
import { FieldPath } from '../../../src-main/api/field-errors.ts'
import * as names from '../../../src-main/api/names.ts'
import {
  fieldSelectorMatches,
  labelSelectorMatches,
  labelSelectorToString,
  parseFieldSelector,
  parseLabelSelector,
  validateLabelSelector,
} from '../../../src-main/api/selectors.ts'

describe('names', () => {
  it.each([
    [names.isDns1123Label, 'my-name'],
    [names.isDns1123Subdomain, 'a.b-c.d'],
    [names.isDns1035Label, 'abc-1'],
    [names.isQualifiedName, 'example.com/My_name.x'],
    [names.isValidLabelValue, ''],
    [names.isPortName, 'http-2'],
    [names.isIP, '2001:db8::ffff'],
    [names.isIP, '::ffff:1.2.3.4'],
    [names.isCIDR, '10.0.0.0/8'],
    [names.isConfigMapKey, '.dockerconfigjson'],
    [names.isEnvVarName, 'a.b-c d'],
    [names.isPathSegmentName, 'system:admin'],
    [names.isWildcardDns1123Subdomain, '*.a.b'],
    [names.isPercent, '25%'],
  ])('%o takes %j', (validate, text) => {
    expect(validate(text)).toEqual([])
  })

  it.each([
    [names.isDns1123Label, 'a.b', 'must not contain dots'],
    [
      names.isDns1123Label,
      'A',
      "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
    ],
    [
      names.isQualifiedName,
      'a b',
      "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
    ],
    [names.isIP, '01.2.3.4', 'must not have leading 0s'],
    [names.isIP, '01.2.3', 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
    [names.isIP, '1:2', 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
    [names.isCIDR, '10.0.0.0/33', 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'],
    [names.isPathSegmentName, '..', "may not be '..'"],
    [names.isPathSegmentName, 'a/b', "may not contain '/'"],
    [names.isPort as unknown as (v: string) => string[], 0 as unknown as string, 'must be between 1 and 65535, inclusive'],
  ])('%o says of %j why not', (validate, text, message) => {
    expect(validate(text)).toEqual([message])
  })

  it('answers hostile input in linear time', () => {
    // A pattern that backtracks would not end within the test's time limit.
    const hostile = ['a'.repeat(1e6) + '!', '-'.repeat(1e6), 'a.'.repeat(5e5), 'a-'.repeat(5e5)]
    const refused = hostile.map(text => [names.isDns1123Subdomain(text), names.isQualifiedName(text), names.isDns1035Label(text)].every(faults => faults.length > 0))
    expect(refused).toEqual([true, true, true, true])
  })

  it('generates names that keep within 63 bytes', () => {
    expect(names.generateName('x'.repeat(80), { next: () => 0 })).toBe(`${'x'.repeat(58)}bbbbb`)
  })
})

describe('label selectors', () => {
  it.each([
    ['a=b', { a: 'b' }, true],
    ['a==b', { a: 'c' }, false],
    ['a!=b', {}, true],
    ['a', { a: '' }, true],
    ['!a', { a: '' }, false],
    ['a in (x, y)', { a: 'y' }, true],
    ['a notin (x)', {}, true],
    ['a in (x)', {}, false],
    ['a>5', { a: '6' }, true],
    ['a<5', { a: '6' }, false],
    ['a>5', { a: 'x' }, false],
    ['', {}, true],
    ['a=', { a: '' }, true],
    ['a in (,b)', { a: '' }, true],
    ['in in (in)', { in: 'in' }, true],
    ['a=b,c', { a: 'b', c: 'd' }, true],
    ['toString', {}, false],
    ['!constructor', {}, true],
  ])('%j of %j is %s', (selector, labels, matches) => {
    expect(parseLabelSelector(selector)(labels)).toBe(matches)
  })

  it.each([
    ['n in one', "unable to parse requirement: found 'one' expected: '('"],
    ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    ['a in', "unable to parse requirement: found '' expected: '('"],
    ['a In (b)', "unable to parse requirement: found 'In', expected: in, notin, =, ==, !=, gt, lt"],
    ['a,', "found '', expected: identifier after ','"],
    [',a', "found ',', expected: !, identifier, or 'end of string'"],
    ['a=b=c', "found '=', expected: ',' or 'end of string'"],
    ['a>x', "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer"],
  ])('refuses %j', (selector, message) => {
    expect(() => parseLabelSelector(selector)).toThrow(message)
  })

  it('matches LabelSelector objects', () => {
    expect(labelSelectorMatches(undefined, {})).toBe(false)
    expect(labelSelectorMatches({}, undefined)).toBe(true)
    const selector = {
      matchLabels: { a: 'b' },
      matchExpressions: [
        { key: 'c', operator: 'NotIn', values: ['d'] },
        { key: 'e', operator: 'Exists' },
      ],
    }
    expect(labelSelectorMatches(selector, { a: 'b', e: '' })).toBe(true)
    expect(labelSelectorMatches(selector, { a: 'b', c: 'd', e: '' })).toBe(false)
    expect(labelSelectorToString(selector)).toBe('a=b,c notin (d),e')
  })

  it('validates LabelSelector objects', () => {
    const faults = validateLabelSelector(
      {
        matchExpressions: [
          { key: 'a', operator: 'In' },
          { key: 'a', operator: 'Exists', values: ['x'] },
          { key: 'a', operator: 'Odd' },
        ],
      },
      FieldPath.root('spec', 'selector'),
    )
    expect(faults.map(f => `${f.field}: ${f.message}`)).toEqual([
      "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
      "spec.selector.matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
      'spec.selector.matchExpressions[2].operator: Invalid value: "Odd": not a valid selector operator',
    ])
  })
})

it('reads field selectors with escapes', () => {
  const fields = parseFieldSelector('metadata.name=a\\,b,spec.nodeName!=c,x==d')
  expect(fields).toEqual([
    { field: 'metadata.name', op: '=', value: 'a,b' },
    { field: 'spec.nodeName', op: '!=', value: 'c' },
    { field: 'x', op: '==', value: 'd' },
  ])
  expect(fieldSelectorMatches(fields, f => ({ 'metadata.name': 'a,b', x: 'd' })[f] ?? '')).toBe(true)
  expect(() => parseFieldSelector('abc')).toThrow("invalid selector: 'abc'; can't understand 'abc'")
})
