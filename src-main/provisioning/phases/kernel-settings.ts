import { hostFiles } from '../host/host-files.ts'
import { sh } from '../host/shell.ts'
import { definePhase } from './phase.ts'

// Forwarding between pods and nodes; bridge netfilter so that service rules see pod traffic on one bridge; inotify for
// many containers that watch files. A setting that a kernel does not have is left out.
const settings: readonly [name: string, value: string][] = [
  ['net.ipv4.ip_forward', '1'],
  ['net.bridge.bridge-nf-call-iptables', '1'],
  ['fs.inotify.max_user_instances', '8192'],
  ['fs.inotify.max_user_watches', '524288'],
]
const modules = ['br_netfilter', 'vxlan', 'overlay', 'nf_tables']
const sysctlFile = `# Written by Quarterdeck; removed with the node.\n${settings.map(([name, value]) => `-${name} = ${value}\n`).join('')}`
const moduleFile = `# Written by Quarterdeck; removed with the node.\n${modules.join('\n')}\n`

/** Sysctls and kernel modules; the values that were there before come back on removal. */
export const kernelSettings = definePhase({
  name: 'kernel-settings',
  title: 'Set kernel parameters',
  needed: async host =>
    (
      await host.read(
        sh`[ "$(cat ${hostFiles.sysctls} 2>/dev/null)" = ${sysctlFile.trimEnd()} ] && [ "$(cat ${hostFiles.modules} 2>/dev/null)" = ${moduleFile.trimEnd()} ] && [ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ]`,
      )
    ).status !== 0,
  run: host =>
    host.change(`Set ${settings.map(([name, value]) => `${name}=${value}`).join(', ')} and load ${modules.join(', ')}`, async hands => {
      await hands.writeFile(hostFiles.modules, moduleFile, '644')
      await hands.run(
        sh`for m in ${modules}; do modprobe "$m" 2>/dev/null || true; done
[ -s ${hostFiles.sysctlsBefore} ] || for s in ${settings.map(([name]) => name)}; do f=/proc/sys/$(echo "$s" | tr . /); [ ! -r "$f" ] || echo "$s $(cat "$f")"; done > ${hostFiles.sysctlsBefore}`,
        { what: 'loading kernel modules' },
      )
      await hands.writeFile(hostFiles.sysctls, sysctlFile, '644')
      await hands.run(settings.map(([name, value]) => sh`f=/proc/sys/$(echo ${name} | tr . /); [ ! -w "$f" ] || echo ${value} > "$f" || true`).join('\n'), {
        what: 'setting kernel parameters',
      })
    }),
  undo: host =>
    host.change('Restore the kernel parameters', async hands => {
      await hands.run(
        sh`[ ! -f ${hostFiles.sysctlsBefore} ] || while read -r s v; do f=/proc/sys/$(echo "$s" | tr . /); [ ! -w "$f" ] || echo "$v" > "$f" || true; done < ${hostFiles.sysctlsBefore}
rm -f ${hostFiles.sysctls} ${hostFiles.modules} ${hostFiles.sysctlsBefore}`,
        { what: 'restoring kernel parameters' },
      )
    }),
})
