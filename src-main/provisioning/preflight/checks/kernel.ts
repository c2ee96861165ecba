import { defineCheck, compareVersions, pass, warn, fail } from '../check.ts'

export const kernelCheck = defineCheck({
  id: 'kernel',
  title: 'Kernel',
  judge({ facts }) {
    if (compareVersions(facts.kernel, '4.18') < 0) return fail(`Linux ${facts.kernel} is too old: 4.18 or newer is needed for nftables maps.`)
    return compareVersions(facts.kernel, '5.6') < 0 ? warn(`Linux ${facts.kernel} works; 5.6 or newer is better.`) : pass(`Linux ${facts.kernel}`)
  },
})
