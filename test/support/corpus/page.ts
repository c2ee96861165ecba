/** The results of a replay as a page of text. Pure. */

export interface Difference {
  readonly at: string
  readonly want?: unknown
  readonly got?: unknown
  readonly message?: string
}
export interface CaseResult {
  readonly area: string
  readonly scenario: string
  readonly step: string
  readonly method: string
  readonly path: string
  /** Preparation: not counted as a case. */
  readonly setup: boolean
  /** Differences in status, causes and objects. */
  readonly body: readonly Difference[]
  /** Differences in the texts of messages alone. */
  readonly text: readonly Difference[]
}

interface Count {
  cases: number
  equal: number
  messages: number
}

export interface CorpusPage {
  readonly text: string
  readonly summary: string
  /** Cases that differ without a reason, in whatever. */
  readonly unexplained: number
}

const percent = (part: number, whole: number): string => (whole === 0 ? '–' : `${((100 * part) / whole).toFixed(2)} %`)

function counted(results: readonly CaseResult[]): { areas: Map<string, Count>; total: Count } {
  const areas = new Map<string, Count>()
  const total: Count = { cases: 0, equal: 0, messages: 0 }
  for (const { area, body, text } of results) {
    const count = areas.get(area) ?? { cases: 0, equal: 0, messages: 0 }
    areas.set(area, count)
    for (const one of [count, total]) {
      one.cases++
      if (body.length === 0) one.equal++
      if (text.length === 0) one.messages++
    }
  }
  return { areas, total }
}

const row = (name: string, count: Count): string =>
  `| ${name} | ${count.cases} | ${count.equal} | ${percent(count.equal, count.cases)} | ${count.messages} | ${percent(count.messages, count.cases)} |`

const cell = (value: unknown): string => {
  const text = (value === undefined ? 'absent' : JSON.stringify(value)).replaceAll('|', '\\|').replaceAll('`', "'")
  return text.length > 120 ? `${text.slice(0, 117)}…` : text
}

/** `reasonOf` gives the reason for a difference that is meant to stay. */
export function corpusPage(all: readonly CaseResult[], reasonOf: (result: CaseResult) => string | undefined): CorpusPage {
  const results = all.filter(result => !result.setup)
  const { areas, total } = counted(results)
  const differing = results.filter(result => result.body.length > 0 || result.text.length > 0)
  const byReason = new Map<string, CaseResult[]>()
  for (const result of differing) {
    const reason = reasonOf(result) ?? ''
    byReason.set(reason, [...(byReason.get(reason) ?? []), result])
  }
  const table = [
    '| area | cases | equal | | messages equal | |',
    '| --- | ---: | ---: | ---: | ---: | ---: |',
    ...[...areas].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => row(name, count)),
    row('**all**', total),
  ]
  const sections = [...byReason]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([reason, cases]) => [
      `## ${reason === '' ? 'Faults of ours, not mended yet' : reason}`,
      '',
      ...cases.map(one => {
        const [first] = [...one.body, ...one.text]
        return `- ${one.area}/${one.scenario}: ${one.step}${first === undefined ? '' : ` (\`${first.at}\`: theirs \`${cell(first.want)}\`, ours \`${cell(first.got)}\`)`}`
      }),
      '',
    ])
  const setup = all.filter(result => result.setup && result.body.length > 0).length
  const summary = `${total.equal} of ${total.cases} cases equal (${percent(total.equal, total.cases)}); messages: ${total.messages} (${percent(total.messages, total.cases)}); set-up steps that differ: ${setup}`
  const head = [
    '# Answers compared with a real Kubernetes API server',
    '',
    'Written by `npm run corpus`, which replays recorded scenarios of kube-apiserver v1.37.2 against a fresh server of ours. "Equal" counts status, content type, causes and objects; texts of messages are counted apart.',
    '',
    `${summary}.`,
    '',
  ]
  return { text: [...head, ...table, '', ...sections].join('\n'), summary, unexplained: byReason.get('')?.length ?? 0 }
}
