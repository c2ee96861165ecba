/**
 * Provisioning as one object: the machine controller and the way to nodes for the control plane, and what the window
 * asks of hosts. Give `controller` to the control plane's manager and `dialer` to its API server.
 */
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import type {
  ConnectAnswer,
  HostAddress,
  HostCredentials,
  HostsInput,
  ImagePushInput,
  ImagePushProgress,
  MachineOutput,
  PlanAnswer,
  PreflightItem,
  SshConfigAnswer,
} from '../api/bridge.ts'
import type { Machine } from '../api/infra/v1alpha1/machine.ts'
import type { Env } from '../base/env.ts'
import type { NodeDialer } from '../base/node/dialer.ts'
import type { Client } from '../client/client.ts'
import type { ControllerDefinition } from '../controller-runtime/controller.ts'
import { createArtifacts } from './artifacts/artifacts.ts'
import { ProvisioningError } from './host/errors.ts'
import type { SshConfigOptions } from './host/ssh-config.ts'
import { applyMachines, plan, preflight, tryConnect } from './hosts-input.ts'
import { pushImage } from './images/push-image.ts'
import { createLogin } from './login.ts'
import { createHostLinks } from './machine-controller/host-link.ts'
import { createMachineController } from './machine-controller/machine-controller.ts'
import { createOutputRing } from './machine-controller/output-ring.ts'
import { clusterDigest, type ClusterSettings } from './machine-controller/settings.ts'
import { localImages } from './practice/docker.ts'

export interface ProvisioningOptions {
  readonly env: Env
  /** With the right to create Machines and Secrets; the controller has its own client. */
  readonly client: Client
  /** Takes a TLS connection that a node opened to the API. Instead of it `apiAddress` may be given. */
  readonly serveApi?: (stream: Duplex) => void
  readonly apiAddress?: () => { host: string; port: number }
  /** PEM of the cluster's CA. */
  readonly certificateAuthority: string
  readonly clusterCIDR?: string
  readonly serviceCIDR?: string
  readonly clusterDNS?: string
  readonly clusterDomain?: string
  /** For compressed artifacts and images on their way; safe to delete. */
  readonly cacheDir: string
  /** Where a packaged app keeps agent/agent.js and runtime/node. */
  readonly resourcesDir?: string
  /** Socket of this computer's SSH agent, where one runs. */
  readonly sshAgent?: string
  /** Default: ~/.ssh/config of this computer's user. */
  readonly sshConfig?: SshConfigOptions
}

export interface Provisioning {
  readonly controller: ControllerDefinition<Machine>
  readonly dialer: NodeDialer
  tryConnect(input: { host: HostAddress; credentials: HostCredentials; fingerprint?: string }, signal: AbortSignal): Promise<ConnectAnswer>
  sshConfig(): Promise<SshConfigAnswer>
  preflight(input: HostsInput, signal: AbortSignal): AsyncIterable<PreflightItem>
  plan(input: HostsInput, signal: AbortSignal): Promise<PlanAnswer>
  apply(input: HostsInput, signal?: AbortSignal): Promise<{ machines: Machine[] }>
  output(input: { machine?: string }, signal: AbortSignal): AsyncIterable<MachineOutput>
  pushImage(input: ImagePushInput, chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncIterable<ImagePushProgress>
  localImages(): Promise<{ images: { name: string; bytes: number }[] }>
  /** Ends all connections; nodes live on. */
  stop(): void
}

export function createProvisioning(options: ProvisioningOptions): Provisioning {
  const { env, client } = options
  const cluster: ClusterSettings = {
    certificateAuthority: options.certificateAuthority,
    clusterCIDR: options.clusterCIDR ?? '10.244.0.0/16',
    serviceCIDR: options.serviceCIDR ?? '10.96.0.0/16',
    clusterDNS: options.clusterDNS ?? '10.96.0.10',
    clusterDomain: options.clusterDomain ?? 'cluster.local',
  }
  const artifacts = createArtifacts({ cacheDir: options.cacheDir, ...(options.resourcesDir === undefined ? {} : { resourcesDir: options.resourcesDir }) })
  const output = createOutputRing(env)
  const links = createHostLinks({
    env,
    owner: clusterDigest(cluster.certificateAuthority),
    serveApi:
      options.serveApi ??
      (stream => {
        joinToApi(stream, options.apiAddress)
      }),
    onChange: machine => {
      env.log.log('debug', 'connection of a machine changed', { machine, connected: links.current(machine) !== undefined })
    },
  })
  const login = createLogin({ ...(options.sshAgent === undefined ? {} : { sshAgent: options.sshAgent }), ...(options.sshConfig ? { sshConfig: options.sshConfig } : {}) })
  const context = { env, client, cluster: () => cluster, artifacts, login }
  return {
    controller: createMachineController({
      env,
      links,
      output,
      artifacts,
      cluster: () => cluster,
      owner: clusterDigest(cluster.certificateAuthority),
      ...(options.sshAgent === undefined ? {} : { sshAgent: options.sshAgent }),
    }),
    async dialer(nodeName, port) {
      const link = links.byNode(nodeName)
      if (!link) throw new ProvisioningError('Unreachable', `There is no connection to node ${nodeName} now.`, { host: nodeName })
      return link.connection.dial(port)
    },
    tryConnect(input, signal) {
      // A host was named: what will be sent is packed while the user reads fingerprints and checks.
      void artifacts
        .runtime('x64')
        .then(() => artifacts.agent())
        .catch(() => undefined)
      return tryConnect(context, input, signal)
    },
    sshConfig: () => login.sshConfig(),
    preflight: (input, signal) => preflight(context, input, signal),
    plan: (input, signal) => plan(context, input, signal),
    apply: input => applyMachines(context, input),
    output: (input, signal) => output.follow(input.machine, signal),
    pushImage: (input, chunks, signal) => pushImage({ env, links, cacheDir: options.cacheDir }, input, chunks, signal),
    localImages: async () => ({ images: await localImages() }),
    stop: () => {
      links.stop()
    },
  }
}

/** Joins a connection from a node with the API's port on this computer. */
function joinToApi(stream: Duplex, address: (() => { host: string; port: number }) | undefined): void {
  if (!address) {
    stream.destroy()
    return
  }
  const { host, port } = address()
  const socket = connect({ host, port })
  socket.on('error', () => {
    stream.destroy()
  })
  stream.on('error', () => {
    socket.destroy()
  })
  socket.on('close', () => {
    stream.destroy()
  })
  stream.on('close', () => {
    socket.destroy()
  })
  stream.pipe(socket).pipe(stream)
}
