/** Validation of security contexts, of pods and of containers. */
import type { AppArmorProfile, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext } from '../../generated/core-v1.ts'
import { duplicate, invalidValue, notSupported, required } from '../../field-errors.ts'
import type { FieldErrorList, FieldPath } from '../../field-errors.ts'
import { inRange, oneOf } from '../../validation.ts'

const maxId = 2147483647
const profileTypes = ['Localhost', 'RuntimeDefault', 'Unconfined']
const sysctlName = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/
const sysctlText = 'must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$'

const idFaults = (id: number | undefined, path: FieldPath): FieldErrorList => (id === undefined ? [] : inRange(id, 0, maxId, path))

/** `a/../b` or `..`: leaves the directory it is relative to. */
export function hasBacksteps(path: string): boolean {
  return path.split('/').includes('..')
}

export function localPathFaults(text: string, path: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if (text.startsWith('/')) faults.push(invalidValue(path, text, 'must be a relative path'))
  if (hasBacksteps(text)) faults.push(invalidValue(path, text, "must not contain '..'"))
  return faults
}

export function seccompFaults(profile: SeccompProfile | undefined, at: FieldPath): FieldErrorList {
  if (profile === undefined) return []
  const path = at.child('localhostProfile')
  const faults: FieldErrorList = []
  if (!profile.type) faults.push(required(at.child('type'), 'type is required when seccompProfile is set'))
  else if (!profileTypes.includes(profile.type)) faults.push(notSupported(at.child('type'), profile.type, profileTypes))
  if (profile.type === 'Localhost') {
    if (profile.localhostProfile === undefined) faults.push(required(path, 'must be set when seccomp type is Localhost'))
    else faults.push(...localPathFaults(profile.localhostProfile, path))
  } else if (profile.localhostProfile !== undefined) {
    faults.push(invalidValue(path, { Type: profile.type ?? '', LocalhostProfile: profile.localhostProfile }, 'can only be set when seccomp type is Localhost'))
  }
  return faults
}

export function appArmorFaults(profile: AppArmorProfile | undefined, at: FieldPath): FieldErrorList {
  if (profile === undefined) return []
  const path = at.child('localhostProfile')
  const local = profile.localhostProfile
  if (!profile.type) return [required(at.child('type'), 'type is required when appArmorProfile is set')]
  if (!profileTypes.includes(profile.type)) return [notSupported(at.child('type'), profile.type, profileTypes)]
  if (profile.type !== 'Localhost') return local === undefined ? [] : [invalidValue(path, local, 'can only be set when AppArmor type is Localhost')]
  if (local === undefined) return [required(path, 'must be set when AppArmor type is Localhost')]
  if (local.trim() !== local) return [invalidValue(path, local, 'must not be padded with whitespace')]
  if (local === '') return [required(path, 'must be set when AppArmor type is Localhost')]
  return new TextEncoder().encode(local).length > 4095 ? [{ type: 'FieldValueTooLong', field: path.toString(), message: 'Too long: may not be more than 4095 bytes' }] : []
}

export function securityContextFaults(context: SecurityContext | undefined, at: FieldPath, hostUsers: boolean): FieldErrorList {
  if (context === undefined) return []
  const faults: FieldErrorList = [...idFaults(context.runAsUser, at.child('runAsUser')), ...idFaults(context.runAsGroup, at.child('runAsGroup'))]
  if (context.procMount !== undefined) {
    faults.push(...oneOf(context.procMount, ['Default', 'Unmasked'], at.child('procMount')))
    if (hostUsers && context.procMount === 'Unmasked') faults.push(invalidValue(at.child('procMount'), context.procMount, '`hostUsers` must be false to use `Unmasked`'))
  }
  faults.push(...seccompFaults(context.seccompProfile, at.child('seccompProfile')))
  if (context.allowPrivilegeEscalation === false) {
    const path = at
    if (context.privileged === true) faults.push(invalidValue(path, goSecurityContext(context), 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'))
    if (context.capabilities?.add?.includes('CAP_SYS_ADMIN') === true)
      faults.push(invalidValue(path, goSecurityContext(context), 'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN'))
  }
  return [...faults, ...windowsFaults(context.windowsOptions, at.child('windowsOptions')), ...appArmorFaults(context.appArmorProfile, at.child('appArmorProfile'))]
}

/** Kubernetes prints the whole internal structure; names in its order. */
function goSecurityContext(c: SecurityContext): unknown {
  const capabilities = c.capabilities === undefined ? null : { Add: c.capabilities.add ?? null, Drop: c.capabilities.drop ?? null }
  return {
    Capabilities: capabilities,
    Privileged: c.privileged ?? null,
    SELinuxOptions: c.seLinuxOptions ?? null,
    WindowsOptions: c.windowsOptions ?? null,
    RunAsUser: c.runAsUser ?? null,
    RunAsGroup: c.runAsGroup ?? null,
    RunAsNonRoot: c.runAsNonRoot ?? null,
    ReadOnlyRootFilesystem: c.readOnlyRootFilesystem ?? null,
    AllowPrivilegeEscalation: c.allowPrivilegeEscalation ?? null,
    ProcMount: c.procMount ?? null,
    SeccompProfile: c.seccompProfile ?? null,
    AppArmorProfile: c.appArmorProfile ?? null,
  }
}

function windowsFaults(options: SecurityContext['windowsOptions'], at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  if (options?.gmsaCredentialSpecName === '') faults.push(invalidValue(at.child('gmsaCredentialSpecName'), '', 'gmsaCredentialSpecName cannot be an empty string'))
  if (options?.gmsaCredentialSpec === '') faults.push(invalidValue(at.child('gmsaCredentialSpec'), '', 'gmsaCredentialSpec cannot be an empty string'))
  if (options?.runAsUserName === '') faults.push(invalidValue(at.child('runAsUserName'), '', 'runAsUserName cannot be an empty string'))
  return faults
}

/** Of a pod: ids, sysctls, profiles. */
export function podSecurityContextFaults(context: PodSecurityContext | undefined, spec: PodSpec, at: FieldPath): FieldErrorList {
  if (context === undefined) return []
  const faults: FieldErrorList = []
  faults.push(...idFaults(context.fsGroup, at.child('fsGroup')), ...idFaults(context.runAsUser, at.child('runAsUser')), ...idFaults(context.runAsGroup, at.child('runAsGroup')))
  for (const [i, group] of (context.supplementalGroups ?? []).entries()) faults.push(...idFaults(group, at.child('supplementalGroups').index(i)))
  if (spec.shareProcessNamespace === true && spec.hostPID === true)
    faults.push(invalidValue(at.child('shareProcessNamespace'), true, 'ShareProcessNamespace and HostPID cannot both be enabled'))
  faults.push(...sysctlFaults(context, spec, at.child('sysctls')))
  if (context.fsGroupChangePolicy !== undefined) faults.push(...oneOf(context.fsGroupChangePolicy, ['Always', 'OnRootMismatch'], at.child('fsGroupChangePolicy')))
  faults.push(
    ...seccompFaults(context.seccompProfile, at.child('seccompProfile')),
    ...windowsFaults(context.windowsOptions, at.child('windowsOptions')),
    ...appArmorFaults(context.appArmorProfile, at.child('appArmorProfile')),
  )
  if (context.supplementalGroupsPolicy !== undefined) faults.push(...oneOf(context.supplementalGroupsPolicy, ['Merge', 'Strict'], at.child('supplementalGroupsPolicy')))
  if (context.seLinuxChangePolicy !== undefined) faults.push(...oneOf(context.seLinuxChangePolicy, ['MountOption', 'Recursive'], at.child('seLinuxChangePolicy')))
  return faults
}

function sysctlFaults(context: PodSecurityContext, spec: PodSpec, at: FieldPath): FieldErrorList {
  const faults: FieldErrorList = []
  const seen = new Set<string>()
  for (const [i, sysctl] of (context.sysctls ?? []).entries()) {
    const path = at.index(i).child('name')
    const name = sysctl.name ?? ''
    if (name === '') faults.push(required(path, ''))
    else if (name.length > 253 || !sysctlName.test(name)) faults.push(invalidValue(path, name, sysctlText))
    else if (seen.has(name)) faults.push(duplicate(path, name))
    const dotted = name.replaceAll('/', '.')
    if (spec.hostNetwork === true && dotted.startsWith('net.')) faults.push(invalidValue(path, name, "may not be specified when 'hostNetwork' is true"))
    if (spec.hostIPC === true && (dotted.startsWith('kernel.shm') || dotted.startsWith('kernel.msg') || dotted === 'kernel.sem' || dotted.startsWith('fs.mqueue.')))
      faults.push(invalidValue(path, name, "may not be specified when 'hostIPC' is true"))
    seen.add(name)
  }
  return faults
}
