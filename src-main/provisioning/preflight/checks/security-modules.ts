import { defineCheck, pass, warn } from '../check.ts'

export const securityModulesCheck = defineCheck({
  id: 'security-modules',
  title: 'SELinux and AppArmor',
  probe: `getenforce 2>/dev/null | sed 's/^/SELinux /'; [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ] && echo AppArmor; :`,
  judge: ({ output }) =>
    output.includes('Enforcing') ? warn('SELinux is enforcing: volumes from host directories may need labels.') : pass(output.replaceAll('\n', ', ') || 'none'),
})
