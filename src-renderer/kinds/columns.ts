/** The columns of a list: those that the kind declares, with the window's own (namespace, usage, owner) where they belong. */
import type { KubernetesObject } from '../../src-main/api/meta.ts'
import type { AnyResource } from '../../src-main/api/resource.ts'
import type { NodeUsage, PodUsage } from '../../src-main/api/bridge.ts'
import { kindId } from './kinds.ts'
import { plain } from './visible.ts'

/** What is known besides the object itself. */
export interface CellContext {
  now: number
  podUsage(key: string): PodUsage | undefined
  nodeUsage(name: string): NodeUsage | undefined
}
export type CellType = 'name' | 'text' | 'state' | 'age' | 'number' | 'cores' | 'bytes' | 'node-cpu' | 'node-memory' | 'node-pods' | 'link-node' | 'mono'

export interface WindowColumn {
  id: string
  title: string
  type: CellType
  /** In characters; the name takes the rest. */
  width: number
  /** Not shown until the user asks for it. */
  optional: boolean
  value(object: KubernetesObject, context: CellContext): string | number | undefined
}

const widths: Readonly<Record<string, number>> = {
  'Node/status': 27,
  'Node/roles': 9,
  'Node/version': 11,
  'Pod/status': 18,
  ready: 7,
  status: 20,
  restarts: 14,
  age: 8,
  ip: 14,
  node: 20,
  namespace: 14,
  type: 12,
  'cluster-ip': 14,
  'external-ip': 14,
  'port(s)': 22,
  data: 7,
  roles: 12,
  version: 22,
  desired: 9,
  current: 9,
  'up-to-date': 11,
  available: 10,
  object: 30,
  reason: 16,
  message: 60,
  'last-seen': 12,
  count: 7,
  selector: 24,
  images: 30,
  containers: 18,
  'internal-ip': 14,
  'os-image': 26,
  'kernel-version': 20,
  'container-runtime': 20,
  address: 18,
  phase: 16,
  host: 16,
  role: 28,
  holder: 40,
  completions: 12,
  duration: 10,
  schedule: 16,
}

const stateColumns = new Set(['status', 'phase', 'condition'])

export function columnsOf(resource: AnyResource): WindowColumn[] {
  const declared = resource.columns
    .filter(c => c.format !== 'name' && c.name !== 'Name' && c.name !== 'Age' && c.name !== 'Created At')
    .map((c): WindowColumn => {
      const id = c.name.toLowerCase().replaceAll(' ', '-')
      const state = stateColumns.has(id) || (id === 'type' && resource.kind === 'Event')
      return {
        id,
        title: c.name,
        optional: (c.priority ?? 0) > 0 && !alwaysShown.has(`${resource.kind}/${id}`),
        width: widths[`${resource.kind}/${id}`] ?? widths[id] ?? Math.max(10, c.name.length + 3),
        type: state ? 'state' : c.type === 'date' ? 'age' : c.type === 'integer' || c.type === 'number' ? 'number' : id === 'node' ? 'link-node' : 'text',
        value: (object, context) => cellValue(safely(() => c.value(object, context.now))),
      }
    })
  const name: WindowColumn = {
    id: 'name',
    title: 'Name',
    type: 'name',
    width: resource.kind === 'Event' ? 16 : resource.kind === 'Node' ? 20 : 30,
    optional: resource.kind === 'Event',
    value: o => o.metadata.name ?? '',
  }
  const namespace: WindowColumn[] =
    resource.scope === 'Namespaced' ? [{ id: 'namespace', title: 'Namespace', type: 'text', width: 14, optional: false, value: o => o.metadata.namespace ?? '' }] : []
  const extra = extraColumns(resource)
  // Usage stands where people look for it: after the state (nodes) or the restarts (pods).
  const after = declared.findIndex(c => c.id === (resource.kind === 'Pod' ? 'restarts' : 'status')) + 1
  const own = extra.length > 0 ? [...declared.slice(0, after), ...extra, ...declared.slice(after)] : declared
  const age: WindowColumn = {
    id: 'age',
    title: 'Age',
    type: 'age',
    width: 8,
    optional: resource.kind === 'Event',
    value: o => (o.metadata.creationTimestamp ? Date.parse(o.metadata.creationTimestamp) : undefined),
  }
  return [name, ...namespace, ...own, age]
}

const alwaysShown = new Set(['Pod/node', 'Pod/ip', 'Node/internal-ip'])

function extraColumns(resource: AnyResource): WindowColumn[] {
  if (kindId(resource) === 'pods') {
    const usage = (o: KubernetesObject, c: CellContext): PodUsage | undefined => c.podUsage(`${o.metadata.namespace ?? ''}/${o.metadata.name ?? ''}`)
    return [
      { id: 'cpu', title: 'CPU', type: 'cores', width: 10, optional: false, value: (o, c) => usage(o, c)?.usage.cpuMillicores },
      { id: 'memory', title: 'Memory', type: 'bytes', width: 10, optional: false, value: (o, c) => usage(o, c)?.usage.memoryBytes },
      { id: 'controlled-by', title: 'Controlled by', type: 'text', width: 18, optional: true, value: o => controllerOf(o) },
      { id: 'qos', title: 'QoS', type: 'text', width: 11, optional: true, value: o => (o as { status?: { qosClass?: string } }).status?.qosClass },
    ]
  }
  if (kindId(resource) === 'nodes') {
    return [
      {
        id: 'cpu',
        title: 'CPU',
        type: 'node-cpu',
        width: 18,
        optional: false,
        value: (o, c) => ratio(c.nodeUsage(o.metadata.name ?? ''), n => (n.usage ?? n.requests).cpuMillicores / n.allocatable.cpuMillicores),
      },
      {
        id: 'memory',
        title: 'Memory',
        type: 'node-memory',
        width: 18,
        optional: false,
        value: (o, c) => ratio(c.nodeUsage(o.metadata.name ?? ''), n => (n.usage ?? n.requests).memoryBytes / n.allocatable.memoryBytes),
      },
      { id: 'pods', title: 'Pods', type: 'node-pods', width: 12, optional: false, value: (o, c) => c.nodeUsage(o.metadata.name ?? '')?.pods },
      { id: 'taints', title: 'Taints', type: 'number', width: 8, optional: true, value: o => (o as { spec?: { taints?: unknown[] } }).spec?.taints?.length ?? 0 },
    ]
  }
  return []
}

function ratio(usage: NodeUsage | undefined, of: (n: NodeUsage) => number): number | undefined {
  return usage ? of(usage) : undefined
}

export function controllerOf(object: KubernetesObject): string {
  const owner = object.metadata.ownerReferences?.find(o => o.controller) ?? object.metadata.ownerReferences?.[0]
  return owner ? `${owner.kind} ${owner.name}` : ''
}

/** A kind's own column must not break the list for one odd object. */
function safely(value: () => unknown): unknown {
  try {
    return value()
  } catch {
    return undefined
  }
}

function cellValue(value: unknown): string | number | undefined {
  if (value === null || value === undefined || value === '<none>' || value === '<unknown>' || value === '<unset>') return undefined
  return typeof value === 'number' ? value : plain(String(value))
}

/** Order of two cells: numbers by size, ages newest first, others as people count (`pod-2` before `pod-10`); empty ones last. */
export function compareCells(a: string | number | undefined, b: string | number | undefined): number {
  if (a === undefined) return b === undefined ? 0 : 1
  if (b === undefined) return -1
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return collator.compare(String(a), String(b))
}
const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })
