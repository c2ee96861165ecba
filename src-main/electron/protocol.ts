/** The window's files under quarterdeck://window/, with their policy; nothing outside of the directory is served. */
import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import type { Protocol } from 'electron'
import { filePath } from '../server/web.ts'
import { appScheme, contentSecurityPolicy } from './security.ts'

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.woff2': 'font/woff2',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
}

/** Before the app is ready. */
export function declareScheme(protocol: Protocol): void {
  protocol.registerSchemesAsPrivileged([{ scheme: appScheme, privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true } }])
}

export function serveScheme(protocol: Protocol, files: string): void {
  protocol.handle(appScheme, request => answer(files, request.url, request.method))
}

export async function answer(files: string, address: string, method: string): Promise<Response> {
  const url = new URL(address)
  const path = url.host === 'window' && method === 'GET' ? filePath(files, url.pathname) : undefined
  const headers = { 'content-security-policy': contentSecurityPolicy, 'x-content-type-options': 'nosniff' }
  if (path === undefined) return new Response('not found', { status: 404, headers })
  try {
    return new Response(new Uint8Array(await readFile(path)), { headers: { ...headers, 'content-type': contentTypes[extname(path)] ?? 'application/octet-stream' } })
  } catch {
    return new Response('not found', { status: 404, headers })
  }
}
