/** Logs of the fixture's pods: plain ones, JSON lines of `ingest`, a flood of `flood-…`, and what a hostile pod prints. */
import type { SubresourceHandler } from '../../../src-main/apiserver/contracts.ts'

/** Lines a second of the flood, in batches. */
const floodRate = 50_000
const batchMs = 20

const stamp = (n: number): string => new Date().toISOString().replace('Z', `${String(n % 1000).padStart(3, '0')}000Z`)

function plain(pod: string, n: number): string {
  const level = n % 31 === 0 ? '\u001b[31mERROR\u001b[0m' : n % 9 === 0 ? '\u001b[33mWARN\u001b[0m' : 'INFO'
  return `${level} ${pod.slice(-5)} request id=${n} path=/api/v1/orders/${n * 7} status=${n % 31 === 0 ? 500 : 200} took=${(n * 13) % 400}ms`
}

function structured(pod: string, n: number): string {
  return JSON.stringify({
    level: n % 20 === 0 ? 'error' : n % 7 === 0 ? 'warn' : 'info',
    msg: n % 20 === 0 ? 'the batch was refused' : 'batch stored',
    batch: n,
    rows: (n * 37) % 900,
    http: { status: n % 20 === 0 ? 503 : 200, path: '/v1/batches' },
    worker: pod.slice(-5),
  })
}

/** `hostile` are the lines of pods whose names begin so. */
export function logHandler(hostile: readonly string[]): SubresourceHandler {
  return {
    handle: async context => {
      const { name } = context.info
      const { signal } = context.request
      const isFollowed = context.info.query.get('follow') === 'true'
      const count = Math.min(Number(context.info.query.get('tailLines') ?? 500), 2000)
      const line = (n: number): string =>
        `${stamp(n)} ${name.startsWith('hostile') ? (hostile[n % hostile.length] ?? '') : name.startsWith('ingest') ? structured(name, n) : plain(name, n)}\n`
      async function* lines(): AsyncGenerator<Uint8Array> {
        let n = 1
        for (; n <= (name.startsWith('hostile') ? hostile.length : count); n++) yield Buffer.from(line(n))
        const began = performance.now()
        for (let sent = 0; isFollowed && !signal?.aborted;) {
          await new Promise(resolve => setTimeout(resolve, name.startsWith('flood') ? batchMs : 120))
          const due = name.startsWith('flood') ? Math.min(floodRate, Math.round(((performance.now() - began) * floodRate) / 1000) - sent) : 1
          sent += due
          yield Buffer.from(Array.from({ length: due }, () => line(n++)).join(''))
        }
      }
      return { status: 200, headers: { 'content-type': 'text/plain' }, body: { kind: 'stream', chunks: lines() } }
    },
  }
}
