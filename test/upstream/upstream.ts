/**
 * `npm run upstream -- [--focus REGEX] [--api-only] [--hosts N] [--kubeconfig F] [--procs N] [--timeout 2h] [--name N] [--keep]`
 *
 * Builds the upstream suite, starts practice hosts with a cluster on them (or takes the cluster of --kubeconfig), puts the
 * suite's images on the nodes, runs the tests of tests.txt whose names match in N processes (serial ones last, alone), and
 * writes docs/upstream.md from the result. Tests of not-yet.json are left out: they need kinds that do not exist.
 * `--failed` takes only those whose newest result is not a pass; `--no-images` trusts that the nodes have the images;
 * `--report` only writes the page again. The suite's output goes to test-results/upstream/NAME/output.txt.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, openSync, rmSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { clientProgram } from '../support/clients.ts'
import { buildSuite, ginkgo, root, suite } from './build.ts'
import { isNotYet, merge, passedNames, readReport, testNames, writePage } from './report.ts'
import { pushSuiteImages } from './images.ts'

interface Options {
  focus: RegExp
  apiOnly: boolean
  hosts: number
  kubeconfig: string | undefined
  timeout: string
  keep: boolean
  procs: number
  failed: boolean
  images: boolean
  name: string
}

function readOptions(): Options {
  const { values } = parseArgs({
    allowNegative: true,
    options: {
      focus: { type: 'string', default: '.' },
      'api-only': { type: 'boolean', default: false },
      hosts: { type: 'string', default: '2' },
      procs: { type: 'string', default: '4' },
      kubeconfig: { type: 'string' },
      timeout: { type: 'string', default: '3h' },
      keep: { type: 'boolean', default: false },
      report: { type: 'boolean', default: false },
      failed: { type: 'boolean', default: false },
      images: { type: 'boolean', default: true },
      name: { type: 'string', default: 'run' },
    },
  })
  if (values.report) {
    writePage(merge({}))
    process.exit(0)
  }
  return {
    focus: new RegExp(values.focus),
    apiOnly: values['api-only'],
    hosts: Number(values.hosts),
    kubeconfig: values.kubeconfig,
    timeout: values.timeout,
    keep: values.keep,
    procs: Number(values.procs),
    failed: values.failed,
    images: values.images,
    name: values.name,
  }
}

function run(program: string, args: readonly string[], capture = false): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', capture ? 'pipe' : 'inherit', 'inherit'] })
    const chunks: Buffer[] = []
    child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.on('error', reject)
    child.on('close', code => {
      resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString() })
    })
  })
}

async function practiceUp(hosts: number): Promise<string> {
  const { code, output } = await run('node', ['src-main/server/practice.ts', 'up', '--hosts', String(hosts)], true)
  const line = output.trim().split('\n').at(-1) ?? ''
  if (code !== 0) throw new Error(`the practice cluster did not come up: ${line}`)
  return (JSON.parse(line) as { kubeconfig: string }).kubeconfig
}

function escapeRegex(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

/** The suite calls kubectl by name. */
function environment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: [dirname(clientProgram('kubectl')), process.env['PATH'] ?? ''].join(delimiter) }
}

async function runSuite(names: readonly string[], kubeconfig: string, options: Options): Promise<string> {
  const results = join(root, 'test-results/upstream', options.name)
  rmSync(results, { recursive: true, force: true })
  mkdirSync(results, { recursive: true })
  const log = openSync(join(results, 'output.txt'), 'w')
  const child = spawn(
    ginkgo,
    [
      'run',
      `--procs=${options.procs}`,
      `--focus=(${names.map(escapeRegex).join('|')})$`,
      `--timeout=${options.timeout}`,
      '--no-color',
      '--silence-skips',
      '--json-report=report.json',
      `--output-dir=${results}`,
      suite,
      '--',
      `--kubeconfig=${kubeconfig}`,
      '--provider=skeleton',
      '--kube-api-content-type=application/vnd.kubernetes.protobuf',
      '--disable-log-dump',
      '--allowed-not-ready-nodes=0',
      `--report-dir=${results}`,
    ],
    { cwd: results, stdio: ['ignore', log, log], env: environment() },
  )
  await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  const report = join(results, 'report.json')
  if (!existsSync(report)) throw new Error(`the suite wrote no report; its output is ${join(results, 'output.txt')}`)
  return report
}

async function main(): Promise<void> {
  const options = readOptions()
  const passed = options.failed ? passedNames() : new Set<string>()
  const names = testNames(options.apiOnly ? 'api-only.txt' : 'tests.txt').filter(name => options.focus.test(name) && !isNotYet(name) && !passed.has(name))
  if (names.length === 0) throw new Error('no test of tests.txt matches')
  buildSuite()
  const kubeconfig = options.kubeconfig ?? (await practiceUp(options.hosts))
  try {
    if (!options.apiOnly && options.images) await pushSuiteImages(suite)
    const report = await runSuite(names, kubeconfig, options)
    writePage(merge(readReport(report, new Date().toISOString().slice(0, 10))))
  } finally {
    if (!options.kubeconfig && !options.keep) await run('node', ['src-main/server/practice.ts', 'down'])
  }
}

await main()
