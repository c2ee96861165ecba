/** From what the window gives to what an SSH log-in needs: key files are read here, and only those that the user's own SSH configuration names. */
import { readFile } from 'node:fs/promises'
import { homedir, userInfo } from 'node:os'
import type { HostAddress, HostCredentials, HostHop, SshConfigAnswer } from '../api/bridge.ts'
import { ProvisioningError } from './host/errors.ts'
import type { SshConfigOptions } from './host/ssh-config.ts'
import type { SshCredentials, SshHop, SshTarget } from './host/ssh-connection.ts'

export interface LoginOptions {
  /** Socket of this computer's SSH agent. */
  readonly sshAgent?: string
  /** Default: the user's own. */
  readonly sshConfig?: SshConfigOptions
}

export interface Login {
  sshConfig(): Promise<SshConfigAnswer>
  /** With the key in place of its file. Throws KeyUnreadable. */
  resolve(credentials: HostCredentials): Promise<HostCredentials>
  ssh(credentials: HostCredentials): Promise<SshCredentials>
}

export function createLogin(options: LoginOptions): Login {
  const configOptions = options.sshConfig ?? { home: homedir(), user: userInfo().username }
  const hosts = async (): Promise<SshConfigAnswer['hosts']> => {
    const { readSshConfig } = await import('./host/ssh-config.ts')
    return (await readSshConfig(configOptions)).map(host => ({ ...host, jump: [...host.jump], identityFiles: [...host.identityFiles] }))
  }
  const resolve = async (credentials: HostCredentials): Promise<HostCredentials> => {
    const { identityFile, ...rest } = credentials
    if (identityFile === undefined) return rest
    // The window may ask for the user's SSH keys, not for any file of this computer.
    const named = (await hosts()).some(host => host.identityFiles.includes(identityFile))
    if (!named) throw new ProvisioningError('KeyUnreadable', `${identityFile} is not a key file of this computer's SSH configuration.`)
    const privateKey = await readFile(identityFile, 'utf8').catch((fault: unknown) => {
      throw new ProvisioningError('KeyUnreadable', `${identityFile} cannot be read.`, { cause: fault })
    })
    return { ...rest, privateKey }
  }
  return {
    resolve,
    async sshConfig() {
      const agent = options.sshAgent !== undefined
      try {
        return { hosts: await hosts(), agent }
      } catch (fault) {
        return { hosts: [], agent, problem: fault instanceof Error ? fault.message : String(fault) }
      }
    },
    async ssh(credentials) {
      const { privateKey, passphrase, password, useAgent } = await resolve(credentials)
      return {
        ...(privateKey ? { privateKey } : {}),
        ...(passphrase ? { passphrase } : {}),
        ...(password ? { password } : {}),
        ...(useAgent === true && options.sshAgent !== undefined ? { agentSocket: options.sshAgent } : {}),
      }
    },
  }
}

export function targetOf(host: HostAddress | HostHop): SshTarget {
  return { address: host.address, port: host.port, user: host.user }
}

export function hopsOf(jump: readonly HostHop[] | undefined): SshHop[] {
  return (jump ?? []).map(hop => ({ target: targetOf(hop), ...(hop.fingerprint === undefined ? {} : { fingerprint: hop.fingerprint }) }))
}
