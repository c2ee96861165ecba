/** The object whose details are shown at the right; a stack, so that links to owners and pods can be gone back. */
import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'
import type { AnyResource } from '../../src-main/api/resource.ts'

export interface Opened {
  resource: AnyResource
  key: string
}

export const useDrawer = defineStore('drawer', () => {
  const stack = shallowRef<readonly Opened[]>([])
  const current = computed(() => stack.value.at(-1))
  /** Opens from a list: begins a new stack. */
  function open(resource: AnyResource, key: string): void {
    stack.value = [{ resource, key }]
  }
  /** Opens from a link inside of the drawer. */
  function follow(resource: AnyResource, key: string): void {
    stack.value = [...stack.value.slice(-19), { resource, key }]
  }
  function back(): void {
    stack.value = stack.value.slice(0, -1)
  }
  function close(): void {
    stack.value = []
  }
  return { stack, current, open, follow, back, close }
})
