/** The parameters that a binding gives its policy. */
import type { ParamKind, ParamRef } from '../../../api/generated/admissionregistration-v1.ts'
import type { KubernetesObject } from '../../../api/meta.ts'
import { parseGroupVersion } from '../../../api/meta.ts'
import type { AnyResource } from '../../../api/resource.ts'
import { storedAs } from '../../../api/resource.ts'
import { labelSelectorMatches } from '../../../api/selectors.ts'
import type { LiveCopies } from '../../live-copy.ts'

export interface ParamsOptions {
  readonly copies: LiveCopies
  readonly resources: () => readonly AnyResource[]
}

/** undefined stands for "the policy has no parameters", null for "the binding gives none". */
export type Params = readonly (KubernetesObject | null | undefined)[]

/** Throws an Error whose message says what is wrong with the configuration. */
export async function collectParams(options: ParamsOptions, kind: ParamKind | undefined, ref: ParamRef | undefined, namespace: string): Promise<Params> {
  if (!kind) return [undefined]
  if (!ref) return [null]
  const { group, version } = parseGroupVersion(kind.apiVersion ?? '')
  const resource = options.resources().find(r => r.group === group && r.version === version && r.kind === kind.kind)
  if (!resource) throw new Error(`paramKind kind \`&ParamKind{APIVersion:${kind.apiVersion ?? ''},Kind:${kind.kind ?? ''},}\` not known`)
  const found = await find(options, resource, ref, namespace)
  if (found.length === 0 && ref.parameterNotFoundAction === 'Deny') throw new Error('no params found for policy binding with `Deny` parameterNotFoundAction')
  return found
}

async function find(options: ParamsOptions, r: AnyResource, ref: ParamRef, namespace: string): Promise<KubernetesObject[]> {
  const namespaced = r.scope === 'Namespaced'
  if (!namespaced && ref.namespace) throw new Error('paramRef.namespace must not be provided for a cluster-scoped `paramKind`')
  const place = namespaced ? ref.namespace || namespace : ''
  if (namespaced && place === '') throw new Error('cannot use namespaced paramRef in policy binding that matches cluster-scoped resources')
  const copy = options.copies.of<KubernetesObject>(storedAs(r))
  await copy.ready
  const stored = ref.name ? [copy.get(place, ref.name)].filter(one => one !== undefined) : copy.list(place).filter(one => labelSelectorMatches(ref.selector, one.metadata.labels))
  await r.conversion?.prepare?.(stored, 'fromStored')
  return stored.map(object => (r.conversion ? (r.conversion.fromStored(object) as KubernetesObject) : object))
}
