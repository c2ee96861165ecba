/**
 * Reads the node agent's /stats/summary (the kubelet's Summary API, stats/v1alpha1). Nodes are not trusted: anything
 * that is not a finite, non-negative number counts as absent.
 */
export interface ContainerSample {
  readonly name: string
  readonly cpuMillicores: number
  readonly memoryBytes: number
}

export interface PodSample {
  readonly namespace: string
  readonly name: string
  readonly at: number
  readonly cpuMillicores: number
  readonly memoryBytes: number
  readonly containers: readonly ContainerSample[]
}

export interface NodeSample {
  readonly at: number
  readonly cpuMillicores: number
  readonly memoryBytes: number
  readonly disk?: { readonly usedBytes: number; readonly capacityBytes: number }
  /** Counters since boot, summed over interfaces. */
  readonly network?: { readonly receivedBytes: number; readonly sentBytes: number }
  readonly pods: readonly PodSample[]
}

/** More pods than a node may have are not read: a broken agent must not fill the memory of the control plane. */
const maxPods = 1000

type Json = Record<string, unknown>

function object(value: unknown): Json | undefined {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Json) : undefined
}
function amount(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined
}
function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

function usage(source: Json | undefined): { cpuMillicores: number; memoryBytes: number } | undefined {
  const nanoCores = amount(object(source?.['cpu'])?.['usageNanoCores'])
  const memoryBytes = amount(object(source?.['memory'])?.['workingSetBytes'])
  if (nanoCores === undefined && memoryBytes === undefined) return undefined
  return { cpuMillicores: (nanoCores ?? 0) / 1e6, memoryBytes: memoryBytes ?? 0 }
}

/** The sample in `body`, taken to be of time `at` (ms); undefined where the node's own figures are missing. */
export function readSummary(body: unknown, at: number): NodeSample | undefined {
  const node = object(object(body)?.['node'])
  const own = usage(node)
  if (!node || !own) return undefined
  const disk = object(node['fs'])
  const usedBytes = amount(disk?.['usedBytes'])
  const capacityBytes = amount(disk?.['capacityBytes'])
  const network = readNetwork(object(node['network']))
  return {
    at,
    ...own,
    ...(usedBytes !== undefined && capacityBytes !== undefined ? { disk: { usedBytes, capacityBytes } } : {}),
    ...(network ? { network } : {}),
    pods: list(object(body)?.['pods'])
      .slice(0, maxPods)
      .flatMap(pod => readPod(object(pod), at)),
  }
}

function readNetwork(network: Json | undefined): NodeSample['network'] {
  if (!network) return undefined
  const interfaces = list(network['interfaces']).map(object)
  const parts = interfaces.length > 0 ? interfaces : [network]
  const sum = (field: string): number => parts.reduce((total, part) => total + (amount(part?.[field]) ?? 0), 0)
  return { receivedBytes: sum('rxBytes'), sentBytes: sum('txBytes') }
}

function readPod(pod: Json | undefined, at: number): PodSample[] {
  const reference = object(pod?.['podRef'])
  const name = text(reference?.['name'])
  const namespace = text(reference?.['namespace'])
  if (!pod || name === '' || namespace === '') return []
  const containers = list(pod['containers']).flatMap(entry => {
    const container = object(entry)
    const used = usage(container)
    return used ? [{ name: text(container?.['name']), ...used }] : []
  })
  const own =
    usage(pod) ??
    containers.reduce((sum, c) => ({ cpuMillicores: sum.cpuMillicores + c.cpuMillicores, memoryBytes: sum.memoryBytes + c.memoryBytes }), { cpuMillicores: 0, memoryBytes: 0 })
  return [{ namespace, name, at, ...own, containers }]
}
