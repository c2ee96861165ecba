/** Node 24 for Linux is linked against glibc 2.28. */
import { defineCheck, compareVersions, pass, fail } from '../check.ts'

export const glibcCheck = defineCheck({
  id: 'glibc',
  title: 'C library',
  judge({ facts }) {
    if (facts.glibc === '') return fail('This host has no GNU C library; the Node runtime needs glibc 2.28 or newer.')
    return compareVersions(facts.glibc, '2.28') < 0 ? fail(`glibc ${facts.glibc} is too old: 2.28 or newer is needed.`) : pass(`glibc ${facts.glibc}`)
  },
})
