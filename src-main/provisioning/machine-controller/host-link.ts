/**
 * The standing connection to each machine: SSH, the way to root, and the tunnels that let the node reach the API. A link
 * that breaks is made again by itself, with back-off; who needs it meanwhile gets the fault at once.
 */
import type { Duplex } from 'node:stream'
import { agentPorts } from '../../api/agent.ts'
import { backoffMs } from '../../base/backoff.ts'
import type { Env } from '../../base/env.ts'
import { asProvisioningError, ProvisioningError } from '../host/errors.ts'
import { ownerCheck, ownerFault } from '../host/host-owner.ts'
import type { PrivilegeChoice } from '../host/privilege.ts'
import { becomeRoot, type RemoteHost } from '../host/remote-host.ts'
import { sh } from '../host/shell.ts'
import { connectSsh, type SshConnection, type SshCredentials, type SshHop, type SshTarget } from '../host/ssh-connection.ts'

export interface LinkSettings {
  readonly target: SshTarget
  readonly jump?: readonly SshHop[]
  readonly credentials: SshCredentials
  readonly fingerprint: string
  readonly privilege: PrivilegeChoice
  readonly sudoPassword?: string
  readonly nodeName: string
}

export interface Link {
  readonly connection: SshConnection
  readonly host: RemoteHost
  /** Counts connections: another number means that the host may have been away. */
  readonly serial: number
}

export interface HostLinks {
  /** The link with these settings, made if need be. Other settings than before break the old one. Throws ProvisioningError. */
  ensure(machine: string, settings: LinkSettings, signal?: AbortSignal): Promise<Link>
  /** The link as it is now. */
  current(machine: string): Link | undefined
  byNode(nodeName: string): Link | undefined
  drop(machine: string): void
  stop(): void
}

interface Entry {
  settings: LinkSettings
  key: string
  link?: Link
  making?: Promise<Link>
  dropped: boolean
  attempt: number
  cancelRetry?: () => void
}

export interface HostLinksOptions {
  readonly env: Env
  /** Digest of the cluster's CA: a host of another cluster keeps its tunnel. */
  readonly owner: string
  /** Takes a connection that a node opened to the API. */
  readonly serveApi: (stream: Duplex) => void
  /** Called when a link was made or broke. */
  readonly onChange: (machine: string) => void
}

const reconnect = { initialMs: 500, maxMs: 15_000 }

export function createHostLinks(options: HostLinksOptions): HostLinks {
  const entries = new Map<string, Entry>()
  let serial = 0

  async function make(machine: string, entry: Entry, signal?: AbortSignal): Promise<Link> {
    const { settings } = entry
    const connection = await connectSsh({
      env: options.env,
      target: settings.target,
      ...(settings.jump ? { jump: settings.jump } : {}),
      credentials: settings.credentials,
      fingerprint: settings.fingerprint,
      ...(signal ? { signal } : {}),
    })
    try {
      const host = await becomeRoot(options.env, connection, settings.privilege, settings.sudoPassword, signal)
      await openApiTunnel(host, options.owner, options.serveApi)
      const link = { connection, host, serial: ++serial }
      if (entry.dropped) throw new ProvisioningError('Cancelled', 'The connection is not needed any more.', { host: settings.target.address })
      entry.link = link
      entry.attempt = 0
      void connection.closed.then(() => {
        if (entry.link === link) delete entry.link
        if (entry.dropped) return
        options.onChange(machine)
        retry(machine, entry)
      })
      options.onChange(machine)
      return link
    } catch (fault) {
      connection.end()
      throw fault
    }
  }

  function begin(machine: string, entry: Entry, signal?: AbortSignal): Promise<Link> {
    entry.cancelRetry?.()
    entry.making ??= make(machine, entry, signal).finally(() => {
      delete entry.making
    })
    return entry.making
  }

  /** Only a link that has stood before is made again unasked; a first try that fails is the controller's to repeat. */
  function retry(machine: string, entry: Entry): void {
    const delayMs = backoffMs(reconnect, Math.min(entry.attempt++, 10), options.env.random)
    entry.cancelRetry = options.env.clock.after(delayMs, () => {
      if (entry.dropped || entry.link) return
      begin(machine, entry).catch((fault: unknown) => {
        const known = asProvisioningError(fault)
        options.env.log.log('warn', 'a host could not be reached again', { machine, code: known.code, attempt: entry.attempt })
        if (['Unreachable', 'ConnectionLost', 'Timeout', 'ForwardingRefused'].includes(known.code)) retry(machine, entry)
      })
    })
  }

  function drop(machine: string): void {
    const entry = entries.get(machine)
    if (!entry) return
    entries.delete(machine)
    entry.dropped = true
    entry.cancelRetry?.()
    entry.link?.connection.end()
  }

  return {
    async ensure(machine, settings, signal) {
      const key = JSON.stringify(settings)
      const old = entries.get(machine)
      if (old && old.key !== key) drop(machine)
      const entry = entries.get(machine) ?? { settings, key, dropped: false, attempt: 0 }
      entries.set(machine, entry)
      if (entry.link?.connection.isOpen) return entry.link
      return begin(machine, entry, signal)
    },
    current(machine) {
      const link = entries.get(machine)?.link
      return link?.connection.isOpen ? link : undefined
    },
    byNode(nodeName) {
      for (const entry of entries.values()) if (entry.settings.nodeName === nodeName && entry.link?.connection.isOpen) return entry.link
      return undefined
    },
    drop,
    stop() {
      for (const machine of [...entries.keys()]) drop(machine)
    },
  }
}

/**
 * Makes the API appear on the node's 127.0.0.1:16443. After a cut without a goodbye the old sshd may hold the port for
 * hours; it is ended then, and nothing else is. Another cluster's is left alone.
 */
async function openApiTunnel(host: RemoteHost, owner: string, serveApi: (stream: Duplex) => void): Promise<void> {
  try {
    await host.connection.listen(agentPorts.api, serveApi)
  } catch (fault) {
    const freed = await host.root(
      `${ownerCheck(owner)}\n` +
        sh`for pid in $(ss -Hltnp ${`sport = :${agentPorts.api}`} 2>/dev/null | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -u); do case "$(cat /proc/$pid/comm 2>/dev/null)" in sshd*) kill "$pid"; echo ended;; esac; done; sleep 0.3`,
      { what: 'freeing the API port' },
    )
    const owned = ownerFault(freed.status, host.connection.target.address)
    if (owned) throw owned
    if (!freed.stdout.includes('ended')) throw fault
    await host.connection.listen(agentPorts.api, serveApi)
  }
}
