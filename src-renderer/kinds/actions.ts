/** What can be done with objects, by kind: one list for buttons, menus, keys and the palette. */
import { FileCode2, Pause, Play, RotateCw, Scaling, ScrollText, SquareTerminal, Trash2, Unplug } from 'lucide-vue-next'
import type { Component } from 'vue'
import type { KubernetesObject } from '../../src-main/api/meta.ts'
import type { AnyResource } from '../../src-main/api/resource.ts'
import { ask, mergePatch, pathOf, remove, strategicPatch } from '../api/cluster.ts'
import { useDock } from '../stores/dock.ts'
import { useToasts } from '../stores/toasts.ts'
import { useAsk } from '../stores/ask.ts'
import { kindId } from './kinds.ts'

export interface Action {
  id: string
  title: string
  key?: string
  icon: Component
  danger?: boolean
  /** Works on several at once. */ bulk?: boolean
  run(objects: readonly KubernetesObject[]): void
}

interface Templated extends KubernetesObject {
  spec?: {
    replicas?: number
    selector?: { matchLabels?: Record<string, string> } & Record<string, unknown>
    unschedulable?: boolean
    containers?: { name: string }[]
    paused?: boolean
  }
}

const withPods = new Set(['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet', 'Job', 'ReplicationController'])
const restartable = new Set(['Deployment', 'StatefulSet', 'DaemonSet'])

/** Labels that select the pods of an object; undefined where it has none. */
export function podLabelsOf(resource: AnyResource, object: KubernetesObject): Record<string, string> | undefined {
  const selector = (object as Templated).spec?.selector
  if (withPods.has(resource.kind)) return selector?.matchLabels ?? (resource.kind === 'ReplicationController' ? (selector as Record<string, string> | undefined) : undefined)
  if (resource.kind === 'Service' && selector) return selector as unknown as Record<string, string>
  return undefined
}

export function actionsFor(resource: AnyResource, object: KubernetesObject | undefined): Action[] {
  const actions: Action[] = []
  if (resource.kind === 'Pod' || (object && podLabelsOf(resource, object)))
    actions.push({
      id: 'logs',
      title: 'Logs',
      key: 'l',
      icon: ScrollText,
      run: ([o]) => {
        if (o) openLogs(resource, o)
      },
    })
  if (resource.kind === 'Pod') {
    actions.push({
      id: 'shell',
      title: 'Shell',
      key: 's',
      icon: SquareTerminal,
      run: ([o]) => {
        if (o) openShell(o)
      },
    })
    actions.push({
      id: 'evict',
      title: 'Evict',
      icon: Unplug,
      bulk: true,
      run: objects => {
        evict(resource, objects)
      },
    })
  }
  if (resource.subresources?.scale)
    actions.push({
      id: 'scale',
      title: 'Scale…',
      icon: Scaling,
      run: ([o]) => {
        if (o) scale(resource, o)
      },
    })
  if (restartable.has(resource.kind))
    actions.push({
      id: 'restart',
      title: 'Restart',
      key: 'r',
      icon: RotateCw,
      bulk: true,
      run: objects => {
        restart(resource, objects)
      },
    })
  if (resource.kind === 'Node') actions.push(...nodeActions(resource, object))
  actions.push({
    id: 'yaml',
    title: 'Edit YAML',
    key: 'y',
    icon: FileCode2,
    run: ([o]) => {
      if (o) useDock().showYaml(resource, o)
    },
  })
  if (resource.verbs === undefined || resource.verbs.includes('delete'))
    actions.push({
      id: 'delete',
      title: resource.kind === 'Machine' ? 'Remove…' : 'Delete',
      key: 'ctrl-d',
      icon: Trash2,
      danger: true,
      bulk: true,
      run: objects => {
        useAsk().ask({ type: 'delete', resource, objects })
      },
    })
  return actions
}

function nodeActions(resource: AnyResource, object: KubernetesObject | undefined): Action[] {
  const cordoned = (object as Templated | undefined)?.spec?.unschedulable === true
  return [
    cordoned
      ? {
          id: 'uncordon',
          title: 'Uncordon',
          icon: Play,
          bulk: true,
          run: objects => {
            cordon(resource, objects, false)
          },
        }
      : {
          id: 'cordon',
          title: 'Cordon',
          icon: Pause,
          bulk: true,
          run: objects => {
            cordon(resource, objects, true)
          },
        },
    {
      id: 'drain',
      title: 'Drain…',
      icon: Unplug,
      run: ([o]) => {
        if (o) useAsk().ask({ type: 'drain', node: o })
      },
    },
  ]
}

export function openLogs(resource: AnyResource, object: KubernetesObject, container?: string): void {
  const { namespace = '', name = '' } = object.metadata
  const selector = podLabelsOf(resource, object)
  useDock().show({
    type: 'logs',
    id: `logs:${kindId(resource)}:${namespace}/${name}:${container ?? ''}`,
    title: container ? `${name} · ${container}` : name,
    namespace,
    ...(selector ? { selector } : { pod: name }),
    ...(container ? { container } : {}),
  })
}

export function openShell(object: KubernetesObject, container?: string): void {
  const { namespace = '', name = '' } = object.metadata
  const chosen = container ?? object.metadata.annotations?.['kubectl.kubernetes.io/default-container'] ?? (object as Templated).spec?.containers?.[0]?.name ?? ''
  useDock().show({ type: 'shell', id: `shell:${namespace}/${name}:${chosen}:${Date.now()}`, title: `${name} · ${chosen}`, namespace, pod: name, container: chosen })
}

function named(resource: AnyResource, objects: readonly KubernetesObject[]): string {
  return objects.length === 1 ? `${resource.kind.toLowerCase()} ${objects[0]?.metadata.name ?? ''}` : `${objects.length} ${resource.plural}`
}

/** One after the other; stops at the first fault, which is shown. */
async function each(objects: readonly KubernetesObject[], action: (object: KubernetesObject) => Promise<unknown>): Promise<void> {
  for (const object of objects) await action(object)
}

function cordon(resource: AnyResource, objects: readonly KubernetesObject[], on: boolean): void {
  const what = named(resource, objects)
  void useToasts().run(on ? `Cordoned ${what}` : `Uncordoned ${what}`, `Could not ${on ? 'cordon' : 'uncordon'} ${what}`, () =>
    each(objects, o => strategicPatch(resource, o, { spec: { unschedulable: on } })),
  )
}

function restart(resource: AnyResource, objects: readonly KubernetesObject[]): void {
  const what = named(resource, objects)
  const patch = { spec: { template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': new Date().toISOString().replace(/\.\d+Z$/, 'Z') } } } } }
  useAsk().ask({
    type: 'confirm',
    title: `Restart ${what}?`,
    text: 'Its pods are replaced one after the other, as its update strategy says.',
    button: 'Restart',
    run: () => useToasts().run(`Restarting ${what}`, `Could not restart ${what}`, () => each(objects, o => strategicPatch(resource, o, patch))),
  })
}

function evict(resource: AnyResource, objects: readonly KubernetesObject[]): void {
  const what = named(resource, objects)
  const body = (o: KubernetesObject): unknown => ({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: o.metadata.name, namespace: o.metadata.namespace } })
  useAsk().ask({
    type: 'confirm',
    title: `Evict ${what}?`,
    text: 'Disruption budgets are obeyed. A workload makes its pods again elsewhere; a pod without one is gone.',
    button: 'Evict',
    danger: true,
    run: () =>
      useToasts().run(`Evicted ${what}`, `Could not evict ${what}`, () =>
        each(objects, o => ask('POST', pathOf(resource, o, 'eviction'), { body: body(o), contentType: 'application/json' })),
      ),
  })
}

function scale(resource: AnyResource, object: KubernetesObject): void {
  useAsk().ask({ type: 'scale', resource, object })
}

/** Takes machines out of the cluster; `force` forgets their hosts without touching them. */
export async function removeMachines(resource: AnyResource, objects: readonly KubernetesObject[], force: boolean): Promise<boolean> {
  const what = named(resource, objects)
  return useToasts().run(`Removing ${what}`, `Could not remove ${what}`, () =>
    each(objects, async o => {
      if (force) await mergePatch(resource, o, { spec: { forceRemove: true } })
      if (o.metadata.deletionTimestamp === undefined) await remove(resource, o)
    }),
  )
}

export async function deleteAll(resource: AnyResource, objects: readonly KubernetesObject[], force: boolean): Promise<boolean> {
  const what = named(resource, objects)
  return useToasts().run(`Deleting ${what}`, `Could not delete ${what}`, () => each(objects, o => remove(resource, o, force ? { graceSeconds: 0 } : {})))
}
