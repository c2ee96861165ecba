/** From a Machine and its Secret to what the connection and the agent need. */
import { createHash } from 'node:crypto'
import { agentPorts, type AgentConfig } from '../../api/agent.ts'
import { secrets } from '../../api/core/v1/secret.ts'
import type { Secret } from '../../api/generated/core-v1.ts'
import type { Machine } from '../../api/infra/v1alpha1/machine.ts'
import { isNotFound } from '../../api/status-error.ts'
import type { Client } from '../../client/client.ts'
import type { HostFacts } from '../facts/facts.ts'
import { ProvisioningError } from '../host/errors.ts'
import type { LinkSettings } from './host-link.ts'

export interface ClusterSettings {
  /** PEM. */
  readonly certificateAuthority: string
  readonly clusterCIDR: string
  readonly serviceCIDR: string
  readonly clusterDNS: string
  readonly clusterDomain: string
}

export function nodeNameOf(machine: Machine): string {
  return machine.spec.nodeName ?? machine.metadata.name ?? ''
}

/** Reads the Secret. Throws SecretMissing, HostKeyUnknown is left to the connection. */
export async function linkSettings(client: Client, machine: Machine, sshAgent: string | undefined): Promise<Omit<LinkSettings, 'fingerprint'>> {
  const values = await secretValues(client, machine)
  const { spec } = machine
  return {
    target: { address: spec.address, port: spec.port ?? 22, user: spec.user ?? 'root' },
    credentials: {
      ...(values['privateKey'] ? { privateKey: values['privateKey'] } : {}),
      ...(values['passphrase'] ? { passphrase: values['passphrase'] } : {}),
      ...(values['password'] ? { password: values['password'] } : {}),
      ...(values['useAgent'] === 'true' && sshAgent !== undefined ? { agentSocket: sshAgent } : {}),
    },
    ...(spec.jumpHosts
      ? {
          jump: spec.jumpHosts.map(hop => ({ target: { address: hop.address, port: hop.port ?? 22, user: hop.user ?? spec.user ?? 'root' }, fingerprint: hop.hostKeyFingerprint })),
        }
      : {}),
    privilege: spec.privilege ?? 'auto',
    ...sudo(values),
    nodeName: nodeNameOf(machine),
  }
}

/** A user's own password is what sudo wants, unless another one is given. */
function sudo(values: Record<string, string>): { sudoPassword?: string } {
  const password = values['sudoPassword'] || values['password']
  return password ? { sudoPassword: password } : {}
}

async function secretValues(client: Client, machine: Machine): Promise<Record<string, string>> {
  const name = machine.spec.secretName
  try {
    const secret = (await client.resource(secrets).get(name, { namespace: 'kube-system' })) as Secret
    return Object.fromEntries(Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]))
  } catch (fault) {
    if (!isNotFound(fault)) throw fault
    throw new ProvisioningError('SecretMissing', `Secret kube-system/${name} does not exist.`)
  }
}

/** The agent's configuration without its token. */
export function agentConfig(machine: Machine, facts: HostFacts, cluster: ClusterSettings, agentVersion: string): Omit<AgentConfig, 'bootstrapToken'> {
  return {
    nodeName: nodeNameOf(machine),
    apiServer: `https://127.0.0.1:${agentPorts.api}`,
    certificateAuthority: cluster.certificateAuthority,
    nodeAddress: machine.spec.nodeAddress ?? (facts.defaultAddress || (facts.addresses[0] ?? '')),
    clusterCIDR: cluster.clusterCIDR,
    serviceCIDR: cluster.serviceCIDR,
    clusterDNS: cluster.clusterDNS,
    clusterDomain: cluster.clusterDomain,
    nodeLabels: machine.spec.nodeLabels ?? {},
    nodeTaints: machine.spec.nodeTaints ?? [],
    dockerSocket: '/var/run/docker.sock',
    agentVersion,
  }
}

/** Tells clusters apart on a host. */
export function clusterDigest(certificateAuthority: string): string {
  return createHash('sha256').update(certificateAuthority.trim()).digest('hex').slice(0, 32)
}
