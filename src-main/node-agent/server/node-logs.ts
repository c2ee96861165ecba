/**
 * GET /logs/…: files below /var/log, and with `?query=<service>` what a service of the host wrote to its journal (the
 * agent itself answers to `kubelet`). Only reads; links that lead out of /var/log are not followed.
 */
import { spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { agentPaths } from '../../api/agent.ts'
import { HttpFault } from './request-scope.ts'

const root = '/var/log'
/** As upstream's log query. */
const maxTailLines = 100_000
const maxServices = 4

export async function nodeLogs(parts: readonly string[], query: URLSearchParams, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') throw new HttpFault(405, 'Method Not Allowed')
  if (query.has('query')) {
    await journal(query, response)
    return
  }
  if (parts.some(part => part === '..' || part.includes('/') || part.includes('\0'))) throw new HttpFault(400, 'invalid URL path')
  const path = await realpath(join(root, ...parts)).catch(() => undefined)
  const facts = path !== undefined && (path === root || path.startsWith(`${root}/`)) ? await stat(path).catch(() => undefined) : undefined
  if (path === undefined || facts === undefined) throw new HttpFault(404, '404 page not found')
  if (facts.isDirectory()) {
    const names = (await readdir(path, { withFileTypes: true })).map(entry => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort()
    response
      .writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' })
      .end(
        `<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n${names.map(name => `<a href="${encodeURIComponent(name).replaceAll('%2F', '/')}">${escaped(name)}</a>\n`).join('')}</pre>\n`,
      )
    return
  }
  if (!facts.isFile()) throw new HttpFault(404, '404 page not found')
  response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' })
  if (request.method === 'HEAD') {
    response.end()
    return
  }
  // A log that grows meanwhile is given up to where it was.
  if (facts.size === 0) {
    response.end()
    return
  }
  await pipeline(createReadStream(path, { end: facts.size - 1 }), response).catch(() => {
    response.destroy()
  })
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&#34;')
}

/** Arguments for journalctl; throws HttpFault for what is not a service name, number or time. */
export function journalArguments(query: URLSearchParams): string[] {
  const services = query.getAll('query').filter(name => name !== '')
  if (services.length === 0 || services.length > maxServices || !services.every(name => /^[\w][\w.@:-]*$/.test(name)))
    throw new HttpFault(400, `query: invalid service name: ${services.join(',')}`)
  const out = ['--utc', '--no-pager', '--output=short-precise']
  for (const name of services) out.push(`--unit=${name === 'kubelet' ? agentPaths.unitName : name}`)
  for (const [parameter, option] of [
    ['sinceTime', 'since'],
    ['untilTime', 'until'],
  ] as const) {
    const text = query.get(parameter)
    if (text === null || text === '') continue
    const ms = Date.parse(text)
    if (Number.isNaN(ms)) throw new HttpFault(400, `${parameter}: invalid time: ${text}`)
    out.push(`--${option}=@${Math.floor(ms / 1000)}`)
  }
  const tail = query.get('tailLines')
  if (tail !== null && tail !== '') {
    if (!/^\d+$/.test(tail) || Number(tail) > maxTailLines) throw new HttpFault(400, `tailLines: invalid: ${tail}`)
    out.push(`--lines=${tail}`)
  }
  const boot = query.get('boot')
  if (boot !== null && boot !== '') {
    if (!/^-?\d{1,4}$/.test(boot) || Number(boot) > 0) throw new HttpFault(400, `boot: invalid: ${boot}`)
    out.push(`--boot=${boot}`)
  }
  const pattern = query.get('pattern')
  if (pattern) out.push(`--grep=${pattern}`)
  return out
}

async function journal(query: URLSearchParams, response: ServerResponse): Promise<void> {
  const child = spawn('journalctl', journalArguments(query), { stdio: ['ignore', 'pipe', 'ignore'] })
  const started = await new Promise<boolean>(resolve => {
    child.once('spawn', () => {
      resolve(true)
    })
    child.once('error', () => {
      resolve(false)
    })
  })
  if (!started) throw new HttpFault(501, 'this host has no journal')
  response.on('close', () => {
    child.kill()
  })
  response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' })
  await pipeline(child.stdout, response).catch(() => {
    response.destroy()
  })
}
