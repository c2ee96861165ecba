/**
 * Asks every ready node for its figures each 10 s of awake time, through the API's node proxy: no connection of its own,
 * nothing to install. A node that does not answer in time is left out of that round.
 */
import type { Client } from '../client/client.ts'
import type { Env } from '../base/env.ts'
import { parseJson } from '../api/json.ts'
import { resourcePath } from '../api/resource.ts'
import { nodes } from '../api/core/v1/node.ts'
import { readSummary, type NodeSample } from './summary.ts'

export const sampleEveryMs = 10_000
const answerWithinMs = 8_000
/** Nodes asked at once: enough for 1,000 nodes within a round, few enough not to flood one SSH uplink. */
const atOnce = 32
/** A summary of 110 pods is about 300 KB. */
const maxSummaryBytes = 8 * 1024 * 1024

export async function sampleNode(client: Client, env: Env, name: string): Promise<NodeSample | undefined> {
  const deadline = new AbortController()
  const cancel = env.clock.after(answerWithinMs, () => {
    deadline.abort(new Error('the node did not answer in time'))
  })
  try {
    const answer = await client.raw({ method: 'GET', url: `${resourcePath(nodes, undefined, name, 'proxy')}/stats/summary`, signal: deadline.signal })
    const body = await client.text(answer.body, maxSummaryBytes)
    return answer.status === 200 ? readSummary(parseJson(body), env.clock.now()) : undefined
  } catch (fault) {
    env.log.log('debug', 'no figures from node', { node: name, fault: fault instanceof Error ? fault.message : String(fault) })
    return undefined
  } finally {
    cancel()
  }
}

/** One round over all nodes; `take` gets each sample as it comes. */
export async function sampleRound(client: Client, env: Env, names: readonly string[], take: (name: string, sample: NodeSample) => void): Promise<void> {
  const waiting = [...names]
  const worker = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const sample = await sampleNode(client, env, name)
      if (sample) take(name, sample)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, waiting.length) }, worker))
}
