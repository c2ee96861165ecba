import { defineCheck, pass, fail } from '../check.ts'

export const architectureCheck = defineCheck({
  id: 'architecture',
  title: 'Architecture',
  judge: ({ facts }) => (facts.architecture === 'x86_64' ? pass(facts.architecture) : fail(`${facts.architecture} is not supported yet: only x86_64 is.`)),
})
