/** One clock for all ages of the window: ticks once a second, stands still while the window is hidden. */
import { ref, readonly } from 'vue'
import type { Ref } from 'vue'

const now = ref(Date.now())
let started = false

export function useNow(): Readonly<Ref<number>> {
  if (!started) {
    started = true
    setInterval(() => {
      if (!document.hidden) now.value = Date.now()
    }, 1000)
    document.addEventListener('visibilitychange', () => {
      now.value = Date.now()
    })
  }
  return readonly(now)
}
