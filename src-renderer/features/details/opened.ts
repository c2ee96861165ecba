/** The live object that the drawer shows. */
import { computed, effectScope, onScopeDispose, shallowRef, watch } from 'vue'
import type { ComputedRef, EffectScope } from 'vue'
import type { KubernetesObject } from '../../../src-main/api/meta.ts'
import { keyOf } from '../../../src-main/api/meta.ts'
import { useDrawer } from '../../stores/drawer.ts'
import { useLive } from '../../stores/live-list.ts'
import type { LiveList } from '../../stores/live-list.ts'
import { kindId } from '../../kinds/kinds.ts'
import { plainObject } from '../../kinds/visible.ts'

/** All texts of it plain, but for a config map's values: they are copied as they are, and made plain where they are shown. */
function shownObject(found: KubernetesObject, isConfigMap: boolean): KubernetesObject {
  const shown = plainObject(found)
  return isConfigMap && 'data' in found ? Object.assign({}, shown, { data: found.data }) : shown
}

export function useOpened(): { object: ComputedRef<KubernetesObject | undefined>; missing: ComputedRef<boolean>; loading: ComputedRef<boolean> } {
  const drawer = useDrawer()
  const live = shallowRef<LiveList | undefined>()
  let scope: EffectScope | undefined
  watch(
    () => (drawer.current ? kindId(drawer.current.resource) : ''),
    () => {
      const before = scope
      const resource = drawer.current?.resource
      scope = effectScope(true)
      live.value = resource ? scope.run(() => useLive<KubernetesObject>(resource)) : undefined
      before?.stop()
    },
    { immediate: true },
  )
  onScopeDispose(() => scope?.stop())
  const object = computed(() => {
    const key = drawer.current?.key
    const found = live.value?.rows.value.find(o => keyOf(o) === key)
    return found && shownObject(found, drawer.current?.resource.kind === 'ConfigMap')
  })
  const loading = computed(() => live.value?.state.value === 'loading')
  return { object, loading, missing: computed(() => object.value === undefined && live.value !== undefined && !loading.value && live.value.state.value !== 'error') }
}
