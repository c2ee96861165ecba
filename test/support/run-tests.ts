/**
 * `npm test`: sets up what the tests need (as root on Debian: docker.io, chromium and more by apt, dockerd started;
 * elsewhere it says what is missing), runs every level but the long upstream runs, ends what it started, and prints
 * `N passed, N failed` from the real counts on the last line. Arguments go to vitest (a path or `--project fast`).
 */
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setUpMachine } from './hosts/machine-setup.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

interface Counts {
  passed: number
  failed: number
}

/** Runs one vitest process and reads its counts from its JSON report; a run that gives no report counts as one failure. */
async function vitest(name: string, args: readonly string[]): Promise<Counts> {
  const report = join(root, 'test-results', `${name}.json`)
  rmSync(report, { force: true })
  const code = await new Promise<number>(resolve => {
    const child = spawn('vitest', ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...args], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
    child.on('error', error => {
      console.error(error.message)
      resolve(1)
    })
    child.on('close', status => {
      resolve(status ?? 1)
    })
  })
  try {
    const result = JSON.parse(readFileSync(report, 'utf8')) as {
      numPassedTests: number
      numFailedTests: number
      numFailedTestSuites: number
      testResults: { status: string; assertionResults: { status: string }[] }[]
    }
    // A file that failed outside of its tests (a broken import, a failed beforeAll) counts as one failure.
    const brokenFiles = result.testResults.filter(file => file.status === 'failed' && !file.assertionResults.some(one => one.status === 'failed')).length
    const failed = result.numFailedTests + brokenFiles
    return { passed: result.numPassedTests, failed: code !== 0 && failed === 0 ? 1 : failed }
  } catch {
    return { passed: 0, failed: 1 }
  }
}

async function main(): Promise<void> {
  mkdirSync(join(root, 'test-results'), { recursive: true })
  const args = process.argv.slice(2)
  const endWhatWasStarted = await setUpMachine(message => {
    console.log(message)
  })
  const total: Counts = { passed: 0, failed: 0 }
  try {
    const runs = args.length > 0 ? [{ name: 'chosen', args }] : ['fast', 'integration', 'e2e'].map(project => ({ name: project, args: ['--project', project] }))
    for (const run of runs) {
      const counts = await vitest(run.name, run.args)
      total.passed += counts.passed
      total.failed += counts.failed
    }
  } finally {
    await endWhatWasStarted()
  }
  console.log(`${total.passed} passed, ${total.failed} failed`)
  process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0
}

await main()
