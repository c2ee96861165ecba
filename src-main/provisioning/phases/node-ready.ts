import { networkProvenCondition } from '../../api/agent.ts'
import { ProvisioningError } from '../host/errors.ts'
import { definePhase } from './phase.ts'
import { lastWords } from './start-agent.ts'

/** First start: certificate, registration, network, first lease. */
const readyTimeoutMs = 120_000
const pollMs = 250

export const nodeReady = definePhase({
  name: 'node-ready',
  title: 'Wait until the node is ready',
  condition: 'NodeReady',
  needed: async host => host.changed.size > 0 || (await host.cluster.nodeProblem()) !== undefined,
  async run() {
    /* nothing to change: the proof is in verify */
  },
  async verify(host) {
    const deadline = host.awakeMs() + readyTimeoutMs
    let told = ''
    for (;;) {
      const problem = await host.cluster.nodeProblem()
      const proof = await host.cluster.networkProof()
      if (proof) host.condition(networkProvenCondition, proof.proven, proof.message)
      if (problem === undefined) {
        if (proof) host.note(proof.message)
        return
      }
      if (problem !== told) host.note(problem)
      told = problem
      if (host.awakeMs() > deadline)
        throw new ProvisioningError('NodeNotReady', `Node ${host.nodeName} did not become ready within ${readyTimeoutMs / 1000} s: ${problem} ${await lastWords(host)}`)
      await host.sleep(pollMs)
    }
  },
})
