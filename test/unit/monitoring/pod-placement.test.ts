import { expect, test } from 'vitest'
import type { Node } from '../../../src-main/api/core/v1/node.ts'
import type { Pod } from '../../../src-main/api/core/v1/pod.ts'
import { placementOf } from '../../../src-main/monitoring/placement.ts'

const node = (name: string, cpu: string, more: object = {}): Node =>
  ({ apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: more, status: { allocatable: { cpu, memory: '1Gi', pods: '10' } } }) as unknown as Node
const pod = (name: string, cpu: string, nodeName?: string): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'a', uid: name },
    spec: { ...(nodeName ? { nodeName } : {}), containers: [{ name: 'c', resources: { requests: { cpu, memory: '16Mi' } } }] },
  }) as unknown as Pod

test('every node says which plugin refuses a pod, and what is missing', () => {
  const nodes = [node('small', '1'), node('cordoned', '8', { unschedulable: true, taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] })]
  expect(placementOf(nodes, [pod('there', '600m', 'small')], pod('wanted', '700m'))).toEqual({
    nodes: [
      { name: 'cordoned', plugin: expect.stringMatching(/NodeUnschedulable|TaintToleration/) as string, reasons: [expect.any(String)], missing: [] },
      { name: 'small', plugin: 'NodeResourcesFit', reasons: ['Insufficient cpu'], missing: [{ resource: 'cpu', amount: 300 }] },
    ],
    more: 0,
  })
})
test('a node that would take the pod is named', () => {
  expect(placementOf([node('big', '4')], [], pod('wanted', '1')).fits).toBe('big')
})
