/**
 * `npm run check`: types of every environment, lint, format, generated facts and the project's rules, each as its own
 * process, two at a time. Ends non-zero when any fails and prints the output of those that failed.
 */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'

interface Check {
  readonly name: string
  readonly command: readonly string[]
}

const checks: readonly Check[] = [
  { name: 'types of the main process and the tests', command: ['tsc', '-p', 'tsconfig.main.json'] },
  { name: 'types of the window', command: ['vue-tsc', '-p', 'tsconfig.renderer.json'] },
  { name: 'types of the contract, without Node and browser', command: ['tsc', '-p', 'tsconfig.api.json'] },
  { name: 'lint', command: ['oxlint', '--deny-warnings', 'src-main', 'src-renderer', 'test'] },
  { name: 'format', command: ['prettier', '--check', '--log-level', 'warn', 'src-main', 'src-renderer', 'test', '*.{ts,json}'] },
  { name: 'schema facts', command: ['node', 'test/support/schema/schema.ts', 'check'] },
  { name: 'field numbers', command: ['node', 'test/support/schema/protobuf.ts', 'check'] },
  { name: 'rules', command: ['vitest', 'run', '--project', 'fast', 'test/rules'] },
]

interface Outcome {
  readonly check: Check
  readonly code: number
  readonly output: string
  readonly seconds: number
}

function run(check: Check): Promise<Outcome> {
  const [program = '', ...rest] = check.command
  const began = performance.now()
  return new Promise(resolve => {
    const chunks: Buffer[] = []
    const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk))
    const end = (code: number, extra = ''): void => {
      resolve({ check, code, output: Buffer.concat(chunks).toString() + extra, seconds: (performance.now() - began) / 1000 })
    }
    child.on('error', error => end(1, error.message))
    child.on('close', code => end(code ?? 1))
  })
}

async function main(): Promise<void> {
  const waiting = [...checks]
  let failed = 0
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const outcome = await run(next)
      console.log(`${outcome.code === 0 ? 'ok    ' : 'FAILED'} ${outcome.check.name} (${outcome.seconds.toFixed(1)} s)`)
      if (outcome.code !== 0) {
        failed++
        console.log(outcome.output)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker))
  if (failed > 0) process.exitCode = 1
}

await main()
