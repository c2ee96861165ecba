/** Reads and checks the options that travel in the query, with the texts of Kubernetes' option validation. */
import { FieldPath, forbiddenField, notSupported, required, tooLong } from '../../api/field-errors.ts'
import type { FieldErrorList } from '../../api/field-errors.ts'
import { quoteGo } from '../../api/json.ts'
import { badRequest, invalid } from '../../api/status-error.ts'
import { queryFlag } from '../request-info.ts'

const MAX_MANAGER_BYTES = 128

const at = (name: string): FieldPath => FieldPath.root(name)

function options(kind: string, faults: FieldErrorList): void {
  if (faults.length > 0) throw invalid('meta.k8s.io', kind, '', faults)
}

/** An integer of the query; undefined when absent. Throws badRequest. */
export function queryInteger(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  if (!/^[+-]?[0-9]+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  return Number(text)
}

export interface ListQuery {
  readonly labelSelector: string
  readonly fieldSelector: string
  readonly limit: number
  readonly continue: string
  readonly resourceVersion: string
  readonly resourceVersionMatch: string
  readonly sendInitialEvents: boolean | undefined
  readonly allowWatchBookmarks: boolean
  readonly timeoutSeconds: number | undefined
}

/** Options of list, watch and deletecollection. Throws. */
export function listQuery(query: URLSearchParams, isWatch: boolean): ListQuery {
  const found: ListQuery = {
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    limit: Math.max(0, queryInteger(query, 'limit') ?? 0),
    continue: query.get('continue') ?? '',
    resourceVersion: query.get('resourceVersion') ?? '',
    resourceVersionMatch: query.get('resourceVersionMatch') ?? '',
    sendInitialEvents: query.has('sendInitialEvents') ? queryFlag(query, 'sendInitialEvents') : undefined,
    allowWatchBookmarks: queryFlag(query, 'allowWatchBookmarks'),
    timeoutSeconds: queryInteger(query, 'timeoutSeconds'),
  }
  options('ListOptions', isWatch ? watchFaults(found) : listFaults(found))
  return found
}

function listFaults(q: ListQuery): FieldErrorList {
  const faults: FieldErrorList = []
  const match = at('resourceVersionMatch')
  if (q.resourceVersionMatch !== '') {
    if (q.resourceVersion === '') faults.push(forbiddenField(match, 'resourceVersionMatch is forbidden unless resourceVersion is provided'))
    if (q.continue !== '') faults.push(forbiddenField(match, 'resourceVersionMatch is forbidden when continue is provided'))
    if (q.resourceVersionMatch !== 'Exact' && q.resourceVersionMatch !== 'NotOlderThan') {
      faults.push({
        type: 'FieldValueNotSupported',
        field: 'resourceVersionMatch',
        message: `Unsupported value: ${JSON.stringify(q.resourceVersionMatch)}: supported values: "Exact", "NotOlderThan", ""`,
      })
    }
    if (q.resourceVersionMatch === 'Exact' && q.resourceVersion === '0') faults.push(forbiddenField(match, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
  }
  if (q.sendInitialEvents !== undefined) faults.push(forbiddenField(at('sendInitialEvents'), 'sendInitialEvents is forbidden for list'))
  return faults
}

function watchFaults(q: ListQuery): FieldErrorList {
  const faults: FieldErrorList = []
  const match = at('resourceVersionMatch')
  if (q.resourceVersionMatch !== '' && q.sendInitialEvents === undefined)
    faults.push(forbiddenField(match, 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'))
  if (q.sendInitialEvents !== undefined && q.resourceVersionMatch !== 'NotOlderThan') {
    faults.push(forbiddenField(match, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'))
    if (q.resourceVersionMatch !== '') faults.push(notSupported(match, q.resourceVersionMatch, ['NotOlderThan']))
  }
  if (q.continue !== '') faults.push(forbiddenField(at('continue'), 'continue is forbidden for watch'))
  return faults
}

export interface WriteQuery {
  readonly dryRun: boolean
  readonly fieldManager: string
  readonly fieldValidation: 'Strict' | 'Warn' | 'Ignore'
  readonly force: boolean
  /** As admission sees them. */
  readonly object: Readonly<Record<string, unknown>>
}

/** Options of create, update and patch; `kind` is the one whose name faults carry. Throws. */
export function writeQuery(query: URLSearchParams, kind: 'CreateOptions' | 'UpdateOptions' | 'PatchOptions', isApply = false): WriteQuery {
  const dryRun = query.getAll('dryRun').filter(value => value !== '')
  const fieldManager = query.get('fieldManager') ?? ''
  const fieldValidation = query.get('fieldValidation') ?? ''
  const force = query.has('force')
  const faults: FieldErrorList = []
  if (isApply && fieldManager === '') faults.push(required(at('fieldManager'), 'is required for apply patch'))
  if (kind === 'PatchOptions' && !isApply && force) faults.push(forbiddenField(at('force'), 'may not be specified for non-apply patch'))
  faults.push(...managerFaults(fieldManager))
  faults.push(...dryRunFaults(dryRun))
  if (!['', 'Ignore', 'Strict', 'Warn'].includes(fieldValidation)) faults.push(notSupported(at('fieldValidation'), fieldValidation, ['', 'Ignore', 'Strict', 'Warn']))
  options(kind, faults)
  return {
    dryRun: dryRun.length > 0,
    fieldManager,
    fieldValidation: fieldValidation === 'Strict' || fieldValidation === 'Ignore' ? fieldValidation : 'Warn',
    force: queryFlag(query, 'force'),
    object: {
      kind,
      apiVersion: 'meta.k8s.io/v1',
      ...(dryRun.length > 0 ? { dryRun } : {}),
      ...(fieldManager === '' ? {} : { fieldManager }),
      ...(fieldValidation === '' ? {} : { fieldValidation }),
      ...(force ? { force: queryFlag(query, 'force') } : {}),
    },
  }
}

/** Control characters are shown as Go shows them. */
function invalidAsGo(path: FieldPath, value: string, detail: string): FieldErrorList[number] {
  return { type: 'FieldValueInvalid', field: path.toString(), message: `Invalid value: ${quoteGo(value)}: ${detail}` }
}

function managerFaults(manager: string): FieldErrorList {
  const faults: FieldErrorList = []
  if (Buffer.byteLength(manager) > MAX_MANAGER_BYTES) faults.push(tooLong(at('fieldManager'), manager, MAX_MANAGER_BYTES))
  let position = 0
  for (const character of manager) {
    if (/[\p{C}\p{Zl}\p{Zp}]/u.test(character)) {
      const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
      faults.push(invalidAsGo(at('fieldManager'), manager, `invalid character U+${code} (at position ${position})`))
    }
    position += Buffer.byteLength(character)
  }
  return faults
}

function dryRunFaults(values: readonly string[]): FieldErrorList {
  return values.every(value => value === 'All') ? [] : [notSupported(at('dryRun'), values, ['All'])]
}
