/** Short names of a log's sources, of equal length for the lines' sake. */
export interface SourceLabel {
  pod: string
  container: string
  /** Both, padded to the longest of all. */ both: string
}

export function sourceLabels(sources: readonly { pod: string; container: string }[]): SourceLabel[] {
  const pods = [...new Set(sources.map(s => s.pod))]
  const containers = new Set(sources.map(s => s.container))
  const cut = pods.length > 1 ? commonStart(pods) : 0
  const labels = sources.map(({ pod, container }) => ({ pod: pods.length > 1 ? pod.slice(cut) : '', container: containers.size > 1 || pods.length <= 1 ? container : '' }))
  const whole = labels.map(({ pod, container }) => [pod, container].filter(part => part !== '').join(' '))
  const longest = Math.max(0, ...whole.map(text => text.length))
  return labels.map((label, i) => ({ ...label, both: (whole[i] ?? '').padEnd(longest) }))
}

/** Length of what all names begin with, up to a dash. */
function commonStart(names: readonly string[]): number {
  const [first = '', ...others] = names
  let length = 0
  while (length < first.length && others.every(name => name[length] === first[length])) length++
  return first.lastIndexOf('-', length - 1) + 1
}
