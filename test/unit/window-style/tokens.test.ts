import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../../src-renderer')
const sources = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(path => /\.(vue|css)$/.test(path))
const tokens = readFileSync(join(root, 'styles/tokens.css'), 'utf8')

test('no colour and no size is written outside of tokens.css', () => {
  const found = sources
    .filter(path => path !== join('styles', 'tokens.css'))
    .flatMap(path => {
      const text = readFileSync(join(root, path), 'utf8')
      const styles = path.endsWith('.css') ? text : [...text.matchAll(/<style[^>]*>([\s\S]*?)<\/style>/g)].map(m => m[1] ?? '').join('\n')
      return [...styles.matchAll(/#[0-9a-fA-F]{3,8}\b|\b(?:rgb|hsl)a?\(|\b\d*\.?\d+(?:px|rem|em|pt)\b/g)].map(m => `${path}: ${m[0]}`)
    })
  expect([sources.length > 40, found]).toEqual([true, []])
})

/** WCAG relative luminance of #rrggbb. */
function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map(i => {
    const c = parseInt(hex.slice(i, i + 2), 16) / 255
    return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
function contrast(a: string, b: string): number {
  const [hi = 0, lo = 0] = [luminance(a), luminance(b)].toSorted((x, y) => y - x)
  return (hi + 0.05) / (lo + 0.05)
}
function theme(block: string): Record<string, string> {
  return Object.fromEntries([...block.matchAll(/--([\w-]+): (#[0-9a-fA-F]{6});/g)].map(m => [m[1] ?? '', m[2] ?? '']))
}
const [darkBlock = '', lightBlock = ''] = tokens.split(":root[data-theme='light']")

test.each([
  ['dark', theme(darkBlock)],
  ['light', theme(lightBlock)],
])('texts of the %s theme are readable (WCAG AA) on every ground', (_name, colours) => {
  const weak = ['ground', 'surface', 'raised', 'hover', 'selected'].flatMap(ground =>
    ['ink', 'ink-soft', 'ink-faint', 'accent', 'ok', 'busy', 'warn', 'bad']
      .filter(ink => contrast(colours[ink] ?? '#000000', colours[ground] ?? '#000000') < 4.5)
      .map(ink => `${ink} on ${ground}`),
  )
  const own = ['ok', 'busy', 'warn', 'bad'].filter(ink => contrast(colours[ink] ?? '#000000', colours[`${ink}-soft`] ?? '#000000') < 4.5)
  const heat = [0, 1, 2, 3, 4, 5].filter(i => contrast(colours['ink'] ?? '#000000', colours[`heat-${i}`] ?? '#000000') < 4.5)
  expect([weak, own, heat]).toEqual([[], [], []])
})
