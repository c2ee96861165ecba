import { defineCheck, pass, warn, fail } from '../check.ts'

export const cgroupsCheck = defineCheck({
  id: 'cgroups',
  title: 'Control groups',
  judge({ facts }) {
    const missing = ['cpu', 'memory', 'pids'].filter(name => !facts.cgroupControllers.includes(name))
    if (missing.length > 0)
      return fail(
        `Control group controllers are missing: ${missing.join(', ')}.`,
        missing.includes('memory') ? 'add cgroup_enable=memory to the kernel command line and reboot' : undefined,
      )
    return facts.cgroupVersion === 2 ? pass('version 2') : warn('Version 1: memory pressure is not seen as early as with version 2.')
  },
})
