/** Reads the project's own source files and their imports, for the rules. */
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))

export interface SourceFile {
  /** From the project's root, with slashes. */
  readonly path: string
  readonly text: string
  /** Text without comments and string contents where that matters for banned words. */
  readonly code: string
  readonly imports: readonly Import[]
}

export interface Import {
  readonly specifier: string
  readonly typeOnly: boolean
  /** Project path of a relative import. */ readonly target?: string
}

const importPattern = /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^'"`;]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\s*\(\s*['"]([^'"]+)['"]\s*\)/g

export function sourceFiles(...folders: string[]): SourceFile[] {
  return folders.flatMap(folder => walk(folder)).map(path => read(path))
}

function walk(folder: string): string[] {
  let entries
  try {
    entries = readdirSync(join(root, folder), { withFileTypes: true })
  } catch {
    return []
  }
  return entries.flatMap(entry => {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) return entry.name === 'generated' || entry.name === 'node_modules' ? [] : walk(path)
    return /\.(ts|vue|mts)$/.test(entry.name) && !entry.name.endsWith('.d.ts') ? [path] : []
  })
}

function read(path: string): SourceFile {
  const text = readFileSync(join(root, path), 'utf8')
  const imports: Import[] = []
  for (const match of text.matchAll(importPattern)) {
    const specifier = match[2] ?? match[3] ?? ''
    const target = specifier.startsWith('.') ? relative(root, normalize(join(root, dirname(path), specifier))).replaceAll('\\', '/') : undefined
    imports.push({ specifier, typeOnly: match[1] !== undefined, ...(target === undefined ? {} : { target }) })
  }
  return { path, text, code: withoutComments(text), imports }
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, block => block.replace(/[^\n]/g, ' ')).replace(/(^|\s)\/\/[^\n]*/g, '$1')
}

/** `src-main/apiserver/authn/x.ts` → `apiserver`; the window's files are layer `renderer`. */
export function layerOf(path: string): string | undefined {
  const parts = path.split('/')
  if (parts[0] === 'src-renderer') return 'renderer'
  return parts[0] === 'src-main' ? parts[1] : undefined
}
