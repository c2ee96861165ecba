import { describe, expect, it } from 'vitest'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ambient, entryPoints, homes, layers, nodeFolders } from './layers.ts'
import { layerOf, root, sourceFiles, type SourceFile } from './source.ts'

const files = sourceFiles('src-main', 'src-renderer')
const productAndTests = [...files, ...sourceFiles('test')]

function isNodeFolder(path: string): boolean {
  return nodeFolders.some(folder => path.startsWith(folder))
}

function layerFaults(file: SourceFile): string[] {
  const layer = layerOf(file.path)
  const rule = layer === undefined ? undefined : layers[layer]
  if (layer === undefined || !rule) return [`${file.path}: its folder is no layer`]
  const faults: string[] = []
  for (const { specifier, target } of file.imports) {
    if (specifier.startsWith('node:') && !rule.node && !isNodeFolder(file.path)) faults.push(`${file.path}: ${layer} is pure and must not import ${specifier}`)
    if (target === undefined) continue
    if (target.startsWith('resources/') || target.startsWith('package.json')) continue
    const other = layerOf(target)
    if (other === undefined) {
      faults.push(`${file.path}: imports ${target}, outside the product`)
      continue
    }
    if (other !== layer && !rule.imports.includes(other)) faults.push(`${file.path}: ${layer} must not import ${other} (${target})`)
    if (isNodeFolder(target) && !rule.node && !isNodeFolder(file.path)) faults.push(`${file.path}: ${layer} must not import ${target}, which is bound to Node`)
  }
  return faults
}

function peerFaults(file: SourceFile): string[] {
  const layer = layerOf(file.path)
  const folder = layer === undefined ? undefined : layers[layer]?.peers
  if (folder === undefined) return []
  const base = layer === 'renderer' ? `src-renderer/${folder}/` : `src-main/${folder}/`
  const peerOf = (path: string): string | undefined => {
    if (!path.startsWith(base)) return undefined
    const rest = path.slice(base.length).split('/')
    return rest.length > 1 ? rest[0] : undefined
  }
  const own = peerOf(file.path)
  if (own === undefined) return []
  return file.imports.flatMap(({ target }) => {
    const other = target === undefined ? undefined : peerOf(target)
    return other !== undefined && other !== own ? [`${file.path}: peer ${own} imports peer ${other}`] : []
  })
}

function packageOf(specifier: string): string {
  const parts = specifier.split('/')
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? '')
}

function homeFaults(file: SourceFile): string[] {
  return file.imports.flatMap(({ specifier, target }) => {
    if (target !== undefined || specifier.startsWith('node:')) return []
    const allowed = homes[packageOf(specifier)]
    return allowed && !allowed.some(prefix => file.path.startsWith(prefix)) ? [`${file.path}: ${specifier} may only be imported in ${allowed.join(', ')}`] : []
  })
}

function cycles(): string[] {
  const graph = new Map(files.map(f => [f.path, f.imports.filter(i => !i.typeOnly && i.target !== undefined).map(i => i.target ?? '')]))
  const state = new Map<string, 'open' | 'done'>()
  const found: string[] = []
  const visit = (path: string, trail: string[]): void => {
    if (state.get(path) === 'done') return
    if (state.get(path) === 'open') {
      found.push([...trail.slice(trail.indexOf(path)), path].join(' → '))
      return
    }
    state.set(path, 'open')
    for (const next of graph.get(path) ?? []) if (graph.has(next)) visit(next, [...trail, path])
    state.set(path, 'done')
  }
  for (const path of graph.keys()) visit(path, [])
  return found
}

describe('layers', () => {
  it('import only what the rules allow', () => {
    expect(files.flatMap(layerFaults)).toEqual([])
  })
  it('keep peers apart', () => {
    expect(files.flatMap(peerFaults)).toEqual([])
  })
  it('have no cycles of imports at run time', () => {
    expect(cycles()).toEqual([])
  })
  it('give each outside package its one home', () => {
    expect(files.flatMap(homeFaults)).toEqual([])
  })
})

describe('tidiness', () => {
  it('takes time, timers, randomness and settings from Env alone', () => {
    const faults = files
      .filter(f => f.path.startsWith('src-main/') && !entryPoints.some(e => f.path.startsWith(e)))
      .flatMap(f => ambient.filter(a => a.pattern.test(f.code)).map(a => `${f.path}: ${a.name}`))
    expect(faults).toEqual([])
  })
  it('keeps files below 500 lines', () => {
    const faults = productAndTests.map(f => ({ path: f.path, lines: f.text.split('\n').length })).filter(f => f.lines > 500)
    expect(faults).toEqual([])
  })
  it('names no file util, helper, common or misc', () => {
    expect(productAndTests.map(f => f.path).filter(p => /(^|[/-])(utils?|helpers?|common|misc)([./-]|$)/.test(p))).toEqual([])
  })
  it('uses kebab-case for files, PascalCase for Vue components', () => {
    const faults = productAndTests
      .map(f => f.path)
      .filter(path => {
        const name = path.split('/').at(-1) ?? ''
        return name.endsWith('.vue') ? !/^[A-Z][A-Za-z0-9]*\.vue$/.test(name) : !/^[a-z0-9]+([-.][a-z0-9]+)*\.ts$/.test(name)
      })
    expect(faults).toEqual([])
  })
  it('shows no cluster content as HTML in the window', () => {
    const faults = files.filter(f => f.path.startsWith('src-renderer/') && /v-html|\.innerHTML|insertAdjacentHTML|document\.write/.test(f.code)).map(f => f.path)
    expect(faults).toEqual([])
  })
  it('leaves no test out', () => {
    const faults = productAndTests
      .filter(f => f.path.startsWith('test/') && !f.path.startsWith('test/rules/') && /\b(it|test|describe)\.(skip|only|todo|fixme)\b/.test(f.code))
      .map(f => f.path)
    expect(faults).toEqual([])
  })
})

describe('project', () => {
  it('pins every dependency to an exact version', () => {
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, Record<string, string>>
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
    expect(loose).toEqual([])
  })
  it('shows each dependency used somewhere', () => {
    const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: Record<string, string> }
    const everything = [
      ...productAndTests.map(f => f.text),
      ...readdirSync(join(root, 'src-renderer'), { recursive: true, encoding: 'utf8' })
        .filter(f => f.endsWith('.css'))
        .map(f => readFileSync(join(root, 'src-renderer', f), 'utf8')),
    ].join('\n')
    expect(Object.keys(dependencies).filter(name => !everything.includes(name))).toEqual([])
  })
  it('numbers its decisions without gaps', () => {
    const numbers = readdirSync(join(root, 'docs/adr'))
      .filter(f => f.endsWith('.md'))
      .map(f => Number(f.slice(0, 4)))
      .sort((a, b) => a - b)
    expect(numbers).toEqual(numbers.map((_, i) => i + 1))
  })
  it('has the files that people look for first', () => {
    const wanted = ['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md', 'LICENSE', '.ci/run', 'docs/upstream.md']
    expect(wanted.filter(f => !existsSync(join(root, f)))).toEqual([])
  })
})
