/** Our specs as bodies of Docker's create call. Pure. */
import { containerLabels } from './runtime.ts'
import type { ContainerSpec, SandboxSpec } from './runtime.ts'

/** What a container's log may take on disk: as a kubelet's containerLogMaxSize and containerLogMaxFiles. */
const logConfig = { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '5' } }

export function sandboxBody(spec: SandboxSpec, options: { networkName: string; sandboxImage: string; lowestOomScore: number }): unknown {
  const exposed: Record<string, Record<string, never>> = {}
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {}
  for (const port of spec.hostNetwork ? [] : spec.ports) {
    const key = `${port.containerPort}/${port.protocol}`
    exposed[key] = {}
    bindings[key] = [...(bindings[key] ?? []), { HostIp: port.hostIP ?? '', HostPort: String(port.hostPort) }]
  }
  return {
    Image: options.sandboxImage,
    ...(spec.hostNetwork ? {} : { Hostname: spec.hostname, Domainname: spec.domainname ?? '' }),
    Labels: { ...spec.labels, [containerLabels.type]: 'sandbox' },
    ExposedPorts: exposed,
    HostConfig: {
      NetworkMode: spec.hostNetwork ? 'host' : options.networkName,
      PidMode: spec.hostPID ? 'host' : '',
      IpcMode: spec.hostIPC ? 'host' : 'shareable',
      PortBindings: bindings,
      Sysctls: spec.sysctls,
      LogConfig: { Type: 'none', Config: {} },
      OomScoreAdj: Math.max(-998, options.lowestOomScore),
      CpuShares: 2,
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      RestartPolicy: { Name: 'no' },
    },
  }
}

export function containerBody(spec: ContainerSpec, lowestOomScore: number): unknown {
  const securityOptions = [
    ...(spec.noNewPrivileges ? ['no-new-privileges'] : []),
    ...(spec.seccompProfile === undefined ? [] : [`seccomp=${spec.seccompProfile}`]),
    ...(spec.apparmorProfile === undefined ? [] : [`apparmor=${spec.apparmorProfile}`]),
    ...(spec.unmaskPaths ? ['systempaths=unconfined'] : []),
  ]
  return {
    Image: spec.image,
    ...(spec.entrypoint ? { Entrypoint: spec.entrypoint } : {}),
    ...(spec.command ? { Cmd: spec.command } : {}),
    ...(spec.workingDir ? { WorkingDir: spec.workingDir } : {}),
    ...(spec.user ? { User: spec.user } : {}),
    ...(spec.stopSignal ? { StopSignal: spec.stopSignal } : {}),
    Env: spec.env,
    OpenStdin: spec.stdin,
    StdinOnce: spec.stdinOnce,
    Tty: spec.tty,
    Labels: { ...spec.labels, [containerLabels.type]: 'container' },
    // Image's own health check is Docker's affair; Kubernetes has probes.
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      NetworkMode: spec.hostNetwork ? 'host' : `container:${spec.sandboxID}`,
      IpcMode: spec.hostIPC ? 'host' : `container:${spec.sandboxID}`,
      PidMode: spec.pidMode ?? '',
      Mounts: spec.mounts.map(mount => ({
        Type: 'bind',
        Source: mount.source,
        Target: mount.target,
        ReadOnly: mount.readOnly,
        BindOptions: { Propagation: mount.propagation ?? 'rprivate' },
      })),
      GroupAdd: spec.groups,
      ReadonlyRootfs: spec.readOnlyRootFilesystem,
      Privileged: spec.privileged,
      CapAdd: spec.addCapabilities,
      CapDrop: spec.dropCapabilities,
      SecurityOpt: securityOptions,
      CpuShares: spec.cpuShares,
      CpuQuota: spec.cpuQuota,
      CpuPeriod: spec.cpuPeriod,
      Memory: spec.memoryBytes,
      MemorySwap: spec.memoryBytes,
      OomScoreAdj: Math.max(spec.oomScoreAdjustment, lowestOomScore),
      LogConfig: logConfig,
      RestartPolicy: { Name: 'no' },
    },
  }
}
