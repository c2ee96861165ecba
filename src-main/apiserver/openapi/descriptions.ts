/**
 * Texts for `kubectl explain`. Kubernetes' sentences are not part of this project: they are read from the declarations of
 * the npm package @kubernetes/client-node where it is installed, a file a definition and only for the definitions that a
 * document has, or from one file that the build wrote for the packaged app. Nothing is kept in memory. Where neither is
 * there, documents have no texts. The package follows Kubernetes by a version or two, so the newest fields have none.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** By field name; `''` is the definition itself. Names that JavaScript cannot have are written with `_`: see `textOf`. */
export type Texts = ReadonlyMap<string, string>
/** Texts of the definitions that are known, by their OpenAPI name (`io.k8s.api.core.v1.Pod`). */
export type Descriptions = (definitions: readonly string[]) => Promise<ReadonlyMap<string, Texts>>

/** Where the package has its declarations, below a project's directory. */
const declarations = 'node_modules/@kubernetes/client-node/dist/gen/models'
/** Written by the build, below a project's directory. */
export const packagedFile = 'out/main/descriptions.json'
const ending = '.d.ts'

/** Texts from what is found below `projectDir`. */
export function descriptionsBelow(projectDir: string): Descriptions {
  const directory = join(projectDir, declarations)
  return async definitions => {
    const files = await readdir(directory).catch(() => [])
    return files.length > 0 ? fromDeclarations(directory, files, definitions) : fromPackagedFile(join(projectDir, packagedFile), definitions)
  }
}

/** All texts, for the build. Throws when the package is not installed. */
export async function everyText(projectDir: string, definitions: readonly string[]): Promise<Record<string, Record<string, string>>> {
  const directory = join(projectDir, declarations)
  const found = await fromDeclarations(directory, await readdir(directory), definitions)
  return Object.fromEntries([...found].map(([name, texts]) => [name, Object.fromEntries(texts)]))
}

async function fromDeclarations(directory: string, files: readonly string[], definitions: readonly string[]): Promise<Map<string, Texts>> {
  const present = new Set(files.filter(file => file.endsWith(ending)))
  const found = new Map<string, Texts>()
  await Promise.all(
    definitions.map(async name => {
      const file = classNames(name).find(candidate => present.has(`${candidate}${ending}`))
      if (file !== undefined) found.set(name, textsOf(await readFile(join(directory, `${file}${ending}`), 'utf8')))
    }),
  )
  return found
}

async function fromPackagedFile(file: string, definitions: readonly string[]): Promise<Map<string, Texts>> {
  const text = await readFile(file, 'utf8').catch(() => '{}')
  const all = JSON.parse(text) as Record<string, Record<string, string>>
  return new Map(definitions.flatMap(name => (Object.hasOwn(all, name) ? [[name, new Map(Object.entries(all[name] ?? {}))] as const] : [])))
}

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1)

/** `io.k8s.api.core.v1.Event` is the class CoreV1Event where several groups have one, else V1Event. */
function classNames(definition: string): string[] {
  const [type = '', version = '', group = ''] = definition.split('.').reverse()
  return [`${capital(group)}${capital(version)}${type}`, `${capital(version)}${type}`]
}

const comment = /\/\*\*\s*\n((?:\s*\*(?!\/).*\n)*)\s*\*\/\s*\n\s*(?:export declare class (\w+)|'([^']+)'\??:)/g

function textsOf(source: string): Texts {
  const texts = new Map<string, string>()
  for (const [, body = '', type, field] of source.matchAll(comment)) {
    const text = body
      .split('\n')
      .map(line => line.replace(/^\s*\* ?/, ''))
      .join('\n')
      .trim()
      .replace(/\\(["'\\])/g, '$1')
    texts.set(type === undefined ? (field ?? '') : '', text)
  }
  return texts
}

/** Text of a field by its JSON name: reserved words have a `_` in front in the declarations, dashes are `_`. */
export function textOf(texts: Texts, field: string): string | undefined {
  return texts.get(field) ?? texts.get(`_${field}`) ?? texts.get(field.replace(/[^A-Za-z0-9]/g, '_'))
}

/** Puts texts beside the schemas of a document, in new objects. */
export async function describe(schemas: Readonly<Record<string, Record<string, unknown>>>, descriptions: Descriptions): Promise<Record<string, Record<string, unknown>>> {
  const known = await descriptions(Object.keys(schemas))
  if (known.size === 0) return schemas
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => {
      const texts = known.get(name)
      return [name, texts ? describeOne(schema, texts, known) : schema]
    }),
  )
}

/** The declarations have no text at fields that are one object of another definition: what that one says stands in. */
function textOfTarget(value: Record<string, unknown>, known: ReadonlyMap<string, Texts>): string | undefined {
  const [target] = (value['allOf'] ?? []) as { $ref?: string }[]
  return target?.$ref === undefined ? undefined : known.get(target.$ref.slice(target.$ref.lastIndexOf('/') + 1))?.get('')
}

function describeOne(schema: Record<string, unknown>, texts: Texts, known: ReadonlyMap<string, Texts>): Record<string, unknown> {
  const own = texts.get('')
  const properties = schema['properties'] as Record<string, Record<string, unknown>> | undefined
  return {
    ...(own === undefined ? {} : { description: own }),
    ...schema,
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties).map(([field, value]) => {
              const text = textOf(texts, field) ?? textOfTarget(value, known)
              return [field, text === undefined ? value : { description: text, ...value }]
            }),
          ),
        }),
  }
}
