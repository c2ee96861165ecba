/** Groups under k8s.io and kubernetes.io belong to the Kubernetes community: definitions in them name their approval (KEP 1111). Pure. */

export const approvedAnnotation = 'api-approved.kubernetes.io'

export function isProtectedGroup(group: string): boolean {
  return group === 'k8s.io' || group.endsWith('.k8s.io') || group === 'kubernetes.io' || group.endsWith('.kubernetes.io')
}

export interface Approval {
  readonly state: 'invalid' | 'missing' | 'approved' | 'bypassed'
  readonly message: string
}

const seeText = 'see https://github.com/kubernetes/enhancements/pull/1111'

export function approvalOf(annotations: Readonly<Record<string, string>> | undefined): Approval {
  const annotation = (annotations && Object.hasOwn(annotations, approvedAnnotation) ? annotations[approvedAnnotation] : undefined) ?? ''
  const name = JSON.stringify(approvedAnnotation)
  if (annotation === '') return { state: 'missing', message: `protected groups must have approval annotation ${name}, ${seeText}` }
  if (annotation.startsWith('unapproved')) return { state: 'bypassed', message: `not approved: ${JSON.stringify(annotation)}` }
  if (/^[a-zA-Z][a-zA-Z0-9+.-]*:\/\/[^/\s]+/.test(annotation)) return { state: 'approved', message: `approved in ${annotation}` }
  return { state: 'invalid', message: `protected groups must have approval annotation ${name} with either a URL or a reason starting with "unapproved", ${seeText}` }
}
