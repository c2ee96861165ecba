/** Shape of simulated nodes and the stages of their pods, as data: the defaults, and how a file of a user's is read. */
import { isObject, type JsonObject } from '../api/json.ts'
import { parseYaml } from '../api/yaml.ts'

export interface Stage {
  readonly name: string
  /** All that is given must be true of the pod. */
  readonly when: {
    readonly phase?: 'Pending' | 'Running'
    /** Deletion was asked for. Default false. */
    readonly deleted?: boolean
    /** Kind of the pod's controller. */
    readonly owner?: string
    readonly labels?: Readonly<Record<string, string>>
  }
  readonly delayMs: number
  /** Up to so much more, evenly spread. Default 0. */
  readonly jitterMs?: number
  readonly then: { readonly gone: true } | { readonly phase: 'Running' | 'Succeeded' | 'Failed'; readonly reason?: string; readonly exitCode?: number }
}

export interface NodeShape {
  readonly cpu: string
  readonly memory: string
  readonly pods: number
  /** Nodes are spread over so many values of topology.kubernetes.io/zone; 0: no zones. */
  readonly zones: number
  readonly labels: Readonly<Record<string, string>>
}

export interface SimulationSettings {
  readonly nodes: NodeShape
  readonly stages: readonly Stage[]
}

/** Nodes as in upstream's scheduler_perf; pods start at once, so that what is measured is the control plane. */
export const defaultSettings: SimulationSettings = {
  nodes: { cpu: '4', memory: '32Gi', pods: 110, zones: 0, labels: {} },
  stages: [
    { name: 'remove', when: { deleted: true }, delayMs: 0, then: { gone: true } },
    { name: 'start', when: { phase: 'Pending' }, delayMs: 0, then: { phase: 'Running' } },
    { name: 'complete', when: { phase: 'Running', owner: 'Job' }, delayMs: 1_000, then: { phase: 'Succeeded' } },
  ],
}

class SettingsFault extends Error {}

function fail(at: string, wanted: string): never {
  throw new SettingsFault(`${at} must be ${wanted}`)
}

function object(value: unknown, at: string, fields: readonly string[]): JsonObject {
  if (!isObject(value)) fail(at, 'an object')
  const unknown = Object.keys(value).find(key => !fields.includes(key))
  if (unknown !== undefined) throw new SettingsFault(`${at} has no field ${JSON.stringify(unknown)}; it may have ${fields.join(', ')}`)
  return value
}

function text(value: unknown, at: string): string {
  return typeof value === 'string' && value !== '' ? value : fail(at, 'a text')
}

function whole(value: unknown, at: string): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : fail(at, 'a whole number from 0')
}

function texts(value: unknown, at: string): Record<string, string> {
  if (!isObject(value)) fail(at, 'an object of texts')
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, text(each, `${at}.${key}`)]))
}

function oneOf<T extends string>(value: unknown, at: string, values: readonly T[]): T {
  return values.find(each => each === value) ?? fail(at, `one of ${values.join(', ')}`)
}

function readShape(value: unknown): NodeShape {
  const given = object(value, 'nodes', ['cpu', 'memory', 'pods', 'zones', 'labels'])
  const preset = defaultSettings.nodes
  return {
    cpu: 'cpu' in given ? text(given['cpu'], 'nodes.cpu') : preset.cpu,
    memory: 'memory' in given ? text(given['memory'], 'nodes.memory') : preset.memory,
    pods: 'pods' in given ? whole(given['pods'], 'nodes.pods') : preset.pods,
    zones: 'zones' in given ? whole(given['zones'], 'nodes.zones') : preset.zones,
    labels: 'labels' in given ? texts(given['labels'], 'nodes.labels') : preset.labels,
  }
}

function readStage(value: unknown, at: string): Stage {
  const given = object(value, at, ['name', 'when', 'delayMs', 'jitterMs', 'then'])
  const when = object(given['when'], `${at}.when`, ['phase', 'deleted', 'owner', 'labels'])
  const then = object(given['then'], `${at}.then`, ['gone', 'phase', 'reason', 'exitCode'])
  return {
    name: text(given['name'], `${at}.name`),
    when: {
      ...('phase' in when ? { phase: oneOf<'Pending' | 'Running'>(when['phase'], `${at}.when.phase`, ['Pending', 'Running']) } : {}),
      ...('deleted' in when ? { deleted: when['deleted'] === true } : {}),
      ...('owner' in when ? { owner: text(when['owner'], `${at}.when.owner`) } : {}),
      ...('labels' in when ? { labels: texts(when['labels'], `${at}.when.labels`) } : {}),
    },
    delayMs: whole(given['delayMs'] ?? 0, `${at}.delayMs`),
    ...('jitterMs' in given ? { jitterMs: whole(given['jitterMs'], `${at}.jitterMs`) } : {}),
    then:
      then['gone'] === true
        ? { gone: true }
        : {
            phase: oneOf<'Running' | 'Succeeded' | 'Failed'>(then['phase'], `${at}.then.phase`, ['Running', 'Succeeded', 'Failed']),
            ...('reason' in then ? { reason: text(then['reason'], `${at}.then.reason`) } : {}),
            ...('exitCode' in then ? { exitCode: whole(then['exitCode'], `${at}.then.exitCode`) } : {}),
          },
  }
}

/** What a file says, the defaults for what it leaves out. Throws an Error with a sentence that names the place. */
export function readSettings(yaml: string): SimulationSettings {
  const given = object(parseYaml(yaml)[0] ?? {}, 'the file', ['nodes', 'stages'])
  const { stages } = given
  if (stages !== undefined && !Array.isArray(stages)) fail('stages', 'a list')
  return {
    nodes: readShape(given['nodes'] ?? {}),
    stages: Array.isArray(stages) ? stages.map((each, index) => readStage(each, `stages[${index}]`)) : defaultSettings.stages,
  }
}
