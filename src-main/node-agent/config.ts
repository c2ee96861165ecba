/** Reads and checks the agent's configuration. */
import { readFile } from 'node:fs/promises'
import type { AgentConfig } from '../api/agent.ts'

const textFields = [
  'nodeName',
  'apiServer',
  'certificateAuthority',
  'bootstrapToken',
  'nodeAddress',
  'clusterCIDR',
  'serviceCIDR',
  'clusterDNS',
  'clusterDomain',
  'dockerSocket',
  'agentVersion',
] as const
const ipv4 = /^\d{1,3}(\.\d{1,3}){3}$/
const cidr = /^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/

/** Throws with a sentence that says which field is wrong. */
export async function readConfig(path: string): Promise<AgentConfig> {
  let raw: unknown
  try {
    raw = JSON.parse(await readFile(path, 'utf8'))
  } catch (fault) {
    throw new Error(`cannot read ${path}: ${fault instanceof Error ? fault.message : String(fault)}`, { cause: fault })
  }
  return checkConfig(raw, path)
}

export function checkConfig(raw: unknown, path: string): AgentConfig {
  if (typeof raw !== 'object' || raw === null) throw new Error(`${path}: must hold a JSON object`)
  const config = raw as Record<string, unknown>
  for (const field of textFields) if (typeof config[field] !== 'string' || config[field] === '') throw new Error(`${path}: field ${field} must be a text`)
  for (const field of ['nodeAddress', 'clusterDNS'] as const) if (!ipv4.test(String(config[field]))) throw new Error(`${path}: field ${field} must be an IPv4 address`)
  for (const field of ['clusterCIDR', 'serviceCIDR'] as const)
    if (!cidr.test(String(config[field]))) throw new Error(`${path}: field ${field} must be an IPv4 range such as 10.244.0.0/16`)
  if (!String(config['apiServer']).startsWith('https://')) throw new Error(`${path}: field apiServer must start with https://`)
  return {
    ...(config as unknown as AgentConfig),
    nodeLabels: (config['nodeLabels'] as AgentConfig['nodeLabels'] | undefined) ?? {},
    nodeTaints: (config['nodeTaints'] as AgentConfig['nodeTaints'] | undefined) ?? [],
  }
}
