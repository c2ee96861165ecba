/** Where a webhook is, from a file in kubeconfig's form: its cluster is the webhook, its user is this API server. */
import { isObject } from '../api/json.ts'
import { parseYaml } from '../api/yaml.ts'
import type { Remote } from './remote-json.ts'

/** Reads what a kubeconfig names by path, relative to it. */
export type ReadFile = (path: string) => Promise<string>

type Named = Readonly<Record<string, unknown>>

function entry(list: unknown, name: unknown, field: string): Named {
  const found = Array.isArray(list) ? (list as unknown[]).find(one => isObject(one) && one['name'] === name) : undefined
  const value = isObject(found) ? found[field] : undefined
  return isObject(value) ? value : {}
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

/** Throws Error with a sentence for people. */
export async function remoteOfKubeconfig(text: string, readFile: ReadFile): Promise<Remote> {
  const [config] = parseYaml(text)
  if (!isObject(config)) throw new Error('the webhook configuration is no kubeconfig')
  const context = entry(config['contexts'], config['current-context'], 'context')
  const cluster = entry(config['clusters'], context['cluster'], 'cluster')
  const user = entry(config['users'], context['user'], 'user')
  const url = textOf(cluster['server'])
  if (url === undefined) throw new Error('the webhook configuration has no current context with a cluster that names a server')
  const pem = async (owner: Named, name: string): Promise<string | undefined> => {
    const data = textOf(owner[`${name}-data`])
    if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8')
    const path = textOf(owner[name])
    return path === undefined ? undefined : readFile(path)
  }
  const tokenFile = textOf(user['tokenFile'])
  const [authority, certificate, key, fileToken] = await Promise.all([
    pem(cluster, 'certificate-authority'),
    pem(user, 'client-certificate'),
    pem(user, 'client-key'),
    tokenFile === undefined ? undefined : readFile(tokenFile),
  ])
  const bearerToken = textOf(user['token']) ?? fileToken?.trim()
  const serverName = textOf(cluster['tls-server-name'])
  return {
    url,
    ...(authority === undefined ? {} : { authority }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(key === undefined ? {} : { key }),
    ...(bearerToken === undefined ? {} : { bearerToken }),
    ...(serverName === undefined ? {} : { serverName }),
  }
}
