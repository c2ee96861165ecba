/**
 * How a login becomes root. Passwords travel on the standard input of sudo alone: never in an argument, the
 * environment, a file or a log. Before anything else is written to a root command, it has said that it runs, so that sudo
 * asking again can never read a script or a file as a password.
 */
import { ProvisioningError } from './errors.ts'
import { quote } from './shell.ts'

export type Privilege = { readonly type: 'root' } | { readonly type: 'sudo' } | { readonly type: 'sudo-password'; readonly password: string } | { readonly type: 'doas' }

/** Printed by a root command as its first output, before it may read its input. */
export const readyMark = '\u0001quarterdeck-ready\u0001\n'

/** Command line that runs `script` as root; with `secret`, that line goes first to its standard input. */
export function asRoot(script: string, privilege: Privilege): { commandLine: string; secret?: string } {
  const shell = `/bin/sh -c ${quote(`printf '\\001quarterdeck-ready\\001\\n'; ${script}`)}`
  if (privilege.type === 'root') return { commandLine: shell }
  // -k: a cached permission must not make sudo skip reading the password, which would then reach the command's input.
  if (privilege.type === 'sudo-password') return { commandLine: `env LC_ALL=C sudo -k -S -p '' -- ${shell}`, secret: `${privilege.password}\n` }
  return { commandLine: privilege.type === 'sudo' ? `env LC_ALL=C sudo -n -- ${shell}` : `doas -n -- ${shell}` }
}

export type PrivilegeChoice = 'auto' | 'root' | 'sudo' | 'doas'

/** One line per fact; read by choosePrivilege. Asks sudo and doas without a password only. */
export const privilegeProbe = `id -u; if command -v sudo >/dev/null 2>&1; then if sudo -k -n true >/dev/null 2>&1; then echo sudo-free; else echo sudo; fi; else echo -; fi; if command -v doas >/dev/null 2>&1; then if doas -n true >/dev/null 2>&1; then echo doas-free; else echo doas; fi; else echo -; fi`

/** Picks the way to root from the probe's answer. Throws NotRoot or SudoPasswordNeeded. */
export function choosePrivilege(probe: string, choice: PrivilegeChoice, sudoPassword: string | undefined, host: string): Privilege {
  const [uid, sudo, doas] = probe.trim().split('\n')
  if (uid === '0' && (choice === 'auto' || choice === 'root')) return { type: 'root' }
  if (choice === 'root') throw new ProvisioningError('NotRoot', 'The log-in is not root, and privilege is set to root.', { host })
  if (choice !== 'doas') {
    if (sudo === 'sudo-free') return { type: 'sudo' }
    if (sudo === 'sudo' && sudoPassword !== undefined) {
      if (/[\n\r\0]/.test(sudoPassword)) throw new ProvisioningError('SudoPasswordWrong', 'A sudo password cannot hold a line break.', { host })
      return { type: 'sudo-password', password: sudoPassword }
    }
  }
  if (choice !== 'sudo' && doas === 'doas-free') return { type: 'doas' }
  if (sudo === 'sudo' && choice !== 'doas') throw new ProvisioningError('SudoPasswordNeeded', 'sudo wants a password for this user.', { host })
  if (choice === 'doas' || doas === 'doas') throw new ProvisioningError('NotRoot', 'doas does not let this user in without a password (permit nopass).', { host })
  throw new ProvisioningError('NotRoot', 'The log-in is not root, and neither sudo nor doas is there.', { host })
}

/** What a root command's failure before its ready mark means. */
export function privilegeFault(stderr: string, host: string): ProvisioningError {
  if (/not in the sudoers file|not allowed to|may not run sudo|Operation not permitted|no new privileges/i.test(stderr))
    return new ProvisioningError('NotRoot', `This user may not become root (${firstLine(stderr)}).`, { host })
  if (/incorrect password|try again|no password was provided|Authentication fail|a password is required|Maximum .* attempts/i.test(stderr))
    return new ProvisioningError('SudoPasswordWrong', 'sudo refused the password.', { host })
  return new ProvisioningError('NotRoot', `Becoming root failed (${firstLine(stderr) || 'no reason given'}).`, { host })
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0]?.slice(0, 300) ?? ''
}
