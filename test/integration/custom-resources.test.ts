/** Custom resource definitions with the real kubectl, and conversion by a webhook. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isObject, parseJson, stringifyJson } from '../../src-main/api/json.ts'
import type { JsonObject } from '../../src-main/api/json.ts'
import { clientCommands, type ClientCommands, type CommandAnswer } from '../support/clients.ts'
import { startHttpsServer, type HttpsServer } from '../support/https-server.ts'
import { eventually, startControlPlane, type RunningControlPlane } from '../support/running-control-plane.ts'

let running: RunningControlPlane
let commands: ClientCommands

beforeAll(async () => {
  running = await startControlPlane()
  commands = clientCommands(running.controlPlane.kubeconfigPath)
})
afterAll(async () => {
  await running.stop()
})

async function kubectl(args: string, input?: string): Promise<string> {
  const answer = await commands.kubectl(args.split(' '), input)
  if (answer.code !== 0) throw new Error(`kubectl ${args}: ${answer.stderr}`)
  return answer.stdout
}
const failing = (args: string, input?: string): Promise<CommandAnswer> => commands.kubectl(args.split(' '), input)
const created = (definition: object): Promise<string> => kubectl('apply -f -', JSON.stringify(definition))
const established = (name: string): Promise<string> => kubectl(`wait --for=condition=Established --timeout=20s crd/${name}`)

interface Names {
  readonly kind: string
  readonly plural: string
  readonly singular?: string
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
}

function definitionOf(names: Names, versions: readonly object[], spec: object = {}): object {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${names.plural}.shop.example.com` },
    spec: { group: 'shop.example.com', scope: 'Namespaced', names, versions, ...spec },
  }
}

const widgets = definitionOf({ kind: 'Widget', plural: 'widgets', singular: 'widget', shortNames: ['wd'], categories: ['all'] }, [
  {
    name: 'v1',
    served: true,
    storage: true,
    subresources: { status: {}, scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.status.selector' } },
    selectableFields: [{ jsonPath: '.spec.colour' }],
    additionalPrinterColumns: [
      { name: 'Colour', type: 'string', jsonPath: '.spec.colour', description: 'of the paint' },
      { name: 'Wanted', type: 'integer', jsonPath: '.spec.replicas' },
      { name: 'Parts', type: 'string', jsonPath: '.spec.parts[?(@.size>1)].name', priority: 1 },
      { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    ],
    schema: {
      openAPIV3Schema: {
        type: 'object',
        description: 'A thing to sell.',
        properties: {
          spec: {
            type: 'object',
            required: ['colour'],
            'x-kubernetes-validations': [
              { rule: 'self.replicas <= self.limit', messageExpression: "self.limit == 10 ? 'at most ten' : 'at most the limit'", fieldPath: '.replicas' },
            ],
            properties: {
              colour: {
                type: 'string',
                description: 'What it is painted with.',
                enum: ['brass', 'ink'],
                'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'paint is forever' }],
              },
              replicas: { type: 'integer', format: 'int64', default: 1 },
              limit: { type: 'integer', format: 'int64', default: 10 },
              parts: {
                type: 'array',
                'x-kubernetes-list-type': 'map',
                'x-kubernetes-list-map-keys': ['name'],
                items: { type: 'object', required: ['name'], properties: { name: { type: 'string' }, size: { type: 'integer' } } },
              },
            },
          },
          status: { type: 'object', properties: { replicas: { type: 'integer' }, selector: { type: 'string' } } },
        },
      },
    },
  },
])

const widget = (name: string, spec: object): string => JSON.stringify({ apiVersion: 'shop.example.com/v1', kind: 'Widget', metadata: { name }, spec })

describe('a custom kind', () => {
  beforeAll(async () => {
    await created(widgets)
    await established('widgets.shop.example.com')
  })

  test('is read by its plural, singular and short names, and by its category', async () => {
    await kubectl('create -f -', widget('named', { colour: 'ink' }))
    for (const name of ['widgets', 'widget', 'wd', 'widgets.shop.example.com', 'widgets.v1.shop.example.com', 'all'])
      expect(await kubectl(`get ${name} -o name`), name).toContain('widget.shop.example.com/named')
  })

  test('prints the columns of its definition', async () => {
    await kubectl(
      'apply -f -',
      widget('columns', {
        colour: 'brass',
        replicas: 2,
        parts: [
          { name: 'cog', size: 3 },
          { name: 'pin', size: 1 },
        ],
      }),
    )
    const [head, line] = (await kubectl('get wd columns -o wide')).trim().split('\n')
    expect([head?.split(/\s+/), line?.split(/\s+/).slice(0, 4)]).toEqual([
      ['NAME', 'COLOUR', 'WANTED', 'PARTS', 'AGE'],
      ['columns', 'brass', '2', 'cog'],
    ])
  })

  test('is explained from the published schema', async () => {
    const text = await eventually(async () => {
      const answer = await failing('explain widget.spec.colour')
      return answer.code === 0 ? answer.stdout : undefined
    }, 'kubectl explain')
    expect(text).toContain('What it is painted with.')
    expect(await kubectl('explain widgets')).toContain('A thing to sell.')
  })

  test('is refused what its schema and rules do not allow, by the name of the field', async () => {
    expect((await failing('create -f -', widget('bad', { colour: 'red' }))).stderr).toContain('spec.colour: Unsupported value: "red": supported values: "brass", "ink"')
    expect((await failing('create -f -', widget('bad', { colour: 'ink', replicas: 11 }))).stderr).toContain('spec.replicas: Invalid value: at most ten')
    expect((await failing('create -f -', widget('bad', { colour: 'ink', size: 1 }))).stderr).toContain('unknown field "spec.size"')
    await kubectl('create -f -', widget('painted', { colour: 'ink' }))
    expect((await failing('patch wd painted --type merge -p {"spec":{"colour":"brass"}}')).stderr).toContain('spec.colour: Invalid value: "brass": paint is forever')
  })

  test('gets its defaults, loses what it does not declare, and keeps integers of 64 bits', async () => {
    await kubectl(
      'create --validate=false -f -',
      '{"apiVersion":"shop.example.com/v1","kind":"Widget","metadata":{"name":"exact"},"spec":{"colour":"ink","limit":9007199254740993,"__proto__":{"a":1},"nosuch":true}}',
    )
    const read = parseJson(new TextEncoder().encode(await kubectl('get wd exact -o json'))) as JsonObject
    expect(stringifyJson(read['spec'])).toBe('{"colour":"ink","limit":9007199254740993,"replicas":1}')
  })

  test('is scaled, and its status is written by itself', async () => {
    await kubectl('create -f -', widget('scaled', { colour: 'ink' }))
    expect(await kubectl('scale wd scaled --replicas=4')).toContain('scaled')
    await kubectl('patch wd scaled --subresource=status --type merge -p {"spec":{"replicas":9},"status":{"replicas":3,"selector":"app=x"}}')
    expect(await kubectl('get wd scaled -o jsonpath={.spec.replicas}/{.status.replicas}/{.metadata.generation}')).toBe('4/3/2')
    expect(JSON.parse(await kubectl('get --raw /apis/shop.example.com/v1/namespaces/default/widgets/scaled/scale'))).toMatchObject({
      apiVersion: 'autoscaling/v1',
      spec: { replicas: 4 },
      status: { replicas: 3, selector: 'app=x' },
    })
  })

  test('is found by its selectable fields', async () => {
    await kubectl('create -f -', widget('found', { colour: 'brass', limit: 77 }))
    const names = (await kubectl('get wd --field-selector spec.colour=brass -o name')).trim().split('\n')
    expect(names).toContain('widget.shop.example.com/found')
    expect(names).not.toContain('widget.shop.example.com/named')
    expect((await failing('get wd --field-selector spec.limit=77')).stderr).toContain('field label not supported: spec.limit')
  })

  test('is applied by several managers, each with its own items of a list', async () => {
    const apply = (manager: string, part: object): Promise<string> =>
      kubectl(`apply --server-side --field-manager=${manager} -f -`, widget('shared', { colour: 'ink', parts: [part] }))
    await apply('one', { name: 'a', size: 1 })
    await apply('two', { name: 'b', size: 2 })
    expect(await kubectl('get wd shared -o jsonpath={.spec.parts[*].name}')).toBe('a b')
    expect((await failing('apply --server-side --field-manager=two -f -', widget('shared', { colour: 'ink', parts: [{ name: 'a', size: 9 }] }))).stderr).toContain(
      'Apply failed with 1 conflict: conflict with "one"',
    )
  })

  test('goes with its namespace, and with its owner', async () => {
    await kubectl('create namespace short')
    await kubectl('-n short create -f -', widget('gone', { colour: 'ink' }))
    await kubectl('delete namespace short --timeout=30s')
    await kubectl('create configmap owner')
    const uid = await kubectl('get configmap owner -o jsonpath={.metadata.uid}')
    const owned = {
      apiVersion: 'shop.example.com/v1',
      kind: 'Widget',
      metadata: { name: 'owned', ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid }] },
      spec: { colour: 'ink' },
    }
    await kubectl('create -f -', JSON.stringify(owned))
    await kubectl('delete configmap owner')
    await kubectl('wait --for=delete wd/owned --timeout=30s')
  })

  test('ends its watches when it goes, after telling of every deletion', async () => {
    await kubectl('create -f -', widget('last', { colour: 'ink' }))
    const watch = commands.kubectl('get wd --watch-only -o name --request-timeout=60s'.split(' '))
    await new Promise(resolve => setTimeout(resolve, 5_000))
    const begun = Date.now()
    await kubectl('delete crd widgets.shop.example.com --timeout=30s')
    expect((await watch).stdout).toMatch(/widget.shop.example.com\/last/)
    expect(Date.now() - begun).toBeLessThan(15_000)
    await created(widgets)
    await established('widgets.shop.example.com')
  })

  test('takes its instances with it, and comes back empty', async () => {
    await kubectl('create -f -', widget('doomed', { colour: 'ink' }))
    await kubectl('delete crd widgets.shop.example.com --timeout=30s')
    expect((await failing('get --raw /apis/shop.example.com/v1/widgets')).stderr).toContain('NotFound')
    await created(widgets)
    await established('widgets.shop.example.com')
    expect(await kubectl('get widgets.shop.example.com -o name')).toBe('')
  })
})

describe('conversion by a webhook', () => {
  let server: HttpsServer
  let isBroken: ((objects: JsonObject[]) => JsonObject[]) | undefined
  const reviews: JsonObject[] = []

  const open = { type: 'object', properties: { spec: { type: 'object', properties: { host: { type: 'string' }, port: { type: 'string' }, hostPort: { type: 'string' } } } } }
  const version = (name: string, storage: boolean): object => ({ name, served: true, storage, schema: { openAPIV3Schema: open } })

  function convert(object: JsonObject, apiVersion: string): JsonObject {
    const spec = isObject(object['spec']) ? object['spec'] : {}
    const [host = '', port = ''] = String(spec['hostPort'] ?? '').split(':')
    const next = apiVersion.endsWith('v2') ? { host, port } : { hostPort: `${String(spec['host'])}:${String(spec['port'])}` }
    return { ...object, apiVersion, spec: next }
  }

  beforeAll(async () => {
    server = await startHttpsServer(
      (_request, body, response) => {
        const review = JSON.parse(body) as { request: { uid: string; desiredAPIVersion: string; objects: JsonObject[] } }
        reviews.push(review as unknown as JsonObject)
        const { uid, desiredAPIVersion, objects } = review.request
        const converted = objects.map(object => convert(object, desiredAPIVersion))
        const convertedObjects = isBroken ? isBroken(converted) : converted
        response.setHeader('content-type', 'application/json')
        response.end(JSON.stringify({ ...review, request: undefined, response: { uid, convertedObjects, result: { status: 'Success' } } }))
      },
      { dnsNames: ['localhost'] },
    )
    const webhook = { clientConfig: { url: `https://127.0.0.1:${server.port}/convert`, caBundle: server.caBundle }, conversionReviewVersions: ['v1'] }
    await created(definitionOf({ kind: 'Address', plural: 'addresses' }, [version('v1', true), version('v2', false)], { conversion: { strategy: 'Webhook', webhook } }))
    await established('addresses.shop.example.com')
  })
  afterAll(async () => {
    await server.stop()
  })

  const address = (name: string, apiVersion: string, spec: object): string =>
    JSON.stringify({ apiVersion: `shop.example.com/${apiVersion}`, kind: 'Address', metadata: { name }, spec })

  test('gives every version its form, one call for a list', async () => {
    await kubectl('create -f -', address('one', 'v1', { hostPort: 'a:1' }))
    await kubectl('create -f -', address('two', 'v2', { host: 'b', port: '2' }))
    expect(await kubectl('get addresses.v1.shop.example.com -o jsonpath={.items[*].spec.hostPort}')).toBe('a:1 b:2')
    reviews.length = 0
    expect(await kubectl('get addresses.v2.shop.example.com -o jsonpath={.items[*].spec.host}')).toBe('a b')
    expect(reviews.length).toBeLessThan(2)
    await kubectl('patch addresses.v2.shop.example.com one --type merge -p {"spec":{"port":"9"}}')
    expect(await kubectl('get addresses.v1.shop.example.com one -o jsonpath={.spec.hostPort}')).toBe('a:9')
  })

  test('is collected although a version is no longer served', async () => {
    const withVersions = (isServed: boolean): object => definitionOf({ kind: 'Note', plural: 'notes' }, [{ ...version('v1', true), served: isServed }, version('v2', false)])
    await created(withVersions(true))
    await established('notes.shop.example.com')
    const note = { apiVersion: 'shop.example.com/v2', kind: 'Note' }
    await kubectl('create -f -', JSON.stringify({ ...note, metadata: { name: 'owner' } }))
    const uid = await kubectl('get notes owner -o jsonpath={.metadata.uid}')
    const owned = { ...note, metadata: { name: 'owned', ownerReferences: [{ ...note, name: 'owner', uid }] } }
    await kubectl('create -f -', JSON.stringify(owned))
    // The garbage collector follows it by now in its first version.
    await new Promise(resolve => setTimeout(resolve, 6_000))
    await created(withVersions(false))
    await kubectl('create -f -', JSON.stringify({ ...owned, metadata: { ...owned.metadata, name: 'later' } }))
    await kubectl('delete notes.v2.shop.example.com owner')
    for (const name of ['owned', 'later']) await kubectl(`wait --for=delete notes.v2.shop.example.com/${name} --timeout=30s`)
  })

  test('is watched in every version', async () => {
    const watch = commands.kubectl('get addresses.v2.shop.example.com --watch-only --request-timeout=15s -o jsonpath={.metadata.name}={.spec.port};'.split(' '))
    let isOver = false
    const seen = watch.finally(() => {
      isOver = true
    })
    // When kubectl has begun to watch is not to be seen from outside.
    for (let i = 0; !isOver; i++) {
      await kubectl('create -f -', address(`watched-${i}`, 'v1', { hostPort: 'w:7' }))
      await new Promise(resolve => setTimeout(resolve, 500))
    }
    expect((await seen).stdout).toMatch(/watched-\d+=7;/)
  })

  test.each<[string, (objects: JsonObject[]) => JsonObject[], string]>([
    ['too few', () => [], 'returned 0 objects, expected 1'],
    ['another name', objects => objects.map(object => ({ ...object, metadata: { ...(object['metadata'] as object), name: 'other' } })), 'must have the same name: broken != other'],
    ['another version', objects => objects.map(object => ({ ...object, apiVersion: 'v1' })), 'invalid groupVersion (expected shop.example.com/v1, received v1)'],
    [
      'a wrong label',
      objects => objects.map(object => ({ ...object, metadata: { ...(object['metadata'] as object), labels: { a: 1 } } })),
      'metadata.labels[a] must be a string, but is int64 in converted object',
    ],
  ])('takes no answer with %s', async (_what, answer, message) => {
    isBroken = answer
    const refused = await failing('create -f -', address('broken', 'v2', { host: 'b', port: '2' }))
    isBroken = undefined
    expect(refused.stderr).toContain(message)
    expect((await failing('get addresses.v1.shop.example.com broken')).code).toBe(1)
  })

  test('keeps who an object is', async () => {
    isBroken = objects => objects.map(object => ({ ...object, metadata: { ...(object['metadata'] as object), labels: { seen: 'yes' }, finalizers: ['evil/one'], generation: 99 } }))
    await kubectl('create -f -', address('kept', 'v2', { host: 'b', port: '2' }))
    isBroken = undefined
    expect(await kubectl('get addresses.v1.shop.example.com kept -o jsonpath={.metadata.labels.seen}/{.metadata.finalizers}/{.metadata.generation}')).toBe('yes//1')
  })
})
