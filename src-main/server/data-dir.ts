/** Where Quarterdeck keeps a user's data on each system. */
import { homedir } from 'node:os'
import { join } from 'node:path'

/** `environment` gives XDG_DATA_HOME, LOCALAPPDATA and QUARTERDECK_DATA_DIR, which wins. */
export function defaultDataDir(platform: NodeJS.Platform, environment: Readonly<Record<string, string | undefined>>, home = homedir()): string {
  const own = environment['QUARTERDECK_DATA_DIR']
  if (own) return own
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'Quarterdeck')
  if (platform === 'win32') return join(environment['LOCALAPPDATA'] ?? join(home, 'AppData', 'Local'), 'Quarterdeck')
  // A relative XDG path is invalid by its specification and is not used.
  const xdg = environment['XDG_DATA_HOME']
  return join(xdg?.startsWith('/') ? xdg : join(home, '.local', 'share'), 'quarterdeck')
}
