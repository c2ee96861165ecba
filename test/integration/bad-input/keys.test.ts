/** Words that mean something to JavaScript are words like any other: as fields, keys, labels, paths, parameters and headers. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apiPeer, expectUnharmed, type ApiPeer } from '../../support/api-peer.ts'
import { startControlPlane, type RunningControlPlane } from '../../support/running-control-plane.ts'

let running: RunningControlPlane
let admin: ApiPeer
const configMaps = '/api/v1/namespaces/default/configmaps'
const words = ['__proto__', 'constructor', 'prototype', 'toJSON', 'length', 'toString', 'valueOf', 'hasOwnProperty', '__defineGetter__', 'then', 'isPrototypeOf']
const asJson = (word: string, value: string): string => `{${JSON.stringify(word)}:${JSON.stringify(value)}}`
beforeAll(async () => {
  running = await startControlPlane({ runControllers: false })
  admin = apiPeer(running.controlPlane)
})
afterAll(async () => {
  await expectUnharmed(running)
  admin.close()
  await running.stop()
})

const nameOf = (word: string): string => `k-${word.replaceAll('_', '').toLowerCase()}`
const own = (text: string, ...path: string[]): unknown =>
  path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined),
    JSON.parse(text),
  )

describe.each(words)('%s', word => {
  const name = nameOf(word)
  const isLegalLabel = !word.startsWith('_')
  test('is a key of data and comes back', async () => {
    const made = await admin.ask(configMaps, { body: `{"metadata":{"name":"${name}"},"data":${asJson(word, 'v')}}` })
    expect([made.status, own(made.text, 'data', word)]).toEqual([201, 'v'])
    const listed = await admin.ask(`${configMaps}?fieldSelector=metadata.name=${name}`)
    expect(listed.text).toContain(asJson(word, 'v'))
    expect((await admin.ask(`${configMaps}/${name}`, { headers: { accept: 'application/yaml' } })).text).toContain(`${word}: v`)
  })
  test('is a label and an annotation where its letters allow', async () => {
    for (const place of ['labels', 'annotations']) {
      const answer = await admin.ask(`${configMaps}?dryRun=All`, { body: `{"metadata":{"name":"l-${name}","${place}":${asJson(word, 'v')}}}` })
      expect(answer.status).toBe(isLegalLabel ? 201 : 422)
      if (isLegalLabel) expect(own(answer.text, 'metadata', place, word)).toBe('v')
    }
    expect((await admin.ask(`${configMaps}?labelSelector=${word}`)).status).toBe(isLegalLabel ? 200 : 400)
    expect(own((await admin.ask(`${configMaps}?labelSelector=${isLegalLabel ? word : 'none'}`)).text, 'items')).toEqual([])
    expect((await admin.ask(`${configMaps}?fieldSelector=${word}=x`)).status).toBe(400)
  })
  test('is patched as a key by each kind of patch', async () => {
    const patch = (type: string, body: string): ReturnType<ApiPeer['ask']> =>
      admin.ask(`${configMaps}/${name}?fieldManager=m&force=${type.includes('apply') ? 'true' : ''}`.replace(/&force=$/, ''), { method: 'PATCH', type, body })
    for (const [type, body, value] of [
      ['application/merge-patch+json', `{"data":${asJson(word, 'merged')}}`, 'merged'],
      ['application/strategic-merge-patch+json', `{"data":${asJson(word, 'strategic')}}`, 'strategic'],
      ['application/json-patch+json', `[{"op":"replace","path":"/data/${word}","value":"replaced"}]`, 'replaced'],
      ['application/apply-patch+yaml', `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"${name}"},"data":${asJson(word, 'applied')}}`, 'applied'],
    ] as const) {
      const answer = await patch(type, body)
      expect([type, answer.status, own(answer.text, 'data', word)]).toEqual([type, 200, value])
    }
  })
  test('in a path of a JSON patch reaches nothing inherited', async () => {
    for (const path of [`/${word}`, `/${word}/polluted`, `/data/${word}/polluted`, `/metadata/${word}/polluted`, `/constructor/prototype/polluted`]) {
      for (const op of ['add', 'replace', 'remove', 'test', 'copy', 'move']) {
        const answer = await admin.ask(`${configMaps}/${name}?dryRun=All`, {
          method: 'PATCH',
          type: 'application/json-patch+json',
          body: [{ op, path, from: `/${word}`, value: 'x' }],
        })
        expect([200, 400, 422]).toContain(answer.status)
      }
    }
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })
  test('is an unknown field anywhere else', async () => {
    for (const body of [`{"metadata":{"name":"f-${name}"},"${word}":{"polluted":1}}`, `{"metadata":{"name":"f-${name}","${word}":{"polluted":1}}}`]) {
      expect((await admin.ask(`${configMaps}?fieldValidation=Strict`, { body })).status).toBe(400)
      const kept = await admin.ask(`${configMaps}?fieldValidation=Ignore&dryRun=All`, { body })
      expect([kept.status, kept.text.includes('polluted')]).toEqual([201, false])
    }
    const pod = await admin.ask('/api/v1/namespaces/default/pods?dryRun=All', {
      body: `{"metadata":{"name":"p"},"spec":{"${word}":{"a":1},"nodeSelector":${asJson(word, 'v')},"containers":[{"name":"c","image":"i","${word}":[],"resources":{"limits":${asJson(word, '1')}}}]}}`,
    })
    expect([201, 400, 403, 422]).toContain(pod.status)
  })
  test('as resource, name, namespace, group, subresource, method, parameter and header', async () => {
    for (const path of [
      `/api/v1/${word}`,
      `/api/${word}`,
      `/apis/${word}`,
      `/apis/${word}/v1/pods`,
      `/apis/apps/${word}/deployments`,
      `/api/v1/namespaces/default/${word}`,
      `${configMaps}/${word}`,
      `${configMaps}/${name}/${word}`,
      `/api/v1/namespaces/${word}`,
      `/openapi/v3/${word}`,
      `/openapi/v3/apis/${word}`,
      `/healthz/${word}`,
      `/${word}`,
    ]) {
      expect([path, (await admin.ask(path)).status]).toEqual([path, 404])
    }
    expect((await admin.ask(`${configMaps}?${word}=1&${word}[a]=2&limit=1`)).status).toBe(200)
    expect((await admin.ask(configMaps, { headers: { [word]: 'x', accept: `application/json;${word}=1` } })).status).toBe(200)
    expect((await admin.ask(configMaps, { headers: { accept: `application/json;as=${word};g=meta.k8s.io;v=v1` } })).status).toBe(406)
    expect((await admin.ask(configMaps, { headers: { 'impersonate-user': word, 'impersonate-group': word, [`impersonate-extra-${word}`]: word } })).status).toBe(403)
  })
  test('as a kind, an owner, a scope or an enumeration', async () => {
    expect((await admin.ask(configMaps, { body: `{"apiVersion":"${word}","kind":"${word}","metadata":{"name":"x"}}` })).status).toBe(400)
    const review = await admin.ask('/apis/authorization.k8s.io/v1/subjectaccessreviews', {
      body: {
        spec: { user: word, groups: [word], extra: { a: [word] }, resourceAttributes: { group: word, resource: word, verb: word, subresource: word, name: word, namespace: word } },
      },
    })
    expect([review.status, own(review.text, 'status', 'allowed')]).toEqual([201, false])
    const quota = await admin.ask('/api/v1/namespaces/default/resourcequotas?dryRun=All', {
      body: `{"metadata":{"name":"q"},"spec":{"hard":${asJson(word, '1')},"scopes":["${word}"]}}`,
    })
    expect(quota.status).toBe(422)
    const binding = await admin.ask('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings?dryRun=All', {
      body: { metadata: { name: 'b' }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: word, name: word }, subjects: [{ kind: word, name: word }] },
    })
    expect(binding.status).toBe(422)
    const token = await admin.ask('/api/v1/namespaces/default/serviceaccounts/default/token', {
      body: { spec: { audiences: [word], boundObjectRef: { apiVersion: 'v1', kind: word, name: word } } },
    })
    expect([404, 422]).toContain(token.status)
  })
})
