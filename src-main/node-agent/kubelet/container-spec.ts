/** What the runtime is asked to make for one container of a pod. Pure. */
import { createHash } from 'node:crypto'
import type { Container, Pod, SecurityContext } from '../../api/generated/core-v1.ts'
import { agentNames } from '../../api/agent.ts'
import type { ContainerSpec, Mount, PortPublication, SandboxSpec } from '../container-runtime/runtime.ts'
import { containerLabels } from '../container-runtime/runtime.ts'
import { ContainerConfigError } from './environment.ts'
import { expand } from './expansion.ts'
import { containerLimits } from './pod-resources.ts'
import { podHostname } from './pod-files.ts'

/** Docker's names are at most 255 bytes of [a-zA-Z0-9_.-]; ours hold whole Kubernetes names. */
export function runtimeName(pod: Pod, container: string, attempt: number): string {
  const { name = '', namespace = '', uid = '' } = pod.metadata
  return `${agentNames.containerPrefix}${container}_${name.slice(0, 120)}_${namespace}_${uid}_${attempt}`
}

export function labelsOf(pod: Pod, container: string, attempt: number): Record<string, string> {
  return {
    [containerLabels.podName]: pod.metadata.name ?? '',
    [containerLabels.podNamespace]: pod.metadata.namespace ?? '',
    [containerLabels.podUID]: pod.metadata.uid ?? '',
    [containerLabels.containerName]: container,
    [containerLabels.restartCount]: String(attempt),
  }
}

/** Changes when a container has to be made anew: of what may change in a running pod that is the image alone. */
export function containerHash(container: Container): string {
  return createHash('sha256')
    .update(`${container.name}\0${container.image ?? ''}`)
    .digest('hex')
    .slice(0, 16)
}

export function sandboxSpec(pod: Pod, attempt: number, clusterDomain: string): SandboxSpec {
  const { hostname, domain } = podHostname(pod, clusterDomain)
  const spec = pod.spec
  const ports: PortPublication[] = [...(spec?.containers ?? []), ...(spec?.initContainers ?? []).filter(c => c.restartPolicy === 'Always')].flatMap(container =>
    (container.ports ?? []).flatMap(port =>
      port.hostPort
        ? [
            {
              hostPort: port.hostPort,
              containerPort: port.containerPort,
              protocol: (port.protocol ?? 'TCP').toLowerCase() as 'tcp',
              ...(port.hostIP ? { hostIP: port.hostIP } : {}),
            },
          ]
        : [],
    ),
  )
  return {
    name: runtimeName(pod, 'POD', attempt),
    hostname: spec?.setHostnameAsFQDN && domain !== '' ? `${hostname}.${domain}` : hostname,
    labels: labelsOf(pod, 'POD', attempt),
    hostNetwork: spec?.hostNetwork ?? false,
    hostPID: spec?.hostPID ?? false,
    hostIPC: spec?.hostIPC ?? false,
    ports,
    sysctls: Object.fromEntries((spec?.securityContext?.sysctls ?? []).map(sysctl => [sysctl.name, sysctl.value])),
  }
}

export interface ContainerInput {
  readonly pod: Pod
  readonly container: Container
  readonly attempt: number
  readonly sandboxID: string
  readonly environment: ReadonlyMap<string, string>
  readonly mounts: readonly Mount[]
  readonly image: { readonly id: string; readonly user: string }
  readonly nodeMemoryBytes: number
  readonly terminationLog: string
  /** Container whose process namespace an ephemeral container joins. */
  readonly targetID?: string
}

export function containerSpec(input: ContainerInput): ContainerSpec {
  const { pod, container, environment } = input
  const lookup = (name: string): string | undefined => environment.get(name)
  const own: SecurityContext = container.securityContext ?? {}
  const whole = pod.spec?.securityContext ?? {}
  const user = own.runAsUser ?? whole.runAsUser
  const group = own.runAsGroup ?? whole.runAsGroup
  checkNonRoot(own.runAsNonRoot ?? whole.runAsNonRoot ?? false, user, input.image.user)
  const privileged = own.privileged ?? false
  const limits = containerLimits(pod, container, input.nodeMemoryBytes)
  const seccomp = own.seccompProfile ?? whole.seccompProfile
  const apparmor = own.appArmorProfile ?? whole.appArmorProfile
  return {
    name: runtimeName(pod, container.name, input.attempt),
    image: input.image.id,
    labels: {
      ...labelsOf(pod, container.name, input.attempt),
      [containerLabels.sandboxID]: input.sandboxID,
      [containerLabels.hash]: containerHash(container),
      [containerLabels.terminationLog]: input.terminationLog,
    },
    ...(container.command?.length ? { entrypoint: container.command.map(part => expand(part, lookup)) } : {}),
    ...(container.args?.length ? { command: container.args.map(part => expand(part, lookup)) } : {}),
    ...(container.workingDir ? { workingDir: container.workingDir } : {}),
    env: [...environment].map(([name, value]) => `${name}=${value}`),
    mounts: input.mounts,
    sandboxID: input.sandboxID,
    hostNetwork: pod.spec?.hostNetwork ?? false,
    hostIPC: pod.spec?.hostIPC ?? false,
    ...pidMode(input),
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    tty: container.tty ?? false,
    ...(user === undefined && group === undefined ? {} : { user: group === undefined ? String(user) : `${user ?? (input.image.user.split(':')[0] || '0')}:${group}` }),
    groups: [...new Set([...(whole.fsGroup === undefined ? [] : [whole.fsGroup]), ...(whole.supplementalGroups ?? [])])].map(String),
    readOnlyRootFilesystem: own.readOnlyRootFilesystem ?? false,
    privileged,
    addCapabilities: own.capabilities?.add ?? [],
    dropCapabilities: own.capabilities?.drop ?? [],
    noNewPrivileges: own.allowPrivilegeEscalation === false,
    // As kubelets without a default profile: unconfined unless the pod asks for the runtime's own.
    ...(privileged || seccomp?.type === 'RuntimeDefault' ? {} : { seccompProfile: 'unconfined' }),
    ...(apparmor?.type === 'Unconfined' ? { apparmorProfile: 'unconfined' } : apparmor?.type === 'Localhost' ? { apparmorProfile: apparmor.localhostProfile ?? '' } : {}),
    unmaskPaths: own.procMount === 'Unmasked',
    ...limits,
    ...(container.lifecycle?.stopSignal ? { stopSignal: container.lifecycle.stopSignal } : {}),
  }
}

function pidMode(input: ContainerInput): { pidMode?: string } {
  if (input.pod.spec?.hostPID) return { pidMode: 'host' }
  if (input.targetID !== undefined) return { pidMode: `container:${input.targetID}` }
  return input.pod.spec?.shareProcessNamespace ? { pidMode: `container:${input.sandboxID}` } : {}
}

function checkNonRoot(required: boolean, user: number | undefined, imageUser: string): void {
  if (!required) return
  const imageName = imageUser.split(':')[0] ?? ''
  if (user === 0) throw new ContainerConfigError("container's runAsUser breaks non-root policy")
  if (user !== undefined) return
  if (imageName === '' || imageName === '0' || imageName === 'root') throw new ContainerConfigError('container has runAsNonRoot and image will run as root')
  if (!/^\d+$/.test(imageName)) throw new ContainerConfigError(`container has runAsNonRoot and image has non-numeric user (${imageName}), cannot verify user is non-root`)
}
