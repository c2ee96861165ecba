/** Kubernetes' quantity, semver, regex, format and JSON patch libraries. */
import { isDns1035Label, isDns1123Label, isDns1123Subdomain, isQualifiedName, isValidLabelValue } from '../../names.ts'
import { maskTrailingDash } from '../../metadata.ts'
import { addQuantity, compareQuantity, floatValue, parseQuantity, quantityOfValue, subQuantity, tryParseQuantity } from '../../quantity.ts'
import type { Quantity } from '../../quantity.ts'
import { CelError } from '../errors.ts'
import { global, member } from '../functions.ts'
import type { Library } from '../functions.ts'
import { compileRegex } from '../regex.ts'
import { boolType, doubleType, intType, listType, optionalType, stringType, structType } from '../types.ts'
import { ArrayList, CelOpaque, CelOptional, maxInt, minInt, noneOptional } from '../values.ts'
import { parseRequestUri } from './addresses.ts'

export const quantityType = structType('kubernetes.Quantity')
export const semverType = structType('kubernetes.Semver')
export const formatType = structType('kubernetes.NamedFormat')

class CelQuantity extends CelOpaque {
  readonly type = quantityType
  readonly quantity: Quantity
  constructor(quantity: Quantity) {
    super()
    this.quantity = quantity
  }
  equals(other: CelOpaque): boolean {
    return other instanceof CelQuantity && compareQuantity(this.quantity, other.quantity) === 0
  }
}

function toQuantity(text: string): CelQuantity {
  try {
    return new CelQuantity(parseQuantity(text))
  } catch (fault) {
    throw new CelError(fault instanceof Error ? fault.message : String(fault))
  }
}

const nano = 1_000_000_000n
const wholeNumber = ({ quantity }: CelQuantity): bigint | undefined => {
  const value = quantity.nano / nano
  return quantity.nano % nano === 0n && value <= maxInt && value >= minInt ? value : undefined
}

function asInteger(q: CelQuantity): bigint {
  const value = wholeNumber(q)
  if (value === undefined) throw new CelError('cannot convert value to integer')
  return value
}

const q = quantityType
const cmp = (a: CelQuantity, b: CelQuantity): number => compareQuantity(a.quantity, b.quantity)
const ofInt = (value: bigint): Quantity => quantityOfValue(value, 'DecimalExponent')

const quantities: Library = {
  quantity: [global('string_to_quantity', [stringType], q, toQuantity)],
  isQuantity: [global('is_quantity_string', [stringType], boolType, (text: string) => tryParseQuantity(text) !== undefined)],
  sign: [member('quantity_sign', [q], intType, ({ quantity }: CelQuantity) => (quantity.nano > 0n ? 1n : quantity.nano < 0n ? -1n : 0n))],
  isGreaterThan: [member('quantity_is_greater_than', [q, q], boolType, (a: CelQuantity, b: CelQuantity) => cmp(a, b) > 0)],
  isLessThan: [member('quantity_is_less_than', [q, q], boolType, (a: CelQuantity, b: CelQuantity) => cmp(a, b) < 0)],
  compareTo: [member('quantity_compare_to', [q, q], intType, (a: CelQuantity, b: CelQuantity) => BigInt(cmp(a, b)))],
  asApproximateFloat: [member('quantity_get_float', [q], doubleType, (a: CelQuantity) => floatValue(a.quantity))],
  asInteger: [member('quantity_get_int', [q], intType, asInteger)],
  isInteger: [member('quantity_is_integer', [q], boolType, (a: CelQuantity) => wholeNumber(a) !== undefined)],
  add: [
    member('quantity_add', [q, q], q, (a: CelQuantity, b: CelQuantity) => new CelQuantity(addQuantity(a.quantity, b.quantity))),
    member('quantity_add_int', [q, intType], q, (a: CelQuantity, b: bigint) => new CelQuantity(addQuantity(a.quantity, ofInt(b)))),
  ],
  sub: [
    member('quantity_sub', [q, q], q, (a: CelQuantity, b: CelQuantity) => new CelQuantity(subQuantity(a.quantity, b.quantity))),
    member('quantity_sub_int', [q, intType], q, (a: CelQuantity, b: bigint) => new CelQuantity(subQuantity(a.quantity, ofInt(b)))),
  ],
}

type Identifier = bigint | string

class CelSemver extends CelOpaque {
  readonly type = semverType
  readonly numbers: readonly [bigint, bigint, bigint]
  readonly prerelease: readonly Identifier[]
  constructor(numbers: readonly [bigint, bigint, bigint], prerelease: readonly Identifier[]) {
    super()
    this.numbers = numbers
    this.prerelease = prerelease
  }
  equals(other: CelOpaque): boolean {
    return other instanceof CelSemver && compareSemver(this, other) === 0
  }
}

function compareSemver(a: CelSemver, b: CelSemver): number {
  for (let i = 0; i < 3; i++) {
    const x = a.numbers[i] ?? 0n
    const y = b.numbers[i] ?? 0n
    if (x !== y) return x < y ? -1 : 1
  }
  if (a.prerelease.length === 0 || b.prerelease.length === 0) return Math.sign(b.prerelease.length - a.prerelease.length)
  for (let i = 0; i < Math.max(a.prerelease.length, b.prerelease.length); i++) {
    const x = a.prerelease[i]
    const y = b.prerelease[i]
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1
    if (x === y) continue
    if (typeof x !== typeof y) return typeof x === 'bigint' ? -1 : 1
    return x < y ? -1 : 1
  }
  return 0
}

/** Throws CelError. */
function parseSemver(text: string): CelSemver {
  if (text === '') throw new CelError('Version string empty')
  const match = /^(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$/.exec(text)
  if (!match) throw new CelError(text.split('.').length < 3 ? 'No Major.Minor.Patch elements found' : `Invalid character(s) found in version ${JSON.stringify(text)}`)
  const [, major = '', minor = '', patch = '', pre = ''] = match
  for (const [name, number] of [
    ['Major', major],
    ['Minor', minor],
    ['Patch', patch],
  ] as const)
    if (number.length > 1 && number.startsWith('0')) throw new CelError(`${name} number must not contain leading zeroes ${JSON.stringify(number)}`)
  const identifiers = pre === '' ? [] : pre.split('.')
  const padded = identifiers.find(part => /^0\d+$/.test(part))
  if (padded) throw new CelError(`Numeric PreRelease version must not contain leading zeroes ${JSON.stringify(padded)}`)
  return new CelSemver(
    [BigInt(major), BigInt(minor), BigInt(patch)],
    identifiers.map(part => (/^\d+$/.test(part) ? BigInt(part) : part)),
  )
}

/** `v1.2` is 1.2.0. Throws CelError. */
function parseLoose(text: string): CelSemver {
  const whole = text.replace(/^v/, '')
  const first = whole.split('.')
  const parts = [...first.slice(0, 2), ...(first.length > 2 ? [first.slice(2).join('.')] : [])].map(part => {
    if (part.length <= 1) return part
    const bare = part.replace(/^0+/, '')
    return /^\d/.test(bare) ? bare : `0${bare}`
  })
  if (parts.length < 3 && /[+-]/.test(parts.at(-1) ?? '')) throw new CelError('short version cannot contain PreRelease/Build meta data')
  while (parts.length < 3) parts.push('0')
  return parseSemver(parts.join('.'))
}

function parses(run: () => unknown): boolean {
  try {
    run()
    return true
  } catch (fault) {
    if (fault instanceof CelError) return false
    throw fault
  }
}

const v = semverType
const versionOf = (text: string, loose = false): CelSemver => (loose ? parseLoose(text) : parseSemver(text))

const semver: Library = {
  semver: [global('string_to_semver', [stringType], v, versionOf), global('string_bool_to_semver', [stringType, boolType], v, versionOf)],
  isSemver: [
    global('is_semver_string', [stringType], boolType, (text: string) => parses(() => versionOf(text))),
    global('is_semver_string_bool', [stringType, boolType], boolType, (text: string, loose: boolean) => parses(() => versionOf(text, loose))),
  ],
  isGreaterThan: [member('semver_is_greater_than', [v, v], boolType, (a: CelSemver, b: CelSemver) => compareSemver(a, b) > 0)],
  isLessThan: [member('semver_is_less_than', [v, v], boolType, (a: CelSemver, b: CelSemver) => compareSemver(a, b) < 0)],
  compareTo: [member('semver_compare_to', [v, v], intType, (a: CelSemver, b: CelSemver) => BigInt(compareSemver(a, b)))],
  major: [member('semver_major', [v], intType, (a: CelSemver) => a.numbers[0])],
  minor: [member('semver_minor', [v], intType, (a: CelSemver) => a.numbers[1])],
  patch: [member('semver_patch', [v], intType, (a: CelSemver) => a.numbers[2])],
}

function find(text: string, pattern: string, limit: bigint): string[] {
  try {
    return compileRegex(pattern).findAll(text, Number(limit))
  } catch (fault) {
    if (fault instanceof CelError) throw new CelError(`Illegal regex: ${fault.message}`)
    throw fault
  }
}

const regex: Library = {
  find: [member('string_find_string', [stringType, stringType], stringType, (text: string, pattern: string) => find(text, pattern, 1n)[0] ?? '')],
  findAll: [
    member('string_find_all_string', [stringType, stringType], listType(stringType), (text: string, pattern: string) => new ArrayList(find(text, pattern, -1n))),
    member(
      'string_find_all_string_int',
      [stringType, stringType, intType],
      listType(stringType),
      (text: string, pattern: string, limit: bigint) => new ArrayList(find(text, pattern, limit)),
    ),
  ],
}

type Validate = (text: string) => string[]

class CelFormat extends CelOpaque {
  readonly type = formatType
  readonly name: string
  readonly validate: Validate
  readonly #regexSize: number
  constructor(name: string, validate: Validate, regexSize: number) {
    super()
    this.name = name
    this.validate = validate
    this.#regexSize = regexSize
  }
  equals(other: CelOpaque): boolean {
    return other instanceof CelFormat && other.name === this.name
  }
  /** Of the expression that checks it: what cost reckons with. */
  override get size(): number {
    return this.#regexSize
  }
}

const prefix =
  (check: Validate): Validate =>
  text =>
    check(maskTrailingDash(text))
const dateText = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/

function isDate(text: string): boolean {
  return dateText.test(text) && new Date(`${text}T00:00:00Z`).toISOString().startsWith(text)
}

function unless(valid: (text: string) => boolean, message: string): Validate {
  return text => (valid(text) ? [] : [message])
}

function uriFaults(text: string): string[] {
  const parsed = parseRequestUri(text)
  return typeof parsed === 'string' ? [parsed] : []
}

const formats: ReadonlyMap<string, CelFormat> = new Map([
  ['dns1123Label', new CelFormat('DNS1123Label', isDns1123Label, 30)],
  ['dns1123Subdomain', new CelFormat('DNS1123Subdomain', isDns1123Subdomain, 60)],
  ['dns1035Label', new CelFormat('DNS1035Label', isDns1035Label, 30)],
  ['qualifiedName', new CelFormat('QualifiedName', isQualifiedName, 60)],
  ['dns1123LabelPrefix', new CelFormat('DNS1123LabelPrefix', prefix(isDns1123Label), 30)],
  ['dns1123SubdomainPrefix', new CelFormat('DNS1123SubdomainPrefix', prefix(isDns1123Subdomain), 60)],
  ['dns1035LabelPrefix', new CelFormat('DNS1035LabelPrefix', prefix(isDns1035Label), 30)],
  ['labelValue', new CelFormat('LabelValue', isValidLabelValue, 40)],
  ['uri', new CelFormat('URI', uriFaults, 1_000)],
  [
    'uuid',
    new CelFormat(
      'uuid',
      unless(text => /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(text), 'does not match the UUID format'),
      88,
    ),
  ],
  [
    'byte',
    new CelFormat(
      'byte',
      unless(text => /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text), 'invalid base64'),
      84,
    ),
  ],
  ['date', new CelFormat('date', unless(isDate, 'invalid date'), 132)],
  [
    'datetime',
    new CelFormat(
      'datetime',
      unless(text => /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:?\d{2})$/.test(text) && isDate(text.slice(0, 10)), 'invalid datetime'),
      132,
    ),
  ],
])

const formatLibrary: Library = {
  validate: [
    member('format-validate', [formatType, stringType], optionalType(listType(stringType)), (format: CelFormat, text: string) => {
      const faults = format.validate(text)
      return faults.length === 0 ? noneOptional : new CelOptional(new ArrayList(faults))
    }),
  ],
  'format.named': [
    global('format-named', [stringType], optionalType(formatType), (name: string) => {
      const format = formats.get(name)
      return format ? new CelOptional(format) : noneOptional
    }),
  ],
  ...Object.fromEntries([...formats].map(([name, format]) => [`format.${name}`, [global(`format.${name}`, [], formatType, () => format)]])),
}

export const kubernetesLibraries: readonly Library[] = [quantities, semver, regex, formatLibrary]

/** Only where patches are made. */
export const jsonPatchLibrary: Library = {
  'jsonpatch.escapeKey': [global('string_jsonpatch_escapeKey_string', [stringType], stringType, (key: string) => key.replace(/[/~]/g, c => (c === '/' ? '~1' : '~0')))],
}
