/** Leads pods to the API: listens on the pod bridge and pipes every connection to where the API appears on this node. */
import { connect, createServer } from 'node:net'
import type { Server } from 'node:net'

/** Every pod with a client of the API holds one or two. */
const maxConnections = 1_000

/** Rejects where the address cannot be had (yet). TLS passes through: the pod checks the API's certificate itself. */
export function startApiRelay(address: string, port: number, apiServer: string): Promise<Server> {
  const target = new URL(apiServer)
  const server = createServer({ pauseOnConnect: true }, inner => {
    const outer = connect({ host: target.hostname, port: Number(target.port || 443) })
    const end = (): void => {
      inner.destroy()
      outer.destroy()
    }
    inner.on('error', end).on('close', end)
    outer.on('error', end).on('close', end)
    outer.on('connect', () => {
      inner.setNoDelay(true)
      outer.setNoDelay(true)
      inner.pipe(outer).pipe(inner)
    })
  })
  server.maxConnections = maxConnections
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, address, () => {
      server.off('error', reject)
      resolve(server)
    })
  })
}
