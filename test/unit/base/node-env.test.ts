import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { nodeEnv } from '../../../src-main/base/node/node-env.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const dayMs = 86_400_000

it('waits longer than one timer of the runtime can', async () => {
  const { clock } = nodeEnv()
  const fired: string[] = []
  clock.after(60 * dayMs, () => fired.push('after'))
  const cancel = clock.after(60 * dayMs, () => fired.push('cancelled'))
  void clock.sleep(60 * dayMs).then(() => fired.push('slept'))
  await vi.advanceTimersByTimeAsync(59 * dayMs)
  expect(fired).toEqual([])
  cancel()
  await vi.advanceTimersByTimeAsync(dayMs)
  expect(fired).toEqual(['after', 'slept'])
})
