/**
 * Makes resources/schema/protobuf.json: field numbers of Kubernetes' built-in kinds, so that bodies of Go's typed
 * clients can be read. The facts stand in the struct tags of the Go modules k8s.io/api and k8s.io/apimachinery
 * (download them with `go mod download k8s.io/api@v0.37.2 k8s.io/apimachinery@v0.37.2`).
 *
 *   node test/support/schema/protobuf.ts MODULE_CACHE/k8s.io/api@v0.37.2 MODULE_CACHE/k8s.io/apimachinery@v0.37.2
 *
 * A struct is a list of [number, JSON name ('' = inlined), type, flags]; flags: p pointer, r repeated, m map, o omitempty.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

type FieldFact = [number: number, name: string, type: string, flags: string]

const [api, machinery] = process.argv.slice(2)
if (!api || !machinery) throw new Error('usage: protobuf.ts K8S_IO_API_DIR K8S_IO_APIMACHINERY_DIR')

/** Go types that are other things on the wire and in JSON; the decoder knows these names. */
const special: Record<string, string> = {
  'k8s.io/apimachinery/pkg/apis/meta/v1.Time': 'time',
  'k8s.io/apimachinery/pkg/apis/meta/v1.MicroTime': 'microTime',
  'k8s.io/apimachinery/pkg/apis/meta/v1.Duration': 'duration',
  'k8s.io/apimachinery/pkg/api/resource.Quantity': 'quantity',
  'k8s.io/apimachinery/pkg/util/intstr.IntOrString': 'intOrString',
  'k8s.io/apimachinery/pkg/runtime.RawExtension': 'raw',
  'k8s.io/apimachinery/pkg/apis/meta/v1.FieldsV1': 'raw',
}
const scalars = new Set(['string', 'bool', 'int32', 'int64', 'uint32', 'uint64', 'float64', 'float32', 'int'])

interface GoPackage {
  readonly path: string
  readonly imports: Map<string, string>
  readonly aliases: Map<string, string>
  readonly structs: Map<string, { goType: string; json: string; inline: boolean; omitempty: boolean; number: number; wire: string }[]>
}

function parsePackage(path: string, directory: string): GoPackage {
  const found: GoPackage = { path, imports: new Map(), aliases: new Map(), structs: new Map() }
  const files = readdirSync(directory).filter(file => file.endsWith('.go') && !file.endsWith('_test.go') && !file.startsWith('generated') && !file.startsWith('zz_'))
  for (const file of files) parseFile(found, readFileSync(join(directory, file), 'utf8'))
  return found
}

function parseFile(into: GoPackage, text: string): void {
  for (const [, alias, path = ''] of text.matchAll(/^\s*(?:import\s+)?(\w+)?\s*"((?:k8s\.io)\/[^"]+)"$/gm)) into.imports.set(alias ?? path.split('/').at(-1) ?? '', path)
  for (const [, name = '', type = ''] of text.matchAll(/^type (\w+) ((?:\[\]|map\[)?[\w.[\]*]+)$/gm)) into.aliases.set(name, type)
  for (const [, name = '', body = ''] of text.matchAll(/^type (\w+) struct \{\n([\s\S]*?)^\}/gm)) {
    const fields = []
    for (const line of body.split('\n')) {
      const match = /^\s+(?:(\w+)\s+)?([\w.[\]*]+)\s+`(.*)`/.exec(line)
      const tag = match && /protobuf:"(\w+),(\d+),/.exec(match[3] ?? '')
      const json = match && /json:"([^"]*)"/.exec(match[3] ?? '')?.[1]
      if (!match || !tag || json === undefined || json === null) continue
      const [jsonName = '', ...options] = json.split(',')
      fields.push({
        goType: match[2] ?? '',
        json: jsonName,
        inline: jsonName === '' && (options.includes('inline') || match[1] === undefined),
        omitempty: options.includes('omitempty') || options.includes('omitzero'),
        number: Number(tag[2]),
        wire: tag[1] ?? '',
      })
    }
    into.structs.set(name, fields)
  }
}

const packages = new Map<string, GoPackage>()
for (const group of readdirSync(api, { withFileTypes: true }).filter(entry => entry.isDirectory())) {
  for (const version of readdirSync(join(api, group.name)).filter(name => /^v\d+$/.test(name)))
    packages.set(`k8s.io/api/${group.name}/${version}`, parsePackage(`k8s.io/api/${group.name}/${version}`, join(api, group.name, version)))
}
for (const path of ['pkg/apis/meta/v1', 'pkg/runtime', 'pkg/util/intstr', 'pkg/api/resource', 'pkg/types'])
  packages.set(`k8s.io/apimachinery/${path}`, parsePackage(`k8s.io/apimachinery/${path}`, join(machinery, path)))

/** Type of a field or alias as the decoder wants it: a scalar, a special, or the full name of a struct. */
function resolve(goType: string, from: GoPackage): { type: string; flags: string } {
  if (goType.startsWith('*')) {
    const inner = resolve(goType.slice(1), from)
    return { type: inner.type, flags: `p${inner.flags}` }
  }
  if (goType === '[]byte') return { type: 'bytes', flags: '' }
  if (goType.startsWith('[]')) {
    const inner = resolve(goType.slice(2), from)
    return { type: inner.type, flags: 'r' }
  }
  const map = /^map\[[\w.]+\](.+)$/.exec(goType)
  if (map) {
    const value = resolve(map[1] ?? '', from)
    return { type: value.flags.includes('r') ? `list:${value.type}` : value.type, flags: 'm' }
  }
  if (scalars.has(goType)) return { type: goType === 'int' ? 'int64' : goType, flags: '' }
  const dot = goType.indexOf('.')
  const home = dot < 0 ? from : packages.get(from.imports.get(goType.slice(0, dot)) ?? '')
  const name = dot < 0 ? goType : goType.slice(dot + 1)
  if (!home) return { type: 'unknown', flags: '' }
  const full = `${home.path}.${name}`
  if (special[full]) return { type: special[full] ?? '', flags: '' }
  if (home.structs.has(name)) return { type: full, flags: '' }
  const alias = home.aliases.get(name)
  if (alias === undefined) return { type: 'unknown', flags: '' }
  const inner = resolve(alias, home)
  // A named list (Verbs, ExtraValue) is a message with one repeated field on the wire.
  return inner.flags === 'r' ? { type: `list:${inner.type}`, flags: '' } : inner
}

const facts: Record<string, FieldFact[]> = {}
for (const found of packages.values()) {
  for (const [name, fields] of found.structs) {
    if (fields.length === 0 || special[`${found.path}.${name}`]) continue
    facts[`${found.path}.${name}`] = fields.map(field => {
      const { type, flags } = resolve(field.goType, found)
      return [field.number, field.inline ? '' : field.json, type, `${flags}${field.omitempty ? 'o' : ''}`]
    })
  }
}
const file = fileURLToPath(new URL('../../../resources/schema/protobuf.json', import.meta.url))
writeFileSync(
  file,
  `{\n${Object.entries(facts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, fields]) => `${JSON.stringify(name.replace('k8s.io/', ''))}:${JSON.stringify(fields).replaceAll('k8s.io/', '')}`)
    .join(',\n')}\n}\n`,
)
const unknown = Object.entries(facts).flatMap(([name, fields]) => fields.filter(field => field[2].includes('unknown')).map(field => `${name} ${field[1]}`))
process.stdout.write(`${relative(process.cwd(), file)}: ${Object.keys(facts).length} structs${unknown.length > 0 ? `; not understood: ${unknown.join(', ')}` : ''}\n`)
