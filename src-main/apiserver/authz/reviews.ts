/** The access reviews: questions to the authorizer as API objects. */
import { required, invalidValue, FieldPath, type FieldErrorList } from '../../api/field-errors.ts'
import { badRequest, invalid } from '../../api/status-error.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import type { UserInfo } from '../../api/request.ts'
import type { NonResourceAttributes, ResourceAttributes, SubjectAccessReviewSpec, SelfSubjectRulesReviewSpec } from '../../api/generated/authorization-v1.ts'
import type { Attributes, Authorizer, VirtualStorage } from '../contracts.ts'

const group = 'authorization.k8s.io'

interface Review extends KubernetesObject {
  spec: SubjectAccessReviewSpec
  status?: object
}

/** By resourceKey. */
export function accessReviews(authorizer: Authorizer): ReadonlyMap<string, VirtualStorage> {
  const decide = async (spec: SubjectAccessReviewSpec, user: UserInfo): Promise<object> => {
    const decision = await authorizer.authorize(attributesOf(spec, user))
    return { allowed: decision.allowed, ...(!decision.allowed && decision.denied ? { denied: true } : {}), ...(decision.reason === '' ? {} : { reason: decision.reason }) }
  }
  const asUser = (spec: SubjectAccessReviewSpec): UserInfo => ({
    name: spec.user ?? '',
    ...(spec.uid ? { uid: spec.uid } : {}),
    groups: spec.groups ?? [],
    ...(spec.extra ? { extra: spec.extra } : {}),
  })

  const subject: VirtualStorage = {
    async create(object) {
      const review = object as Review
      refuse([...checkMetadata(review), ...checkAttributes(review.spec), ...checkSubject(review.spec)])
      return answer(review, await decide(review.spec, asUser(review.spec)))
    },
  }
  const self: VirtualStorage = {
    async create(object, { user }) {
      const review = object as Review
      refuse([...checkMetadata(review), ...checkAttributes(review.spec)])
      return answer(review, await decide(review.spec, user))
    },
  }
  const local: VirtualStorage = {
    async create(object, { namespace }) {
      const review = object as Review
      refuse([...checkMetadata(review, true), ...checkAttributes(review.spec, true), ...checkSubject(review.spec), ...checkLocal(review.spec, namespace)])
      return answer(review, await decide(review.spec, asUser(review.spec)))
    },
  }
  const rules: VirtualStorage = {
    async create(object, { user }) {
      const review = object as KubernetesObject & { spec?: SelfSubjectRulesReviewSpec }
      const namespace = review.spec?.namespace ?? ''
      if (namespace === '') throw badRequest('no namespace on request')
      return { ...review, spec: {}, status: await authorizer.rulesFor(user, namespace) } as KubernetesObject
    },
  }
  return new Map([
    [`${group}/v1/subjectaccessreviews`, subject],
    [`${group}/v1/selfsubjectaccessreviews`, self],
    [`${group}/v1/localsubjectaccessreviews`, local],
    [`${group}/v1/selfsubjectrulesreviews`, rules],
  ])
}

function answer(review: Review, status: object): KubernetesObject {
  const { managedFields: _dropped, ...metadata } = review.metadata
  const next: Review = { ...review, metadata, status }
  return next
}

/** Upstream words these without a kind and a name. */
function refuse(faults: FieldErrorList): void {
  if (faults.length > 0) throw invalid(group, '', '', faults)
}

const spec = FieldPath.root('spec')

function checkMetadata(review: Review, namespaced = false): FieldErrorList {
  const { managedFields: _m, namespace: _n, creationTimestamp: _c, ...rest } = review.metadata
  const hasNamespace = !namespaced && review.metadata.namespace
  return Object.keys(rest).length > 0 || hasNamespace ? [invalidValue(FieldPath.root('metadata'), review.metadata, 'must be empty')] : []
}

function checkAttributes(review: SubjectAccessReviewSpec, local = false): FieldErrorList {
  const { resourceAttributes, nonResourceAttributes } = review
  if (local && nonResourceAttributes && !resourceAttributes) return []
  if ((resourceAttributes === undefined) === (nonResourceAttributes === undefined)) {
    return [invalidValue(spec, nonResourceAttributes ? goNames(nonResourceAttributes) : null, 'exactly one of nonResourceAttributes or resourceAttributes must be specified')]
  }
  return resourceAttributes ? checkSelectors(resourceAttributes) : []
}

function checkSelectors(attributes: ResourceAttributes): FieldErrorList {
  const faults: FieldErrorList = []
  for (const [name, selector] of [
    ['fieldSelector', attributes.fieldSelector],
    ['labelSelector', attributes.labelSelector],
  ] as const) {
    if (!selector) continue
    const at = spec.child('resourceAttributes', name)
    const requirements = selector.requirements ?? []
    if (selector.rawSelector && requirements.length > 0)
      faults.push(invalidValue(at.child('rawSelector'), selector.rawSelector, 'may not specified at the same time as requirements'))
    else if (!selector.rawSelector && requirements.length === 0)
      faults.push(required(at.child('requirements'), `when ${at.toString()} is specified, requirements or rawSelector is required`))
  }
  return faults
}

function checkSubject(review: SubjectAccessReviewSpec): FieldErrorList {
  return !review.user && (review.groups ?? []).length === 0 ? [invalidValue(spec.child('user'), review.user ?? '', 'at least one of user or group must be specified')] : []
}

function checkLocal(review: SubjectAccessReviewSpec, namespace: string): FieldErrorList {
  const faults: FieldErrorList = []
  const asked = review.resourceAttributes
  if (asked && (asked.namespace ?? '') !== namespace)
    faults.push(invalidValue(spec.child('resourceAttributes', 'namespace'), asked.namespace ?? '', 'must match metadata.namespace'))
  if (review.nonResourceAttributes) faults.push(invalidValue(spec.child('nonResourceAttributes'), goNames(review.nonResourceAttributes), 'disallowed on this kind of request'))
  return faults
}

/** The internal form, whose fields have no JSON names, is what upstream prints. */
function goNames(attributes: NonResourceAttributes): object {
  return { Path: attributes.path ?? '', Verb: attributes.verb ?? '' }
}

function attributesOf(review: SubjectAccessReviewSpec, user: UserInfo): Attributes {
  const r = review.resourceAttributes
  if (!r)
    return {
      isResource: false,
      path: review.nonResourceAttributes?.path ?? '',
      verb: review.nonResourceAttributes?.verb ?? '',
      group: '',
      version: '',
      resource: '',
      subresource: '',
      namespace: '',
      name: '',
      user,
    }
  return {
    isResource: true,
    path: '',
    verb: r.verb ?? '',
    group: r.group ?? '',
    version: r.version ?? '*',
    resource: r.resource ?? '',
    subresource: r.subresource ?? '',
    namespace: r.namespace ?? '',
    name: r.name ?? '',
    user,
    ...(r.fieldSelector ? { fieldSelector: r.fieldSelector.rawSelector ?? requirementText(r.fieldSelector.requirements ?? []) } : {}),
  }
}

function requirementText(requirements: readonly { key: string; operator: string; values?: string[] }[]): string {
  return requirements.flatMap(one => (one.operator === 'In' && one.values?.length === 1 ? [`${one.key}=${one.values[0] ?? ''}`] : [])).join(',')
}
