/** Channels of exec and attach over a real WebSocket. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { nodeEnv } from '../../../src-main/base/node/node-env.ts'
import { openChannels, type Channels } from '../../../src-main/node-agent/server/channels.ts'

let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

/** A client, and the channels that the agent has with it. */
async function connected(): Promise<{ client: WebSocket; channels: Channels }> {
  const { clock } = nodeEnv()
  const made = createServer()
  server = made
  const channels = new Promise<Channels>((resolve, reject) => {
    made.on('upgrade', (request, socket, head) => {
      openChannels(clock, { stdin: true, stdout: true, stderr: false, tty: true }, request, socket, head).then(resolve, reject)
    })
  })
  await new Promise<void>(resolve => made.listen(0, '127.0.0.1', resolve))
  const client = new WebSocket(`ws://127.0.0.1:${(made.address() as AddressInfo).port}/exec`, ['v5.channel.k8s.io'])
  await new Promise(resolve => client.once('open', resolve))
  return { client, channels: await channels }
}

const sized = (width: number, height: number): Buffer => Buffer.concat([Buffer.from([4]), Buffer.from(JSON.stringify({ Width: width, Height: height }))])

describe('channels', () => {
  it('keep the size that a client sends before the process has begun, the latest one', async () => {
    const { client, channels } = await connected()
    client.send(sized(80, 25))
    client.send(sized(97, 31))
    client.send(Buffer.from([0, ...Buffer.from('typed')]))
    // The input came after both sizes on the same connection.
    await new Promise(resolve => channels.stdin?.once('readable', resolve))
    const sizes: unknown[] = []
    channels.onResize(size => {
      sizes.push(size)
    })
    expect(sizes).toEqual([{ width: 97, height: 31 }])
    client.send(sized(100, 40))
    await expect.poll(() => sizes.length).toBe(2)
    expect(sizes[1]).toEqual({ width: 100, height: 40 })
  })

  it('say that the client has gone also to who asks later, so that its process does not run on', async () => {
    const { client, channels } = await connected()
    client.close()
    await new Promise<void>(resolve => {
      channels.onClose(resolve)
    })
    let told = 0
    channels.onClose(() => {
      told++
    })
    expect(told).toBe(1)
  })
})
