/** All checks, in the order of the grid's columns. A new check is one file in checks/ and one word here. */
import type { PreflightCheck } from './check.ts'
import { loginCheck } from './checks/login.ts'
import { rootCheck } from './checks/root.ts'
import { tunnelCheck } from './checks/tunnel.ts'
import { distributionCheck } from './checks/distribution.ts'
import { architectureCheck } from './checks/architecture.ts'
import { kernelCheck } from './checks/kernel.ts'
import { glibcCheck } from './checks/glibc.ts'
import { initSystemCheck } from './checks/init-system.ts'
import { cgroupsCheck } from './checks/cgroups.ts'
import { memoryCheck } from './checks/memory.ts'
import { cpuCheck } from './checks/cpu.ts'
import { diskCheck } from './checks/disk.ts'
import { inodesCheck } from './checks/inodes.ts'
import { limitsCheck } from './checks/limits.ts'
import { clockCheck } from './checks/clock.ts'
import { hostnameCheck } from './checks/hostname.ts'
import { machineIdCheck } from './checks/machine-id.ts'
import { portsCheck } from './checks/ports.ts'
import { runtimeCheck } from './checks/runtime.ts'
import { foreignClusterCheck } from './checks/foreign-cluster.ts'
import { iptablesCheck } from './checks/iptables.ts'
import { nftablesCheck } from './checks/nftables.ts'
import { networkDevicesCheck } from './checks/network-devices.ts'
import { ipForwardCheck } from './checks/ip-forward.ts'
import { firewallCheck } from './checks/firewall.ts'
import { securityModulesCheck } from './checks/security-modules.ts'
import { swapCheck } from './checks/swap.ts'
import { resolvConfCheck } from './checks/resolv-conf.ts'
import { proxyCheck } from './checks/proxy.ts'
import { rangesCheck } from './checks/ranges.ts'
import { mtuCheck } from './checks/mtu.ts'

export const checks: readonly PreflightCheck[] = [
  loginCheck,
  rootCheck,
  tunnelCheck,
  distributionCheck,
  architectureCheck,
  kernelCheck,
  glibcCheck,
  initSystemCheck,
  cgroupsCheck,
  memoryCheck,
  cpuCheck,
  diskCheck,
  inodesCheck,
  limitsCheck,
  clockCheck,
  hostnameCheck,
  machineIdCheck,
  portsCheck,
  runtimeCheck,
  foreignClusterCheck,
  iptablesCheck,
  nftablesCheck,
  networkDevicesCheck,
  ipForwardCheck,
  firewallCheck,
  securityModulesCheck,
  swapCheck,
  resolvConfCheck,
  proxyCheck,
  rangesCheck,
  mtuCheck,
]
