/** Faults of webhooks, and of where they are reached (shared with conversion webhooks of custom kinds). */
import { FieldPath, duplicate, invalidValue, required } from '../../field-errors.ts'
import type { FieldErrorList } from '../../field-errors.ts'
import type { MutatingWebhook, ValidatingWebhook } from '../../generated/admissionregistration-v1.ts'
import { isDns1035Label, isDns1123Subdomain, isFullyQualifiedName, isPort } from '../../names.ts'
import { validateLabelSelector } from '../../selectors.ts'
import { failurePolicies, matchConditionFaults, matchPolicies, oneOf, reinvocationPolicies, ruleFaults } from '../rules.ts'

const reviewVersions = ['v1', 'v1beta1']
const sideEffects = ['None', 'NoneOnDryRun']

/** Where a webhook is: exactly one of url and service. */
export interface WebhookAddress {
  readonly url?: string
  readonly service?: { readonly namespace?: string; readonly name?: string; readonly path?: string; readonly port?: number }
}

export function webhooksFaults(webhooks: readonly (ValidatingWebhook | MutatingWebhook)[] | undefined): FieldErrorList {
  const names = new Set<string>()
  return (webhooks ?? []).flatMap((hook, i) => {
    const at = FieldPath.root('webhooks').index(i)
    const faults = [...webhookFaults(hook, at), ...reviewVersionFaults(hook.admissionReviewVersions ?? [], at.child('admissionReviewVersions'))]
    if (hook.name && names.has(hook.name)) faults.push(duplicate(at.child('name'), hook.name))
    if (hook.name) names.add(hook.name)
    return faults
  })
}

function webhookFaults(hook: ValidatingWebhook | MutatingWebhook, at: FieldPath): FieldErrorList {
  const seconds = hook.timeoutSeconds
  return [
    ...nameFaults(hook.name ?? '', at.child('name')),
    ...(hook.rules ?? []).flatMap((rule, i) => ruleFaults(rule, at.child('rules').index(i))),
    ...oneOf(hook.failurePolicy, failurePolicies, at.child('failurePolicy')),
    ...oneOf(hook.matchPolicy, matchPolicies, at.child('matchPolicy')),
    ...(hook.sideEffects ? oneOf(hook.sideEffects, sideEffects, at.child('sideEffects')) : [required(at.child('sideEffects'), `must specify one of ${sideEffects.join(', ')}`)]),
    ...(seconds !== undefined && (seconds > 30 || seconds < 1) ? [invalidValue(at.child('timeoutSeconds'), seconds, 'the timeout value must be between 1 and 30 seconds')] : []),
    ...validateLabelSelector(hook.namespaceSelector, at.child('namespaceSelector')),
    ...validateLabelSelector(hook.objectSelector, at.child('objectSelector')),
    ...('reinvocationPolicy' in hook ? oneOf(hook.reinvocationPolicy, reinvocationPolicies, at.child('reinvocationPolicy')) : []),
    ...addressFaults(hook.clientConfig, at.child('clientConfig')),
    ...matchConditionFaults(hook.matchConditions, false, at.child('matchConditions')),
  ]
}

function nameFaults(name: string, at: FieldPath): FieldErrorList {
  if (name === '') return [required(at, '')]
  return isFullyQualifiedName(name).map(text => invalidValue(at, name, text))
}

function reviewVersionFaults(versions: readonly string[], at: FieldPath): FieldErrorList {
  if (versions.length === 0) return [required(at, `must specify one of ${reviewVersions.join(', ')}`)]
  const faults: FieldErrorList = []
  const seen = new Set<string>()
  for (const [i, version] of versions.entries()) {
    if (seen.has(version)) faults.push(invalidValue(at.index(i), version, 'duplicate version'))
    else for (const text of isDns1035Label(version)) faults.push(invalidValue(at.index(i), version, text))
    seen.add(version)
  }
  if (!versions.some(version => reviewVersions.includes(version))) faults.push(invalidValue(at, [...versions], `must include at least one of ${reviewVersions.join(', ')}`))
  return faults
}

/** `at` is the clientConfig. */
export function addressFaults(config: WebhookAddress | undefined, at: FieldPath): FieldErrorList {
  const { url, service } = config ?? {}
  if ((url === undefined) === (service === undefined)) return [required(at, 'exactly one of url or service is required')]
  return url === undefined ? serviceFaults(service ?? {}, at.child('service')) : urlFaults(url, at.child('url'))
}

/** Of a webhook's URL. */
export function urlFaults(url: string, at: FieldPath): FieldErrorList {
  const form = '; desired format: https://host[/path]'
  const match = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(url)
  if (!match || /[\x00-\x1f\x7f]/.test(url)) return [required(at, `url must be a valid URL: parse ${JSON.stringify(url)}: net/url: invalid control character in URL${form}`)]
  const [, scheme = '', authority = '', , query = '', fragment = ''] = match
  const user = authority.includes('@') ? authority.slice(0, authority.lastIndexOf('@')) : undefined
  const host = user === undefined ? authority : authority.slice(user.length + 1)
  return [
    ...(scheme.toLowerCase() === 'https' ? [] : [invalidValue(at, scheme.toLowerCase(), `'https' is the only allowed URL scheme${form}`)]),
    ...(host === '' ? [invalidValue(at, host, `host must be specified${form}`)] : []),
    ...(user === undefined ? [] : [invalidValue(at, user, 'user information is not permitted in the URL')]),
    ...(fragment === '' ? [] : [invalidValue(at, fragment, 'fragments are not permitted in the URL')]),
    ...(query === '' ? [] : [invalidValue(at, query, 'query parameters are not permitted in the URL')]),
  ]
}

/** Of a webhook's service. */
export function serviceFaults(service: NonNullable<WebhookAddress['service']>, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if (!service.name) faults.push(required(at.child('name'), ''))
  if (!service.namespace) faults.push(required(at.child('namespace'), ''))
  const portTexts = isPort(service.port ?? 0)
  if (portTexts.length > 0) faults.push(invalidValue(at.child('port'), service.port ?? 0, `port is not valid: ${portTexts.join(', ')}`))
  const { path } = service
  if (path === undefined || path === '' || path === '/') return faults
  const place = at.child('path')
  if (path === '//') return [...faults, invalidValue(place, path, 'segment[0] may not be empty')]
  if (!path.startsWith('/')) faults.push(invalidValue(place, path, "must start with a '/'"))
  for (const [i, step] of path.slice(1).replace(/\/$/, '').split('/').entries()) {
    if (step === '') faults.push(invalidValue(place, path, `segment[${i}] may not be empty`))
    else for (const text of isDns1123Subdomain(step)) faults.push(invalidValue(place, path, `segment[${i}]: ${text}`))
  }
  return faults
}
