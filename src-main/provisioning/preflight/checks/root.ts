import { defineCheck, pass, fail } from '../check.ts'

export const rootCheck = defineCheck({
  id: 'root',
  title: 'Root rights',
  judge: ({ rootProblem }) => (rootProblem === undefined ? pass('root') : fail(rootProblem)),
})
