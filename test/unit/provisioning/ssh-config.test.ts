/** ~/.ssh/config as `ssh` reads it: what is compared is what OpenSSH itself says with `ssh -G`, where it is installed. */
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { readSshConfig, type SshConfigHost } from '../../../src-main/provisioning/host/ssh-config.ts'

let home = ''
let hosts: Map<string, SshConfigHost>

const text = `
Include conf.d/*.conf
Include "%missing"

Host web db
  User deploy
  Port 2201
Host web
  HostName web.example.net
  IdentityFile ~/.ssh/web_key
  IdentityFile ~/.ssh/not-there
  ProxyJump ops@gate:2222
Host db
  HostName %h.internal
  ProxyJump gate,inner
Host gate
  HostName 192.0.2.1
  User keeper
Host inner
  HostName 10.0.0.5
  ProxyJump gate
Host old
  ProxyCommand nc %h %p
Host loop
  ProxyJump loop2
Host loop2
  ProxyJump loop
Host direct
  ProxyJump none
  IdentityAgent none
  CanonicalizeHostname yes
  CanonicalDomains one.invalid two.invalid
Match host danger exec "touch ${'$'}{HOME}/ran"
  User pwned
Host danger
Host *.example.org !bad.example.org
  User star
Host one.example.org bad.example.org
Match host one.example.org
  Port 2244
Host *
  User everybody
`

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'quarterdeck-ssh-'))
  await mkdir(join(home, '.ssh/conf.d'), { recursive: true })
  await writeFile(join(home, '.ssh/config'), text.replaceAll('${HOME}', home))
  await writeFile(join(home, '.ssh/conf.d/a.conf'), 'Host included\n  Include deeper\n  HostName 192.0.2.77\n')
  await writeFile(join(home, '.ssh/conf.d/ignored.txt'), 'Host never\n')
  await writeFile(join(home, '.ssh/deeper'), '  Port 2277\nHost deepest\n  User digger\n')
  for (const name of ['web_key', 'id_ed25519']) await writeFile(join(home, '.ssh', name), '-----BEGIN OPENSSH PRIVATE KEY-----\n')
  // Whoever asks name servers leaves the mark too.
  await mkdir(join(home, 'bin'))
  await writeFile(join(home, 'bin/nslookup'), `#!/bin/sh\ntouch ${home}/ran\n`, { mode: 0o755 })
  vi.stubEnv('PATH', `${join(home, 'bin')}:${process.env['PATH'] ?? ''}`)
  hosts = new Map((await readSshConfig({ home, user: 'me' })).map(host => [host.alias, host]))
  vi.unstubAllEnvs()
})
afterAll(() => rm(home, { recursive: true, force: true }))

describe('an SSH configuration', () => {
  it('gives its hosts by their names, included files first, patterns not', () => {
    expect([...hosts.keys()]).toEqual(['included', 'web', 'db', 'gate', 'inner', 'old', 'loop', 'loop2', 'direct', 'danger', 'one.example.org', 'bad.example.org'])
  })

  it('gives address, user, port, keys and the agent', () => {
    const web = hosts.get('web')
    expect(web).toEqual({
      alias: 'web',
      user: 'deploy',
      address: 'web.example.net',
      port: 2201,
      jump: [{ user: 'ops', address: '192.0.2.1', port: 2222 }],
      identityFiles: [join(home, '.ssh/web_key')],
      useAgent: true,
    })
    expect(hosts.get('included')).toMatchObject({ address: '192.0.2.77', port: 2277 })
    expect(hosts.get('direct')).toMatchObject({ jump: [], useAgent: false, identityFiles: [join(home, '.ssh/id_ed25519')] })
  })

  it('gives jump hosts in their order, each by its own entry', () => {
    expect(hosts.get('db')).toMatchObject({
      address: 'db.internal',
      jump: [
        { user: 'keeper', address: '192.0.2.1', port: 22 },
        { user: 'everybody', address: '10.0.0.5', port: 22 },
      ],
    })
    expect(hosts.get('inner')?.jump).toEqual([{ user: 'keeper', address: '192.0.2.1', port: 22 }])
  })

  it('runs nothing and says what it cannot take', async () => {
    expect(hosts.get('danger')?.user).toBe('everybody')
    await expect(import('node:fs/promises').then(fs => fs.access(join(home, 'ran')))).rejects.toThrow()
    expect(hosts.get('old')?.problem).toContain('ProxyCommand')
    expect(hosts.get('loop')?.problem).toContain('circle')
  })

  it('is empty where there is none', async () => {
    expect(await readSshConfig({ home: join(home, 'nobody'), user: 'me' })).toEqual([])
  })

  it('is read as OpenSSH reads it', () => {
    let version = ''
    try {
      version = execFileSync('sh', ['-c', 'ssh -V 2>&1'], { encoding: 'utf8' })
    } catch {
      /* no ssh client here: the other tests hold what it said */
    }
    if (!version.includes('OpenSSH')) return
    for (const alias of ['web', 'included', 'gate', 'inner', 'one.example.org', 'bad.example.org']) {
      const said = execFileSync('ssh', ['-G', '-F', join(home, '.ssh/config'), alias], { encoding: 'utf8', env: { ...process.env, HOME: home } })
      const value = (name: string): string | undefined => new RegExp(`^${name} (.*)$`, 'm').exec(said)?.[1]
      expect([alias, hosts.get(alias)?.address, hosts.get(alias)?.user, String(hosts.get(alias)?.port)]).toEqual([alias, value('hostname'), value('user'), value('port')])
    }
  })
})
