import { describe, expect, test } from 'vitest'
import { mergeThreeWay } from '../../../src-renderer/panels/yaml/three-way.ts'
import { sourceLabels } from '../../../src-renderer/features/logs/source-labels.ts'

describe('a three-way merge', () => {
  const base = { spec: { replicas: 2, template: { containers: [{ name: 'a', image: 'a:1' }] }, paused: true }, labels: { x: '1' } }
  test('keeps what either side changed', () => {
    const mine = { spec: { ...base.spec, replicas: 3 }, labels: { x: '1' } }
    const theirs = { spec: { ...base.spec, template: { containers: [{ name: 'a', image: 'a:1', env: [] }] } }, labels: { x: '1', y: '2' } }
    expect(mergeThreeWay(base, mine, theirs)).toEqual({ merged: { spec: { ...theirs.spec, replicas: 3 }, labels: { x: '1', y: '2' } }, clashes: [] })
  })
  test('keeps what either side removed', () => {
    expect(mergeThreeWay({ a: 1, b: 2, c: 3 }, { b: 2, c: 3 }, { a: 1, c: 3 })).toEqual({ merged: { c: 3 }, clashes: [] })
  })
  test('merges inside lists of the same length, and names what both changed', () => {
    const list = (image: string, name: string): unknown => ({ list: [{ image, name }] })
    expect(mergeThreeWay(list('1', 'a'), list('2', 'a'), list('1', 'b'))).toEqual({ merged: list('2', 'b'), clashes: [] })
    expect(mergeThreeWay(list('1', 'a'), list('2', 'a'), list('3', 'a'))).toEqual({ merged: list('2', 'a'), clashes: ['list[0].image'] })
  })
  test('takes a list of another length as a whole', () => {
    expect(mergeThreeWay({ l: [1] }, { l: [1, 2] }, { l: [] }).clashes).toEqual(['l'])
  })
})

describe('labels of log sources', () => {
  test('are what tells them apart', () => {
    const labels = sourceLabels([
      { pod: 'web-6d54-aaaaa', container: 'app' },
      { pod: 'web-6d54-aaaaa', container: 'side' },
      { pod: 'web-6d54-abbbb', container: 'app' },
    ])
    expect(labels.map(l => l.both)).toEqual(['aaaaa app ', 'aaaaa side', 'abbbb app '])
  })
  test('are the pods alone where each has one container, the containers alone in one pod', () => {
    expect(
      sourceLabels([
        { pod: 'a-1', container: 'app' },
        { pod: 'b-2', container: 'app' },
      ]).map(l => [l.pod, l.container]),
    ).toEqual([
      ['a-1', ''],
      ['b-2', ''],
    ])
    expect(
      sourceLabels([
        { pod: 'a-1', container: 'app' },
        { pod: 'a-1', container: 'side' },
      ]).map(l => [l.pod, l.container]),
    ).toEqual([
      ['', 'app'],
      ['', 'side'],
    ])
  })
})
