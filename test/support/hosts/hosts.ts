/** Test hosts: the same containers as practice hosts, after the machine was made able to run them. */
import { setUpMachine } from './machine-setup.ts'
import { inHost, removeHosts, resetHost, startHosts as start, type HostSet, type StartHostsOptions } from '../../../src-main/provisioning/practice/hosts.ts'

export type { HostSet, HostUser, PracticeHost } from '../../../src-main/provisioning/practice/hosts.ts'
export { inHost, removeHosts, resetHost }

/** Starts hosts named `quarterdeck-<set>-<n>`; installs and starts Docker on this machine first where it can. */
export async function startHosts(options: StartHostsOptions): Promise<HostSet> {
  await setUpMachine(options.onProgress)
  return start(options)
}
