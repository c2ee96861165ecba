/** The newest measurement of the cluster, shared by all pages; says honestly when there is none. */
import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'
import type { MonitoringSnapshot } from '../../src-main/api/bridge.ts'
import { BridgeError } from '../../src-main/api/bridge.ts'
import { useBridge } from '../transport/connect.ts'
import { plainObject } from '../kinds/visible.ts'
import { windowEnv } from '../transport/window-env.ts'

const retryMs = 5000

export const useMonitoring = defineStore('monitoring', () => {
  const snapshot = shallowRef<MonitoringSnapshot | undefined>()
  const error = shallowRef<unknown>()
  /** False where this Quarterdeck has no monitoring at all. */
  const available = computed(() => !(error.value instanceof BridgeError && error.value.code === 'unavailable' && !snapshot.value))
  const nodes = computed(() => new Map((snapshot.value?.nodes ?? []).map(n => [n.name, n])))
  const pods = computed(() => new Map((snapshot.value?.pods ?? []).map(p => [`${p.namespace}/${p.name}`, p])))

  async function follow(): Promise<never> {
    for (;;) {
      try {
        for await (const next of useBridge().stream('monitoring.snapshot', {})) {
          snapshot.value = Object.freeze({ ...next, warnings: plainObject(next.warnings) })
          error.value = undefined
        }
      } catch (fault) {
        error.value = fault
      }
      await windowEnv.clock.sleep(retryMs)
    }
  }
  void follow()
  return { snapshot, error, available, nodes, pods }
})
