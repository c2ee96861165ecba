import { expect, it } from 'vitest'
import { EventQueue } from '../../../src-main/apiserver/endpoints/event-queue.ts'

const turn = (): Promise<void> =>
  new Promise(resolve => {
    setImmediate(resolve)
  })

it('pushes to a sink in order, waits while it is full, and ends it after the last item', async () => {
  const seen: string[] = []
  let room = 2
  const queue = new EventQueue<number, string>(
    n => `item ${n}`,
    () => seen.push('closed'),
  )
  queue.push(1)
  const resume = queue.drainTo({
    write: item => {
      seen.push(item)
      return --room > 0
    },
    end: () => seen.push('end'),
  })
  for (const n of [2, 3, 4]) queue.push(n)
  await turn()
  const whileFull = [...seen]
  room = 10
  resume()
  await turn()
  queue.push(5)
  queue.close()
  await turn()
  expect({ whileFull, seen }).toEqual({ whileFull: ['item 1', 'item 2'], seen: ['item 1', 'item 2', 'item 3', 'item 4', 'closed', 'item 5', 'end'] })
})

it('lets other work have its turn between many watchers of one event', async () => {
  const written: number[] = []
  for (let watcher = 0; watcher < 1_000; watcher++) {
    const queue = new EventQueue<number, number>(
      n => n,
      () => {},
    )
    queue.drainTo({ write: () => written.push(watcher) > 0, end: () => {} })
    queue.push(1)
  }
  const counts: number[] = []
  while (written.length < 1_000) {
    await turn()
    counts.push(written.length)
  }
  const longest = Math.max(...counts.map((count, i) => count - (counts[i - 1] ?? 0)))
  // Nothing is written while it is pushed, and never more than a turn's worth at once.
  expect({ atMost: longest <= 128, each: new Set(written).size }).toEqual({ atMost: true, each: 1_000 })
})

it('ends the queue of an item that cannot be written, and goes on with the others', async () => {
  const seen: string[] = []
  const queueOf = (name: string, isBroken: boolean): EventQueue<number, string> => {
    const queue = new EventQueue<number, string>(
      n => {
        if (isBroken) throw new Error('no form of it')
        return `${name} ${n}`
      },
      () => seen.push(`${name} closed`),
    )
    queue.drainTo({
      write: item => {
        seen.push(item)
        return true
      },
      end: () => seen.push(`${name} end`),
    })
    return queue
  }
  const broken = queueOf('broken', true)
  const whole = queueOf('whole', false)
  for (const queue of [broken, whole]) queue.push(1)
  await turn()
  whole.push(2)
  broken.push(2)
  await turn()
  expect({ seen, size: broken.size, isClosed: broken.isClosed }).toEqual({ seen: ['broken closed', 'broken end', 'whole 1', 'whole 2'], size: 0, isClosed: true })
})
