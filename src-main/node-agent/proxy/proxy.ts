/** Keeps the kernel's rules as compiled: at once after a change, and again where somebody flushed them. */
import type { Env } from '../../base/env.ts'
import { agentNames } from '../../api/agent.ts'
import type { RunCommand } from '../commands.ts'
import { Waker } from '../waker.ts'
import { compile } from './compile.ts'
import type { ProxyInput } from './compile.ts'
import { transaction } from './ruleset.ts'
import type { Ruleset } from './ruleset.ts'

/** Changes of one rollout come together. */
const settleMs = 100
const checkMs = 15_000

export interface ProxyOptions {
  readonly env: Env
  readonly run: RunCommand
  /** Undefined while the node has no pod range yet. */
  readonly input: () => ProxyInput | undefined
}

export class Proxy {
  readonly #options: ProxyOptions
  #applied: Ruleset | undefined
  #dirty = true
  readonly #waker: Waker
  constructor(options: ProxyOptions) {
    this.#options = options
    this.#waker = new Waker(options.env.clock)
  }

  changed(): void {
    this.#dirty = true
    this.#waker.wake()
  }

  async run(signal: AbortSignal): Promise<void> {
    const { env } = this.#options
    while (!signal.aborted) {
      try {
        if (!(await this.#stillThere())) this.#applied = undefined
        await this.#apply()
      } catch (fault) {
        this.#applied = undefined
        env.log.log('warn', 'service rules not applied', { fault: fault instanceof Error ? fault.message : String(fault) })
      }
      await this.#waker.pause(checkMs, signal)
      await env.clock.sleep(settleMs, signal).catch(() => {})
    }
  }

  async #stillThere(): Promise<boolean> {
    if (!this.#applied || this.#dirty) return this.#applied !== undefined
    const result = await this.#options.run('nft', ['list', 'chain', 'ip', agentNames.nftTable, 'prerouting'])
    return result.status === 0 && result.stdout.includes('@service-ips')
  }

  async #apply(): Promise<void> {
    const input = this.#options.input()
    this.#dirty = false
    if (!input) return
    const next = compile(input)
    const text = transaction(next, this.#applied)
    if (text === '') return
    const result = await this.#options.run('nft', ['-f', '-'], text)
    if (result.status !== 0) throw new Error(`nft: ${result.stderr.trim().slice(0, 500)}`)
    this.#applied = next
    this.#options.env.log.log('debug', 'service rules applied', { services: next.maps.get('service-ips')?.elements.size ?? 0 })
  }
}
