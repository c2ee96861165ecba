/** The audit trail of a control plane: its policy from a file, its log beside the data. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Auditor } from '../apiserver/audit/audit.ts'
import type { Env } from '../base/env.ts'

export interface AuditOptions {
  /** File of a Policy (audit.k8s.io/v1). */
  readonly policyFile: string
  /** Default <dataDir>/audit/audit.log. */
  readonly logFile?: string
  /** Default 100. */
  readonly maxMegabytes?: number
  /** Renamed files that are kept; default 10. */
  readonly maxBackups?: number
  /** Default: no bound. */
  readonly maxAgeDays?: number
}

/** Rejects with a sentence for people. Its code is loaded only where a policy is given. */
export async function openAudit(options: AuditOptions, dataDir: string, env: Env): Promise<{ auditor: Auditor; close(): Promise<void> }> {
  const [{ parseAuditPolicy }, { createAuditor }, { openAuditLog }] = await Promise.all([
    import('../apiserver/audit/policy.ts'),
    import('../apiserver/audit/audit.ts'),
    import('../apiserver/audit/log-file.ts'),
  ])
  const text = await readFile(options.policyFile, 'utf8').catch((fault: unknown) => {
    throw new Error(`the audit policy ${options.policyFile} cannot be read: ${fault instanceof Error ? fault.message : String(fault)}`, { cause: fault })
  })
  const policy = parseAuditPolicy(text)
  const path = options.logFile ?? join(dataDir, 'audit', 'audit.log')
  const sink = await openAuditLog({
    env,
    path,
    ...(options.maxMegabytes === undefined ? {} : { maxBytes: options.maxMegabytes * 1024 * 1024 }),
    ...(options.maxBackups === undefined ? {} : { maxBackups: options.maxBackups }),
    ...(options.maxAgeDays === undefined ? {} : { maxAgeDays: options.maxAgeDays }),
  }).catch((fault: unknown) => {
    throw new Error(`the audit log ${path} cannot be opened: ${fault instanceof Error ? fault.message : String(fault)}`, { cause: fault })
  })
  return { auditor: createAuditor({ env, policy, sink }), close: () => sink.close() }
}
