/**
 * `npm run upstream -- --focus REGEX [--api-only] [--hosts N] [--kubeconfig F] [--procs N] [--timeout 2h]`
 *
 * Builds the upstream suite, starts practice hosts with a cluster on them (or takes the cluster of --kubeconfig), puts the
 * suite's images on the nodes, runs the tests of tests.txt whose names match, and writes docs/upstream.md from the result.
 * `--report` only writes the page again.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildSuite, root, suite } from './build.ts'
import { merge, readReport, testNames, writePage } from './report.ts'
import { pushSuiteImages } from './images.ts'

interface Options { focus: RegExp; apiOnly: boolean; hosts: number; kubeconfig: string | undefined; timeout: string; keep: boolean }

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      focus: { type: 'string', default: '.' }, 'api-only': { type: 'boolean', default: false }, hosts: { type: 'string', default: '2' },
      kubeconfig: { type: 'string' }, timeout: { type: 'string', default: '3h' }, keep: { type: 'boolean', default: false }, report: { type: 'boolean', default: false },
    },
  })
  if (values.report) {
    writePage(merge({}))
    process.exit(0)
  }
  return { focus: new RegExp(values.focus), apiOnly: values['api-only'], hosts: Number(values.hosts), kubeconfig: values.kubeconfig, timeout: values.timeout, keep: values.keep }
}

function run(program: string, args: readonly string[], capture = false): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', capture ? 'pipe' : 'inherit', 'inherit'] })
    const chunks: Buffer[] = []
    child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.on('error', reject)
    child.on('close', code => { resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString() }) })
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

async function runSuite(names: readonly string[], kubeconfig: string, timeout: string): Promise<string> {
  const results = join(root, 'test-results/upstream')
  mkdirSync(results, { recursive: true })
  const report = join(results, 'report.json')
  rmSync(report, { force: true })
  await run(suite, [
    `--kubeconfig=${kubeconfig}`, '--provider=skeleton', '--kube-api-content-type=application/json', '--disable-log-dump', '--allowed-not-ready-nodes=0',
    `--ginkgo.focus=(${names.map(escapeRegex).join('|')})$`, `--ginkgo.timeout=${timeout}`, '--ginkgo.no-color', '--ginkgo.silence-skips', `--ginkgo.json-report=${report}`,
    `--report-dir=${results}`,
  ])
  if (!existsSync(report)) throw new Error('the suite wrote no report')
  return report
}

async function main(): Promise<void> {
  const options = readOptions()
  const names = testNames(options.apiOnly ? 'api-only.txt' : 'tests.txt').filter(name => options.focus.test(name))
  if (names.length === 0) throw new Error('no test of tests.txt matches --focus')
  buildSuite()
  const kubeconfig = options.kubeconfig ?? (await practiceUp(options.hosts))
  try {
    if (!options.apiOnly) await pushSuiteImages(suite)
    const report = await runSuite(names, kubeconfig, options.timeout)
    writePage(merge(readReport(report, new Date().toISOString().slice(0, 10))))
  } finally {
    if (!options.kubeconfig && !options.keep) await run('node', ['src-main/server/practice.ts', 'down'])
  }
}

await main()
