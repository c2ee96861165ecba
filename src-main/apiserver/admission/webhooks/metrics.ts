/** What admission webhooks do, in upstream's metrics. */
import type { Metric } from '../../health/metrics.ts'

type Labels = Readonly<Record<string, string>>

class Counter {
  readonly #samples = new Map<string, { labels: Labels; value: number }>()
  add(labels: Labels, amount = 1): void {
    const key = Object.values(labels).join('\n')
    const sample = this.#samples.get(key)
    if (sample) sample.value += amount
    else this.#samples.set(key, { labels, value: amount })
  }
  samples(suffix: Labels = {}): { labels: Labels; value: number }[] {
    return [...this.#samples.values()].map(({ labels, value }) => ({ labels: { ...labels, ...suffix }, value }))
  }
}

export type WebhookType = 'admit' | 'validating'

export interface WebhookMetrics {
  call(name: string, type: WebhookType, operation: string, code: number, rejected: boolean, seconds: number): void
  rejection(name: string, type: WebhookType, operation: string, errorType: 'calling_webhook_error' | 'apiserver_internal_error' | 'no_error', code: number): void
  failOpen(name: string, type: WebhookType): void
  collect(): Metric[]
}

export function createWebhookMetrics(): WebhookMetrics {
  const requests = new Counter()
  const durations = new Counter()
  const durationCounts = new Counter()
  const rejections = new Counter()
  const open = new Counter()
  return {
    call(name, type, operation, code, rejected, seconds) {
      requests.add({ name, type, operation, code: String(code), rejected: String(rejected) })
      const labels = { name, type, operation, rejected: String(rejected) }
      durations.add(labels, seconds)
      durationCounts.add(labels)
    },
    rejection(name, type, operation, errorType, code) {
      rejections.add({ name, type, operation, error_type: errorType, rejection_code: String(code) })
    },
    failOpen(name, type) {
      open.add({ name, type })
    },
    collect: () => [
      {
        name: 'apiserver_admission_webhook_request_total',
        help: 'Admission webhook request total, identified by name and broken out for each admission type (validating or mutating) and operation.',
        type: 'counter',
        samples: requests.samples(),
      },
      {
        name: 'apiserver_admission_webhook_admission_duration_seconds_sum',
        help: 'Seconds that admission webhooks took.',
        type: 'counter',
        samples: durations.samples(),
      },
      {
        name: 'apiserver_admission_webhook_admission_duration_seconds_count',
        help: 'Calls of admission webhooks.',
        type: 'counter',
        samples: durationCounts.samples(),
      },
      {
        name: 'apiserver_admission_webhook_rejection_count',
        help: 'Admission webhook rejection count.',
        type: 'counter',
        samples: rejections.samples(),
      },
      {
        name: 'apiserver_admission_webhook_fail_open_count',
        help: 'Admission webhook fail open count.',
        type: 'counter',
        samples: open.samples(),
      },
    ],
  }
}
