import { distributionSupport, installScript, packagesFor, removeScript } from '../distros/distros.ts'
import { ProvisioningError } from '../host/errors.ts'
import { hostFiles } from '../host/host-files.ts'
import { sh } from '../host/shell.ts'
import { definePhase, type PhaseHost } from './phase.ts'

const programs = ['nft', 'iptables', 'ip']

/** Tools that the agent and Docker use for rules and interfaces. */
export const installPackages = definePhase({
  name: 'install-packages',
  title: 'Install network tools',
  needed: async host => (await host.read(sh`PATH=$PATH:/usr/sbin:/sbin; for p in ${programs}; do command -v "$p" >/dev/null 2>&1 || exit 1; done`)).status !== 0,
  async run(host) {
    const packages = packagesFor(host.facts, 'host')
    await host.change(`Install ${packages.join(', ')} with ${familyOf(host)}`, hands =>
      hands.runDetached('install-packages', installScript(familyOf(host), packages), 'installing network tools'),
    )
  },
  async verify(host) {
    const missing = await host.read(sh`PATH=$PATH:/usr/sbin:/sbin; for p in ${programs}; do command -v "$p" >/dev/null 2>&1 || echo "$p"; done`)
    if (missing.stdout.trim() !== '') throw new ProvisioningError('PackagesFailed', `Still missing after the installation: ${missing.stdout.trim().split('\n').join(', ')}.`)
  },
  async undo(host) {
    const installed = (await host.read(sh`cat ${hostFiles.packagesInstalled} 2>/dev/null`)).stdout.split('\n').filter(name => name !== '')
    if (installed.length === 0) return
    await host.change(`Remove the packages that were installed (${installed.join(', ')})`, hands =>
      hands.runDetached('remove-packages', `${removeScript(familyOf(host), installed)}\nrm -f ${hostFiles.packagesInstalled}`, 'removing packages'),
    )
  },
})

/** Package family of the host; throws UnsupportedDistribution. */
export function familyOf(host: PhaseHost): 'apt' | 'dnf' | 'zypper' {
  const support = distributionSupport(host.facts)
  if (support.family === undefined) throw new ProvisioningError('UnsupportedDistribution', support.reason)
  return support.family
}
