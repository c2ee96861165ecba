/** The window's functions that look at hosts before there is a Machine: try a log-in, preflight, plan; and making Machines. */
import type { ConnectAnswer, HostCredentials, HostsInput, PlanAnswer, PreflightItem, HostAddress } from '../api/bridge.ts'
import { secrets } from '../api/core/v1/secret.ts'
import type { Machine } from '../api/infra/v1alpha1/machine.ts'
import { machines } from '../api/infra/v1alpha1/machine-resource.ts'
import { isAlreadyExists } from '../api/status-error.ts'
import type { Env } from '../base/env.ts'
import type { Client } from '../client/client.ts'
import { architectureOf, type Artifacts } from './artifacts/artifacts.ts'
import { asProvisioningError, ProvisioningError } from './host/errors.ts'
import { becomeRoot, runAsUser, type RemoteHost } from './host/remote-host.ts'
import { connectSsh, readHostKey, type SshConnection } from './host/ssh-connection.ts'
import { hopsOf, targetOf, type Login } from './login.ts'
import { agentConfig, clusterDigest, type ClusterSettings } from './machine-controller/settings.ts'
import { phases } from './phases/phases.ts'
import { planPhases } from './phases/run-phases.ts'
import { preflightHosts, survey } from './preflight/preflight.ts'

export interface HostsContext {
  readonly env: Env
  readonly client: Client
  readonly cluster: () => ClusterSettings
  readonly artifacts: Artifacts
  readonly login: Login
}

/** Reads the host key, and tries the log-in when the given fingerprint is the host's. Never throws for a fault of the host. */
export async function tryConnect(
  context: HostsContext,
  input: { host: HostAddress; credentials: HostCredentials; fingerprint?: string },
  signal: AbortSignal,
): Promise<ConnectAnswer> {
  const target = targetOf(input.host)
  const jump = hopsOf(input.host.jump)
  const answer: ConnectAnswer = { fingerprint: '', keyType: '', loggedIn: false }
  try {
    const credentials = await context.login.ssh(input.credentials)
    const index = jump.findIndex(hop => hop.fingerprint === undefined)
    const stop = jump[index]
    if (stop) {
      const { fingerprint, type } = await readHostKey({ env: context.env, target: stop.target, jump: jump.slice(0, index), credentials, signal })
      return { ...answer, hop: { index, fingerprint, keyType: type } }
    }
    const seen = await readHostKey({ env: context.env, target, jump, credentials, signal })
    Object.assign(answer, { fingerprint: seen.fingerprint, keyType: seen.type })
    if (input.fingerprint === undefined) return answer
    const connection = await connectSsh({ env: context.env, target, jump, credentials, fingerprint: input.fingerprint, signal })
    try {
      const [hostname = '', prettyName = ''] = (await runAsUser(context.env, connection, `uname -n; . /etc/os-release 2>/dev/null; echo "$PRETTY_NAME"`, { signal })).split('\n')
      return { ...answer, loggedIn: true, hostname, prettyName }
    } finally {
      connection.end()
    }
  } catch (fault) {
    const known = asProvisioningError(fault)
    return { ...answer, error: { code: known.code, message: known.message, hint: known.hint } }
  }
}

/** All checks on all hosts in parallel, as they come. */
export function preflight(context: HostsContext, input: HostsInput, signal: AbortSignal): AsyncIterable<PreflightItem> {
  const hosts = input.hosts.map(host => ({
    survey: (stop: AbortSignal) => onHost(context, host, input.credentials, stop, async (connection, root) => survey(context.env, connection, root, stop)),
  }))
  return preflightHosts({ hosts, ranges: context.cluster(), signal })
}

/** What would be done, in sentences; nothing is. */
export async function plan(context: HostsContext, input: HostsInput, signal: AbortSignal): Promise<PlanAnswer> {
  const agent = await context.artifacts.agent()
  const cluster = context.cluster()
  const hosts = await Promise.all(
    input.hosts.map(host =>
      onHost(context, host, input.credentials, signal, async (connection, root) => {
        if (root instanceof ProvisioningError) throw root
        const { facts } = await survey(context.env, connection, root, signal)
        const runtime = await context.artifacts.runtime(architectureOf(facts.architecture))
        const config = agentConfig(machineOf(host, ''), facts, cluster, agent.digest)
        const steps = await planPhases(phases, {
          env: context.env,
          host: root,
          facts,
          nodeName: host.name,
          config,
          artifacts: { runtime, agent },
          clusterDigest: clusterDigest(cluster.certificateAuthority),
          owner: 'plan',
          signal,
          cluster: {
            bootstrapToken: () => Promise.reject(new ProvisioningError('Internal', 'a plan makes no token')),
            nodeExists: async () => false,
            nodeProblem: async () => undefined,
            networkProof: async () => undefined,
          },
          onOutput: () => undefined,
          onCondition: () => undefined,
          onSteps: () => undefined,
        })
        return { steps }
      }).catch((fault: unknown) => {
        const known = asProvisioningError(fault)
        return { steps: [], error: `${known.message} ${known.hint}` }
      }),
    ),
  )
  return { hosts }
}

/** Creates a Machine and its Secret for each host; one that exists gets the new address and credentials. */
export async function applyMachines(context: Pick<HostsContext, 'client' | 'login'>, input: HostsInput): Promise<{ machines: Machine[] }> {
  const { client } = context
  const made: Machine[] = []
  const credentials = await context.login.resolve(input.credentials)
  for (const host of input.hosts) made.push(await applyMachine(client, machineOf(host, `machine-${host.name}`), credentials))
  return { machines: made }
}

function machineOf(host: HostsInput['hosts'][number], secretName: string): Machine {
  return {
    apiVersion: 'infra.quarterdeck.app/v1alpha1',
    kind: 'Machine',
    metadata: { name: host.name },
    spec: {
      address: host.address,
      port: host.port,
      user: host.user,
      secretName,
      hostKeyFingerprint: host.fingerprint,
      ...(host.jump && host.jump.length > 0
        ? { jumpHosts: host.jump.map(hop => ({ address: hop.address, port: hop.port, user: hop.user, hostKeyFingerprint: hop.fingerprint ?? '' })) }
        : {}),
    },
  }
}

/** The Secret is there before anybody looks for it: before a new Machine, and before one that exists is tried again. */
async function applyMachine(client: Client, machine: Machine, credentials: HostCredentials): Promise<Machine> {
  const name = machine.metadata.name ?? ''
  await writeSecret(client, machine.spec.secretName, credentials)
  const made = await client
    .resource(machines)
    .create(machine)
    .catch(async (fault: unknown) => {
      if (!isAlreadyExists(fault)) throw fault
      const old = await client.resource(machines).get(name)
      return client.resource(machines).patch(name, 'merge', { spec: { ...machine.spec, retry: (old.spec.retry ?? 0) + 1 } })
    })
  // It goes with its Machine (garbage collection by owner).
  const owner = { apiVersion: machine.apiVersion, kind: machine.kind, name, uid: made.metadata.uid ?? '' }
  await client.resource(secrets).patch(machine.spec.secretName, 'merge', { metadata: { ownerReferences: [owner] } }, { namespace: 'kube-system' })
  return made
}

async function writeSecret(client: Client, name: string, credentials: HostCredentials): Promise<void> {
  const { useAgent, ...texts } = credentials
  const stringData: Record<string, string> = {
    ...Object.fromEntries(Object.entries(texts).filter((entry): entry is [string, string] => typeof entry[1] === 'string' && entry[1] !== '')),
    ...(useAgent === true ? { useAgent: 'true' } : {}),
  }
  try {
    await client.resource(secrets).create({ apiVersion: 'v1', kind: 'Secret', type: 'infra.quarterdeck.app/ssh', metadata: { name, namespace: 'kube-system' }, stringData })
  } catch (fault) {
    if (!isAlreadyExists(fault)) throw fault
    const data = Object.fromEntries(
      ['privateKey', 'passphrase', 'password', 'sudoPassword', 'useAgent'].map(key => [
        key,
        stringData[key] === undefined ? null : Buffer.from(stringData[key]).toString('base64'),
      ]),
    )
    await client.resource(secrets).patch(name, 'merge', { data }, { namespace: 'kube-system' })
  }
}

/** A connection for the length of `use`; the second argument is the way to root, or why there is none. */
async function onHost<T>(
  context: HostsContext,
  host: HostsInput['hosts'][number],
  credentials: HostCredentials,
  signal: AbortSignal,
  use: (connection: SshConnection, root: RemoteHost | ProvisioningError) => Promise<T>,
): Promise<T> {
  const connection = await connectSsh({
    env: context.env,
    target: targetOf(host),
    jump: hopsOf(host.jump),
    credentials: await context.login.ssh(credentials),
    fingerprint: host.fingerprint,
    signal,
  })
  try {
    const root = await becomeRoot(context.env, connection, 'auto', credentials.sudoPassword || credentials.password || undefined, signal).catch((fault: unknown) => {
      const known = asProvisioningError(fault)
      if (!['NotRoot', 'SudoPasswordNeeded', 'SudoPasswordWrong'].includes(known.code)) throw known
      return known
    })
    return await use(connection, root)
  } finally {
    connection.end()
  }
}
