import { expect, test } from 'vitest'
import type { Pod } from '../../../src-main/api/generated/core-v1.ts'
import { virtualEnv } from '../../../src-main/base/virtual-env.ts'
import { SchedulingQueue } from '../../../src-main/scheduler/queue.ts'
import { nodes } from '../../../src-main/api/resources.ts'

const pod = (name: string): Pod => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'n' } })

test('a pod in back-off is tried again although the last one that was tried was bound', async () => {
  const env = virtualEnv()
  let calls = 0
  const queue = new SchedulingQueue(env, [], () => {
    calls++
  })
  queue.put('n/a', pod('a'))
  queue.put('n/b', pod('b'))
  expect(queue.next()).toBe('n/a')
  // An event came in meanwhile: it does not sleep, it backs off.
  queue.wake(nodes, 'update')
  queue.failed('n/a', new Set(['x']), queue.moves - 1)
  expect(queue.next()).toBe('n/b')
  queue.remove('n/b')
  expect(queue.next()).toBeUndefined()
  calls = 0
  await env.advance(999)
  expect(calls).toBe(0)
  await env.advance(2)
  expect(calls).toBe(1)
  expect(queue.next()).toBe('n/a')
})

test('waits whole milliseconds: what rounding leaves of a wait would be waited for without end', () => {
  const inner = virtualEnv()
  const delays: number[] = []
  let nowMs = 94.8869812
  const clock = {
    ...inner.clock,
    awakeMs: () => nowMs,
    after: (delayMs: number) => {
      delays.push(delayMs)
      return () => {}
    },
  }
  const queue = new SchedulingQueue({ ...inner, clock }, [], () => {})
  queue.put('n/a', pod('a'))
  queue.next()
  queue.wake(nodes, 'update')
  queue.failed('n/a', new Set(['x']), queue.moves - 1)
  nowMs += 999.99999999
  queue.put('n/b', pod('b'))
  queue.next()
  queue.remove('n/b')
  queue.next()
  expect(delays.length).toBeGreaterThan(0)
  expect(delays.every(ms => Number.isInteger(ms) && ms >= 1)).toBe(true)
})
