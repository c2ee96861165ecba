/**
 * The node agent put together: mirrors of the cluster's objects feed the kubelet, the service rules, the DNS and the
 * overlay. Every part goes on by itself from what it last knew; none waits for the API.
 */
import type { Server } from 'node:net'
import { endpointSlices } from '../api/discovery/v1/endpoint-slice.ts'
import { events } from '../api/core/v1/event.ts'
import { nodes } from '../api/core/v1/node.ts'
import { pods } from '../api/core/v1/pod.ts'
import { services } from '../api/core/v1/service.ts'
import type { EndpointSlice } from '../api/generated/discovery-v1.ts'
import type { Node, Pod, Service } from '../api/generated/core-v1.ts'
import { agentNames, agentPorts } from '../api/agent.ts'
import type { AgentConfig } from '../api/agent.ts'
import type { Env } from '../base/env.ts'
import { Lifetime } from '../base/lifetime.ts'
import { createEventRecorder } from '../client/event-recorder.ts'
import { cpus, totalmem } from 'node:os'
import { apiAccess } from './api-access.ts'
import { startApiRelay } from './api-relay.ts'
import { commandRunner } from './commands.ts'
import { dockerRuntime } from './container-runtime/docker-runtime.ts'
import type { ContainerRuntime } from './container-runtime/runtime.ts'
import { DnsServer } from './dns/server.ts'
import { Zone } from './dns/zone.ts'
import { collectImages } from './kubelet/image-collector.ts'
import { Kubelet } from './kubelet/kubelet.ts'
import { NodeKeeper } from './kubelet/node-keeper.ts'
import { Mirror } from './mirror.ts'
import { NetworkProof } from './network/network-proof.ts'
import { PodNetwork } from './network/network.ts'
import { gatewayIP } from './network/overlay.ts'
import { ProbeNamespace } from './network/probe-namespace.ts'
import { addressNumber, addressText } from './proxy/compile.ts'
import { Proxy } from './proxy/proxy.ts'
import { startAgentServer } from './server/server.ts'

const bindRetryMs = 1_000

export interface AgentOptions {
  readonly env: Env
  readonly config: AgentConfig
  readonly stateDir: string
  /** Default: Docker at config.dockerSocket. */
  readonly runtime?: ContainerRuntime
}

export interface Agent {
  stop(): Promise<void>
}

/** Starts everything and returns at once; parts that cannot work yet keep trying. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { env, config, stateDir } = options
  const lifetime = new Lifetime()
  const { signal } = lifetime
  const run = commandRunner(env.clock)
  const runtime =
    options.runtime ?? dockerRuntime({ socketPath: config.dockerSocket, networkName: agentNames.dockerNetwork, sandboxImage: agentNames.sandboxImage, clock: env.clock })
  const access = apiAccess(env, config, stateDir)
  const { client } = access
  const recorder = createEventRecorder({ client, env, events, component: 'kubelet', host: config.nodeName })
  let zone: Zone | undefined

  const servicesChanged = (): void => {
    zone = undefined
    proxy.changed()
  }
  const mirrored = { env, client, stateDir }
  const nodeMirror = new Mirror<Node>({
    ...mirrored,
    resource: nodes,
    trim: withoutImages,
    onChange: () => {
      network.changed()
      proof.changed()
    },
  })
  const serviceMirror = new Mirror<Service>({ ...mirrored, resource: services, onChange: servicesChanged })
  const sliceMirror = new Mirror<EndpointSlice>({ ...mirrored, resource: endpointSlices, onChange: servicesChanged })
  const podMirror = new Mirror<Pod>({
    ...mirrored,
    resource: pods,
    fieldSelector: `spec.nodeName=${config.nodeName}`,
    onChange: (key, next, previous) => {
      kubelet.podChanged(key, next, previous)
    },
  })
  const podCIDR = (): string | undefined => nodeMirror.get(config.nodeName)?.spec?.podCIDR
  const currentZone = (): Zone => (zone ??= new Zone({ services: serviceMirror.values(), slices: sliceMirror.values(), domain: config.clusterDomain }))

  const network = new PodNetwork({
    env,
    config,
    run,
    runtime,
    podCIDR,
    nodes: () => nodeMirror.values(),
    onReady: () => {
      onNetworkReady()
    },
    joinProbe: async (range, mtu) => {
      await probe.ensure(range, mtu)
      if (proving) return
      proving = true
      void proof.run(signal)
    },
  })
  const probe = new ProbeNamespace({ run, clock: env.clock, nodeName: config.nodeName })
  lifetime.add(() => {
    probe.close()
  })
  let proving = false
  const proof = new NetworkProof({
    env,
    config,
    nodes: () => nodeMirror.values(),
    probe: targets => probe.probe(targets),
    onChange: () => {
      keeper.wake()
    },
  })
  const proxy = new Proxy({
    env,
    run,
    input: () => {
      const range = podCIDR()
      if (range === undefined) return undefined
      return {
        services: serviceMirror.values(),
        slices: sliceMirror.values(),
        nodeName: config.nodeName,
        podCIDR: range,
        clusterCIDR: config.clusterCIDR,
        serviceCIDR: config.serviceCIDR,
        gateway: gatewayIP(range),
        clusterDNS: config.clusterDNS,
        apiServiceIP: addressText(addressNumber(config.serviceCIDR.split('/')[0] ?? '') + 1),
        apiPort: agentPorts.api,
        bridgeNetfilter: network.bridgeNetfilter,
      }
    },
  })
  const kubelet = new Kubelet({
    env,
    client,
    runtime,
    recorder,
    run,
    stateDir,
    nodeName: config.nodeName,
    nodeAddress: config.nodeAddress,
    nodeCPUs: cpus().length,
    nodeMemoryBytes: totalmem(),
    dns: { clusterDNS: config.clusterDNS, clusterDomain: config.clusterDomain },
    services: () => serviceMirror.values(),
    node: () => nodeMirror.get(config.nodeName),
    networkReady: () => network.ready,
    networkJoined: () => network.hairpin(),
    live: key => podMirror.get(key),
    listed: () => podMirror.listed,
  })
  const keeper = new NodeKeeper({ env, client, config, stateDir, runtime, networkReady: () => network.ready, networkProof: () => proof.state })

  function onNetworkReady(): void {
    proxy.changed()
    keeper.wake()
    kubelet.wakeAll()
    const gateway = gatewayIP(podCIDR() ?? '')
    void listen('DNS', async () => {
      const server = new DnsServer({ env, address: gateway, port: 53, zone: currentZone, domain: config.clusterDomain, own: [config.clusterDNS] })
      await server.start()
      lifetime.add(() => {
        server.stop()
      })
    })
    void listen('API relay', async () => {
      const relay: Server = await startApiRelay(gateway, agentPorts.api, config.apiServer)
      lifetime.add(() => {
        relay.close()
      })
    })
  }

  /** The bridge's address may appear a moment later than the network. */
  async function listen(what: string, start: () => Promise<void>): Promise<void> {
    for (let warned = false; !signal.aborted;) {
      try {
        await start()
        return
      } catch (fault) {
        if (!warned) env.log.log('warn', `${what} cannot listen yet`, { fault: fault instanceof Error ? fault.message : String(fault) })
        warned = true
        await env.clock.sleep(bindRetryMs, signal).catch(() => {})
      }
    }
  }

  await Promise.all([nodeMirror.load(), serviceMirror.load(), sliceMirror.load(), kubelet.load()])
  await podMirror.load()
  const running = [
    access.run(signal),
    network.run(signal),
    proxy.run(signal),
    kubelet.run(signal),
    collectImages(env, runtime, agentNames.sandboxImage, signal),
    startAgentServer({ env, config, stateDir, client, clientReady: access.ready, runtime, kubelet, node: () => nodeMirror.get(config.nodeName), signal }),
    (async () => {
      await Promise.race([
        access.ready,
        new Promise<void>(resolve => {
          signal.addEventListener(
            'abort',
            () => {
              resolve()
            },
            { once: true },
          )
        }),
      ])
      await Promise.all([keeper.run(signal), nodeMirror.run(signal), serviceMirror.run(signal), sliceMirror.run(signal), podMirror.run(signal)])
    })(),
  ]
  lifetime.add(async () => {
    await Promise.allSettled(running)
    recorder.stop()
    access.close()
  })
  env.log.log('info', 'agent started', { node: config.nodeName, version: config.agentVersion, process: process.pid })
  return { stop: () => lifetime.stop() }
}

/** Nobody here reads other nodes' image lists, and they are most of a Node. */
function withoutImages(node: Node): Node {
  return node.status?.images ? { ...node, status: { ...node.status, images: [] } } : node
}
