/**
 * A plugin for building the window: of a kind's declaration it keeps what a window shows (names, columns, menu) and drops
 * what only the server does (defaults, validation, strategies, conversion). What those import, CEL and the schema facts
 * among it, is then left out: it would be most of the window's script.
 */
import type { Plugin } from 'vite'

/** Members of a declaration that only the API server reads. */
const serverOnly: ReadonlySet<string> = new Set([
  'fields',
  'generation',
  'conversion',
  'setDefaults',
  'prepareForCreate',
  'prepareForUpdate',
  'prepareForStatusUpdate',
  'validate',
  'validateUpdate',
  'validateStatusUpdate',
  'validateName',
  'warnings',
  'gracePeriodSeconds',
])

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [member: string]: unknown
}

export function windowKinds(): Plugin {
  return {
    name: 'quarterdeck-window-kinds',
    transform(code, id) {
      if (!/[\\/]src-main[\\/]api[\\/].*\.ts$/.test(id)) return undefined
      // The contract is pure: a module of it does nothing but what its exports are used for.
      if (!code.includes('defineResource')) return { code, map: null, moduleSideEffects: false }
      return { code: withoutServerMembers(code, this.parse(code) as unknown as Node), map: null, moduleSideEffects: false }
    },
  }
}

function withoutServerMembers(code: string, program: Node): string {
  const cuts: { from: number; to: number }[] = []
  visit(program, node => {
    const callee = node['callee'] as Node | undefined
    if (node.type !== 'CallExpression' || callee?.['name'] !== 'defineResource') return
    const declaration = (node['arguments'] as Node[])[0]
    const members = declaration?.type === 'ObjectExpression' ? (declaration['properties'] as Node[]) : []
    for (const [i, member] of members.entries()) {
      const name = (member['key'] as Node | undefined)?.['name']
      if (typeof name === 'string' && serverOnly.has(name)) cuts.push({ from: member.start, to: members[i + 1]?.start ?? member.end })
    }
  })
  let out = code
  for (const { from, to } of cuts.toSorted((a, b) => b.from - a.from)) out = out.slice(0, from) + out.slice(to)
  return out
}

function visit(node: Node, see: (node: Node) => void): void {
  see(node)
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) {
      for (const item of value as unknown[]) if (isNode(item)) visit(item, see)
    } else if (isNode(value)) visit(value, see)
  }
}
function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'
}
