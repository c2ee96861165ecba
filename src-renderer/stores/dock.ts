/** The tabs at the bottom: logs, shells, editors, output. They live until closed, whatever page is shown. */
import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import type { KubernetesObject } from '../../src-main/api/meta.ts'
import { keyOf } from '../../src-main/api/meta.ts'
import type { AnyResource } from '../../src-main/api/resource.ts'
import { kindId } from '../kinds/kinds.ts'

export type DockTab =
  | {
      type: 'logs'
      id: string
      title: string
      namespace: string
      /** One pod, or the pods of a workload by labels. */ pod?: string
      selector?: Readonly<Record<string, string>>
      container?: string
    }
  | { type: 'shell'; id: string; title: string; namespace: string; pod: string; container: string }
  | { type: 'yaml'; id: string; title: string; resource: AnyResource; namespace: string; name: string }
  | { type: 'create'; id: string; title: string; text: string }
  | { type: 'output'; id: string; title: string; machine?: string }

export const useDock = defineStore('dock', () => {
  const tabs = shallowRef<readonly DockTab[]>([])
  const activeId = ref<string | undefined>()
  const open = ref(true)
  const active = computed(() => tabs.value.find(t => t.id === activeId.value))

  /** Opens a tab, or shows the one that is open already. */
  function show(tab: DockTab): void {
    if (!tabs.value.some(t => t.id === tab.id)) tabs.value = [...tabs.value, Object.freeze(tab)]
    activeId.value = tab.id
    open.value = true
  }
  function close(id: string): void {
    const at = tabs.value.findIndex(t => t.id === id)
    tabs.value = tabs.value.filter(t => t.id !== id)
    if (activeId.value === id) activeId.value = tabs.value[Math.min(at, tabs.value.length - 1)]?.id
  }
  function showYaml(resource: AnyResource, object: KubernetesObject): void {
    show({
      type: 'yaml',
      id: `yaml:${kindId(resource)}:${keyOf(object)}`,
      title: `${resource.kind.toLowerCase()}/${object.metadata.name ?? ''}`,
      resource,
      namespace: object.metadata.namespace ?? '',
      name: object.metadata.name ?? '',
    })
  }
  let created = 0
  function create(text = ''): void {
    created++
    show({ type: 'create', id: `create:${created}`, title: 'New object', text })
  }
  return { tabs, active, activeId, open, show, close, showYaml, create }
})
