/** What keeps the window in its place: only our own pages, no new windows, no permissions, only our own frames on the bridge. */
import type { App, Session, WebContents } from 'electron'

export const appScheme = 'quarterdeck'
/** The one origin that the window has. */
export const appOrigin = `${appScheme}://window`

export const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** Whether an address is a page of ours. */
export function isOwnPage(address: string): boolean {
  try {
    return new URL(address).protocol === `${appScheme}:` && new URL(address).host === 'window'
  } catch {
    return false
  }
}

/** Addresses that may be opened in the user's browser: ours alone, never one that came from a cluster. */
const documentation = new Set(['https://kubernetes.io/docs/'])
export function mayOpenOutside(address: string): boolean {
  return documentation.has(address)
}

/** Permissions that the window asks for and gets: copying a name or an error. */
const granted = new Set(['clipboard-sanitized-write'])

export function restrictSession(session: Session): void {
  session.setPermissionRequestHandler((contents, permission, answer) => {
    answer(granted.has(permission) && isOwnPage(contents.getURL()))
  })
  session.setPermissionCheckHandler((contents, permission) => granted.has(permission) && contents !== null && isOwnPage(contents.getURL()))
  session.setDevicePermissionHandler(() => false)
}

export function restrictContents(contents: WebContents, openOutside: (address: string) => void): void {
  contents.setWindowOpenHandler(({ url }) => {
    if (mayOpenOutside(url)) openOutside(url)
    return { action: 'deny' }
  })
  contents.on('will-navigate', event => {
    if (!isOwnPage(event.url)) event.preventDefault()
  })
  contents.on('will-redirect', event => {
    if (!isOwnPage(event.url)) event.preventDefault()
  })
  contents.on('will-attach-webview', event => {
    event.preventDefault()
  })
}

/** Every web contents there will ever be. */
export function restrictAll(app: App, openOutside: (address: string) => void): void {
  app.on('web-contents-created', (_event, contents) => {
    restrictContents(contents, openOutside)
  })
}
