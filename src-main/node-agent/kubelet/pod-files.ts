/** The hosts and resolv.conf files of a pod. Pure but for reading the host's own resolv.conf. */
import type { Pod } from '../../api/generated/core-v1.ts'
import { readTextFile } from '../checkpoint.ts'

/** Limits of glibc and of Kubernetes. */
const maxNameservers = 3
const maxSearches = 32

export interface DnsSettings {
  readonly clusterDNS: string
  readonly clusterDomain: string
}

export interface Resolver {
  readonly nameservers: readonly string[]
  readonly searches: readonly string[]
  readonly options: readonly string[]
}

export function parseResolver(text: string): Resolver {
  const nameservers: string[] = []
  let searches: string[] = []
  const options: string[] = []
  for (const line of text.split('\n')) {
    const [word, ...rest] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/)
    if (word === 'nameserver' && rest[0]) nameservers.push(rest[0])
    else if (word === 'search' || word === 'domain') searches = rest
    else if (word === 'options') options.push(...rest)
  }
  return { nameservers, searches, options }
}

/** The host's real upstream servers: behind systemd-resolved's stub there is the list of the true ones. */
export async function hostResolver(): Promise<Resolver> {
  const own = parseResolver((await readTextFile('/etc/resolv.conf')) ?? '')
  if (own.nameservers.every(server => server.startsWith('127.'))) {
    const real = await readTextFile('/run/systemd/resolve/resolv.conf')
    if (real !== undefined) return parseResolver(real)
  }
  return own
}

export function podResolver(pod: Pod, host: Resolver, dns: DnsSettings): Resolver {
  const policy = pod.spec?.dnsPolicy ?? 'ClusterFirst'
  const cluster = policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && !pod.spec?.hostNetwork)
  const base: Resolver =
    policy === 'None'
      ? { nameservers: [], searches: [], options: [] }
      : cluster
        ? {
            nameservers: [dns.clusterDNS],
            searches: [`${pod.metadata.namespace ?? ''}.svc.${dns.clusterDomain}`, `svc.${dns.clusterDomain}`, dns.clusterDomain, ...host.searches.filter(s => s !== '.')],
            options: ['ndots:5'],
          }
        : host
  const config = pod.spec?.dnsConfig
  const options = new Map(base.options.map(option => [option.split(':')[0] ?? '', option]))
  for (const option of config?.options ?? []) if (option.name) options.set(option.name, option.value === undefined ? option.name : `${option.name}:${option.value}`)
  return {
    nameservers: [...new Set([...base.nameservers, ...(config?.nameservers ?? [])])].slice(0, maxNameservers),
    searches: [...new Set([...base.searches, ...(config?.searches ?? [])])].slice(0, maxSearches),
    options: [...options.values()],
  }
}

export function resolverText(resolver: Resolver): string {
  return [
    ...(resolver.searches.length > 0 ? [`search ${resolver.searches.join(' ')}`] : []),
    ...resolver.nameservers.map(server => `nameserver ${server}`),
    ...(resolver.options.length > 0 ? [`options ${resolver.options.join(' ')}`] : []),
    '',
  ].join('\n')
}

export function podHostname(pod: Pod, clusterDomain: string): { hostname: string; domain: string } {
  const hostname = (pod.spec?.hostnameOverride ?? (pod.spec?.hostname || (pod.metadata.name ?? ''))).slice(0, 63).replace(/[-.]+$/, '')
  const domain = pod.spec?.subdomain ? `${pod.spec.subdomain}.${pod.metadata.namespace ?? ''}.svc.${clusterDomain}` : ''
  return { hostname, domain }
}

export function hostsText(pod: Pod, podIP: string, clusterDomain: string): string {
  const { hostname, domain } = podHostname(pod, clusterDomain)
  const lines = [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    domain === '' ? `${podIP}\t${hostname}` : `${podIP}\t${hostname}.${domain}\t${hostname}`,
  ]
  const aliases = pod.spec?.hostAliases ?? []
  if (aliases.length > 0) lines.push('', '# Entries added by HostAliases.', ...aliases.map(alias => `${alias.ip}\t${(alias.hostnames ?? []).join('\t')}`))
  return `${lines.join('\n')}\n`
}
