/**
 * Turns the suite's JSON reports into docs/upstream.md. Results of several runs are kept side by side in
 * docs/upstream.json (the newest result of each test wins), so that a run of one area leaves the others as they were.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './build.ts'

export type Outcome = 'passed' | 'failed'
interface Result {
  readonly outcome: Outcome
  readonly reason?: string
  readonly seconds: number
  readonly run: string
}
type Results = Record<string, Result>

interface GinkgoSpec {
  ContainerHierarchyTexts?: string[] | null
  LeafNodeText: string
  LeafNodeType: string
  State: string
  RunTime: number
  Failure?: { Message?: string; ForwardedPanic?: string }
}

const resultsFile = join(root, 'docs/upstream.json')
const pageFile = join(root, 'docs/upstream.md')

export function testNames(file = 'tests.txt'): string[] {
  return readFileSync(join(root, 'test/upstream', file), 'utf8')
    .split('\n')
    .map(l => l.trim())
    .filter(l => l !== '' && !l.startsWith('#'))
}

interface NotYet {
  readonly pattern: string
  readonly reason: string
}

/** Tests that need what does not exist yet; each pattern says what. */
const notYet = (JSON.parse(readFileSync(join(root, 'test/upstream/not-yet.json'), 'utf8')) as NotYet[]).map(entry => ({ pattern: new RegExp(entry.pattern), reason: entry.reason }))

/** Why a test is not run, if it is not. */
export function isNotYet(name: string): string | undefined {
  return notYet.find(entry => entry.pattern.test(name))?.reason
}

function readResults(): Results {
  return existsSync(resultsFile) ? (JSON.parse(readFileSync(resultsFile, 'utf8')) as Results) : {}
}

/** Tests whose newest result is a pass. */
export function passedNames(): Set<string> {
  return new Set(
    Object.entries(readResults())
      .filter(([, result]) => result.outcome === 'passed')
      .map(([name]) => name),
  )
}

/** Outcomes of the specs that ran; skipped and not selected ones are left out. */
export function readReport(file: string, run: string): Results {
  const suites = JSON.parse(readFileSync(file, 'utf8')) as { SpecReports?: GinkgoSpec[] | null }[]
  const results: Results = {}
  for (const spec of suites.flatMap(s => s.SpecReports ?? [])) {
    if (spec.LeafNodeType !== 'It' || spec.State === 'skipped' || spec.State === 'pending') continue
    const name = [...(spec.ContainerHierarchyTexts ?? []), spec.LeafNodeText].join(' ')
    const passed = spec.State === 'passed'
    results[name] = { outcome: passed ? 'passed' : 'failed', seconds: Math.round(spec.RunTime / 1e8) / 10, run, ...(passed ? {} : { reason: reasonOf(spec) }) }
  }
  return results
}

function reasonOf(spec: GinkgoSpec): string {
  const text = spec.Failure?.ForwardedPanic || spec.Failure?.Message || spec.State
  return text
    .replace(/\s+/g, ' ')
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '<uid>')
    .slice(0, 240)
}

export function merge(fresh: Results): Results {
  const all = { ...readResults(), ...fresh }
  const known = new Set(testNames())
  const kept = Object.fromEntries(
    Object.entries(all)
      .filter(([name]) => known.has(name) && !isNotYet(name))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
  writeFileSync(resultsFile, JSON.stringify(kept, null, 1) + '\n')
  return kept
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
}

export function writePage(results: Results): void {
  const areas = new Map<string, { passed: number; failed: number; notYet: number; rows: string[] }>()
  for (const name of testNames()) {
    const area = /^\[[^\]]+\]/.exec(name)?.[0] ?? '[other]'
    const entry = areas.get(area) ?? { passed: 0, failed: 0, notYet: 0, rows: [] }
    areas.set(area, entry)
    const result = results[name]
    if (!result) entry.notYet++
    else if (result.outcome === 'passed') entry.passed++
    else entry.failed++
    entry.rows.push(`| ${cell(name.slice(area.length + 1))} | ${result?.outcome ?? 'not yet'} | ${cell(result?.reason ?? (result ? '' : (isNotYet(name) ?? 'not run yet')))} |`)
  }
  const total = [...areas.values()].reduce((sum, a) => ({ passed: sum.passed + a.passed, failed: sum.failed + a.failed, notYet: sum.notYet + a.notYet }), {
    passed: 0,
    failed: 0,
    notYet: 0,
  })
  const lines = [
    '# Upstream end-to-end tests (Kubernetes v1.37.2)',
    '',
    'Written by `npm run upstream` from real runs; not edited by hand. A test counts with the result of its newest run.',
    '',
    '| area | passed | failed | not yet |',
    '| --- | ---: | ---: | ---: |',
    ...[...areas].map(([area, a]) => `| ${area} | ${a.passed} | ${a.failed} | ${a.notYet} |`),
    `| **all** | **${total.passed}** | **${total.failed}** | **${total.notYet}** |`,
    '',
    ...[...areas].flatMap(([area, a]) => [`## ${area}`, '', '| test | result | reason |', '| --- | --- | --- |', ...a.rows, '']),
  ]
  writeFileSync(pageFile, lines.join('\n'))
  console.log(`upstream: ${total.passed} passed, ${total.failed} failed, ${total.notYet} not yet`)
}
