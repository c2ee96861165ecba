/** Service rules, overlay, DNS zone and server, SPDY, log query, control groups: what is compiled and parsed. */
import dnsPacket from 'dns-packet'
import { PassThrough, Duplex } from 'node:stream'
import { createDeflate, createInflate, constants } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { EndpointSlice } from '../../../src-main/api/generated/discovery-v1.ts'
import type { Node, Service, ServiceSpec } from '../../../src-main/api/generated/core-v1.ts'
import { virtualEnv } from '../../../src-main/base/virtual-env.ts'
import { dockerImageName, fullImageName, pullParts } from '../../../src-main/node-agent/container-runtime/image-name.ts'
import { FrameSplitter } from '../../../src-main/node-agent/container-runtime/output-frames.ts'
import { sandboxProgram } from '../../../src-main/node-agent/container-runtime/sandbox-image.ts'
import { DnsServer } from '../../../src-main/node-agent/dns/server.ts'
import { Zone } from '../../../src-main/node-agent/dns/zone.ts'
import { overlayChanges, peersOf } from '../../../src-main/node-agent/network/overlay.ts'
import { compile } from '../../../src-main/node-agent/proxy/compile.ts'
import type { ProxyInput } from '../../../src-main/node-agent/proxy/compile.ts'
import { transaction } from '../../../src-main/node-agent/proxy/ruleset.ts'
import { parseCgroups } from '../../../src-main/node-agent/server/cgroup-files.ts'
import { logQuery } from '../../../src-main/node-agent/server/logs.ts'
import { SpdyConnection } from '../../../src-main/node-agent/server/spdy/connection.ts'
import { headerDictionary } from '../../../src-main/node-agent/server/spdy/dictionary.ts'
import { controlFrame, dataFrame, encodeHeaders, FrameParser, u32 } from '../../../src-main/node-agent/server/spdy/frames.ts'

const serviceOf = (name: string, spec: Partial<ServiceSpec>): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'n' },
  spec: { clusterIP: '10.96.1.1', ports: [{ port: 80, protocol: 'TCP' }], ...spec } as ServiceSpec,
})
interface TestEndpoint {
  address: string
  node?: string
  ready?: boolean
  serving?: boolean
  terminating?: boolean
  hostname?: string
}
const sliceOf = (service: string, endpoints: TestEndpoint[]): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  addressType: 'IPv4',
  metadata: { name: `${service}-x`, namespace: 'n', labels: { 'kubernetes.io/service-name': service } },
  ports: [{ name: '', port: 8080, protocol: 'TCP' }],
  endpoints: endpoints.map(e => ({
    addresses: [e.address],
    nodeName: e.node ?? 'me',
    conditions: { ready: e.ready ?? true, ...(e.serving === undefined ? {} : { serving: e.serving }), terminating: e.terminating ?? false },
    ...(e.hostname ? { hostname: e.hostname } : {}),
  })),
})
const inputOf = (services: Service[], slices: EndpointSlice[], more: Partial<ProxyInput> = {}): ProxyInput => ({
  services,
  slices,
  nodeName: 'me',
  podCIDR: '10.244.1.0/24',
  clusterCIDR: '10.244.0.0/16',
  serviceCIDR: '10.96.0.0/16',
  gateway: '10.244.1.1',
  clusterDNS: '10.96.0.10',
  apiServiceIP: '10.96.0.1',
  apiPort: 16443,
  bridgeNetfilter: true,
  ...more,
})
const targets = (input: ProxyInput): string[] =>
  [...compile(input).chains]
    .filter(([name]) => name.startsWith('ep-'))
    .flatMap(([, chain]) => chain.rules.filter(rule => rule.includes('dnat')).map(rule => rule.split('dnat to ')[1] ?? ''))
const ips = (input: ProxyInput): string[] => [...(compile(input).maps.get('service-ips')?.elements.keys() ?? [])]

describe('service rules', () => {
  it('send DNS and the API to the node itself, whatever the API says', () => {
    expect(ips(inputOf([], [])).sort()).toEqual(['10.96.0.1 . tcp . 443', '10.96.0.10 . tcp . 53', '10.96.0.10 . udp . 53'])
  })
  it('choose among ready endpoints, else among those that still serve while they end', () => {
    expect(targets(inputOf([serviceOf('s', {})], [sliceOf('s', [{ address: '10.244.1.2' }, { address: '10.244.2.2', ready: false }])]))).toEqual(['10.244.1.2:8080'])
    expect(
      targets(
        inputOf(
          [serviceOf('s', {})],
          [
            sliceOf('s', [
              { address: '10.244.2.2', ready: false, serving: true, terminating: true },
              { address: '10.244.2.3', ready: false },
            ]),
          ],
        ),
      ),
    ).toEqual(['10.244.2.2:8080'])
  })
  it('never lead to loopback, link-local or multicast addresses', () => {
    expect(targets(inputOf([serviceOf('s', {})], [sliceOf('s', [{ address: '127.0.0.1' }, { address: '169.254.169.254' }, { address: '224.0.0.1' }])]))).toEqual([])
  })
  it('refuse a service without endpoints and skip headless ones', () => {
    const rules = compile(inputOf([serviceOf('s', {}), serviceOf('h', { clusterIP: 'None' })], []))
    expect({ refused: rules.sets.get('cluster-ips')?.elements?.has('10.96.1.1'), mapped: rules.maps.get('service-ips')?.elements.has('10.96.1.1 . tcp . 80') }).toEqual({
      refused: true,
      mapped: false,
    })
  })
  it('keep traffic local where the service says so', () => {
    const slices = [sliceOf('s', [{ address: '10.244.1.2' }, { address: '10.244.2.2', node: 'other' }])]
    const rules = compile(inputOf([serviceOf('s', { internalTrafficPolicy: 'Local' })], slices))
    const chain = [...rules.chains].find(([name]) => name.startsWith('svc-'))?.[1]
    expect(chain?.rules.filter(rule => rule.includes('vmap'))).toEqual([])
  })
  it('guard external addresses of pods and services', () => {
    const slices = [sliceOf('s', [{ address: '10.244.1.2' }])]
    expect(
      ips(inputOf([serviceOf('s', { externalIPs: ['203.0.113.5', '10.244.1.9', '10.96.0.10', '127.0.0.1'] })], slices))
        .filter(key => key.endsWith('. 80'))
        .sort(),
    ).toEqual(['10.96.1.1 . tcp . 80', '203.0.113.5 . tcp . 80'])
  })
  it('remember clients where sessionAffinity asks for it', () => {
    const rules = compile(
      inputOf(
        [serviceOf('s', { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } })],
        [sliceOf('s', [{ address: '10.244.1.2' }, { address: '10.244.2.2' }])],
      ),
    )
    expect([...rules.sets.values()].filter(set => set.options.includes('60s')).length).toBe(2)
  })
  it('change only what differs', () => {
    const slices = (count: number): EndpointSlice[] => [
      sliceOf(
        's',
        Array.from({ length: count }, (_, at) => ({ address: `10.244.1.${at + 2}` })),
      ),
      sliceOf('t', [{ address: '10.244.3.3' }]),
    ]
    const services = [serviceOf('s', {}), serviceOf('t', { clusterIP: '10.96.1.2' })]
    const first = compile(inputOf(services, slices(1)))
    const second = compile(inputOf(services, slices(2)))
    const text = transaction(second, first)
    expect({
      same: transaction(first, first),
      whole: transaction(first, undefined).startsWith('add table ip quarterdeck\ndelete table ip quarterdeck\n'),
      touches: text.includes('10.244.3.3'),
      adds: text.includes('dnat to 10.244.1.3:8080'),
      back: transaction(first, second).includes('delete chain'),
    }).toEqual({ same: '', whole: true, touches: false, adds: true, back: true })
  })
})

describe('the overlay', () => {
  const node = (name: string, address: string, podCIDR: string): Node => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    spec: { podCIDR },
    status: { addresses: [{ type: 'InternalIP', address }] },
  })
  it('brings neighbours, forwarding and routes of the peers, and takes strangers away', () => {
    const peers = peersOf([node('me', '192.168.0.1', '10.244.1.0/24'), node('b', '192.168.0.2', '10.244.2.0/24'), node('bad', '$(x)', '10.244.3.0/24')], 'me')
    const none = { routes: new Set<string>(), neighbours: new Set<string>(), forwarding: new Set<string>() }
    expect(overlayChanges(peers, none, 'vx')).toEqual({
      ip: ['neigh replace 10.244.2.0 lladdr 0a:71:c0:a8:00:02 dev vx nud permanent', 'route replace 10.244.2.0/24 via 10.244.2.0 dev vx onlink'],
      bridge: ['fdb append 0a:71:c0:a8:00:02 dev vx dst 192.168.0.2 self permanent'],
    })
    const present = {
      routes: new Set(['10.244.2.0/24 10.244.2.0', '10.244.9.0/24 10.244.9.0']),
      neighbours: new Set(['10.244.2.0 0a:71:c0:a8:00:02']),
      forwarding: new Set(['0a:71:c0:a8:00:02 192.168.0.2']),
    }
    expect(overlayChanges(peers, present, 'vx')).toEqual({ ip: ['route del 10.244.9.0/24 dev vx'], bridge: [] })
  })
})

describe('DNS', () => {
  const zone = new Zone({
    domain: 'cluster.local',
    services: [
      serviceOf('web', { ports: [{ name: 'http', port: 80, protocol: 'TCP' }] } as Partial<ServiceSpec>),
      serviceOf('db', { clusterIP: 'None' }),
      serviceOf('out', { type: 'ExternalName', externalName: 'example.org', clusterIP: '' }),
    ],
    slices: [
      sliceOf('db', [
        { address: '10.244.1.5', hostname: 'db-0' },
        { address: '10.244.1.6', ready: false, hostname: 'db-1' },
      ]),
    ],
  })
  const cases: [string, string, unknown][] = [
    ['web.n.svc.cluster.local', 'A', { kind: 'addresses', addresses: ['10.96.1.1'] }],
    ['WEB.N.svc.cluster.local', 'A', { kind: 'addresses', addresses: ['10.96.1.1'] }],
    ['web.n.svc.cluster.local', 'AAAA', { kind: 'empty' }],
    ['no.n.svc.cluster.local', 'A', { kind: 'missing' }],
    ['n.svc.cluster.local', 'A', { kind: 'empty' }],
    ['x.svc.cluster.local', 'A', { kind: 'missing' }],
    ['db.n.svc.cluster.local', 'A', { kind: 'addresses', addresses: ['10.244.1.5'] }],
    ['db-0.db.n.svc.cluster.local', 'A', { kind: 'addresses', addresses: ['10.244.1.5'] }],
    ['db-1.db.n.svc.cluster.local', 'A', { kind: 'missing' }],
    ['10-244-1-9.n.pod.cluster.local', 'A', { kind: 'addresses', addresses: ['10.244.1.9'] }],
    ['10-244-1.n.pod.cluster.local', 'A', { kind: 'missing' }],
    [
      '_http._tcp.web.n.svc.cluster.local',
      'SRV',
      { kind: 'services', records: [{ priority: 0, weight: 100, port: 80, target: 'web.n.svc.cluster.local' }], addresses: new Map([['web.n.svc.cluster.local', '10.96.1.1']]) },
    ],
    ['1.1.96.10.in-addr.arpa', 'PTR', { kind: 'pointer', names: ['web.n.svc.cluster.local'] }],
    ['5.1.244.10.in-addr.arpa', 'PTR', { kind: 'pointer', names: ['db-0.db.n.svc.cluster.local'] }],
    ['out.n.svc.cluster.local', 'A', { kind: 'alias', target: 'example.org' }],
    ['example.org', 'A', { kind: 'foreign' }],
    ['notcluster.local', 'A', { kind: 'foreign' }],
  ]
  it.each(cases)('%s %s', (name, type, wanted) => {
    expect(zone.lookup(name, type)).toEqual(wanted)
  })

  it('answers NXDOMAIN with an SOA, and SERVFAIL where the host has no servers', async () => {
    const server = new DnsServer({ env: virtualEnv(), address: '127.0.0.1', port: 0, zone: () => zone, domain: 'cluster.local', own: [], upstreams: () => Promise.resolve([]) })
    const ask = async (name: string): Promise<[number, number, string | undefined]> => {
      const answer = dnsPacket.decode((await server.answer(dnsPacket.encode({ type: 'query', id: 7, questions: [{ type: 'A', name, class: 'IN' }] }), false)) ?? Buffer.alloc(0))
      return [(answer.flags ?? 0) & 15, answer.answers?.length ?? 0, answer.authorities?.[0]?.type]
    }
    expect([await ask('web.n.svc.cluster.local'), await ask('no.n.svc.cluster.local'), await ask('example.org'), await server.answer(Buffer.from('junk'), false)]).toEqual([
      [0, 1, undefined],
      [3, 0, 'SOA'],
      [2, 0, undefined],
      undefined,
    ])
  })
})

describe('SPDY/3.1', () => {
  it('opens streams from compressed headers, echoes both ways and half-closes', async () => {
    const toServer = new PassThrough()
    const toClient = new PassThrough()
    const deflate = createDeflate({ dictionary: headerDictionary })
    const compress = (headers: Map<string, string>): Promise<Buffer> =>
      new Promise(resolve => {
        deflate.write(encodeHeaders(headers))
        deflate.flush(constants.Z_SYNC_FLUSH, () => {
          resolve(deflate.read() as Buffer)
        })
      })
    const seen: string[] = []
    void new SpdyConnection(
      Duplex.from({ readable: toServer, writable: toClient }),
      stream => {
        seen.push(stream.headers.get('streamtype') ?? '')
        stream.duplex.pipe(stream.duplex)
      },
      () => {},
    )
    for (const [id, type] of [
      [1, 'error'],
      [3, 'data'],
    ] as const)
      toServer.write(
        controlFrame(
          1,
          0,
          Buffer.concat([
            u32(id),
            u32(0),
            Buffer.from([0, 0]),
            await compress(
              new Map([
                ['streamtype', type],
                ['port', '80'],
              ]),
            ),
          ]),
        ),
      )
    toServer.write(dataFrame(3, false, Buffer.from('hello ')))
    toServer.write(dataFrame(3, true, Buffer.from('spdy')))
    const parser = new FrameParser()
    let text = ''
    let replies = 0
    for await (const chunk of toClient) {
      let ended = false
      for (const frame of parser.push(chunk as Buffer)) {
        if (frame.kind === 'control' && frame.type === 2) replies++
        if (frame.kind === 'data' && frame.stream === 3) {
          text += frame.bytes.toString()
          ended ||= frame.fin
        }
      }
      if (ended) break
    }
    expect({ seen, text, replies }).toEqual({ seen: ['error', 'data'], text: 'hello spdy', replies: 2 })
  })
  it('refuses frames that are too long or of another version', () => {
    expect(() => new FrameParser().push(Buffer.from([0x80, 2, 0, 1, 0, 0, 0, 0]))).toThrow('version')
    expect(() => new FrameParser().push(Buffer.from([0, 0, 0, 1, 0, 0xff, 0xff, 0xff]))).toThrow('too long')
    expect(createInflate({ dictionary: headerDictionary })).toBeDefined()
  })
})

describe("the runtime's formats", () => {
  it('splits multiplexed output wherever it is cut', () => {
    const frame = (stream: number, text: string): Buffer => Buffer.concat([Buffer.from([stream, 0, 0, 0]), u32(text.length), Buffer.from(text)])
    const whole = Buffer.concat([frame(1, 'out'), frame(2, 'err'), frame(1, '')])
    const splitter = new FrameSplitter()
    const text = { stdout: '', stderr: '' }
    for (const byte of whole) for (const chunk of splitter.push(Buffer.from([byte]))) text[chunk.stream] += chunk.bytes.toString()
    expect(text).toEqual({ stdout: 'out', stderr: 'err' })
  })
  it('normalises image names', () => {
    expect(['busybox', 'a/b:1', 'localhost/x', 'reg.io:5000/x/y@sha256:ab', 'docker.io/library/z:2'].map(name => [fullImageName(name), dockerImageName(name)])).toEqual([
      ['docker.io/library/busybox:latest', 'busybox:latest'],
      ['docker.io/a/b:1', 'a/b:1'],
      ['localhost/x:latest', 'localhost/x:latest'],
      ['reg.io:5000/x/y@sha256:ab', 'reg.io:5000/x/y@sha256:ab'],
      ['docker.io/library/z:2', 'z:2'],
    ])
    expect([pullParts('r:5000/a'), pullParts('r:5000/a:1@sha256:b')]).toEqual([
      { fromImage: 'r:5000/a', tag: 'latest' },
      { fromImage: 'r:5000/a', tag: 'sha256:b' },
    ])
  })
  it('writes sandbox programs that are whole ELF files', () => {
    for (const [architecture, machine] of [
      ['x64', 62],
      ['arm64', 183],
    ] as const) {
      const program = sandboxProgram(architecture)
      expect([program.toString('latin1', 1, 4), program.readUInt16LE(18), Number(program.readBigUInt64LE(96)), program.length < 512]).toEqual([
        'ELF',
        machine,
        program.length,
        true,
      ])
    }
  })
  it('finds control groups of both versions', () => {
    expect([parseCgroups('4:cpu,cpuacct:/docker/a\n3:memory:/docker/a\n').get('cpuacct'), parseCgroups('0::/system.slice/x').get('')]).toEqual(['/docker/a', '/system.slice/x'])
  })
})

it('checks the numbers of a log request', () => {
  const query = (text: string): unknown => logQuery(new URLSearchParams(text), 100_000)
  expect(query('follow=true&tailLines=5&sinceSeconds=10&timestamps=1&limitBytes=9')).toEqual({
    follow: true,
    previous: false,
    timestamps: true,
    stream: 'All',
    sinceMs: 90_000,
    tail: 5,
    limitBytes: 9,
  })
  for (const bad of ['tailLines=-1', 'limitBytes=0', 'sinceSeconds=x', 'sinceTime=never']) expect(() => query(bad)).toThrow('invalid')
})
