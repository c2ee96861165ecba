/** Tried in a network namespace of its own, which vanishes with the probe. */
import { defineCheck, pass, warn, fail } from '../check.ts'

export const networkDevicesCheck = defineCheck({
  id: 'network-devices',
  title: 'Bridge and VXLAN',
  probe: `for t in bridge vxlan veth; do d=qdp$$; case $t in vxlan) o='id 16777215 dstport 0';; *) o=;; esac; if unshare -n ip link add $d type $t $o 2>/dev/null; then echo $t=yes; elif [ -d /sys/module/$t ] || modprobe -n -q $t 2>/dev/null; then echo $t=yes; fi; done`,
  judge({ output, rootProblem }) {
    if (rootProblem !== undefined) return warn('Not known without root rights.')
    const missing = ['bridge', 'vxlan', 'veth'].filter(name => !output.includes(`${name}=yes`))
    return missing.length === 0 ? pass('supported') : fail(`The kernel has no ${missing.join(', ')} devices.`, `modprobe ${missing.join(' ')}`)
  },
})
