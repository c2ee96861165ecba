/** Which distributions can become nodes and how packages are installed there. The facts stand in resources/distros/distros.json. */
import { agentPaths } from '../../api/agent.ts'
import data from '../../../resources/distros/distros.json' with { type: 'json' }
import type { HostFacts } from '../facts/facts.ts'
import { hostFiles } from '../host/host-files.ts'
import { sh } from '../host/shell.ts'

export type PackageFamily = 'apt' | 'dnf' | 'zypper'

interface Distribution {
  readonly family: PackageFamily
  readonly least?: string
  readonly docker: readonly string[]
  readonly host: readonly string[]
}
type Support = { readonly family: PackageFamily; readonly distribution: Distribution; readonly reason?: undefined } | { readonly family?: undefined; readonly reason: string }

const distributions = data.distributions as unknown as Readonly<Record<string, Distribution>>
const refused = data.refused as Readonly<Record<string, string>>

/** By ID of os-release, then by ID_LIKE. */
export function distributionSupport(facts: Pick<HostFacts, 'distribution' | 'distributionLike' | 'distributionVersion' | 'prettyName'>): Support {
  const reason = refused[facts.distribution]
  if (reason !== undefined) return { reason }
  for (const id of [facts.distribution, ...facts.distributionLike]) {
    const distribution = distributions[id]
    if (!distribution) continue
    // The version counts only for the distribution itself: derivatives have numbers of their own.
    if (id === facts.distribution && distribution.least !== undefined && Number.parseFloat(facts.distributionVersion) < Number.parseFloat(distribution.least))
      return { reason: `${facts.prettyName} is too old: ${distribution.least} or newer is needed.` }
    return { family: distribution.family, distribution }
  }
  return { reason: `${facts.prettyName || 'This distribution'} is not known. Debian, Ubuntu, Fedora, RHEL and its relatives, and openSUSE are supported.` }
}

/** Packages of a kind for this distribution; empty for one that is not supported. */
export function packagesFor(facts: HostFacts, kind: 'docker' | 'host'): readonly string[] {
  const support = distributionSupport(facts)
  return support.family === undefined ? [] : support.distribution[kind]
}

/**
 * Script that installs packages without asking anything. It notes each package that was not there before (dependencies
 * too) in hostFiles.packagesInstalled, also when an earlier run was cut, so that removal takes away what was added
 * and nothing else.
 */
export function installScript(family: PackageFamily, packages: readonly string[]): string {
  const list = {
    apt: "dpkg-query -W -f '${Package}\\n' | LC_ALL=C sort -u",
    dnf: "rpm -qa --qf '%{NAME}\\n' | LC_ALL=C sort -u",
    zypper: "rpm -qa --qf '%{NAME}\\n' | LC_ALL=C sort -u",
  }[family]
  const install = {
    apt: sh`export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
o="-o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o Acquire::Retries=2"
dpkg --configure -a --force-confold >/dev/null 2>&1 || true
apt-get $o install -qy --no-install-recommends ${packages} || { apt-get $o update -q && apt-get $o install -qy --no-install-recommends ${packages}; }`,
    dnf: sh`if command -v dnf >/dev/null 2>&1; then dnf -y install ${packages}; else yum -y install ${packages}; fi`,
    zypper: sh`zypper --non-interactive --gpg-auto-import-keys install --no-recommends ${packages}`,
  }[family]
  return sh`set -e
export LC_ALL=C
mkdir -p ${agentPaths.stateDir}
[ -s ${hostFiles.packagesBefore} ] || { LIST > ${`${hostFiles.packagesBefore}.new`}; mv ${`${hostFiles.packagesBefore}.new`} ${hostFiles.packagesBefore}; }
INSTALL
LIST | comm -13 ${hostFiles.packagesBefore} - >> ${hostFiles.packagesInstalled}
sort -u -o ${hostFiles.packagesInstalled} ${hostFiles.packagesInstalled}
rm -f ${hostFiles.packagesBefore}`
    .replaceAll('LIST', () => list)
    .replace('INSTALL', () => install)
}

/** Script that removes packages with their configuration. Names that are gone already are no fault. */
export function removeScript(family: PackageFamily, packages: readonly string[]): string {
  return {
    apt: sh`export DEBIAN_FRONTEND=noninteractive
left=$(for p in ${packages}; do dpkg -s "$p" >/dev/null 2>&1 && echo "$p"; done)
[ -z "$left" ] || apt-get -o DPkg::Lock::Timeout=120 purge -qy $left`,
    dnf: sh`left=$(for p in ${packages}; do rpm -q "$p" >/dev/null 2>&1 && echo "$p"; done)
[ -z "$left" ] || if command -v dnf >/dev/null 2>&1; then dnf -y remove --noautoremove $left; else yum -y remove $left; fi`,
    zypper: sh`left=$(for p in ${packages}; do rpm -q "$p" >/dev/null 2>&1 && echo "$p"; done)
[ -z "$left" ] || zypper --non-interactive remove $left`,
  }[family]
}
