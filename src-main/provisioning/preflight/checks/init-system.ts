import { defineCheck, pass, warn, fail } from '../check.ts'

export const initSystemCheck = defineCheck({
  id: 'init-system',
  title: 'Init system',
  judge({ facts }) {
    if (facts.initSystem !== 'systemd') return fail(`The init system is ${facts.initSystem || 'unknown'}; systemd is needed.`)
    return facts.systemdState === 'running' || facts.systemdState === '' ? pass('systemd') : warn(`systemd is ${facts.systemdState}.`, 'systemctl --failed')
  },
})
