/** Making and removing practice hosts: goes on while its dialog is closed, and says so when it is over. */
import { defineStore } from 'pinia'
import { ref, shallowRef } from 'vue'
import type { PracticeProgress } from '../../src-main/api/bridge.ts'
import { useBridge } from '../transport/connect.ts'
import { useToasts } from './toasts.ts'

const maxLines = 200

export const usePractice = defineStore('practice', () => {
  const running = ref<'up' | 'down' | undefined>()
  const lines = shallowRef<readonly PracticeProgress[]>([])
  const error = shallowRef<unknown>()
  let stopping = new AbortController()

  async function follow(what: 'up' | 'down', progress: AsyncIterable<PracticeProgress>): Promise<void> {
    if (running.value) return
    running.value = what
    error.value = undefined
    lines.value = []
    try {
      for await (const item of progress) lines.value = [...lines.value.slice(1 - maxLines), item]
    } catch (fault) {
      if (!stopping.signal.aborted) error.value = fault
    } finally {
      running.value = undefined
    }
    const last = lines.value.at(-1)
    if (last?.state === 'ready' || last?.state === 'removed') useToasts().done(last.message)
    else if (last?.state === 'failed') useToasts().failed('Practice hosts', new Error(last.message))
  }
  function up(hosts: number): void {
    stopping = new AbortController()
    void follow('up', useBridge().stream('practice.up', { hosts }, stopping.signal))
  }
  function down(): void {
    stopping = new AbortController()
    void follow('down', useBridge().stream('practice.down', {}, stopping.signal))
  }
  /** Stops waiting for hosts that are being made; what exists stays until it is removed. */
  function stop(): void {
    stopping.abort()
  }
  return { running, lines, error, up, down, stop }
})
