/** TokenReview, SelfSubjectReview and the token subresource of service accounts. */
import { decodeObject } from '../../api/decode.ts'
import { decodeObjectBody } from '../decode-body.ts'
import { badRequest, forbidden, invalid, conflict, notFound } from '../../api/status-error.ts'
import { FieldPath, invalidValue, type FieldErrorList } from '../../api/field-errors.ts'
import { formatTime } from '../../api/time.ts'
import type { KubernetesObject } from '../../api/meta.ts'
import type { UserInfo } from '../../api/request.ts'
import type { TokenRequest as TokenRequestKind, TokenRequestSpec, TokenReviewSpec } from '../../api/generated/authentication-v1.ts'
import type { Pod } from '../../api/generated/core-v1.ts'
import type { Env } from '../../base/env.ts'
import type { SubresourceHandler, VirtualStorage } from '../contracts.ts'
import { places, type LiveCopies } from '../live-copy.ts'
import { nodeNameOf } from '../authz/node.ts'
import { podReferences } from '../authz/pod-references.ts'
import { objectResponse } from '../respond.ts'
import { authenticated, verifyElsewhere, type TokenAuthenticator } from './authenticator.ts'
import { defaultAudience, type BoundObject, type ServiceAccountTokens } from './service-account-tokens.ts'

/** By resourceKey. `verifyBootstrap` may answer for bootstrap tokens. */
export function authenticationReviews(options: {
  tokens: ServiceAccountTokens
  verifyBootstrap: (token: string) => UserInfo | 'invalid' | undefined
  others?: readonly TokenAuthenticator[]
}): ReadonlyMap<string, VirtualStorage> {
  const tokenReview: VirtualStorage = {
    async create(object) {
      const review = object as KubernetesObject & { spec?: TokenReviewSpec }
      const token = review.spec?.token ?? ''
      const audiences = review.spec?.audiences ?? []
      const { managedFields: _dropped, ...metadata } = review.metadata
      const answer = (status: object): KubernetesObject => ({ ...review, metadata, status }) as KubernetesObject
      if (token === '') throw badRequest('token is required for TokenReview in authentication')
      const verified = await options.tokens.verify(token, audiences)
      if (verified !== undefined && verified !== 'invalid') return answer({ authenticated: true, user: userStatus(authenticated(verified.user)), audiences: verified.audiences })
      const bootstrap = verified === undefined ? options.verifyBootstrap(token) : 'invalid'
      if (bootstrap !== undefined && bootstrap !== 'invalid') return answer({ authenticated: true, user: userStatus(authenticated(bootstrap)), audiences: [defaultAudience] })
      const other = verified === undefined && bootstrap === undefined ? await verifyElsewhere(options.others ?? [], token, audiences) : undefined
      if (other) return answer({ authenticated: true, user: userStatus(authenticated(other)), audiences: audiences.length > 0 ? audiences : [defaultAudience] })
      return answer({ user: {}, error: '[invalid bearer token]' })
    },
  }
  const selfReview: VirtualStorage = {
    create: (object, { user }) => {
      const { managedFields: _dropped, ...metadata } = object.metadata
      return Promise.resolve({ ...object, metadata, status: { userInfo: userStatus(user) } } as KubernetesObject)
    },
  }
  return new Map([
    ['authentication.k8s.io/v1/tokenreviews', tokenReview],
    ['authentication.k8s.io/v1/selfsubjectreviews', selfReview],
  ])
}

/** The body always has a spec once decoded. */
type TokenRequest = TokenRequestKind & { spec: TokenRequestSpec }

function userStatus(user: UserInfo): object {
  return { username: user.name, ...(user.uid ? { uid: user.uid } : {}), groups: [...user.groups], ...(user.extra ? { extra: user.extra } : {}) }
}

const minSeconds = 600
const maxSeconds = 2 ** 32
const defaultSeconds = 3600

/** POST serviceaccounts/<name>/token. A node gets tokens only for pods that run on it. */
export function tokenSubresource(options: { env: Env; copies: LiveCopies; tokens: ServiceAccountTokens }): SubresourceHandler {
  const accounts = options.copies.of<KubernetesObject>(places.serviceAccounts)
  const copies = { Pod: options.copies.of<Pod>(places.pods), Secret: options.copies.of<KubernetesObject>(places.secrets), Node: options.copies.of<KubernetesObject>(places.nodes) }

  const boundObject = (
    reference: NonNullable<TokenRequest['spec']['boundObjectRef']>,
    namespace: string,
    account: string,
  ): { bound: BoundObject; node?: { name: string; uid: string } } => {
    const kind = reference.kind as BoundObject['kind']
    const plural = `${kind.toLowerCase()}s`
    const name = reference.name ?? ''
    const object = copies[kind].get(kind === 'Node' ? '' : namespace, name)
    if (!object) throw notFound('', plural, name)
    if (reference.uid && reference.uid !== object.metadata.uid) {
      throw conflict(
        '',
        plural,
        name,
        `the UID in the bound object reference (${reference.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      )
    }
    const uid = object.metadata.uid ?? ''
    if (kind !== 'Pod') return { bound: { kind, name, uid } }
    const pod = object as Pod
    if (pod.spec?.serviceAccountName !== account) {
      throw invalid('authentication.k8s.io', 'TokenRequest', '', [
        invalidValue(
          FieldPath.root('spec', 'boundObjectRef'),
          name,
          `cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`,
        ),
      ])
    }
    const nodeName = pod.spec.nodeName ?? ''
    const node = nodeName === '' ? undefined : copies.Node.get('', nodeName)
    return { bound: { kind, name, uid }, ...(nodeName === '' ? {} : { node: { name: nodeName, uid: node?.metadata.uid ?? '' } }) }
  }

  return {
    async handle(context) {
      const { info, user } = context
      const request = decodeObject(decodeObjectBody(await context.body(), tokenRequest), tokenRequest).object as unknown as TokenRequest
      const account = accounts.get(info.namespace, info.name)
      if (!account) throw notFound('', 'serviceaccounts', info.name)
      const faults = checkRequest(request)
      if (faults.length > 0) throw invalid('authentication.k8s.io', 'TokenRequest', info.name, faults)
      const node = nodeNameOf(user)
      if (node !== undefined) checkNode(node, request, info.namespace, info.name)
      const reference = request.spec.boundObjectRef
      const binding = reference ? boundObject(reference, info.namespace, info.name) : undefined
      const seconds = request.spec.expirationSeconds ?? defaultSeconds
      const asked = request.spec.audiences ?? []
      const audiences = asked.length > 0 ? asked : [defaultAudience]
      const issued = await options.tokens.issue({ namespace: info.namespace, name: info.name, uid: account.metadata.uid ?? '', audiences, lifetimeSeconds: seconds, ...binding })
      const answer = {
        kind: 'TokenRequest',
        apiVersion: 'authentication.k8s.io/v1',
        metadata: { name: info.name, namespace: info.namespace, creationTimestamp: formatTime(options.env.clock.now()) },
        spec: { audiences, expirationSeconds: seconds, boundObjectRef: reference ? { ...reference, ...(binding ? { uid: binding.bound.uid } : {}) } : null },
        status: { token: issued.token, expirationTimestamp: formatTime(issued.expiresMs) },
      }
      return objectResponse(context.request, answer, { status: 201 })
    },
  }

  /** NodeRestriction's rule for tokens: bound to a pod of that account on that node. */
  function checkNode(node: string, request: TokenRequest, namespace: string, name: string): void {
    const reference = request.spec.boundObjectRef
    const refuse = (message: string): never => {
      throw forbidden('', 'serviceaccounts', name, message)
    }
    if (reference?.kind !== 'Pod' || reference.apiVersion !== 'v1') return refuse('node requested token not bound to a pod')
    if (!reference.uid) return refuse('node requested token with a pod binding without a uid')
    const pod = copies.Pod.get(namespace, reference.name ?? '')
    if (!pod) throw notFound('', 'pods', reference.name ?? '')
    if (pod.metadata.uid !== reference.uid)
      return refuse(`the UID in the bound object reference (${reference.uid}) does not match the UID in record. The object might have been deleted and then recreated`)
    if (pod.spec?.nodeName !== node) return refuse(`node requested token bound to a pod scheduled on a different node`)
    if (!podReferences(pod).serviceaccounts.includes(name)) return refuse('node requested token for a service account that the pod does not use')
  }
}

const tokenRequest = { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest', schema: 'io.k8s.api.authentication.v1.TokenRequest' } as const

function checkRequest(request: TokenRequest): FieldErrorList {
  const faults: FieldErrorList = []
  const at = FieldPath.root('spec')
  const seconds = request.spec.expirationSeconds ?? defaultSeconds
  if (seconds < minSeconds) faults.push(invalidValue(at.child('expirationSeconds'), seconds, 'may not specify a duration less than 10 minutes'))
  if (seconds > maxSeconds) faults.push(invalidValue(at.child('expirationSeconds'), seconds, 'may not specify a duration larger than 2^32 seconds'))
  const reference = request.spec.boundObjectRef
  if (reference && !(reference.apiVersion === 'v1' && ['Pod', 'Secret', 'Node'].includes(reference.kind ?? ''))) {
    faults.push(invalidValue(at.child('boundObjectRef'), `${reference.apiVersion ?? ''}, Kind=${reference.kind ?? ''}`, 'cannot bind token to this kind of object'))
  }
  return faults
}
