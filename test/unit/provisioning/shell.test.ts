import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { quote, sh } from '../../../src-main/provisioning/host/shell.ts'
import { asRoot } from '../../../src-main/provisioning/host/privilege.ts'

const nasty = ['', ' ', '$(reboot)', '`id`', ';', '\n', '-rf', "it's", '"', '\\', '*', '~', '!x', '#', '&', '|', '>', '\u00e9\u4e2d', "'''", '$HOME', '-', '=x']

describe('words for a shell', () => {
  it('arrive exactly as they were', () => {
    const out = execFileSync('/bin/sh', ['-c', `printf '%s\\0' ${nasty.map(quote).join(' ')}`], { encoding: 'utf8' })
    expect(out.split('\0').slice(0, -1)).toEqual(nasty)
  })
  it('arrive exactly as they were in a script', () => {
    const out = execFileSync('/bin/sh', ['-c', sh`for w in ${nasty}; do printf '%s\0' "$w"; done`], { encoding: 'utf8' })
    expect(out.split('\0').slice(0, -1)).toEqual(nasty)
  })
  it('arrive exactly as they were through the shell inside a root command', () => {
    const { commandLine } = asRoot(sh`for w in ${nasty}; do printf '%s\0' "$w"; done`, { type: 'root' })
    const out = execFileSync('/bin/sh', ['-c', commandLine], { encoding: 'utf8' })
    expect(
      out
        .slice(out.indexOf('\n') + 1)
        .split('\0')
        .slice(0, -1),
    ).toEqual(nasty)
  })
  it('cannot hold NUL', () => {
    expect(() => quote('a\0b')).toThrow()
  })
})

describe('a root command', () => {
  it('never holds the password, which goes to standard input alone', () => {
    const { commandLine, secret } = asRoot('id', { type: 'sudo-password', password: 'hunter2' })
    expect([commandLine.includes('hunter2'), secret]).toEqual([false, 'hunter2\n'])
  })
})
