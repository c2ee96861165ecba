/** Seeded mutations of legal objects of every kind, by create, update and all patches: refused or stored, never a 5xx, and what is stored reads back as it was answered. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { allResources } from '../../../src-main/api/resources.ts'
import type { AnyResource } from '../../../src-main/api/resource.ts'
import { sampleOf } from '../../conformance/kinds/samples.ts'
import { apiPeer, expectUnharmed, type ApiPeer, type Answer } from '../../support/api-peer.ts'
import { startControlPlane, type RunningControlPlane } from '../../support/running-control-plane.ts'

const seed = Number(process.env['QUARTERDECK_SEED'] ?? 20261123)
const cases = Number(process.env['QUARTERDECK_CASES'] ?? 2_500)
let running: RunningControlPlane
let admin: ApiPeer
let state = seed
const random = (n: number): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return (state >>> 8) % n
}
const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T

beforeAll(async () => {
  running = await startControlPlane({ runControllers: false })
  admin = apiPeer(running.controlPlane)
  await admin.ask('/api/v1/namespaces', { body: { metadata: { name: 'kinds' } } })
  await admin.ask('/api/v1/namespaces/kinds/serviceaccounts', { body: { metadata: { name: 'default' } } })
})
afterAll(async () => {
  await expectUnharmed(running)
  admin.close()
  await running.stop()
})

const kinds = allResources.filter(
  r => r.storage !== 'virtual' && (r.verbs ?? ['create']).includes('create') && !['Namespace', 'Node', 'ServiceCIDR', 'APIService'].includes(r.kind),
)
const scalars: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1,
  2 ** 31,
  2 ** 53,
  1.5,
  1e300,
  '',
  ' ',
  'x',
  '__proto__',
  '../..',
  '\u0000',
  '💥',
  '\ud800',
  '1Gi',
  '-1',
  '10%',
  '2026-01-01T00:00:00Z',
  'x'.repeat(300),
  [],
  {},
  [null],
  [[]],
  [{}],
  { a: null },
  { constructor: { prototype: 1 } },
]
const fieldNames = [
  'name',
  'namespace',
  'labels',
  'annotations',
  'finalizers',
  'ownerReferences',
  'uid',
  'resourceVersion',
  'generation',
  'managedFields',
  'creationTimestamp',
  'deletionTimestamp',
  'spec',
  'status',
  'data',
  'rules',
  'containers',
  'template',
  'selector',
  'replicas',
  'unknown',
  '__proto__',
  'constructor',
  'toJSON',
  'length',
]

type Path = string[]
function* paths(value: unknown, at: Path = []): Generator<Path> {
  if (typeof value !== 'object' || value === null) return
  for (const key of Object.keys(value)) {
    yield [...at, key]
    yield* paths((value as Record<string, unknown>)[key], [...at, key])
  }
}
function set(target: Record<string, unknown>, path: Path, change: (parent: Record<string, unknown>, key: string) => void): void {
  let parent: unknown = target
  for (const key of path.slice(0, -1)) {
    parent = (parent as Record<string, unknown>)[key]
    if (typeof parent !== 'object' || parent === null) return
  }
  change(parent as Record<string, unknown>, path.at(-1) ?? '')
}
const define = (parent: Record<string, unknown>, key: string, value: unknown): void => {
  Object.defineProperty(parent, key, { value, writable: true, enumerable: true, configurable: true })
}

function mutate(object: Record<string, unknown>): { path: Path; value: unknown } {
  const all = [...paths(object)].filter(path => path.length > 1 || !['apiVersion', 'kind', 'metadata'].includes(path[0] ?? ''))
  const path = all.length === 0 ? ['metadata', 'labels'] : pick(all)
  const value = structuredClone(pick(scalars))
  const how = random(5)
  if (how === 0)
    set(object, path, (parent, key) => {
      if (!Array.isArray(parent)) delete parent[key]
    })
  else if (how === 1)
    set(object, [...path.slice(0, -1), pick(fieldNames)], (parent, key) => {
      if (!Array.isArray(parent)) define(parent, key, value)
    })
  else if (how === 2)
    set(object, path, (parent, key) => {
      const old = parent[key]
      define(parent, key, Array.isArray(old) ? [...(old as unknown[]), ...(old as unknown[]), value] : [old, value])
    })
  else
    set(object, path, (parent, key) => {
      define(parent, key, value)
    })
  return { path, value }
}

const pathOf = (r: AnyResource): string => `${r.group === '' ? '/api' : `/apis/${r.group}`}/${r.version}${r.scope === 'Namespaced' ? '/namespaces/kinds' : ''}/${r.plural}`
const text = (value: unknown): string => JSON.stringify(value)
const clean = (body: string): unknown => {
  const object = JSON.parse(body) as { kind?: string; spec?: unknown }
  // The API server itself judges definitions as soon as they are stored, in their status and metadata.
  return object.kind === 'CustomResourceDefinition' ? object.spec : object
}

/** The answer of a write must be what a read gives. */
async function sameAsRead(path: string, answer: Answer, what: string): Promise<void> {
  const read = await admin.ask(path)
  if (read.status === 404) return
  expect([what, clean(read.text)]).toEqual([what, clean(answer.text)])
}

test(`${cases} cases from seed ${seed}`, async () => {
  const live = new Map<AnyResource, string>()
  for (const r of kinds) {
    const name = `fuzz-${r.plural}`
    const made = await admin.ask(pathOf(r), { body: sampleOf(r, name) })
    if (made.status === 201) live.set(r, (JSON.parse(made.text) as { metadata: { name: string } }).metadata.name)
  }
  expect(live.size).toBeGreaterThan(25)
  const targets = [...live]
  const tally: Record<string, number> = {}
  for (let i = 0; i < cases; i++) {
    const [r, name] = pick(targets)
    const action = pick(['create', 'update', 'merge', 'strategic', 'json', 'apply', 'status'] as const)
    const body = sampleOf(r, action === 'create' ? `fuzz-${i}` : name) as unknown as Record<string, unknown>
    let mutation = mutate(body)
    for (let more = random(3); more > 0; more--) mutation = mutate(body)
    const one = `${pathOf(r)}/${encodeURIComponent(name)}`
    const patchType = {
      merge: 'application/merge-patch+json',
      strategic: 'application/strategic-merge-patch+json',
      json: 'application/json-patch+json',
      apply: 'application/apply-patch+yaml',
    }
    const dry = random(2) === 0 ? '&dryRun=All' : ''
    const validation = pick(['Strict', 'Warn', 'Ignore'])
    const document =
      action === 'json' ? [{ op: pick(['add', 'replace', 'remove', 'test', 'copy', 'move']), path: `/${mutation.path.join('/')}`, from: '/metadata', value: mutation.value }] : body
    const answer =
      action === 'create'
        ? await admin.ask(`${pathOf(r)}?fieldValidation=${validation}${dry}`, { body })
        : action === 'update'
          ? await admin.ask(`${one}?fieldValidation=${validation}${dry}`, { method: 'PUT', body })
          : action === 'status'
            ? await admin.ask(`${one}/status?fieldValidation=${validation}${dry}`, { method: 'PUT', body })
            : await admin.ask(`${one}?fieldManager=fuzz&fieldValidation=${validation}${action === 'apply' ? '&force=true' : ''}${dry}`, {
                method: 'PATCH',
                type: patchType[action],
                body: document,
              })
    const what = `case ${i}: ${action} ${r.kind} ${validation}${dry} ${text(document).slice(0, 2_000)} → ${answer.status} ${answer.message}`
    // Kubernetes itself answers 500 for patches that do not fit the types (recorded); anything else, and any unforeseen error, is a fault.
    const isKnown =
      (action === 'apply' && answer.message.startsWith('failed to create typed patch object')) ||
      action === 'strategic' ||
      /^(strconv\.ParseUint|resourceVersion should not be set)/.test(answer.message)
    if ((answer.status >= 500 && !isKnown) || running.warnings.some(line => line.includes('"level":"error"'))) throw new Error(`${what} ${running.warnings.join('')}`)
    tally[`${action} ${answer.status}`] = (tally[`${action} ${answer.status}`] ?? 0) + 1
    if (answer.status < 300 && dry === '')
      await sameAsRead(action === 'create' ? `${pathOf(r)}/${encodeURIComponent((JSON.parse(answer.text) as { metadata: { name: string } }).metadata.name)}` : one, answer, what)
    if (answer.status < 300 && dry === '' && action !== 'create' && (await admin.ask(one)).status === 404) await admin.ask(pathOf(r), { body: sampleOf(r, name) })
  }
  // Both outcomes must be common, or the cases test nothing.
  const total = (wanted: (status: number) => boolean): number =>
    Object.entries(tally)
      .filter(([key]) => wanted(Number(key.split(' ')[1])))
      .reduce((sum, [, n]) => sum + n, 0)
  expect([total(status => status < 300) > cases / 20, total(status => status >= 400) > cases / 10]).toEqual([true, true])
  expect(Object.keys(Object.prototype)).toEqual([])
}, 110_000)
