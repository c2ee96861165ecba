import { describe, expect, it } from 'vitest'
import { codeOfOutput } from '../../../src-main/provisioning/host/errors.ts'
import { choosePrivilege, privilegeFault } from '../../../src-main/provisioning/host/privilege.ts'

const code = (act: () => unknown): unknown => {
  try {
    return act()
  } catch (fault) {
    return (fault as { code: string }).code
  }
}

describe('the way to root', () => {
  it.each<[string, string, 'auto' | 'root' | 'sudo' | 'doas', string | undefined, unknown]>([
    ['is none for root', '0\n-\n-', 'auto', undefined, { type: 'root' }],
    ['is sudo without a password where that is allowed', '1000\nsudo-free\n-', 'auto', 'x', { type: 'sudo' }],
    ['is sudo with the password', '1000\nsudo\n-', 'auto', 'x', { type: 'sudo-password', password: 'x' }],
    ['needs the password', '1000\nsudo\n-', 'auto', undefined, 'SudoPasswordNeeded'],
    ['is doas where there is no sudo', '1000\n-\ndoas-free', 'auto', undefined, { type: 'doas' }],
    ['is doas when it is asked for', '1000\nsudo-free\ndoas-free', 'doas', undefined, { type: 'doas' }],
    ['is not doas with a password', '1000\n-\ndoas', 'auto', 'x', 'NotRoot'],
    ['does not exist without either', '1000\n-\n-', 'auto', 'x', 'NotRoot'],
    ['is not sudo when only root is allowed', '1000\nsudo-free\n-', 'root', 'x', 'NotRoot'],
    ['takes no password with a line break', '1000\nsudo\n-', 'auto', 'x\nreboot', 'SudoPasswordWrong'],
  ])('%s', (_name, probe, choice, password, expected) => {
    expect(code(() => choosePrivilege(probe, choice, password, 'h'))).toEqual(expected)
  })

  it.each([
    ['Sorry, try again.\nsudo: no password was provided', 'SudoPasswordWrong'],
    ['ops is not in the sudoers file.', 'NotRoot'],
    ['sudo: a password is required', 'SudoPasswordWrong'],
  ])('%j means %s', (text, expected) => {
    expect(privilegeFault(text, 'h').code).toBe(expected)
  })
})

describe('output of a failed command', () => {
  it.each([
    ['dpkg: error: failed to write status database record: No space left on device', 'DiskFull'],
    ['E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 12 (apt)', 'PackageManagerBusy'],
    ['Err:1 http://x bookworm InRelease\n  Temporary failure resolving', 'PackagesUnreachable'],
    ['No match for argument: docker-ce', 'PackagesUnreachable'],
    ['segmentation fault', 'CommandFailed'],
  ])('%j is %s', (text, expected) => {
    expect(codeOfOutput(text)).toBe(expected)
  })
})
