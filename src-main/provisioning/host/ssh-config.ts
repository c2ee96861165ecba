/**
 * Hosts of an OpenSSH client configuration (~/.ssh/config), as `ssh <alias>` would reach them: Host, Match, Include,
 * ProxyJump, identities and the SSH agent. The only importer of ssh-config. Nothing of the file is ever run: `Match exec` never
 * matches, and a host behind a ProxyCommand is listed with its problem.
 */
import { readdir, readFile } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import type SSHConfig from 'ssh-config'
import { glob, LineType, parse } from 'ssh-config'

export interface SshConfigHop {
  readonly user: string
  readonly address: string
  readonly port: number
}

export interface SshConfigHost extends SshConfigHop {
  /** What is typed after `ssh`. */
  readonly alias: string
  /** Jump hosts on the way, the nearest to this computer first. */
  readonly jump: readonly SshConfigHop[]
  /** Key files that exist. */
  readonly identityFiles: readonly string[]
  /** Keys of the SSH agent may be used. */
  readonly useAgent: boolean
  /** Why it cannot be taken. */
  readonly problem?: string
}

export interface SshConfigOptions {
  readonly home: string
  /** Login name of this computer's user. */
  readonly user: string
  /** Default: ~/.ssh/config. */
  readonly file?: string
}

/** As OpenSSH: more is a circle. */
const maxIncludeDepth = 16
const maxJumps = 8
const defaultPort = 22
const blockLine = /^\s*(host|match)[\s=]/i
/** Left out: the parser would ask name servers about the names, and stop the whole program for as long. */
const canonicalLine = /^\s*canonicalizehostname[\s=]/i
const defaultIdentities = ['id_ed25519', 'id_ecdsa', 'id_rsa']

/** All hosts with a name of their own (patterns are no hosts). A missing file has none. */
export async function readSshConfig(options: SshConfigOptions): Promise<SshConfigHost[]> {
  const file = options.file ?? join(options.home, '.ssh', 'config')
  const text = await expandIncludes(file, options, 0)
  const config = parse(text)
  const hosts: SshConfigHost[] = []
  for (const alias of new Set(aliasesOf(config))) hosts.push(await hostOf(config, alias, options))
  return hosts
}

/**
 * The file's text with that of its Include lines in their place. An included file may have its own Host lines; after it the
 * block of the Include goes on, and inside a block only what stands before them can hold.
 */
async function expandIncludes(file: string, options: SshConfigOptions, depth: number): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const lines: string[] = []
  let block: string | undefined
  for (const line of text.split('\n')) {
    if (canonicalLine.test(line)) continue
    if (blockLine.test(line)) block = line
    const patterns = /^\s*include[\s=]+(.*)$/i.exec(line)?.[1]
    if (patterns === undefined) {
      lines.push(line)
      continue
    }
    if (depth >= maxIncludeDepth) throw new Error(`${file}: includes go deeper than ${maxIncludeDepth} files`)
    for (const pattern of patterns.match(/"[^"]*"|\S+/g) ?? []) {
      const path = untilde(pattern.replaceAll('"', ''), options.home)
      for (const found of await matching(isAbsolute(path) ? path : resolve(options.home, '.ssh', path))) {
        const inner = (await expandIncludes(found, options, depth + 1)).split('\n')
        const own = inner.findIndex(one => blockLine.test(one))
        if (own < 0) lines.push(...inner)
        else if (block === undefined) lines.push(...inner, 'Host *')
        else lines.push(...inner.slice(0, own))
      }
    }
  }
  return lines.join('\n')
}

/** Files of a path whose last part may be a pattern; sorted, as OpenSSH reads them. */
async function matching(path: string): Promise<string[]> {
  if (!/[*?]/.test(path)) return [path]
  const directory = dirname(path)
  const pattern = path.slice(directory.length + 1)
  const names = await readdir(directory).catch(() => [])
  return names
    .filter(name => !name.startsWith('.') && glob(pattern, name))
    .sort()
    .map(name => join(directory, name))
}

function aliasesOf(config: SSHConfig): string[] {
  const names: string[] = []
  for (const line of config) {
    if (line.type !== LineType.DIRECTIVE || line.param.toLowerCase() !== 'host') continue
    const values = typeof line.value === 'string' ? line.value.split(/\s+/) : line.value.map(one => one.val)
    names.push(...values.filter(name => name !== '' && !/[*?!]/.test(name)))
  }
  return names
}

type Computed = Record<string, string | string[]>

function compute(config: SSHConfig, alias: string, user?: string): Computed {
  return config.compute(user === undefined ? { Host: alias } : { Host: alias, User: user }, { ignoreCase: true, matchExec: false })
}

function one(values: Computed, name: string): string | undefined {
  const value = values[name]
  return Array.isArray(value) ? value[0] : value
}

async function hostOf(config: SSHConfig, alias: string, options: SshConfigOptions): Promise<SshConfigHost> {
  const values = compute(config, alias)
  const target = targetOf(values, alias, options)
  const command = one(values, 'proxycommand')
  let jump: SshConfigHop[] = []
  let problem = command !== undefined && command.toLowerCase() !== 'none' ? 'It is reached by a ProxyCommand, which is not run here; use ProxyJump.' : undefined
  try {
    jump = jumpsOf(config, values, options, 0)
  } catch (fault) {
    problem = fault instanceof Error ? fault.message : String(fault)
  }
  const agent = one(values, 'identityagent')
  return {
    alias,
    ...target,
    jump,
    identityFiles: await identitiesOf(values, alias, target, options),
    useAgent: agent?.toLowerCase() !== 'none',
    ...(problem === undefined ? {} : { problem }),
  }
}

function targetOf(values: Computed, alias: string, options: SshConfigOptions): SshConfigHop {
  const user = one(values, 'user') ?? options.user
  const port = Number(one(values, 'port') ?? defaultPort)
  const address = (one(values, 'hostname') ?? alias).replaceAll(/%[%h]/g, token => (token === '%%' ? '%' : alias))
  return { user, address, port: Number.isInteger(port) && port > 0 && port < 65_536 ? port : defaultPort }
}

/** Each jump host by its own part of the configuration; one that has jump hosts itself brings them along when it is the first. */
function jumpsOf(config: SSHConfig, values: Computed, options: SshConfigOptions, depth: number): SshConfigHop[] {
  const text = one(values, 'proxyjump')
  if (text === undefined || text.toLowerCase() === 'none') return []
  if (depth >= maxJumps) throw new Error('Its jump hosts lead in a circle.')
  const hops = text.split(',').map(part => {
    const match = /^(?:ssh:\/\/)?(?:([^@]+)@)?(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(part.trim())
    if (!match) throw new Error(`${part.trim()} is not a jump host.`)
    const alias = (match[2] ?? '').replace(/^\[|\]$/g, '')
    const own = compute(config, alias, match[1])
    const target = targetOf(own, alias, options)
    return { own, hop: { ...target, ...(match[1] === undefined ? {} : { user: match[1] }), ...(match[3] === undefined ? {} : { port: Number(match[3]) }) } }
  })
  const [first] = hops
  const before = first ? jumpsOf(config, first.own, options, depth + 1) : []
  return [...before, ...hops.map(({ hop }) => hop)]
}

async function identitiesOf(values: Computed, alias: string, target: SshConfigHop, options: SshConfigOptions): Promise<string[]> {
  const tokens: Record<string, string> = { '%%': '%', '%d': options.home, '%h': target.address, '%n': alias, '%p': String(target.port), '%r': target.user, '%u': options.user }
  const named = [values['identityfile'] ?? []].flat().filter(path => path.toLowerCase() !== 'none')
  const paths =
    named.length > 0
      ? named.map(path => {
          const full = untilde(path, options.home).replaceAll(/%./g, token => tokens[token] ?? token)
          return isAbsolute(full) ? full : resolve(options.home, full)
        })
      : defaultIdentities.map(name => join(options.home, '.ssh', name))
  const readable = await Promise.all(
    paths.map(path =>
      readFile(path, 'utf8').then(
        text => text.includes('PRIVATE KEY'),
        () => false,
      ),
    ),
  )
  return [...new Set(paths.filter((_, at) => readable[at]))]
}

function untilde(path: string, home: string): string {
  return path === '~' || path.startsWith('~/') ? join(home, path.slice(1)) : path
}
