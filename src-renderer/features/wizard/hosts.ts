/** The hosts that a user pastes: `user@host:port` lines, also `ssh -p 2222 -J jump user@host` and CSV `host,user,port`; ` via user@jump` names jump hosts, the nearest first. */
import type { HostAddress, HostHop, SshConfigHost } from '../../../src-main/api/bridge.ts'

export interface ParsedHosts {
  hosts: (HostAddress & { name: string })[]
  errors: { line: number; text: string; message: string }[]
}

const defaultUser = 'root'

export function parseHosts(text: string): ParsedHosts {
  const hosts: ParsedHosts['hosts'] = []
  const errors: ParsedHosts['errors'] = []
  const names = new Set<string>()
  text.split('\n').forEach((raw, index) => {
    const line = raw.replace(/#.*$/, '').trim()
    if (line === '') return
    const parsed = parseLine(line)
    if (typeof parsed === 'string') {
      errors.push({ line: index + 1, text: line, message: parsed })
      return
    }
    if (hosts.some(h => h.address === parsed.address && h.port === parsed.port)) {
      errors.push({ line: index + 1, text: line, message: 'This host is in the list already' })
      return
    }
    let name = nodeName(parsed.address, parsed.port)
    for (let n = 2; names.has(name); n++) name = `${nodeName(parsed.address, parsed.port)}-${n}`
    names.add(name)
    hosts.push({ ...parsed, name })
  })
  return { hosts, errors }
}

/** A host of ~/.ssh/config as a line. */
export function lineOf(host: SshConfigHost): string {
  const target = (h: { user: string; address: string; port: number }): string =>
    `${h.user}@${h.address.includes(':') ? `[${h.address}]` : h.address}${h.port === 22 ? '' : `:${h.port}`}`
  return `${target(host)}${host.jump.length > 0 ? ` via ${host.jump.map(target).join(', ')}` : ''}`
}

export function hopKey(hop: HostHop): string {
  return `${hop.user}@${hop.address}:${hop.port}`
}

/** A line with the jump hosts on its way. */
function parseLine(line: string): HostAddress | string {
  const jumped = /^ssh\s.*?(-J\s*(\S+))/.exec(line)
  const [direct = '', via] = jumped?.[1] ? [line.replace(jumped[1], ''), jumped[2]] : line.split(/\s+via\s+/)
  const host = parseTarget(direct.trim())
  if (typeof host === 'string' || via === undefined) return host
  const jump: HostHop[] = []
  for (const part of via.split(',')) {
    const hop = parseTarget(part.trim())
    if (typeof hop === 'string') return `Jump host ${part.trim()}: ${hop}`
    jump.push(hop)
  }
  return { ...host, jump }
}

function parseTarget(line: string): HostAddress | string {
  const ssh = /^ssh\s+(.*)$/.exec(line)
  if (ssh?.[1]) {
    const port = /-p\s*(\d+)/.exec(ssh[1])?.[1]
    const target = ssh[1].replace(/-p\s*\d+/, '').trim()
    return build(target.split('@').length > 1 ? (target.split('@')[0] ?? '') : defaultUser, target.split('@').at(-1) ?? '', port)
  }
  if (line.includes(',')) {
    const [address = '', user, port] = line.split(',').map(p => p.trim())
    return build(user || defaultUser, address, port || undefined)
  }
  const match = /^(?:([^@\s]+)@)?(\[[0-9a-fA-F:]+\]|[^\s:@]+|[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:]*)(?::(\d+))?$/.exec(line)
  if (!match) return 'Write it as user@host or user@host:port'
  return build(match[1] ?? defaultUser, (match[2] ?? '').replace(/^\[|\]$/g, ''), match[3])
}

function build(user: string, address: string, portText: string | undefined): HostAddress | string {
  const port = portText === undefined ? 22 : Number(portText)
  if (!Number.isInteger(port) || port < 1 || port > 65535) return `${portText ?? ''} is not a port`
  if (!/^[A-Za-z_][A-Za-z0-9_.-]*\$?$/.test(user)) return `${user} is not a user name`
  if (!/^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$/.test(address)) return `${address} is not a host name or address`
  return { user, address, port }
}

/** A node's name from an address: a DNS label; ports other than 22 tell hosts behind one address apart. */
function nodeName(address: string, port: number): string {
  const base = /^[\d.]+$|:/.test(address) ? `node-${address.replaceAll(/[.:]+/g, '-')}` : (address.split('.')[0] ?? address)
  return `${base}${port === 22 ? '' : `-${port}`}`
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '-')
    .slice(0, 63)
}
