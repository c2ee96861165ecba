/** The page about the replayed corpus. */
import { expect, it } from 'vitest'
import { corpusPage, type CaseResult } from '../../support/corpus/page.ts'

const result = (step: string, body: CaseResult['body'] = [], text: CaseResult['text'] = [], setup = false): CaseResult => ({
  area: 'area',
  scenario: 'scenario',
  step,
  method: 'GET',
  path: '/',
  setup,
  body,
  text,
})

it('counts cases, not preparation, and texts apart', () => {
  const difference = [{ at: 'status', want: 422, got: 200 }]
  const page = corpusPage([result('same'), result('other', difference), result('words', [], difference), result('prepared', difference, [], true)], ({ step }) =>
    step === 'words' ? 'Only words.' : undefined,
  )
  expect(page.summary).toBe('2 of 3 cases equal (66.67 %); messages: 2 (66.67 %); set-up steps that differ: 1')
  expect(page.unexplained).toBe(1)
  expect(page.text).toContain('## Only words.\n\n- area/scenario: words')
  expect(page.text).toContain('## Faults of ours, not mended yet\n\n- area/scenario: other (`status`: theirs `422`, ours `200`)')
})
