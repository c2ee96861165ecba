/** Controllers and scheduler of a control plane: loaded, given their rights, started and stopped together. */
import type { AnyResource } from '../api/resource.ts'
import type { UserInfo } from '../api/request.ts'
import type { Env } from '../base/env.ts'
import { Lifetime } from '../base/lifetime.ts'
import type { Metric } from '../apiserver/health/metrics.ts'
import type { Client } from '../client/client.ts'
import type { Store } from '../store/store.ts'
import { ensureControllerPolicy } from './bootstrap.ts'
import type { AnyController } from './controllers.ts'
import type { ClusterKeys } from './pki/pki.ts'
import type { Manager } from '../controller-runtime/manager.ts'

export interface Workforce {
  /** Resolves when every controller runs. */
  start(extra: readonly AnyController[]): Promise<void>
  /** More controllers, at any time after start. */
  add(controllers: readonly AnyController[]): void
  metrics(): readonly Metric[]
  stop(): Promise<void>
}

export interface WorkforceOptions {
  readonly env: Env
  readonly store: Store
  readonly client: (user: UserInfo | string) => Client
  readonly admin: UserInfo
  readonly keys: ClusterKeys
  readonly resources: () => readonly AnyResource[]
  readonly clusterCIDR: string
}

export function createWorkforce(options: WorkforceOptions): Workforce {
  const { env, client } = options
  const life = new Lifetime()
  const managers: Manager[] = []
  let begun: Promise<void> | undefined

  async function start(extra: readonly AnyController[]): Promise<void> {
    const [{ createManager }, { createInformerFactory }, { allControllers }, { createScheduler }] = await Promise.all([
      import('../controller-runtime/manager.ts'),
      import('../client/informers.ts'),
      import('../controllers/controllers.ts'),
      import('../scheduler/scheduler.ts'),
    ])
    const informers = createInformerFactory({ client: client('kube-controller-manager'), env })
    life.add(() => {
      informers.stop()
    })
    const run = async (controllers: readonly AnyController[]): Promise<void> => {
      if (life.signal.aborted) return
      await ensureControllerPolicy({ store: options.store, client: client(options.admin) }, controllers)
      const manager = createManager({ env, clientFor: name => client(name), controllers, informers })
      managers.push(manager)
      life.add(() => manager.stop())
      await manager.start()
    }
    later = controllers => {
      void run(controllers).catch((fault: unknown) => {
        env.log.log('error', 'controllers could not start', { controllers: controllers.map(one => one.name), fault })
      })
    }
    const scheduler = createScheduler({ env, client: client('kube-scheduler'), informers })
    life.add(() => scheduler.stop())
    await Promise.all([run([...allControllers(controllerOptions(options)), ...extra]), scheduler.start()])
    for (const controllers of waiting.splice(0)) later(controllers)
  }

  const waiting: (readonly AnyController[])[] = []
  let later: ((controllers: readonly AnyController[]) => void) | undefined

  return {
    start: extra => (begun ??= start(extra)),
    add(controllers) {
      if (later) later(controllers)
      else waiting.push(controllers)
    },
    metrics: () => {
      const all = managers.flatMap(manager => manager.metrics())
      return [
        {
          name: 'controller_runtime_reconcile_total',
          help: 'Total number of reconciliations per controller.',
          type: 'counter',
          samples: all.map(one => ({ labels: { controller: one.name }, value: one.reconciles })),
        },
        {
          name: 'controller_runtime_reconcile_errors_total',
          help: 'Total number of reconciliation errors per controller.',
          type: 'counter',
          samples: all.map(one => ({ labels: { controller: one.name }, value: one.errors })),
        },
        {
          name: 'workqueue_depth',
          help: 'Current depth of workqueue by workqueue and priority',
          type: 'gauge',
          samples: all.map(one => ({ labels: { controller: one.name }, value: one.queued })),
        },
      ]
    },
    async stop() {
      await life.stop()
      await begun?.catch(() => {})
    },
  }
}

function controllerOptions(options: WorkforceOptions): Parameters<(typeof import('../controllers/controllers.ts'))['allControllers']>[0] {
  return {
    resources: options.resources,
    certificateAuthority: () => options.keys.authority.certificate,
    certificates: {
      signCertificate: async (requestPem, { usages, notAfterMs }) => {
        const { signRequest } = await import('./pki/x509.ts')
        // A little in the past, for nodes whose clock lags.
        return signRequest(options.keys.authority, requestPem, { usages, notBeforeMs: options.env.clock.now() - 5 * 60_000, notAfterMs })
      },
      readRequest: async requestPem => (await import('./pki/x509.ts')).readRequest(requestPem),
    },
    nodeIpam: { clusterCIDR: options.clusterCIDR },
  }
}
