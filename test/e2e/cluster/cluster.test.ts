/** Two hosts, one cluster: what kubectl does, how workloads run, and how they heal. The parts stand in files of their own. */
import { afterAll, beforeAll } from 'vitest'
import { startTestCluster, type TestCluster } from './cluster.ts'
import { healing, tunnel } from './healing.ts'
import { kubectlVerbs, nodeVerbs } from './kubectl-verbs.ts'
import { taints, workloads } from './workloads.ts'

let cluster: TestCluster | undefined

beforeAll(async () => {
  cluster = await startTestCluster('cluster')
})
afterAll(async () => {
  await cluster?.stop()
})

function running(): TestCluster {
  if (!cluster) throw new Error('the cluster did not start')
  return cluster
}

// Concurrent ones first, together; those that change nodes follow one by one.
workloads(running)
kubectlVerbs(running)
tunnel(running)
nodeVerbs(running)
taints(running)
healing(running)
