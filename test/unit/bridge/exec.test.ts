import { expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import type { IncomingMessage } from 'node:http'
import type { ChannelData } from '../../../src-main/api/bridge.ts'
import { openExec } from '../../../src-main/bridge/exec.ts'
import type { Upgrade } from '../../../src-main/bridge/exec.ts'

const user = { name: 'u', groups: [] }

/** An upgrade handler as the API server has it: answers the handshake on the stream and echoes stdin to stdout. */
const echo: Upgrade = async (request, socket, head) => {
  const server = new WebSocketServer({ noServer: true, handleProtocols: offered => (offered.has('v5.channel.k8s.io') ? 'v5.channel.k8s.io' : false) })
  const incoming = { method: 'GET', url: request.url, headers: request.headers } as unknown as IncomingMessage
  server.handleUpgrade(incoming, socket as never, Buffer.from(head), connection => {
    connection.on('message', (data: Buffer) => {
      if (data[0] === 0) connection.send(Buffer.concat([Buffer.from([1]), data.subarray(1)]))
      if (data[0] === 255) {
        connection.send(Buffer.concat([Buffer.from([3]), Buffer.from('{"status":"Success"}')]))
        connection.close(1000)
      }
    })
  })
}

test('input comes back on its channel, and the end of input ends the command', async () => {
  async function* up(): AsyncGenerator<ChannelData> {
    yield { channel: 0, data: Buffer.from('hello') }
  }
  const got: string[] = []
  for await (const { channel, data } of openExec({ upgrade: echo, user, path: '/api/v1/namespaces/n/pods/p/exec?command=cat' }, up(), new AbortController().signal))
    got.push(`${channel}:${Buffer.from(data).toString()}`)
  expect(got).toEqual(['1:hello', '3:{"status":"Success"}'])
})

test('a refused command gives the server’s words', async () => {
  const refuse: Upgrade = async (_request, socket) => {
    const body = JSON.stringify({ kind: 'Status', message: 'pods "p" not found' })
    socket.end(`HTTP/1.1 404 Not Found\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
  }
  async function* up(): AsyncGenerator<ChannelData> {
    yield* []
  }
  const read = async (): Promise<void> => {
    for await (const item of openExec({ upgrade: refuse, user, path: '/api/v1/namespaces/n/pods/p/exec' }, up(), new AbortController().signal))
      throw new Error(String(item.channel))
  }
  await expect(read()).rejects.toMatchObject({ code: 'not-found', message: 'pods "p" not found' })
})
