/**
 * Asks a real kube-apiserver and ours the same and prints where they differ: every field of an object of every kind is
 * left out, emptied, and given values that do not fit, one at a time, as a dry run. Needs Go once, to build the real one.
 *
 *   npm run corpus:differential -- --dir DIRECTORY [--kinds REGEX] [--show N] [--json FILE] [--messages]
 *
 * DIRECTORY is that of corpus.ts: its objects are where the changes begin.
 */
import { writeFileSync } from 'node:fs'
import { request as httpsRequest, Agent } from 'node:https'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { resourcePath, type AnyResource } from '../../../src-main/api/resource.ts'
import { allResources } from '../../../src-main/api/resources.ts'
import { buildKubernetes, startKubernetes } from '../bench/servers/kubernetes.ts'
import { startControlPlane } from '../running-control-plane.ts'
import { mutationsOf, type Json } from './mutations.ts'

interface Target {
  readonly server: string
  readonly ca: Buffer
  readonly cert: Buffer
  readonly key: Buffer
}
interface Answer {
  readonly status: number
  readonly contentType: string
  readonly warningHeaders: string[]
  readonly body: unknown
}
interface Difference {
  readonly at: string
  readonly want?: unknown
  readonly got?: unknown
}
interface Replayer {
  readScenarios(directory: string): { area: string; name: string; steps: { method: string; path: string; body?: Json; response?: { status: number } }[] }[]
  compare(wanted: unknown, got: unknown): { body: Difference[]; text: Difference[] }
  norm(value: unknown, context: object): unknown
}

const namespace = 'differential'

function ask(target: Target, agent: Agent, method: string, path: string, body: Json | undefined, contentType: string): Promise<Answer> {
  const url = new URL(path, target.server)
  return new Promise((done, fail) => {
    const headers = { accept: 'application/json', 'user-agent': 'differential/1.0', ...(body === undefined ? {} : { 'content-type': contentType }) }
    const asked = httpsRequest(url, { method, agent, headers, ca: target.ca, cert: target.cert, key: target.key, rejectUnauthorized: false }, response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        const warnings = response.headers['warning']
        done({
          status: response.statusCode ?? 0,
          contentType: response.headers['content-type'] ?? '',
          warningHeaders: warnings === undefined ? [] : [warnings],
          body: text === '' ? null : (JSON.parse(text) as unknown),
        })
      })
    })
    asked.on('error', fail)
    asked.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

/** The richest object of each kind that the corpus creates: most text, answered with 201. */
function objectsOf(replayer: Replayer, dir: string): Map<AnyResource, Json[]> {
  const found = new Map<AnyResource, Json[]>()
  for (const { steps } of replayer.readScenarios(join(dir, 'corpus/public'))) {
    for (const { method, path, body, response } of steps) {
      if (method !== 'POST' || response?.status !== 201 || body === null || typeof body !== 'object' || Array.isArray(body)) continue
      if (JSON.stringify(body).includes('${')) continue
      const plural = path.split('?')[0]?.split('/').at(-1)
      const r = allResources.find(
        one => one.plural === plural && one.kind === body['kind'] && body['apiVersion'] === (one.group === '' ? one.version : `${one.group}/${one.version}`),
      )
      if (r === undefined || r.storage === 'virtual') continue
      found.set(r, [...(found.get(r) ?? []), body])
    }
  }
  return new Map([...found].map(([r, list]) => [r, list.sort((a, b) => JSON.stringify(b).length - JSON.stringify(a).length).slice(0, 2)]))
}

/** Of a Status. */
const messageOf = (answer: { body: unknown } | undefined): string => String((answer?.body as { message?: unknown } | null | undefined)?.message ?? '')

async function main(): Promise<void> {
  const args = process.argv.slice(2)
  const value = (name: string): string | undefined => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined)
  const dir = resolve(value('--dir') ?? '.')
  const kinds = new RegExp(value('--kinds') ?? '')
  const show = Number(value('--show') ?? 60)
  const replayer = (await import(pathToFileURL(join(dir, 'replay.mjs')).href)) as Replayer
  if (!buildKubernetes()) throw new Error('there is no Go to build kube-apiserver with')
  const theirs = await startKubernetes()
  const running = await startControlPlane({ runControllers: false, serviceCIDR: '10.0.0.0/16', kubernetesServiceIP: '10.0.0.1', clusterDNS: '10.0.0.10' })
  const { admin, authority } = running.controlPlane.keys
  const ours: Target = { server: running.controlPlane.address, ca: Buffer.from(authority.certificate), cert: Buffer.from(admin.certificate), key: Buffer.from(admin.privateKey) }
  const agents = [new Agent({ keepAlive: true }), new Agent({ keepAlive: true })] as const
  const both = (method: string, path: string, body?: Json, type = 'application/json'): Promise<[Answer, Answer]> =>
    Promise.all([ask(theirs.credentials, agents[0], method, path, body, type), ask(ours, agents[1], method, path, body, type)])
  const results: { kind: string; change: string; body: Difference[]; text: Difference[]; theirs: string; ours: string }[] = []
  let asked = 0
  try {
    await both('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
    await both('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: 'default' } })
    for (const [r, objects] of objectsOf(replayer, dir)) {
      const kind = `${r.group}/${r.version}/${r.plural}`
      if (!kinds.test(kind)) continue
      const path = `${resourcePath(r, r.scope === 'Namespaced' ? namespace : undefined)}?dryRun=All`
      for (const object of objects) {
        const { metadata, ...rest } = object as Record<string, Json> & { metadata: Record<string, Json> }
        const { namespace: _namespace, ...kept } = metadata
        for (const { title, value: changed } of mutationsOf({ ...rest, metadata: kept }, r)) {
          const [wanted, got] = (await both('POST', path, changed)).map(answer => ({ ...answer, body: replayer.norm(answer.body, { names: [], managedFields: false }) }))
          asked++
          const { body, text } = replayer.compare(wanted, got)
          if (body.length > 0 || text.length > 0) results.push({ kind, change: title, body, text, theirs: messageOf(wanted), ours: messageOf(got) })
        }
      }
    }
  } finally {
    for (const agent of agents) agent.destroy()
    await running.stop()
    await theirs.stop()
  }
  const differing = results.filter(one => one.body.length > 0)
  const json = value('--json')
  if (json !== undefined) writeFileSync(json, JSON.stringify(results, null, 1))
  for (const { kind, change, body, theirs: wanted, ours: got } of differing.slice(0, show))
    console.log(
      `${kind} ${change}\n    ${body.map(one => `${one.at}: theirs ${JSON.stringify(one.want)}, ours ${JSON.stringify(one.got)}`.slice(0, 240)).join('\n    ')}${wanted === got ? '' : `\n    theirs: ${wanted}\n    ours:   ${got}`}`,
    )
  console.log(`${asked} asked; ${differing.length} differ in status, causes or objects, ${results.filter(one => one.text.length > 0).length} in texts`)
  process.exitCode = differing.length === 0 ? 0 : 1
}

await main()
