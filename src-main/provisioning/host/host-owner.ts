/**
 * Whom a host belongs to. Two programs must neither work on one host at once nor take its tunnel from one another: the one
 * that comes second stops before it has changed anything.
 */
import { ProvisioningError } from './errors.ts'
import { hostFiles } from './host-files.ts'
import { sh } from './shell.ts'

/** A lock this old belongs to somebody who is gone; each change renews it. */
const lockSeconds = 180
const statuses = { busy: 9, foreign: 10 } as const

/** Script that exits with a status for `ownerFault` where the host is another cluster's or somebody else works on it. `owner` is the digest of the cluster's CA. */
export function ownerCheck(owner: string): string {
  return sh`c=$(sed -n 's/^agentCluster=//p' ${hostFiles.stamp} 2>/dev/null); if [ -n "$c" ] && [ "$c" != ${owner} ]; then exit ${statuses.foreign}; fi
if [ -f ${hostFiles.lock} ]; then read -r who when < ${hostFiles.lock}; now=$(date +%s); if [ "$who" != ${owner} ] && [ $((now - when)) -lt ${lockSeconds} ]; then exit ${statuses.busy}; fi; fi`
}

/** What the status of a script that begins with `ownerCheck` means; undefined when nothing stands in the way. */
export function ownerFault(status: number, host: string): ProvisioningError | undefined {
  if (status === statuses.busy) return new ProvisioningError('HostBusy', 'Another Quarterdeck is at work on this host.', { host })
  if (status === statuses.foreign) return new ProvisioningError('ForeignCluster', 'The host is a node of another Quarterdeck cluster.', { host })
  return undefined
}
