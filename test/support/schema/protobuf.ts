/**
 * Keeps resources/schema/protobuf.json: field numbers of Kubernetes' built-in kinds, so that bodies of Go's typed clients
 * can be read and written. The facts stand in the struct tags of Kubernetes' Go modules, which `go mod download` fetches.
 *
 *   node test/support/schema/protobuf.ts update MODULE_CACHE/k8s.io v0.37.2   rewrite the facts from the modules
 *   node test/support/schema/protobuf.ts check                               fail when a field of the schema facts has no number
 *
 * A struct is a list of [number, JSON name ('' = inlined), type, flags]; flags: p pointer, r repeated, m map, o omitempty.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

type FieldFact = [number: number, name: string, type: string, flags: string]

const file = fileURLToPath(new URL('../../../resources/schema/protobuf.json', import.meta.url))
const schemaFile = fileURLToPath(new URL('../../../resources/schema/definitions.json', import.meta.url))

/** Go types that are other things on the wire and in JSON; the decoder knows these names. */
const special: Record<string, string> = {
  'k8s.io/apimachinery/pkg/apis/meta/v1.Time': 'time',
  'k8s.io/apimachinery/pkg/apis/meta/v1.MicroTime': 'microTime',
  'k8s.io/apimachinery/pkg/apis/meta/v1.Duration': 'duration',
  'k8s.io/apimachinery/pkg/api/resource.Quantity': 'quantity',
  'k8s.io/apimachinery/pkg/util/intstr.IntOrString': 'intOrString',
  'k8s.io/apimachinery/pkg/runtime.RawExtension': 'raw',
  'k8s.io/apimachinery/pkg/apis/meta/v1.FieldsV1': 'raw',
  'k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSON': 'raw',
  'k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrArray': 'schemaOrArray',
  'k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrBool': 'schemaOrBool',
  'k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrStringArray': 'schemaOrStrings',
}
const scalars = new Set(['string', 'bool', 'int32', 'int64', 'uint32', 'uint64', 'float64', 'float32', 'int'])

interface GoPackage {
  readonly path: string
  readonly imports: Map<string, string>
  readonly aliases: Map<string, string>
  readonly structs: Map<string, { goType: string; json: string; inline: boolean; omitempty: boolean; number: number; isRepeated: boolean }[]>
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
  for (const [, name = ''] of text.matchAll(/^type (\w+) struct ?\{\}$/gm)) into.structs.set(name, [])
  for (const [, name = '', body = ''] of text.matchAll(/^type (\w+) struct \{\n([\s\S]*?)^\}/gm)) {
    const fields = []
    for (const line of body.split('\n')) {
      const match = /^\s+(?:(\w+)\s+)?([\w.[\]*]+)\s+`(.*)`/.exec(line)
      const tag = match && /protobuf:"\w+,(\d+),(\w+)/.exec(match[3] ?? '')
      const json = match && /json:"([^"]*)"/.exec(match[3] ?? '')?.[1]
      if (!match || !tag || json === undefined || json === null) continue
      const [jsonName = '', ...options] = json.split(',')
      fields.push({
        goType: match[2] ?? '',
        json: jsonName,
        inline: jsonName === '' && (options.includes('inline') || match[1] === undefined),
        omitempty: options.includes('omitempty') || options.includes('omitzero'),
        number: Number(tag[1]),
        isRepeated: tag[2] === 'rep',
      })
    }
    into.structs.set(name, fields)
  }
}

const packages = new Map<string, GoPackage>()

function readPackages(modules: string, version: string): void {
  const add = (module: string, path: string): void => {
    packages.set(`k8s.io/${module}/${path}`, parsePackage(`k8s.io/${module}/${path}`, join(modules, `${module}@${version}`, path)))
  }
  const api = join(modules, `api@${version}`)
  for (const group of readdirSync(api, { withFileTypes: true }).filter(entry => entry.isDirectory()))
    for (const name of readdirSync(join(api, group.name)).filter(one => /^v\d/.test(one))) add('api', `${group.name}/${name}`)
  for (const path of ['pkg/apis/meta/v1', 'pkg/runtime', 'pkg/util/intstr', 'pkg/api/resource', 'pkg/types']) add('apimachinery', path)
  add('apiextensions-apiserver', 'pkg/apis/apiextensions/v1')
  add('kube-aggregator', 'pkg/apis/apiregistration/v1')
  add('metrics', 'pkg/apis/metrics/v1beta1')
}

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

/** [type, flags] of a field. A named list is a message of its own only where the field is not repeated itself. */
function typeOfField(field: { goType: string; isRepeated: boolean; omitempty: boolean }, from: GoPackage): [type: string, flags: string] {
  const { type, flags } = resolve(field.goType, from)
  const isOwnList = field.isRepeated && type.startsWith('list:') && !flags.includes('m')
  return [isOwnList ? type.slice('list:'.length) : type, `${flags}${isOwnList ? 'r' : ''}${field.omitempty ? 'o' : ''}`]
}

/** Structs that the published kinds reach, by name without the domain. */
function collect(roots: readonly string[]): Record<string, FieldFact[]> {
  const facts: Record<string, FieldFact[]> = {}
  const add = (full: string): void => {
    const name = full.replace('k8s.io/', '')
    const dot = full.lastIndexOf('.')
    const home = packages.get(full.slice(0, dot))
    const fields = home?.structs.get(full.slice(dot + 1))
    if (facts[name] || !home || !fields || special[full]) return
    const own: FieldFact[] = fields.map(field => [field.number, field.inline ? '' : field.json, ...typeOfField(field, home)])
    facts[name] = own
    for (const [, field, type] of own) {
      if (type === 'unknown') throw new Error(`the type of ${name} ${field} is not understood`)
      add(type.replace('list:', ''))
    }
  }
  for (const root of roots) add(root)
  return facts
}

/** `io.k8s.api.core.v1.Pod` → `k8s.io/api/core/v1.Pod`. */
function goName(definition: string): string {
  const parts = definition.split('.')
  return `k8s.io/${parts.slice(2, -1).join('/')}.${parts.at(-1) ?? ''}`
}

function update(modules: string, version: string): void {
  readPackages(modules, version)
  const published = Object.keys(JSON.parse(readFileSync(schemaFile, 'utf8')) as object).map(goName)
  // Kinds that are never in a schema: what discovery, watches and lists of metadata answer with, and what metrics are.
  const meta = ['Status', 'WatchEvent', 'PartialObjectMetadata', 'PartialObjectMetadataList', 'APIGroup', 'APIGroupList', 'APIResourceList', 'APIVersions', 'List']
  const extra = [
    ...meta.map(kind => `k8s.io/apimachinery/pkg/apis/meta/v1.${kind}`),
    ...['CreateOptions', 'UpdateOptions', 'PatchOptions', 'GetOptions', 'ListOptions'].map(kind => `k8s.io/apimachinery/pkg/apis/meta/v1.${kind}`),
    ...['NodeMetrics', 'NodeMetricsList', 'PodMetrics', 'PodMetricsList'].map(kind => `k8s.io/metrics/pkg/apis/metrics/v1beta1.${kind}`),
    'k8s.io/api/core/v1.List',
    'k8s.io/api/core/v1.SerializedReference',
    'k8s.io/api/core/v1.RangeAllocation',
  ]
  const facts = collect([...published, ...extra])
  writeFileSync(
    file,
    `{\n${Object.entries(facts)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, fields]) => `${JSON.stringify(name)}:${JSON.stringify(fields).replaceAll('k8s.io/', '')}`)
      .join(',\n')}\n}\n`,
  )
  process.stdout.write(`${relative(process.cwd(), file)}: ${Object.keys(facts).length} structs\n`)
}

/** Fields of the published schemas without a number, apiVersion and kind aside, which travel in the envelope. */
function check(): void {
  const schemas = JSON.parse(readFileSync(schemaFile, 'utf8')) as Record<string, { properties?: object }>
  const facts = JSON.parse(readFileSync(file, 'utf8')) as Record<string, FieldFact[]>
  const namesOf = (struct: string): string[] => (facts[struct] ?? []).flatMap(([, name, type]) => (name === '' ? namesOf(type) : [name]))
  const faults: string[] = []
  for (const [definition, schema] of Object.entries(schemas)) {
    const struct = goName(definition)
    if (special[struct] || definition.startsWith('io.k8s.apimachinery.pkg.version.')) continue
    const known = new Set(namesOf(struct.replace('k8s.io/', '')))
    for (const field of Object.keys(schema.properties ?? {})) if (!known.has(field) && field !== 'apiVersion' && field !== 'kind') faults.push(`${definition} ${field}`)
  }
  if (faults.length === 0) return
  console.error(`no field number is known of:\n${faults.join('\n')}\nrun: node test/support/schema/protobuf.ts update MODULE_CACHE/k8s.io VERSION`)
  process.exitCode = 1
}

const [command, modules, version] = process.argv.slice(2)
if (command === 'update' && modules && version) update(modules, version)
else if (command === 'check') check()
else {
  console.error('usage: protobuf update MODULE_CACHE/k8s.io VERSION | protobuf check')
  process.exitCode = 2
}
