/** /metrics and /metrics/slis in Prometheus' text form: from parts that collect samples, and parts that print lines themselves. */
import type { NonResourceHandler } from '../contracts.ts'
import { textResponse } from '../respond.ts'
import { runCheck } from './health.ts'
import type { HealthCheck } from './health.ts'
import { printLabels } from './metric-text.ts'

export interface Metric {
  readonly name: string
  readonly help: string
  readonly type: 'gauge' | 'counter'
  readonly samples: readonly { readonly labels?: Readonly<Record<string, string>>; readonly value: number }[]
}

const contentType = 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores'

/** Lines of metrics; those without samples are left out. */
export function printMetrics(metrics: readonly Metric[]): string[] {
  return metrics.flatMap(metric =>
    metric.samples.length === 0
      ? []
      : [
          `# HELP ${metric.name} ${metric.help}`,
          `# TYPE ${metric.name} ${metric.type}`,
          ...metric.samples.map(sample => `${metric.name}${printLabels(sample.labels)} ${sample.value}`),
        ],
  )
}

/** `lines` are made when somebody asks. */
export function metricsHandler(lines: () => readonly string[] | Promise<readonly string[]>, checks: readonly HealthCheck[]): NonResourceHandler {
  const outcomes = new Map<string, number>()
  return async ({ info }) => {
    if (info.path === '/metrics') return textResponse(`${(await lines()).join('\n')}\n`, { contentType })
    if (info.path !== '/metrics/slis') return undefined
    return textResponse(`${printMetrics(await checkMetrics(checks, outcomes)).join('\n')}\n`, { contentType })
  }
}

/** State of the health checks now, and how often each state was seen here. */
async function checkMetrics(checks: readonly HealthCheck[], outcomes: Map<string, number>): Promise<Metric[]> {
  const samples: { labels: Record<string, string>; value: number }[] = []
  for (const check of checks) {
    const isWell = (await runCheck(check)) === undefined
    for (const type of check.on ?? (['healthz', 'livez', 'readyz'] as const)) {
      samples.push({ labels: { name: check.name, type }, value: isWell ? 1 : 0 })
      const key = `${check.name}\n${type}\n${isWell ? 'success' : 'error'}`
      outcomes.set(key, (outcomes.get(key) ?? 0) + 1)
    }
  }
  const totals = [...outcomes].map(([key, value]) => {
    const [name = '', type = '', status = ''] = key.split('\n')
    return { labels: { name, status, type }, value }
  })
  return [
    { name: 'kubernetes_healthcheck', help: 'Whether a health check is well.', type: 'gauge', samples },
    { name: 'kubernetes_healthchecks_total', help: 'Outcomes of health checks.', type: 'counter', samples: totals },
  ]
}
