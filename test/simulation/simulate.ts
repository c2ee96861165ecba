/** `npm run simulate -- --seed N [--count M] [--minutes T] [--store memory|embedded] [--verbose]` */
import { parseArgs } from 'node:util'
import { simulate } from './simulation.ts'
import type { Outcome } from './simulation.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '5' },
    store: { type: 'string' },
    lines: { type: 'string', default: '40' },
    verbose: { type: 'boolean', default: false },
  },
})

function report(outcome: Outcome, tookMs: number): void {
  const counts = Object.entries(outcome.counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ')
  process.stdout.write(
    `seed ${outcome.seed} ${outcome.store}: ${outcome.violation ? 'VIOLATED' : 'ok'}, ${Math.round(outcome.virtualMs / 1000)} virtual s in ${(tookMs / 1000).toFixed(1)} s, ${counts}, ${outcome.digest.slice(0, 16)}\n`,
  )
  if (!outcome.violation) return
  process.stdout.write(
    `${outcome.lastLines
      .slice(-Number(values.lines))
      .map(line => `  ${line}`)
      .join('\n')}\nseed ${outcome.seed} violates ${outcome.violation.message}\n`,
  )
}

let failed = 0
const first = Number(values.seed)
for (let seed = first; seed < first + Number(values.count); seed++) {
  const began = Date.now()
  const store = values.store === 'memory' || values.store === 'embedded' ? values.store : undefined
  const outcome = await simulate({
    seed,
    minutes: Number(values.minutes),
    ...(store ? { store } : {}),
    ...(values.verbose ? { echo: (line: string) => process.stdout.write(`${line}\n`) } : {}),
  })
  report(outcome, Date.now() - began)
  if (outcome.violation) failed++
}
process.stdout.write(`${Number(values.count) - failed} of ${values.count} seeds hold all invariants\n`)
process.exit(failed > 0 ? 1 : 0)
