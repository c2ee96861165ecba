import { describe, expect, it } from 'vitest'
import { journalArguments } from '../../../src-main/node-agent/server/node-logs.ts'

const argumentsOf = (text: string): string[] => journalArguments(new URLSearchParams(text))

describe('a query of the node journal', () => {
  it('becomes options of journalctl', () => {
    expect(argumentsOf('query=kubelet&query=docker&sinceTime=2026-01-01T00:00:00Z&tailLines=5&boot=-1&pattern=a%20b')).toEqual([
      '--utc',
      '--no-pager',
      '--output=short-precise',
      '--unit=quarterdeck-agent.service',
      '--unit=docker',
      '--since=@1767225600',
      '--lines=5',
      '--boot=-1',
      '--grep=a b',
    ])
  })
  it.each(['query=', 'query=--flush', 'query=a%20b', 'query=a&tailLines=x', 'query=a&sinceTime=x', 'query=a&boot=1'])('is refused: %s', text => {
    expect(() => argumentsOf(text)).toThrow()
  })
})
