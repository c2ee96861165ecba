/** Log lines that are JSON objects, as columns. */
export type LogFields = Readonly<Record<string, string>>

/** Longest value that is shown in a column. */
const maxValue = 500
/** Lines of other shapes give no more columns than can be chosen from. */
const maxFields = 60

/** The fields of a line; those of objects inside by their path. Undefined when the line is no JSON object. */
export function jsonFields(text: string): LogFields | undefined {
  if (!text.startsWith('{') || !text.endsWith('}')) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const out = Object.create(null) as Record<string, string>
  collect(value as Record<string, unknown>, '', out, 0)
  return out
}

function collect(value: Record<string, unknown>, prefix: string, out: Record<string, string>, depth: number): void {
  for (const [name, item] of Object.entries(value)) {
    if (Object.keys(out).length >= maxFields) return
    const path = prefix + name
    if (item !== null && typeof item === 'object' && !Array.isArray(item) && depth < 2) collect(item as Record<string, unknown>, `${path}.`, out, depth + 1)
    else {
      const said = typeof item === 'string' ? item : JSON.stringify(item)
      out[path] = said.length > maxValue ? `${said.slice(0, maxValue)}…` : said
    }
  }
}

const first = ['time', 'timestamp', 'ts', '@timestamp', 'level', 'severity', 'lvl', 'logger', 'msg', 'message']

/** The columns that lines have, most telling first: what loggers name everywhere, then by how many lines have them. */
export function fieldNames(lines: readonly LogFields[]): string[] {
  const counts = new Map<string, number>()
  for (const line of lines) for (const name of Object.keys(line)) counts.set(name, (counts.get(name) ?? 0) + 1)
  const rank = (name: string): number => (first.includes(name.toLowerCase()) ? first.indexOf(name.toLowerCase()) : first.length)
  return [...counts.keys()].toSorted((a, b) => rank(a) - rank(b) || (counts.get(b) ?? 0) - (counts.get(a) ?? 0) || (a < b ? -1 : 1))
}

/** Columns to begin with: the time stands before the line anyway. */
export function startingFields(names: readonly string[]): string[] {
  return names.filter(name => !['time', 'timestamp', 'ts', '@timestamp'].includes(name.toLowerCase())).slice(0, 6)
}
