/**
 * metrics.k8s.io from the same samples as the window: kubectl top and autoscaling read these. Objects are made per
 * request; a node or pod without a fresh sample is absent, as with metrics-server.
 */
import type { KubernetesObject } from '../api/meta.ts'
import { notFound } from '../api/status-error.ts'
import { formatTime } from '../api/time.ts'
import { parseLabelSelector } from '../api/selectors.ts'
import { nodeMetrics } from '../api/metrics/v1beta1/node-metrics.ts'
import { podMetrics } from '../api/metrics/v1beta1/pod-metrics.ts'
import { resourceKey } from '../api/resource.ts'
import { sampleEveryMs } from './sampler.ts'

export interface MeasuredContainer {
  readonly name: string
  readonly cpuMillicores: number
  readonly memoryBytes: number
}
export interface Measured {
  readonly namespace?: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly at: number
  readonly own: { readonly cpuMillicores: number; readonly memoryBytes: number }
  readonly containers: readonly MeasuredContainer[]
}

/** Fresh samples only. */
export interface MetricsSource {
  nodes(): readonly Measured[]
  pods(namespace: string): readonly Measured[]
}

/** What the API server asks of a resource that is not stored. */
export interface ReadOnlyStorage {
  get(name: string, namespace: string): Promise<KubernetesObject>
  list(namespace: string, labelSelector: string): Promise<KubernetesObject[]>
}

function usage(of: { cpuMillicores: number; memoryBytes: number }): { cpu: string; memory: string } {
  return { cpu: `${Math.round(of.cpuMillicores * 1e6)}n`, memory: `${Math.round(of.memoryBytes / 1024)}Ki` }
}

function metadataOf(m: Measured): KubernetesObject['metadata'] {
  return {
    name: m.name,
    ...(m.namespace ? { namespace: m.namespace } : {}),
    creationTimestamp: formatTime(m.at),
    ...(Object.keys(m.labels).length > 0 ? { labels: { ...m.labels } } : {}),
  }
}

function nodeObject(m: Measured): KubernetesObject {
  const object = {
    apiVersion: 'metrics.k8s.io/v1beta1',
    kind: 'NodeMetrics',
    metadata: metadataOf(m),
    timestamp: formatTime(m.at),
    window: `${sampleEveryMs / 1000}s`,
    usage: usage(m.own),
  }
  return object
}

function podObject(m: Measured): KubernetesObject {
  const containers = m.containers.map(c => ({ name: c.name, usage: usage(c) }))
  const object = { apiVersion: 'metrics.k8s.io/v1beta1', kind: 'PodMetrics', metadata: metadataOf(m), timestamp: formatTime(m.at), window: `${sampleEveryMs / 1000}s`, containers }
  return object
}

/** By resourceKey, as the API server takes its virtual resources. */
export function metricsStorages(source: MetricsSource): Map<string, ReadOnlyStorage> {
  const storage = (plural: string, all: (namespace: string) => readonly Measured[], toObject: (m: Measured) => KubernetesObject): ReadOnlyStorage => ({
    get(name, namespace) {
      const found = all(namespace).find(m => m.name === name)
      return found ? Promise.resolve(toObject(found)) : Promise.reject(notFound('metrics.k8s.io', plural, name))
    },
    list(namespace, labelSelector) {
      const matches = parseLabelSelector(labelSelector)
      return Promise.resolve(
        all(namespace)
          .filter(m => matches(m.labels))
          .map(toObject),
      )
    },
  })
  return new Map([
    [resourceKey(nodeMetrics), storage('nodes', () => source.nodes(), nodeObject)],
    [resourceKey(podMetrics), storage('pods', namespace => source.pods(namespace), podObject)],
  ])
}
