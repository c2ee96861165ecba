/** Short messages at the foot of the window; errors stay until dismissed. */
import { defineStore } from 'pinia'
import { ref } from 'vue'

export interface Toast {
  id: number
  title: string
  error?: unknown
}
const shownMs = 4000

export const useToasts = defineStore('toasts', () => {
  const toasts = ref<Toast[]>([])
  let next = 1
  function dismiss(id: number): void {
    toasts.value = toasts.value.filter(t => t.id !== id)
  }
  function done(title: string): void {
    const id = next++
    toasts.value = [...toasts.value, { id, title }]
    setTimeout(() => {
      dismiss(id)
    }, shownMs)
  }
  function failed(title: string, error: unknown): void {
    toasts.value = [...toasts.value.slice(-4), { id: next++, title, error }]
  }
  /** Runs an action and tells how it went. True when it succeeded. */
  async function run(title: string, failure: string, action: () => Promise<unknown>): Promise<boolean> {
    try {
      await action()
      done(title)
      return true
    } catch (error) {
      failed(failure, error)
      return false
    }
  }
  return { toasts, dismiss, done, failed, run }
})
