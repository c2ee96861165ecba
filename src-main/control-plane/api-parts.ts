/** The security, discovery and node-facing parts of the API server, put together. */
import type { AnyResource } from '../api/resource.ts'
import type { Env } from '../base/env.ts'
import type { NodeDialer } from '../base/node/dialer.ts'
import { projectDir } from '../base/node/project-dir.ts'
import type { ApiServerOptions } from '../apiserver/options.ts'
import type { VirtualStorage } from '../apiserver/contracts.ts'
import { admissionPlugins } from '../apiserver/admission/plugins.ts'
import { createAggregation, type Aggregation } from '../apiserver/aggregation/aggregation.ts'
import { delegatedOpenapi } from '../apiserver/aggregation/discovery.ts'
import { createHookCaller } from '../apiserver/admission/webhooks/caller.ts'
import { createWebhookMetrics } from '../apiserver/admission/webhooks/metrics.ts'
import { createAuthenticator } from '../apiserver/authn/authenticator.ts'
import { createBootstrapTokens } from '../apiserver/authn/bootstrap-tokens.ts'
import { impersonate } from '../apiserver/authn/impersonation.ts'
import { openidHandler } from '../apiserver/authn/openid.ts'
import { authenticationReviews, tokenSubresource } from '../apiserver/authn/reviews.ts'
import { createServiceAccountTokens } from '../apiserver/authn/service-account-tokens.ts'
import { createAuthorizer } from '../apiserver/authz/authorizer.ts'
import { accessReviews } from '../apiserver/authz/reviews.ts'
import { createCustomKinds, type CustomKinds } from '../apiserver/extensions/custom-kinds.ts'
import { webhookConversion } from '../apiserver/extensions/webhook-conversion.ts'
import { componentStatusStorage, type ComponentCheck } from '../apiserver/component-status.ts'
import { discoveryHandler } from '../apiserver/discovery/discovery.ts'
import { healthHandler, unknownPathHandler, type HealthCheck } from '../apiserver/health/health.ts'
import { metricsHandler, printMetrics, type Metric } from '../apiserver/health/metrics.ts'
import type { Auditor } from '../apiserver/audit/audit.ts'
import { flowControlDebugHandler } from '../apiserver/flow-control/debug.ts'
import { createFlowControl, flowPlaces } from '../apiserver/flow-control/flow-control.ts'
import { liveCopies, places, type LiveCopies } from '../apiserver/live-copy.ts'
import { descriptionsBelow } from '../apiserver/openapi/descriptions.ts'
import { openapiHandler } from '../apiserver/openapi/openapi.ts'
import { createServiceConnector } from '../apiserver/subresources/service-connection.ts'
import { nodeSubresources } from '../apiserver/subresources/node-subresources.ts'
import type { Store } from '../store/store.ts'
import type { Access } from './open-access.ts'
import type { ClusterKeys } from './pki/pki.ts'
import { auditMetrics, processMetrics, storeMetrics } from './server-metrics.ts'

export interface ApiParts {
  readonly options: ApiServerOptions
  readonly kinds: CustomKinds
  readonly copies: LiveCopies
  readonly aggregation: Aggregation
  /** The live copies are complete: requests can be authenticated and authorized. */
  readonly ready: Promise<void>
  /** A start-up step is done; /readyz waits for all. */
  markReady(step: StartStep): void
  stop(): void
}

const startSteps = ['poststarthook/rbac/bootstrap-roles'] as const
export type StartStep = (typeof startSteps)[number]

export function createApiParts(given: {
  env: Env
  store: Store
  keys: ClusterKeys
  virtual: Map<string, VirtualStorage>
  /** The kinds that are built in; custom ones come and go by their definitions. */
  builtIn: readonly AnyResource[]
  serviceCIDR: string
  dialer: NodeDialer
  /** Health of the parts beside the API server, by the names that componentstatuses has for them. */
  components: Readonly<Record<string, ComponentCheck>>
  metrics: () => readonly Metric[]
  /** Lines of the API server's own figures. */
  requestMetrics: () => readonly string[]
  audit?: Auditor | undefined
  access?: Access | undefined
  requestSeats?: number | undefined
}): ApiParts {
  const { env, store, keys } = given
  const copies = liveCopies(store)
  for (const place of [...Object.values(places), ...Object.values(flowPlaces)]) copies.of(place)
  const access = { dialer: given.dialer, authority: keys.authority.certificate, client: keys.kubeletClient }
  const services = createServiceConnector({ ...access, copies })
  const caller = createHookCaller({ clock: env.clock, services })
  const kinds = createCustomKinds({ copies, builtIn: given.builtIn, convert: webhookConversion(env, caller) })
  const tokens = createServiceAccountTokens({ env, copies, privateKey: keys.serviceAccount.privateKey, publicKey: keys.serviceAccount.publicKey })
  const authenticator = createAuthenticator({ env, copies, authorities: [keys.authority.certificate], tokens, others: given.access ?? {} })
  const bootstrap = createBootstrapTokens({ env, copies })
  const { authorizer, rbac } = createAuthorizer(copies, given.access?.authorizers)
  for (const [key, storage] of [
    ...authenticationReviews({ tokens, verifyBootstrap: token => bootstrap.verify(token), others: given.access?.tokens ?? [] }),
    ...accessReviews(authorizer),
  ])
    given.virtual.set(key, storage)
  const storeAnswers = async (): Promise<void> => {
    await store.count('/core/namespaces/')
  }
  given.virtual.set('v1/componentstatuses', componentStatusStorage({ ...given.components, 'etcd-0': storeAnswers }))
  const flowControl = createFlowControl({ env, store, copies, ...(given.requestSeats === undefined ? {} : { seats: given.requestSeats }) })
  const webhookMetrics = createWebhookMetrics()
  const aggregation = createAggregation({ env, copies, services, client: keys.frontProxy.client })
  const pending = new Set<string>(startSteps)
  const checks: readonly HealthCheck[] = [
    { name: 'ping', check: () => {} },
    { name: 'log', check: () => {} },
    {
      name: 'etcd',
      check: storeAnswers,
    },
    ...startSteps.map(step => ({
      name: step,
      check: () => {
        if (pending.has(step)) throw new Error('not finished')
      },
    })),
  ]
  return {
    ready: copies.ready,
    kinds,
    copies,
    aggregation,
    markReady(step) {
      pending.delete(step)
    },
    stop() {
      flowControl.stop()
      copies.stop()
    },
    options: {
      env,
      store,
      resources: kinds.resources,
      authenticator,
      authorizer,
      impersonate,
      flowControl,
      ...(given.audit ? { audit: given.audit } : {}),
      serviceCIDR: given.serviceCIDR,
      admission: admissionPlugins({ env, copies, authorizer, rbac, configured: { resources: kinds.resources, caller, metrics: webhookMetrics } }),
      virtual: given.virtual,
      delegate: aggregation.delegateOf,
      nonResource: [
        healthHandler(checks, text => {
          env.log.log('warn', text)
        }),
        discoveryHandler({
          resources: kinds.resources,
          delegated: aggregation.delegated,
          version: {
            platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
            runtimeVersion: process.version,
            buildDate: '1970-01-01T00:00:00Z',
            commit: '',
          },
          extraPaths: ['/healthz', '/livez', '/readyz', '/metrics', '/openapi/v2', '/openapi/v3'],
        }),
        delegatedOpenapi(aggregation, openapiHandler({ resources: kinds.resources, descriptions: descriptionsBelow(projectDir) })),
        openidHandler(tokens),
        flowControlDebugHandler(flowControl, () => ({ wallMs: env.clock.now(), awakeMs: env.clock.awakeMs() })),
        metricsHandler(
          async () => [
            ...printMetrics([...processMetrics(env.clock.now()), ...(await storeMetrics(store, kinds.resources())), ...auditMetrics(given.audit), ...webhookMetrics.collect()]),
            ...given.requestMetrics(),
            ...flowControl.metrics.print(flowControl.levels()),
            ...printMetrics(given.metrics()),
          ],
          checks,
        ),
        unknownPathHandler,
      ],
      subresources: new Map([...nodeSubresources({ env, copies, ...access }), ['serviceaccounts/token', tokenSubresource({ env, copies, tokens })]]),
    },
  }
}
