/** Names of signers: `example.com/signer-name`. */
import { invalidValue, required, tooLong } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import { isDns1123Label, isDns1123Subdomain } from '../../names.ts'

const maxDomainLength = 253
const maxNameLength = 571

/** Faults of the first label that has any; further ones would only repeat it. */
function labelsFaults(part: string, check: (label: string) => string[], path: FieldPath): FieldErrorList {
  const bad = part.split('.').find(label => check(label).length > 0)
  return bad === undefined ? [] : check(bad).map(text => invalidValue(path, part, `validating label ${JSON.stringify(bad)}: ${text}`))
}

export function signerNameFaults(name: string | undefined, path: FieldPath): FieldErrorList {
  if (!name) return [required(path, '')]
  const [domain = '', signer = '', ...more] = name.split('/')
  if (!name.includes('/') || more.length > 0) return [invalidValue(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")]
  const faults: FieldErrorList = domain.length > maxDomainLength ? [tooLong(path, domain, maxDomainLength)] : []
  faults.push(...labelsFaults(domain, isDns1123Label, path))
  if (!domain.includes('.')) faults.push(invalidValue(path, domain, 'should be a domain with at least two segments separated by dots'))
  faults.push(...labelsFaults(signer, isDns1123Subdomain, path))
  if (name.length > maxNameLength) faults.push(tooLong(path, name, maxNameLength))
  return faults
}

/** Signers of Kubernetes itself have stricter limits. */
export function isKubernetesSigner(name: string): boolean {
  const domain = name.split('/')[0] ?? ''
  return domain === 'kubernetes.io' || domain.endsWith('.kubernetes.io')
}
