import { defineCheck, bytesText, pass, warn, fail } from '../check.ts'

export const memoryCheck = defineCheck({
  id: 'memory',
  title: 'Memory',
  judge({ facts }) {
    // A host sold as 512 MB shows a little less than that.
    if (facts.memoryBytes < 460 * 2 ** 20) return fail(`${bytesText(facts.memoryBytes)}: at least 512 MB are needed.`)
    return facts.memoryBytes < 2 ** 30 ? warn(`${bytesText(facts.memoryBytes)} leaves little room for pods.`) : pass(bytesText(facts.memoryBytes))
  },
})
