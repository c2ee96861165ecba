import { describe, expect, it } from 'vitest'
import { decodeBody, decodeObject, decodeValue } from '../../../src-main/api/decode.ts'
import { encodeJson, encodeUtf8 } from '../../../src-main/api/json.ts'
import { schemaOf } from '../../../src-main/api/schema.ts'
import { finishShape } from '../../../src-main/api/shape.ts'
import { statusOf } from '../../../src-main/api/status-error.ts'

const core = (kind: string): { group: string; version: string; kind: string; schema: string } => ({ group: '', version: 'v1', kind, schema: `io.k8s.api.core.v1.${kind}` })
const configMap = core('ConfigMap')
const pod = core('Pod')
const widget = {
  group: 'example.com',
  version: 'v1',
  kind: 'Widget',
  schema: {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: { size: { type: 'integer' }, free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }, none: { type: 'string', nullable: true } },
      },
    },
  },
}

function answer(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    const status = statusOf(error)
    return `${status.code ?? 0} ${status.message ?? ''}`
  }
  return 'no error'
}

describe('bodies that cannot be read', () => {
  const typeMeta = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
  it.each([
    ['', "couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)"],
    ['{"kind": ', 'couldn\'t get version/kind; json parse error: unexpected end of JSON input ({"kind": )'],
    ['[]', `couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type ${typeMeta} (5b5d)`],
    ['true', `couldn't get version/kind; json parse error: json: cannot unmarshal bool into Go value of type ${typeMeta} (74727565)`],
    [
      '{"kind":1,"apiVersion":"v1"}',
      'couldn\'t get version/kind; json parse error: json: cannot unmarshal number into Go struct field .kind of type string ({"kind":1,"apiVersion":"v1"})',
    ],
    [
      '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"t"}} trailing',
      'couldn\'t get version/kind; json parse error: invalid character \'t\' after top-level value ({"kind":"ConfigMap","apiVersio ...)',
    ],
  ])('%j', (text, message) => {
    expect(answer(() => decodeBody(encodeUtf8(text), undefined, configMap))).toBe(`400 the object provided is unrecognized (must be of type ConfigMap): ${message}`)
  })

  it.each([
    [configMap, { metadata: [] }, 'json: cannot unmarshal array into Go struct field ConfigMap.metadata of type v1.ObjectMeta'],
    [configMap, { metadata: { name: 5 } }, 'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.name of type string'],
    [configMap, { metadata: { labels: 'x' } }, 'json: cannot unmarshal string into Go struct field ObjectMeta.metadata.labels of type map[string]string'],
    [configMap, { data: { a: 1 } }, 'json: cannot unmarshal number into Go struct field ConfigMap.data of type string'],
    [configMap, { metadata: { creationTimestamp: '2006-01-02' } }, 'parsing time "2006-01-02" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T"'],
    [pod, { spec: { containers: 'x' } }, 'json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container'],
    [pod, { spec: { containers: [{ command: 'x' }] } }, 'json: cannot unmarshal string into Go struct field Container.spec.containers.command of type []string'],
    [pod, { spec: { priority: 2 ** 31 } }, 'json: cannot unmarshal number 2147483648 into Go struct field PodSpec.spec.priority of type int32'],
    [pod, { spec: { priority: 1.5 } }, 'json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.priority of type int32'],
    [core('Secret'), { data: { a: 'not base64!' } }, 'illegal base64 data at input byte 3'],
  ])('%#: names the place and type as Go does', (resource, fields, message) => {
    expect(answer(() => decodeObject({ apiVersion: 'v1', kind: resource.kind, ...fields }, resource))).toBe(
      `400 ${resource.kind} in version "v1" cannot be handled as a ${resource.kind}: ${message}`,
    )
  })

  it('refuses other kinds and unknown versions', () => {
    expect(answer(() => decodeObject({ apiVersion: 'v1', kind: 'ConfigMap' }, pod))).toBe(
      '400 ConfigMap in version "v1" cannot be handled as a Pod: converting (v1.ConfigMap) to (core.Pod): unknown conversion',
    )
    expect(answer(() => decodeObject({ apiVersion: 'v9', kind: 'Pod' }, pod))).toBe(
      '400 Pod in version "v9" cannot be handled as a Pod: no kind "Pod" is registered for version "v9" in scheme "pkg/runtime/scheme.go:111"',
    )
    expect(answer(() => decodeBody(encodeUtf8('x'), 'text/plain', pod))).toMatch(/^415 /)
  })
})

describe('unknown and duplicate fields', () => {
  const body = encodeUtf8('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","Name":"b","name":"c"},"nosuch":{"deep":1},"data":{"x":"y"}}')
  it('Strict refuses with all of them, in order of the text', () => {
    expect(answer(() => decodeBody(body, undefined, configMap, 'Strict'))).toBe(
      '400 ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "metadata.Name", duplicate field "metadata.name", unknown field "nosuch"',
    )
  })
  it('Warn tells and drops them; miscased names are not accepted', () => {
    const { object, warnings } = decodeBody(body, undefined, configMap, 'Warn')
    expect(warnings).toEqual(['unknown field "metadata.Name"', 'duplicate field "metadata.name"', 'unknown field "nosuch"'])
    expect(object).toEqual({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, data: { x: 'y' } })
  })
  it('Ignore is silent', () => {
    expect(decodeBody(body, undefined, configMap, 'Ignore').warnings).toEqual([])
  })
  it('a patched document gets the 422 of patches', () => {
    expect(answer(() => decodeValue({ apiVersion: 'v1', kind: 'ConfigMap', metadata: {}, nosuch: 1 }, configMap, 'Strict'))).toBe(
      '422  "" is invalid: patch: Invalid value: "{\\"apiVersion\\":\\"v1\\",\\"kind\\":\\"ConfigMap\\",\\"metadata\\":{},\\"nosuch\\":1}": strict decoding error: unknown field "nosuch"',
    )
  })
})

describe('normal form', () => {
  it('drops nulls and zero values, keeps those of pointers, adds what Go always writes', () => {
    const { object } = decodeObject(
      {
        kind: 'Pod',
        metadata: { name: 'a', labels: {}, annotations: null, generateName: '' },
        spec: {
          hostNetwork: false,
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: 0,
          containers: [{ name: 'c', args: [], resources: { limits: { cpu: '1000m', memory: 1024 } } }],
          nodeSelector: { a: null },
        },
      },
      pod,
    )
    expect(object).toEqual({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a' },
      spec: {
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'c', resources: { limits: { cpu: '1', memory: '1024' } } }],
        nodeSelector: { a: '' },
      },
      status: {},
    })
  })

  it('finishShape writes null where Kubernetes does', () => {
    const { object } = decodeObject({ metadata: { name: 'e' }, involvedObject: {} }, core('Event'))
    finishShape(object, schemaOf(core('Event')))
    expect(object).toEqual({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'e' },
      involvedObject: {},
      source: {},
      eventTime: null,
      firstTimestamp: null,
      lastTimestamp: null,
      reportingComponent: '',
      reportingInstance: '',
    })
  })

  it('keeps hostile keys of maps as data', () => {
    const { object } = decodeBody(encodeUtf8('{"metadata":{"labels":{"__proto__":"x","constructor":"y","toJSON":"z"}}}'), undefined, configMap)
    expect(JSON.stringify(object.metadata.labels)).toBe('{"__proto__":"x","constructor":"y","toJSON":"z"}')
    expect(answer(() => decodeBody(encodeUtf8('{"__proto__":{"a":1}}'), undefined, configMap, 'Strict'))).toContain('unknown field "__proto__"')
  })

  it('never shares with what it was given', () => {
    const given = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { labels: { a: 'b' } } }
    const { object } = decodeObject(given, configMap)
    expect(object.metadata).not.toBe(given.metadata)
    expect(object.metadata.labels).not.toBe(given.metadata.labels)
  })
})

describe('custom kinds', () => {
  it('prune unknown fields, keep what is to be preserved, int64 and null exactly', () => {
    const { object, warnings } = decodeBody(
      encodeUtf8('{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"a","odd":1},"spec":{"size":9007199254740993,"nosuch":1,"none":null,"free":{"a":{"b":null}}}}'),
      undefined,
      widget,
    )
    expect(object).toEqual({ apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'a' }, spec: { size: 9007199254740993n, none: null, free: { a: { b: null } } } })
    expect(warnings).toEqual(['unknown field "metadata.odd"', 'unknown field "spec.nosuch"'])
  })
  it('need kind and version', () => {
    expect(answer(() => decodeBody(encodeJson({ apiVersion: 'example.com/v1', metadata: { name: 'g' } }), undefined, widget))).toBe(
      '400 the object provided is unrecognized (must be of type Widget): Object \'Kind\' is missing in \'{"apiVersion":"example.com/v1","metadata":{"name":"g"}}\' ({"apiVersion":"example.com/v1" ...)',
    )
  })
})

describe('YAML bodies', () => {
  it('mean what kubectl means', () => {
    expect(answer(() => decodeBody(encodeUtf8('metadata: {name: y}\n'), 'application/yaml', configMap))).toContain(
      'json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.name of type string',
    )
    expect(decodeBody(encodeUtf8('metadata: {name: y1, labels: &l {a: b}, annotations: *l}\n---\nmetadata: {name: y2}\n'), 'application/yaml', configMap).object.metadata).toEqual({
      name: 'y1',
      labels: { a: 'b' },
      annotations: { a: 'b' },
    })
  })
  it('report keys that stand twice and text that is no YAML', () => {
    expect(
      answer(() => decodeBody(encodeUtf8('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y4}\ndata: {a: "1"}\ndata: {b: "2"}\n'), 'application/yaml', configMap, 'Strict')),
    ).toBe('400 ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: yaml: unmarshal errors:\n  line 5: key "data" already set in map')
    expect(answer(() => decodeBody(encodeUtf8('a: ['), 'application/yaml', configMap))).toBe(
      '400 the object provided is unrecognized (must be of type ConfigMap): yaml: line 1: did not find expected node content (613a205b)',
    )
  })
})
