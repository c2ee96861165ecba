/** Image names as Docker understands them. Pure. */

/** `busybox` → `busybox:latest`; a digest or a tag stays. The short form is kept, as in pod specs and events. */
export function withDefaultTag(name: string): string {
  if (name.includes('@')) return name
  const last = name.slice(name.lastIndexOf('/') + 1)
  return last.includes(':') ? name : `${name}:latest`
}

/** `busybox` → `docker.io/library/busybox:latest`: two names of one image have the same full name. */
export function fullImageName(name: string): string {
  const tagged = withDefaultTag(name)
  const slash = tagged.indexOf('/')
  const first = slash < 0 ? '' : tagged.slice(0, slash)
  const hasRegistry = slash >= 0 && (first.includes('.') || first.includes(':') || first === 'localhost')
  if (hasRegistry) return tagged.replace(/^index\.docker\.io\//, 'docker.io/')
  return slash < 0 ? `docker.io/library/${tagged}` : `docker.io/${tagged}`
}

/** Host of the registry: `docker.io`, `registry.example:5000`. */
export function registryOf(name: string): string {
  const full = fullImageName(name)
  return full.slice(0, full.indexOf('/'))
}

/** The policy that applies where a container names none. */
export function defaultPullPolicy(name: string): 'Always' | 'IfNotPresent' {
  return !name.includes('@') && withDefaultTag(name).endsWith(':latest') ? 'Always' : 'IfNotPresent'
}

/** Docker's own names drop `docker.io/` and `library/`: `docker.io/library/busybox:1` is found as `busybox:1`. */
export function dockerImageName(name: string): string {
  return fullImageName(name)
    .replace(/^docker\.io\/library\//, '')
    .replace(/^docker\.io\//, '')
}

/** Splits for the pull call: `fromImage` and `tag` (a digest counts as tag). */
export function pullParts(name: string): { fromImage: string; tag: string } {
  const full = withDefaultTag(name)
  const at = full.indexOf('@')
  if (at >= 0) return { fromImage: full.slice(0, at).replace(/:[^:/]*$/, ''), tag: full.slice(at + 1) }
  const colon = full.lastIndexOf(':')
  return { fromImage: full.slice(0, colon), tag: full.slice(colon + 1) }
}
