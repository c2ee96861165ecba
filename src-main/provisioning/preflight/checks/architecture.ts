import { defineCheck, pass, fail } from '../check.ts'

export const architectureCheck = defineCheck({
  id: 'architecture',
  title: 'Architecture',
  judge: ({ facts }) => (['x86_64', 'aarch64'].includes(facts.architecture) ? pass(facts.architecture) : fail(`${facts.architecture} is not supported: x86_64 and aarch64 are.`)),
})
