import { describe, expect, test } from 'vitest'
import { columnsOf } from '../../../src-renderer/kinds/columns.ts'
import { discoveredKinds, printedColumns } from '../../../src-renderer/kinds/discovered.ts'
import type { CustomResourceDefinition } from '../../../src-main/api/generated/apiextensions-v1.ts'

const verbs = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch']
const resource = (name: string, kind: string, more: object = {}): object => ({
  resource: name,
  responseKind: { kind },
  scope: 'Namespaced',
  singularResource: kind.toLowerCase(),
  verbs,
  ...more,
})
const list = {
  items: [
    { metadata: { name: 'apps' }, versions: [{ version: 'v1', resources: [resource('deployments', 'Deployment')] }] },
    {
      metadata: { name: 'stable.example.com' },
      versions: [
        { version: 'v1', resources: [resource('crontabs', 'CronTab', { shortNames: ['ct'], subresources: [{ subresource: 'status' }, { subresource: 'scale' }] })] },
        { version: 'v1beta1', resources: [resource('crontabs', 'CronTab'), resource('oldtabs', 'OldTab', { scope: 'Cluster' })] },
      ],
    },
    { metadata: { name: 'metrics.k8s.io' }, versions: [{ version: 'v1beta1', resources: [resource('reviews', 'Review', { verbs: ['create'] })] }] },
  ],
} as unknown as Parameters<typeof discoveredKinds>[0]

describe('kinds of the discovery', () => {
  const kinds = discoveredKinds(list, new Set(['deployments.apps']), () => [])
  test('are those that the window does not know and that can be listed, in their preferred version', () => {
    expect(kinds.map(k => [k.group, k.version, k.kind, k.scope])).toEqual([
      ['stable.example.com', 'v1', 'CronTab', 'Namespaced'],
      ['stable.example.com', 'v1beta1', 'OldTab', 'Cluster'],
    ])
  })
  test('have their short names and can be scaled where the server says so', () => {
    expect(kinds.map(k => [k.shortNames, k.subresources?.scale !== undefined])).toEqual([
      [['ct'], true],
      [[], false],
    ])
  })
})

describe('columns of a definition', () => {
  const definition = {
    spec: {
      versions: [
        {
          name: 'v1',
          additionalPrinterColumns: [
            { name: 'Spec', type: 'string', jsonPath: '.spec.cronSpec' },
            { name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas' },
            { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
            { name: 'Last', type: 'date', jsonPath: '.status.last', priority: 1 },
            { name: 'Broken', type: 'string', jsonPath: '.spec[' },
          ],
        },
      ],
    },
  } as unknown as CustomResourceDefinition
  test('are shown with their values; a broken path gives none, a missing field an empty cell', () => {
    const [kind] = discoveredKinds(list, new Set(['deployments.apps']), (_group, version) => printedColumns(definition, version))
    const columns = kind ? columnsOf(kind) : []
    const object = {
      apiVersion: 'stable.example.com/v1',
      kind: 'CronTab',
      metadata: { name: 'a', namespace: 'b' },
      spec: { cronSpec: '* * *', replicas: 3 },
      status: { conditions: [{ type: 'Ready', status: 'True' }] },
    }
    const context = { now: 0, podUsage: () => undefined, nodeUsage: () => undefined }
    expect(columns.map(c => [c.title, c.type, c.optional, c.value(object, context)])).toEqual([
      ['Name', 'name', false, 'a'],
      ['Namespace', 'text', false, 'b'],
      ['Spec', 'text', false, '* * *'],
      ['Replicas', 'number', false, 3],
      ['Ready', 'text', false, 'True'],
      ['Last', 'age', true, undefined],
      ['Age', 'age', false, undefined],
    ])
  })
  test('differ as text where only their path or type does', () => {
    const written = (column: object): string => {
      const one = { spec: { versions: [{ name: 'v1', additionalPrinterColumns: [{ name: 'A', type: 'string', jsonPath: '.spec.a', ...column }] }] } }
      return JSON.stringify(printedColumns(one as unknown as CustomResourceDefinition, 'v1'))
    }
    expect([written({}) === written({}), written({}) === written({ jsonPath: '.spec.b' }), written({}) === written({ type: 'integer' })]).toEqual([true, false, false])
  })
})
