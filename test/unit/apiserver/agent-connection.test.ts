import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { askAgent, sendOver } from '../../../src-main/apiserver/subresources/agent-connection.ts'

const turn = (): Promise<void> =>
  new Promise(resolve => {
    setImmediate(resolve)
  })

const access = (stream: PassThrough): Parameters<typeof askAgent>[0] => ({ dialer: () => Promise.resolve(stream), authority: '', client: { certificate: '', privateKey: '' } })

it('sends nothing for a client that has gone already', async () => {
  const stream = new PassThrough()
  await expect(sendOver(stream, { method: 'GET', path: '/', headers: {}, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 503 })
  await turn()
  expect([stream.destroyed, stream.read()]).toEqual([true, null])
})

it('ends the handshake with the client', async () => {
  const stream = new PassThrough()
  stream.pause()
  const abort = new AbortController()
  const answer = askAgent({ ...access(stream) }, { node: 'n', method: 'GET', path: '/', headers: {}, signal: abort.signal })
  abort.abort()
  await expect(answer).rejects.toMatchObject({ code: 503, message: expect.stringContaining('the client went away') })
  await turn()
  expect(stream.destroyed).toBe(true)
})

it('tells of an agent that hangs up before the handshake is over', async () => {
  const stream = new PassThrough()
  const answer = askAgent(access(stream), { node: 'n', method: 'GET', path: '/', headers: {} })
  setImmediate(() => stream.destroy())
  await expect(answer).rejects.toMatchObject({ code: 503, message: expect.stringContaining('error trying to reach service') })
})
