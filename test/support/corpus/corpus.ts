/**
 * Replays recorded scenarios of a real Kubernetes API server against ours and compares the answers.
 *
 *   npm run corpus -- --dir DIRECTORY [--only REGEX] [--messages] [--show N] [--json FILE]
 *
 * DIRECTORY holds the recording: `replay.mjs` and `corpus/public/*.jsonl(.gz)`. A run of everything (no --only) writes
 * docs/corpus.md: counts by area, and every difference with the reason that reasons.ts gives for it. The exit status is
 * 1 when a difference has no reason.
 */
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { writeKeyPair } from './key-pair.ts'
import { reasonOf } from './reasons.ts'
import { corpusPage, type CaseResult, type Difference } from './page.ts'
import { startControlPlane } from '../running-control-plane.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))

interface Step {
  readonly name: string
  readonly setup?: boolean
  readonly method?: string
  readonly path?: string
  readonly response?: { readonly status: number }
}
interface Scenario {
  readonly area: string
  readonly name: string
  readonly steps: readonly Step[]
}
/** What the recording's own program exports: reading, running, masking and comparing are its alone. */
interface Replayer {
  readScenarios(directory: string): Scenario[]
  runScenario(client: unknown, scenario: Scenario, each: (step: Step, answer: unknown) => void, options: { expectStatus(step: Step): number | undefined }): Promise<void>
  compare(wanted: unknown, got: unknown): { body: Difference[]; text: Difference[] }
  readonly Client: new (options: Record<string, unknown>) => { readonly agent: { destroy(): void } }
}

interface Options {
  readonly dir: string
  readonly only?: RegExp
  readonly messages: boolean
  readonly show: number
  readonly json?: string
}

function optionsOf(args: readonly string[]): Options {
  const value = (name: string): string | undefined => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined)
  const dir = value('--dir')
  if (dir === undefined) throw new Error('usage: npm run corpus -- --dir DIRECTORY [--only REGEX] [--messages] [--show N] [--json FILE]')
  const [only, json] = [value('--only'), value('--json')]
  return {
    dir: resolve(dir),
    messages: args.includes('--messages'),
    show: Number(value('--show') ?? 40),
    ...(only === undefined ? {} : { only: new RegExp(only) }),
    ...(json === undefined ? {} : { json }),
  }
}

async function replay(replayer: Replayer, client: unknown, scenario: Scenario, results: CaseResult[]): Promise<void> {
  const done = new Set<Step>()
  const note = (step: Step, answer: unknown): void => {
    done.add(step)
    if (step.response === undefined) return
    const { body, text } = replayer.compare(step.response, answer)
    const { name, method = '', path = '', setup = false } = step
    results.push({ area: scenario.area, scenario: scenario.name, step: name, method, path, setup, body, text })
  }
  try {
    await replayer.runScenario(client, scenario, note, { expectStatus: step => step.response?.status })
  } catch (fault) {
    const body = { error: fault instanceof Error ? fault.message : String(fault) }
    for (const step of scenario.steps) if (!done.has(step) && step.response) note(step, { status: 0, contentType: '', body })
  }
}

const short = (value: unknown): string => (value === undefined ? 'absent' : JSON.stringify(value)).slice(0, 400)

function print(results: readonly CaseResult[], { messages, show }: Options): void {
  const shown = results.filter(result => result.body.length > 0 || (messages && result.text.length > 0))
  for (const result of shown.slice(0, show)) {
    console.log(`DIFFERS ${result.area}/${result.scenario}: ${result.setup ? '(set-up) ' : ''}${result.step}\n     ${result.method} ${result.path}`)
    for (const { at, want, got, message } of [...result.body, ...(messages ? result.text : [])].slice(0, 6)) {
      console.log(`     ${at}: want ${short(want)}\n${' '.repeat(5 + at.length)}   got ${short(got)}${message === undefined ? '' : ` (${message})`}`)
    }
  }
}

async function main(): Promise<void> {
  const options = optionsOf(process.argv.slice(2))
  const replayer = (await import(pathToFileURL(join(options.dir, 'replay.mjs')).href)) as Replayer
  const all = replayer.readScenarios(join(options.dir, 'corpus/public'))
  const scenarios = all.filter(scenario => options.only?.test(`${scenario.area}/${scenario.name}`) ?? true)
  // As the recorded server was set up: no controllers, these addresses.
  const running = await startControlPlane({ runControllers: false, serviceCIDR: '10.0.0.0/16', kubernetesServiceIP: '10.0.0.1', clusterDNS: '10.0.0.10' })
  const pair = await writeKeyPair(running)
  const client = new replayer.Client({ server: running.controlPlane.address, ...pair, insecure: true })
  const results: CaseResult[] = []
  const start = Date.now()
  try {
    for (const scenario of scenarios) await replay(replayer, client, scenario, results)
  } finally {
    client.agent.destroy()
    await running.stop()
  }
  print(results, options)
  const page = corpusPage(results, reasonOf)
  console.log(`${page.summary}\n${scenarios.length} scenarios in ${((Date.now() - start) / 1000).toFixed(1)} s`)
  if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(results, null, 1))
  if (options.only === undefined) writeFileSync(join(root, 'docs/corpus.md'), page.text)
  process.exitCode = page.unexplained === 0 ? 0 : 1
}

await main()
