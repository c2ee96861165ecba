import { defineCheck, pass, fail } from '../check.ts'

export const cpuCheck = defineCheck({
  id: 'cpu',
  title: 'CPU',
  judge: ({ facts }) => (facts.cpus >= 1 ? pass(`${facts.cpus} CPU${facts.cpus === 1 ? '' : 's'}`) : fail('The number of CPUs is unknown.')),
})
