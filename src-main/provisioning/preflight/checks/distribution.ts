import { defineCheck, pass, fail } from '../check.ts'
import { distributionSupport } from '../../distros/distros.ts'

export const distributionCheck = defineCheck({
  id: 'distribution',
  title: 'Distribution',
  judge({ facts }) {
    const support = distributionSupport(facts)
    return support.family !== undefined ? pass(facts.prettyName) : fail(support.reason)
  },
})
