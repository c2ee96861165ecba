/**
 * A whole control plane as one object: store, keys, API server with its port, bootstrap objects, controllers, scheduler.
 * `start` resolves when the API answers; controllers and scheduler follow right after (`controllersReady`). What else a
 * product has (machine controller, a way to nodes, metrics) is added from outside.
 */
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { allResources, apiServices } from '../api/resources.ts'
import type { AnyResource } from '../api/resource.ts'
import type { ApiHandler, UserInfo } from '../api/request.ts'
import { present } from '../base/assert.ts'
import type { Env } from '../base/env.ts'
import { Lifetime } from '../base/lifetime.ts'
import type { NodeDialer } from '../base/node/dialer.ts'
import { startRegistration } from '../apiserver/aggregation/registration.ts'
import { startDefinitionController } from '../apiserver/extensions/definition-controller.ts'
import { createApiServer, type ApiServer } from '../apiserver/handler.ts'
import type { UpgradeHandler, VirtualStorage } from '../apiserver/contracts.ts'
import type { Metric } from '../apiserver/health/metrics.ts'
import { serveHttps, type ApiPort } from '../apiserver/serve.ts'
import type { Client } from '../client/client.ts'
import { createClient } from '../client/typed-client.ts'
import { inProcessTransport } from '../client/transports/in-process.ts'
import type { Store } from '../store/store.ts'
import { createApiParts, type ApiParts } from './api-parts.ts'
import { ensureBootstrapObjects } from './bootstrap.ts'
import { componentUser, type AnyController } from './controllers.ts'
import { openAccess, type AccessOptions } from './open-access.ts'
import { openAudit, type AuditOptions } from './open-audit.ts'
import { openStore } from './open-store.ts'
import { openClusterKeys, defaultServingNames, type ClusterKeys } from './pki/pki.ts'
import { kubeconfigText, writeKubeconfig } from './pki/kubeconfig.ts'
import { keepCertificatesFresh } from './pki/renewal.ts'
import { createWorkforce, type Workforce } from './workforce.ts'

export interface ControlPlaneOptions {
  readonly env: Env
  /** Keys, certificates, the admin kubeconfig and (unless `store` is given) the embedded store live here. */
  readonly dataDir: string
  /** Instead of the embedded store; the control plane closes it on stop. */
  readonly store?: Store
  /** Default 127.0.0.1. */
  readonly host?: string
  /** 0 picks a free port; undefined opens none. */
  readonly apiPort?: number
  /** More names for the serving certificate. */
  readonly dnsNames?: readonly string[]
  readonly ipAddresses?: readonly string[]
  /** Default <dataDir>/admin.kubeconfig. */
  readonly kubeconfigPath?: string
  /** File of an EncryptionConfiguration: what it names is sealed on disk. Only for the embedded store. */
  readonly encryptionConfigFile?: string
  /** Keeps an audit trail by a policy. */
  readonly audit?: AuditOptions
  /** Requests of the network that are served at once, all priority levels together. */
  readonly requestSeats?: number
  /** Identity providers and webhooks beside the cluster's own credentials and roles. */
  readonly access?: AccessOptions
  readonly dialer?: NodeDialer
  readonly controllers?: readonly AnyController[]
  /** Kinds that are answered by others (metrics.k8s.io), by resourceKey. */
  readonly virtual?: ReadonlyMap<string, VirtualStorage>
  /** False starts the API alone (tests). Default true. */
  readonly runControllers?: boolean
  /** Controllers begin when this is settled, so that their first lists do not delay what the program loads meanwhile. */
  readonly controllersAfter?: Promise<unknown>
  readonly metrics?: () => readonly Metric[]
  readonly clusterCIDR?: string
  readonly serviceCIDR?: string
  readonly kubernetesServiceIP?: string
  readonly clusterDNS?: string
}

export interface ControlPlane {
  /** Resolves when the API is ready. Rejects with a sentence for people when the port or the data directory is taken. */
  start(): Promise<void>
  stop(): Promise<void>
  /** Resolves when the controllers' caches are complete; never when they are not run. */
  readonly controllersReady: Promise<void>
  readonly handle: ApiHandler
  readonly upgrade: UpgradeHandler
  readonly apiServer: ApiServer
  readonly store: Store
  /** 0 before start or without a port. */
  readonly port: number
  /** `https://127.0.0.1:6443`. */
  readonly address: string
  readonly keys: ClusterKeys
  /** PEM. */
  readonly certificateAuthority: string
  /** Text of the administrator's kubeconfig; written to `kubeconfigPath` on start. */
  readonly adminKubeconfig: string
  readonly kubeconfigPath: string
  /** An in-process client: a user, or the name of a component (`machine-controller` is system:serviceaccount:kube-system:machine-controller). */
  client(user: UserInfo | string): Client
  /** Every right; for the product's own parts. */
  readonly admin: UserInfo
  addControllers(controllers: readonly AnyController[]): void
  setDialer(dialer: NodeDialer): void
  setVirtual(key: string, storage: VirtualStorage): void
  /** Serves the API's TLS port on a byte stream (a channel of a node's SSH connection). */
  serveConnection(stream: Duplex): void
  resources(): readonly AnyResource[]
}

const admin: UserInfo = { name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] }

/** Opens keys and store; nothing listens before `start`. */
export async function createControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { env } = options
  const life = new Lifetime()
  const ranges = {
    clusterCIDR: options.clusterCIDR ?? '10.244.0.0/16',
    serviceCIDR: options.serviceCIDR ?? '10.96.0.0/16',
    kubernetesServiceIP: options.kubernetesServiceIP ?? '10.96.0.1',
    clusterDNS: options.clusterDNS ?? '10.96.0.10',
  }
  const names = defaultServingNames('cluster.local', ranges.kubernetesServiceIP)
  const openKeys = (): Promise<ClusterKeys> =>
    openClusterKeys({
      directory: join(options.dataDir, 'pki'),
      env,
      names: { dnsNames: [...names.dnsNames, ...(options.dnsNames ?? [])], ipAddresses: [...names.ipAddresses, ...(options.ipAddresses ?? [])] },
    })
  const [keys, store] = await openBoth(
    openKeys(),
    options.store ? Promise.resolve(options.store) : openStore({ dataDir: options.dataDir, env, encryptionConfigFile: options.encryptionConfigFile }),
  )
  life.add(() => store.close())
  const audit = options.audit ? await openAudit(options.audit, options.dataDir, env).catch(closing(store)) : undefined
  if (audit) life.add(() => audit.close())
  const access = options.access ? await openAccess(options.access, env).catch(closing(store)) : undefined
  const kubeconfigPath = options.kubeconfigPath ?? join(options.dataDir, 'admin.kubeconfig')
  let dialer = options.dialer
  const virtual = new Map(options.virtual ?? [])
  const workforceRuns = (): void => {
    if (workforce === undefined) throw new Error('not running')
  }
  const parts: ApiParts = createApiParts({
    env,
    store,
    audit: audit?.auditor,
    access,
    requestSeats: options.requestSeats,
    keys,
    virtual,
    builtIn: allResources,
    serviceCIDR: ranges.serviceCIDR,
    components: { 'controller-manager': workforceRuns, scheduler: workforceRuns },
    dialer: (node, port, signal) => (dialer ? dialer(node, port, signal) : Promise.reject(new Error(`there is no way to node ${node} yet`))),
    requestMetrics: () => server.metrics.print(),
    metrics: () => [...(options.metrics?.() ?? []), ...(workforce?.metrics() ?? [])],
  })
  life.add(() => {
    parts.stop()
  })
  const server = createApiServer(parts.options)
  life.add(() => server.stop())
  let port: ApiPort | undefined
  let workforce: Workforce | undefined
  const waiting: AnyController[] = [...(options.controllers ?? [])]
  let controllersReady: (() => void) | undefined
  const ready = new Promise<void>(resolve => {
    controllersReady = resolve
  })
  const client = (user: UserInfo | string): Client => createClient(inProcessTransport(server.handle, typeof user === 'string' ? componentUser(user) : user))
  const address = (): string => `https://127.0.0.1:${port?.port ?? 0}`
  const kubeconfig = (): string => kubeconfigText({ server: address(), certificateAuthority: keys.authority.certificate, client: keys.admin })

  async function start(): Promise<void> {
    await parts.ready
    const definitions = startDefinitionController({ env, registry: server.registry, kinds: parts.kinds })
    life.add(() => {
      definitions.stop()
    })
    await ensureBootstrapObjects({
      store,
      client: client(admin),
      kubernetesServiceIP: ranges.kubernetesServiceIP,
      clusterDNS: ranges.clusterDNS,
      serviceCIDR: ranges.serviceCIDR,
      apiPort: options.apiPort ?? 0,
      keys,
    })
    const writer = client(admin).resource(apiServices)
    const registration = await startRegistration({ env, copies: parts.copies, resources: server.resources, aggregation: parts.aggregation, writer })
    life.add(() => {
      registration.stop()
    })
    parts.markReady('poststarthook/rbac/bootstrap-roles')
    port = await openPort(options, server, keys)
    const opened = port
    life.add(() => opened.stop())
    const keepKubeconfig = async (): Promise<void> => {
      if (options.apiPort !== undefined) await writeKubeconfig(kubeconfigPath, kubeconfig())
    }
    await keepKubeconfig()
    life.add(
      keepCertificatesFresh({
        env,
        keys,
        reopen: openKeys,
        onRenewed: () => {
          opened.setCertificate(keys.serving.certificate, keys.serving.privateKey)
          return keepKubeconfig()
        },
      }),
    )
    if (options.runControllers === false) return
    const made = createWorkforce({ env, store, client, admin, keys, resources: () => server.resources(), clusterCIDR: ranges.clusterCIDR })
    workforce = made
    life.add(() => made.stop())
    const held = (options.controllersAfter ?? Promise.resolve()).catch(() => {}) // whoever made it hears of its failure
    void held
      .then(() => made.start(waiting))
      .then(
        () => controllersReady?.(),
        fault => {
          env.log.log('error', 'the controllers could not start', { fault })
        },
      )
  }

  return {
    start: () =>
      start().catch(async (fault: unknown) => {
        await life.stop().catch(() => {})
        throw fault
      }),
    stop: () => life.stop(),
    controllersReady: ready,
    handle: server.handle,
    upgrade: server.upgrade,
    apiServer: server,
    store,
    keys,
    kubeconfigPath,
    client,
    admin,
    get port() {
      return port?.port ?? 0
    },
    get address() {
      return address()
    },
    certificateAuthority: keys.authority.certificate,
    get adminKubeconfig() {
      return kubeconfig()
    },
    addControllers(controllers) {
      if (workforce) workforce.add(controllers)
      else waiting.push(...controllers)
    },
    setDialer(next) {
      dialer = next
    },
    setVirtual(key, storage) {
      virtual.set(key, storage)
    },
    serveConnection(stream) {
      present(port, 'the API port').serveConnection(stream)
    },
    resources: () => server.resources(),
  }
}

/** When one of the two fails the other must not stay open. */
async function openBoth(keys: Promise<ClusterKeys>, store: Promise<Store>): Promise<[ClusterKeys, Store]> {
  const [opened, stored] = await Promise.allSettled([keys, store])
  if (opened.status === 'fulfilled' && stored.status === 'fulfilled') return [opened.value, stored.value]
  if (stored.status === 'fulfilled') await stored.value.close()
  throw opened.status === 'rejected' ? opened.reason : (stored as PromiseRejectedResult).reason
}

/** Closes the store before it passes on why something after it could not be opened. */
function closing(store: Store): (fault: unknown) => Promise<never> {
  return async fault => {
    await store.close()
    throw fault
  }
}

async function openPort(options: ControlPlaneOptions, server: ApiServer, keys: ClusterKeys): Promise<ApiPort> {
  try {
    return await serveHttps({
      env: options.env,
      handle: server.handle,
      upgrade: server.upgrade,
      certificate: keys.serving.certificate,
      privateKey: keys.serving.privateKey,
      ...(options.host === undefined ? {} : { host: options.host }),
      ...(options.apiPort === undefined ? {} : { port: options.apiPort }),
    })
  } catch (fault) {
    const code = (fault as NodeJS.ErrnoException).code
    if (code === 'EADDRINUSE') throw new Error(`port ${options.apiPort ?? 0} is in use by another program; choose another API port`, { cause: fault })
    if (code === 'EACCES') throw new Error(`port ${options.apiPort ?? 0} may not be opened by this user; choose one above 1023`, { cause: fault })
    throw fault
  }
}
