/** The closed set of faults that provisioning reports. Each has a hint: what the user does next. */

export const provisioningErrorCodes = [
  'Unreachable',
  'HostKeyUnknown',
  'HostKeyChanged',
  'NoCommonAlgorithm',
  'AuthenticationFailed',
  'KeyUnreadable',
  'PassphraseWrong',
  'NotRoot',
  'SudoPasswordNeeded',
  'SudoPasswordWrong',
  'UnsupportedDistribution',
  'UnsupportedArchitecture',
  'NoSystemd',
  'PreflightFailed',
  'DiskFull',
  'PackagesUnreachable',
  'PackageManagerBusy',
  'PackagesFailed',
  'RuntimeFailed',
  'ForwardingRefused',
  'ForeignCluster',
  'HostBusy',
  'ChecksumMismatch',
  'AgentFailed',
  'NodeNotReady',
  'DrainBlocked',
  'SecretMissing',
  'CommandFailed',
  'Timeout',
  'ConnectionLost',
  'Cancelled',
  'Internal',
] as const
export type ProvisioningErrorCode = (typeof provisioningErrorCodes)[number]

const hints: Record<ProvisioningErrorCode, string> = {
  Unreachable: 'Check the address and port, that the host is on, and that a firewall lets SSH through.',
  HostKeyUnknown: 'Compare the fingerprint with the one that the host shows (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub) and accept it.',
  HostKeyChanged: 'If the host was installed anew, accept the new fingerprint. If not, somebody may be listening in: do not go on.',
  NoCommonAlgorithm: 'Update the SSH server of the host: it offers no algorithm that is still considered safe.',
  AuthenticationFailed: 'Check the user name and the key or password; the key must stand in ~/.ssh/authorized_keys of that user.',
  KeyUnreadable: 'Give a private key in OpenSSH or PEM form, complete with its first and last line.',
  PassphraseWrong: 'Give the passphrase of the private key.',
  NotRoot: 'Log in as root, or let this user use sudo (usermod -aG sudo USER) or doas without a password.',
  SudoPasswordNeeded: 'Give the sudo password of this user.',
  SudoPasswordWrong: 'Give the right sudo password of this user.',
  UnsupportedDistribution: 'Use Debian, Ubuntu, Fedora, RHEL and its relatives, or openSUSE.',
  UnsupportedArchitecture: 'Use a 64-bit x86 host.',
  NoSystemd: 'Use a host whose init system is systemd.',
  PreflightFailed: 'Mend the failed checks and press Retry.',
  DiskFull: 'Free some space on the file system named above and press Retry.',
  PackagesUnreachable: 'Check the package sources, the name server and the proxy of the host, or install Docker there yourself.',
  PackageManagerBusy: 'Another installation is running on the host; wait for it to end and press Retry.',
  PackagesFailed: 'Look at the output of the step, mend the package system of the host and press Retry.',
  RuntimeFailed: 'Look at `journalctl -u docker` on the host.',
  ForwardingRefused: 'Allow TCP forwarding in the SSH server of the host (AllowTcpForwarding yes in sshd_config).',
  ForeignCluster: 'Remove the other cluster software from the host first.',
  HostBusy: 'Another Quarterdeck is at work on this host; wait for it to end.',
  ChecksumMismatch: 'What arrived on the host is not what was sent. Press Retry; if it comes again, check the disk of the host.',
  AgentFailed: 'Look at `journalctl -u quarterdeck-agent` on the host.',
  NodeNotReady: 'Look at the conditions of the Node and at `journalctl -u quarterdeck-agent` on the host.',
  DrainBlocked: 'A PodDisruptionBudget keeps pods on the node: scale the workload up, relax the budget, or remove the host by force.',
  SecretMissing: 'Create the Secret in namespace kube-system that the Machine names.',
  CommandFailed: 'Look at the output of the step and press Retry.',
  Timeout: 'The host is slow or hangs; press Retry.',
  ConnectionLost: 'The connection to the host broke; the work goes on by itself when it is back.',
  Cancelled: 'Press Retry to go on.',
  Internal: 'This is a fault of Quarterdeck; copy this message into a bug report.',
}

/** What the user does next. */
export function hintOf(code: ProvisioningErrorCode): string {
  return hints[code]
}

export interface ErrorPlace {
  readonly host?: string
  readonly step?: string
  readonly command?: string
  readonly exitStatus?: number
}

/** A fault with its place. `message` is one sentence for people and never holds a secret. */
export class ProvisioningError extends Error {
  readonly code: ProvisioningErrorCode
  readonly hint: string
  readonly place: ErrorPlace
  /** With host key faults: the key that the host showed. */
  readonly fingerprint: string | undefined
  constructor(code: ProvisioningErrorCode, message: string, place: ErrorPlace & { fingerprint?: string; cause?: unknown } = {}) {
    super(message, place.cause === undefined ? undefined : { cause: place.cause })
    this.name = 'ProvisioningError'
    this.code = code
    this.hint = hints[code]
    const { cause: _cause, fingerprint, ...rest } = place
    this.place = rest
    this.fingerprint = fingerprint
  }

  /** The same fault with more of its place known. */
  at(place: ErrorPlace): ProvisioningError {
    return new ProvisioningError(this.code, this.message, {
      ...place,
      ...this.place,
      cause: this.cause ?? this,
      ...(this.fingerprint === undefined ? {} : { fingerprint: this.fingerprint }),
    })
  }
}

/** Worth trying again without anybody doing anything. */
export function isPassing(code: ProvisioningErrorCode): boolean {
  return [
    'Unreachable',
    'ConnectionLost',
    'Timeout',
    'PackageManagerBusy',
    'PackagesUnreachable',
    'HostBusy',
    'DiskFull',
    'ChecksumMismatch',
    'NodeNotReady',
    'DrainBlocked',
    'SecretMissing',
    'Internal',
  ].includes(code)
}

/** Any thrown thing as a ProvisioningError. */
export function asProvisioningError(fault: unknown, place: ErrorPlace = {}): ProvisioningError {
  if (fault instanceof ProvisioningError) return fault.at(place)
  const message = fault instanceof Error ? fault.message : String(fault)
  return new ProvisioningError('Internal', message, { ...place, cause: fault })
}

/**
 * The code for a command that failed, from its own words; `CommandFailed` when they say nothing known.
 */
export function codeOfOutput(output: string): ProvisioningErrorCode {
  if (
    /No space left on device|Disk quota exceeded|not enough free space|You don't have enough free space|needs [0-9.]+ ?[KMG]i?B? (more )?(space )?on the .* filesystem/i.test(
      output,
    )
  )
    return 'DiskFull'
  if (/Could not get lock|Unable to acquire the dpkg frontend lock|is locked by process|System management is locked/i.test(output)) return 'PackageManagerBusy'
  if (
    /Temporary failure resolving|Could not resolve|Failed to fetch|Unable to locate package|has no installation candidate|Cannot download|Failed to download metadata|Cannot find a valid baseurl|Could not connect to|Valid metadata not found|No match for argument/i.test(
      output,
    )
  )
    return 'PackagesUnreachable'
  return 'CommandFailed'
}
