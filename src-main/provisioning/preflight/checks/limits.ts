import { defineCheck, pass, warn } from '../check.ts'

export const limitsCheck = defineCheck({
  id: 'limits',
  title: 'Kernel limits',
  judge({ facts }) {
    const instances = Number(facts.sysctls['fs.inotify.max_user_instances'] ?? '0')
    const files = Number(facts.sysctls['fs.file-max'] ?? '0')
    if (files > 0 && files < 65_536) return warn(`fs.file-max is ${files}.`, 'sysctl -w fs.file-max=1048576')
    return instances > 0 && instances < 512 ? pass(`fs.inotify.max_user_instances is ${instances}; it will be raised`) : pass('high enough')
  },
})
