import { expect, test } from 'vitest'
import { virtualEnv } from '../../../src-main/base/virtual-env.ts'
import { createWorkQueue } from '../../../src-main/client/work-queue.ts'

test('a key waits once however often it is added', async () => {
  const queue = createWorkQueue(virtualEnv())
  for (const key of ['a', 'a', 'b', 'a']) queue.add(key)
  expect([await queue.next(), await queue.next(), queue.length]).toEqual(['a', 'b', 0])
})

test('a key in work is not given out again before it is done', async () => {
  const queue = createWorkQueue(virtualEnv())
  queue.add('a')
  const first = await queue.next()
  queue.add('a')
  const during = queue.length
  queue.done('a')
  expect([first, during, queue.length]).toEqual(['a', 0, 1])
})

test('failures come back after 5, 10, 20 ms, and at once after forget', async () => {
  const env = virtualEnv()
  const queue = createWorkQueue(env)
  const times: number[] = []
  for (let i = 0; i < 4; i++) {
    if (i === 3) queue.forget('a')
    const before = env.clock.awakeMs()
    queue.addRateLimited('a')
    const next = queue.next()
    let got = false
    void next.then(() => {
      got = true
    })
    while (!got) await env.advance(1)
    times.push(env.clock.awakeMs() - before)
    queue.done('a')
  }
  expect(times).toEqual([5, 10, 20, 5])
})

test('of two delays for one key the sooner wins', async () => {
  const env = virtualEnv()
  const queue = createWorkQueue(env)
  queue.addAfter('a', 100)
  queue.addAfter('a', 10)
  queue.addAfter('a', 50)
  await env.advance(10)
  const early = queue.length
  await env.advance(200)
  expect([early, queue.length]).toEqual([1, 1])
})

test('shutting down waits for work in progress and wakes idle workers', async () => {
  const queue = createWorkQueue(virtualEnv())
  queue.add('a')
  await queue.next()
  const idle = queue.next()
  let down = false
  const stopping = queue.shutDown().then(() => {
    down = true
  })
  queue.add('b')
  const idleGot = await idle
  const early = down
  queue.done('a')
  await stopping
  expect([idleGot, early, down, queue.length]).toEqual([undefined, false, true, 0])
})
