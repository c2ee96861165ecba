/**
 * Which form an answer takes: media type, and the object itself, a Table or only its metadata. The rules and texts are
 * those of Kubernetes' negotiation: the first acceptable clause wins (by q). Protobuf is for kinds that have such a form, and
 * for metadata; a Table has none.
 */
import { StatusError } from '../../api/status-error.ts'
import { protobufMediaType } from '../protobuf/protobuf.ts'

export type MediaType = 'application/json' | 'application/yaml' | typeof protobufMediaType

export interface Form {
  readonly mediaType: MediaType
  readonly as: 'object' | 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList'
  /** Version of meta.k8s.io for the forms that are not the object. */
  readonly metaVersion: 'v1' | 'v1beta1'
}

const asRepresentations = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'].join(', ')

interface Clause {
  readonly type: string
  readonly subtype: string
  readonly parameters: ReadonlyMap<string, string>
  readonly q: number
}

/** Clauses of an Accept header, best first. */
function clauses(accept: string): Clause[] {
  const found: Clause[] = []
  for (const part of accept.split(',')) {
    const [media = '', ...rest] = part.trim().split(';')
    const [type = '', subtype = ''] = media.trim().split('/')
    const parameters = new Map<string, string>()
    let q = 1
    for (const parameter of rest) {
      const [name = '', value = ''] = parameter.trim().split('=')
      if (name === 'q') q = Number(value)
      else parameters.set(name, value)
    }
    found.push({ type, subtype, parameters, q: Number.isFinite(q) ? q : 1 })
  }
  return found
    .map((clause, index) => ({ clause, index }))
    .sort((a, b) => b.clause.q - a.clause.q || a.index - b.index)
    .map(item => item.clause)
}

function mediaTypeOf(clause: Clause): MediaType | undefined {
  if (clause.type === '*' && clause.subtype === '*') return 'application/json'
  if (clause.type !== 'application') return undefined
  if (clause.subtype === 'json') return 'application/json'
  if (clause.subtype === 'vnd.kubernetes.protobuf') return protobufMediaType
  return clause.subtype === 'yaml' ? 'application/yaml' : undefined
}

/** Forms that a request may ask for; watches and errors take only the object's own form where 'object' is given. */
export interface Acceptable {
  readonly table: boolean
  readonly metadata: boolean
  /** The object itself has a protobuf form. */
  readonly protobuf?: boolean
  /** The same path can be watched; only told in refusals. */ readonly streams?: boolean
  /** Kinds of definitions refuse everything in the same words. */
  readonly dynamic?: boolean
}

const everything: Acceptable = { table: true, metadata: true }
/** What a collection offers. */
export const collectionForms: Acceptable = { ...everything, streams: true }

/** 406 with the text of Kubernetes. */
function refused(known: boolean, streams: boolean): StatusError {
  return known
    ? new StatusError(406, 'NotAcceptable', `only the following media types are accepted: ${asRepresentations}`)
    : new StatusError(
        406,
        'NotAcceptable',
        `406: Not Acceptable\n\nAvailable representations: ${asRepresentations}${streams ? ', application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch' : ''}`,
      )
}

/** The form of the answer. Throws a 406. */
export function negotiate(accept: string | undefined, acceptable: Acceptable = everything): Form {
  if (accept === undefined || accept.trim() === '') return { mediaType: 'application/json', as: 'object', metaVersion: 'v1' }
  let known = false
  for (const clause of clauses(accept)) {
    const mediaType = mediaTypeOf(clause)
    if (!mediaType) continue
    known = true
    const as = clause.parameters.get('as')
    if (as === undefined) {
      if (mediaType === protobufMediaType && acceptable.protobuf !== true) continue
      return { mediaType, as: 'object', metaVersion: 'v1' }
    }
    const form = formOf(mediaType, as, clause.parameters, acceptable)
    if (form) return form
  }
  throw refused(known || acceptable.dynamic === true, acceptable.streams ?? false)
}

function formOf(mediaType: MediaType, as: string, parameters: ReadonlyMap<string, string>, acceptable: Acceptable): Form | undefined {
  const version = parameters.get('v')
  if (parameters.get('g') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) return undefined
  if (as === 'Table') return acceptable.table && mediaType !== protobufMediaType ? { mediaType, as, metaVersion: version } : undefined
  if (as !== 'PartialObjectMetadata' && as !== 'PartialObjectMetadataList') return undefined
  return acceptable.metadata ? { mediaType, as, metaVersion: version } : undefined
}

/** Whether a client takes gzip. */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  return acceptEncoding !== undefined && acceptEncoding.split(',').some(part => /^\s*gzip\s*(;\s*q\s*=\s*(1(\.0*)?|0?\.\d*[1-9]\d*)\s*)?$/.test(part))
}

/** Media type of a Content-Type header, in lower case, without parameters. */
export function contentTypeOf(header: string | undefined): string {
  return (header ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
}
