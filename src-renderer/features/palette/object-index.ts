/** Objects by name for the palette: read once when it opens, names only where the server can give them. */
import { shallowRef, watch } from 'vue'
import type { Ref, ShallowRef } from 'vue'
import type { KubernetesObject } from '../../../src-main/api/meta.ts'
import { keyOf } from '../../../src-main/api/meta.ts'
import { resourcePath } from '../../../src-main/api/resource.ts'
import { ask } from '../../api/cluster.ts'
import { customKinds, kindByWord } from '../../kinds/kinds.ts'
import { useDrawer } from '../../stores/drawer.ts'

export interface PaletteEntry {
  group: string
  title: string
  detail?: string
  run(): unknown
}

const searched = ['pods', 'nodes', 'deployments', 'statefulsets', 'daemonsets', 'services', 'namespaces', 'configmaps', 'machines', 'jobs']
/** Enough to find anything in a cluster of ordinary size; more would make each keystroke slow. */
const maxObjects = 20_000
const freshMs = 10_000
/** Operators bring kinds by the dozen; each costs a request. */
const maxCustomKinds = 24

export function useObjectIndex(shown: Ref<boolean>): Readonly<ShallowRef<readonly PaletteEntry[]>> {
  const entries = shallowRef<readonly PaletteEntry[]>([])
  let readAt = 0
  const read = async (on: boolean): Promise<void> => {
    if (!on || Date.now() - readAt < freshMs) return
    readAt = Date.now()
    const lists = await Promise.all(
      [...searched.flatMap(word => kindByWord(word) ?? []), ...customKinds.value.slice(0, maxCustomKinds)].map(async kind => {
        try {
          const { body } = await ask('GET', resourcePath(kind), { accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json' })
          return ((body as { items?: KubernetesObject[] }).items ?? []).map((o): PaletteEntry => ({
            group: kind.kind,
            title: o.metadata.name ?? '',
            detail: o.metadata.namespace ?? '',
            run: () => {
              useDrawer().open(kind, keyOf(o))
            },
          }))
        } catch {
          return []
        }
      }),
    )
    entries.value = lists.flat().slice(0, maxObjects)
  }
  watch(shown, read, { immediate: true })
  return entries
}
