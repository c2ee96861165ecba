/** componentstatuses: the health of store, controllers and scheduler, asked anew for each request. */
import type { ComponentStatus } from '../api/generated/core-v1.ts'
import { notFound } from '../api/status-error.ts'
import type { VirtualStorage } from './contracts.ts'

/** Throws, with a sentence for people, when the part does not work. */
export type ComponentCheck = () => void | Promise<void>

export function componentStatusStorage(checks: Readonly<Record<string, ComponentCheck>>): VirtualStorage {
  const statusOf = async (name: string, check: ComponentCheck): Promise<ComponentStatus> => {
    const failure = await Promise.resolve()
      .then(check)
      .then(
        () => undefined,
        (fault: unknown) => (fault instanceof Error ? fault.message : String(fault)),
      )
    const health = failure === undefined ? { status: 'True', message: 'ok' } : { status: 'False', message: failure }
    return { apiVersion: 'v1', kind: 'ComponentStatus', metadata: { name }, conditions: [{ type: 'Healthy', ...health }] }
  }
  return {
    get: async name => {
      const check = Object.hasOwn(checks, name) ? checks[name] : undefined
      if (check === undefined) throw notFound('', 'componentstatuses', name)
      return statusOf(name, check)
    },
    list: async () => Promise.all(Object.entries(checks).map(([name, check]) => statusOf(name, check))),
  }
}
