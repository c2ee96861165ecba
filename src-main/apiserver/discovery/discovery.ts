/** /api, /apis and below, /version, /: what clients ask first. Answers are made once and kept until the list of kinds changes. */
import { createHash } from 'node:crypto'
import { stringifyJson } from '../../api/json.ts'
import { methodNotAllowedHere } from '../../api/status-error.ts'
import type { AnyResource } from '../../api/resource.ts'
import type { ApiRequest, ApiResponse } from '../../api/request.ts'
import type { DelegatedVersion } from '../aggregation/aggregation.ts'
import { delegatedGroup, withDelegated, withDelegatedItems } from '../aggregation/discovery.ts'
import type { NonResourceHandler } from '../contracts.ts'
import { objectResponse } from '../respond.ts'
import { aggregated, apiGroup, groupsOf, resourceList, type GroupEntry } from './resource-lists.ts'

/** What /version says besides the fixed facts of the Kubernetes version that the API follows. */
export interface VersionFacts {
  readonly platform: string
  readonly runtimeVersion: string
  readonly buildDate: string
  readonly commit: string
}

const noVersions: readonly DelegatedVersion[] = []

export const kubernetesVersion = 'v1.37.2'
export const gitVersion = 'v1.37.2+quarterdeck'

/** `resources` must return the same array until the kinds change. */
export function discoveryHandler(options: {
  resources: () => readonly AnyResource[]
  version: VersionFacts
  extraPaths?: readonly string[]
  /** What other servers serve; the same array until it changes. */
  delegated?: () => readonly DelegatedVersion[]
}): NonResourceHandler {
  const delegated = options.delegated ?? (() => noVersions)
  let known: { of: readonly AnyResource[]; others: readonly DelegatedVersion[]; groups: GroupEntry[]; answers: Map<string, { object: object; etag: string }> } | undefined
  const current = (): NonNullable<typeof known> => {
    const resources = options.resources()
    const others = delegated()
    if (known?.of !== resources || known.others !== others) known = { of: resources, others, groups: groupsOf(resources), answers: new Map() }
    return known
  }
  const remembered = (key: string, make: (groups: GroupEntry[]) => object | undefined): { object: object; etag: string } | undefined => {
    const { answers, groups } = current()
    const present = answers.get(key)
    if (present) return present
    const object = make(groups)
    if (!object) return undefined
    const answer = { object, etag: `"${createHash('sha512').update(stringifyJson(object)).digest('hex').toUpperCase()}"` }
    answers.set(key, answer)
    return answer
  }

  return async ({ request, info }) => {
    const path = info.path.length > 1 && info.path.endsWith('/') ? info.path.slice(0, -1) : info.path
    const root = path === '/api' || path === '/apis'
    const wanted = root ? aggregatedForm(request.headers['accept'] ?? '') : undefined
    if (root && wanted) {
      checkMethod(request)
      const found = remembered(`${path} ${wanted}`, groups =>
        withDelegatedItems(
          aggregated(
            groups.filter(group => (group.name === '') === (path === '/api')),
            `apidiscovery.k8s.io/${wanted}`,
          ),
          path === '/apis' ? delegated() : noVersions,
        ),
      )
      return found && answerWithTag(request, found, `application/json;g=apidiscovery.k8s.io;v=${wanted};as=APIGroupDiscoveryList`)
    }
    const found =
      path === '/version'
        ? { object: versionObject(options.version), etag: '' }
        : remembered(path, groups => {
            const own = document(path, groups, options.extraPaths ?? [])
            return own ? withDelegated(path, own, delegated()) : delegatedGroup(path, delegated())
          })
    if (!found) return undefined
    // Groups and their list answer every method alike, as upstream.
    if (!/^\/apis(\/[^/]+)?$/.test(path) || request.method === 'DELETE') checkMethod(request)
    if (path === '/api') return objectResponse(request, { ...found.object, serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: addressOf(request) }] })
    return path === '/version' || path === '/' ? objectResponse(request, found.object) : answerWithTag(request, found)
  }
}

/** Clients of old looked here for the address they had come to. */
function addressOf(request: ApiRequest): string {
  const { host } = request.headers
  return typeof host === 'string' && host !== '' ? host : 'kubernetes.default.svc:443'
}

function checkMethod(request: ApiRequest): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') throw methodNotAllowedHere()
}

/** The answer, or 304 when the client has it already. Plain lists carry no tag, as upstream. */
async function answerWithTag(request: ApiRequest, found: { object: object; etag: string }, contentType?: string): Promise<ApiResponse> {
  if (contentType === undefined) return objectResponse(request, found.object)
  const headers = { etag: found.etag, vary: 'Accept', 'cache-control': 'public' }
  if (request.headers['if-none-match'] === found.etag && request.answer !== 'objects') return { status: 304, headers, body: { kind: 'none' } }
  return objectResponse(request, found.object, { contentType, headers })
}

function document(path: string, groups: readonly GroupEntry[], extraPaths: readonly string[]): object | undefined {
  if (path === '/') return { paths: rootPaths(groups, extraPaths) }
  if (path === '/api') return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] }
  const named = groups.filter(group => group.name !== '')
  if (path === '/apis') return { kind: 'APIGroupList', apiVersion: 'v1', groups: named.map(apiGroup) }
  const parts = path.split('/').slice(1)
  if (parts[0] === 'api' && parts.length === 2) {
    const core = groups.find(group => group.name === '')?.versions.find(version => version.version === parts[1])
    return core && resourceList(core)
  }
  if (parts[0] !== 'apis') return undefined
  const group = named.find(one => one.name === parts[1])
  if (!group) return undefined
  if (parts.length === 2) return { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(group) }
  const version = parts.length === 3 ? group.versions.find(one => one.version === parts[2]) : undefined
  return version && resourceList(version)
}

function rootPaths(groups: readonly GroupEntry[], extraPaths: readonly string[]): string[] {
  const paths = ['/.well-known/openid-configuration', '/api', '/apis', '/apis/', '/openid/v1/jwks', '/version', ...extraPaths]
  for (const group of groups) {
    if (group.name === '') for (const version of group.versions) paths.push(`/api/${version.version}`)
    else paths.push(`/apis/${group.name}`, ...group.versions.map(version => `/apis/${group.name}/${version.version}`))
  }
  return paths.sort()
}

/** v2 or v2beta1 when the client asks for aggregated discovery before plain JSON. */
function aggregatedForm(accept: string): 'v2' | 'v2beta1' | undefined {
  for (const part of accept.split(',')) {
    const [media = '', ...parameters] = part.split(';').map(text => text.trim())
    const version = parameters.find(parameter => parameter.startsWith('v='))?.slice(2)
    if (parameters.includes('as=APIGroupDiscoveryList') && parameters.includes('g=apidiscovery.k8s.io')) {
      if (media === 'application/json' && (version === 'v2' || version === 'v2beta1')) return version
      continue
    }
    if (media === 'application/json' || media === 'application/yaml' || media === '*/*') return undefined
  }
  return undefined
}

function versionObject(facts: VersionFacts): object {
  const [major = '1', minor = '37'] = kubernetesVersion.slice(1).split('.')
  return {
    major,
    minor,
    emulationMajor: major,
    emulationMinor: minor,
    minCompatibilityMajor: major,
    minCompatibilityMinor: String(Number(minor) - 1),
    gitVersion,
    gitCommit: facts.commit,
    gitTreeState: 'clean',
    buildDate: facts.buildDate,
    goVersion: facts.runtimeVersion,
    compiler: 'v8',
    platform: facts.platform,
  }
}
