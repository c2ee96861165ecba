/** CEL expressions that choose devices. Pure. */
import { CelCompileError, celEnvironment, type CelEnvironment } from '../../cel/cel.ts'
import { perCallLimit } from '../../cel/limits.ts'
import { declTypeOfSchema } from '../../cel/schema-types.ts'
import { formatType } from '../../cel/types.ts'
import { forbiddenField, invalidValue, tooLong } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import { byteLength } from '../../names.ts'

const maxExpressionBytes = 10 * 1024
const maxNames = 32

/** Values by domain and name. What a value is (text, number, version, quantity) is only known of a device. */
const byDomain = {
  type: 'object',
  maxProperties: maxNames,
  additionalProperties: { type: 'object', maxProperties: maxNames, additionalProperties: { 'x-kubernetes-int-or-string': true } },
} as const

const device = {
  type: 'object',
  properties: { driver: { type: 'string', maxLength: 63 }, attributes: byDomain, capacity: byDomain, allowMultipleAllocations: { type: 'boolean' } },
} as const

let environment: CelEnvironment | undefined

function deviceEnvironment(): CelEnvironment {
  const type = declTypeOfSchema(device, { root: false })
  if (type === undefined) throw new Error('assertion failed: devices have a type')
  return (environment ??= celEnvironment({ variables: { device: type } }))
}

export function deviceExpressionFaults(expression: string, path: FieldPath): FieldErrorList {
  if (byteLength(expression) > maxExpressionBytes) return [tooLong(path, '', maxExpressionBytes)]
  try {
    const program = deviceEnvironment().compile(expression)
    const result = formatType(program.resultType)
    if (result !== 'bool' && result !== 'dyn') return [invalidValue(path, expression, `must evaluate to bool or the unknown type, not ${result}`)]
    return program.estimate().max > perCallLimit ? [forbiddenField(path, 'too complex, exceeds cost limit')] : []
  } catch (fault) {
    if (fault instanceof CelCompileError) return [invalidValue(path, expression, `compilation failed: ${fault.message}`)]
    throw fault
  }
}
