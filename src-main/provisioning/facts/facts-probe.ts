/** The script behind HostFacts. Plain POSIX sh, reads only; each line of its output is `key=value`. */
import { agentPaths } from '../../api/agent.ts'
import { hostFiles } from '../host/host-files.ts'
import { sh } from '../host/shell.ts'

const programs = [
  'curl',
  'nft',
  'iptables',
  'iptables-legacy',
  'ip',
  'bridge',
  'modprobe',
  'tar',
  'gzip',
  'sha256sum',
  'ss',
  'conntrack',
  'getenforce',
  'firewall-cmd',
  'ufw',
  'systemctl',
  'docker',
  'k3s',
  'kubelet',
  'microk8s',
]
const sysctls = [
  'net.ipv4.ip_forward',
  'net.bridge.bridge-nf-call-iptables',
  'fs.inotify.max_user_instances',
  'fs.inotify.max_user_watches',
  'fs.file-max',
  'net.ipv4.conf.all.rp_filter',
]

export const factsProbe = sh`
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH LC_ALL=C
echo "hostname=$(hostname 2>/dev/null || cat /proc/sys/kernel/hostname)"
echo "machineID=$(cat /etc/machine-id 2>/dev/null)"
( . /etc/os-release 2>/dev/null; echo "distribution=$ID"; echo "distributionLike=$ID_LIKE"; echo "distributionVersion=$VERSION_ID"; echo "prettyName=$PRETTY_NAME" )
echo "architecture=$(uname -m)"; echo "kernel=$(uname -r)"; echo "initSystem=$(cat /proc/1/comm 2>/dev/null)"
echo "systemdState=$(systemctl is-system-running 2>/dev/null)"
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then echo cgroupVersion=2; echo "cgroupControllers=$(cat /sys/fs/cgroup/cgroup.controllers)"
else echo cgroupVersion=1; echo "cgroupControllers=$(awk 'NR>1 && $4==1 {printf "%s ", $1}' /proc/cgroups 2>/dev/null)"; fi
echo "glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | awk '{print $2}')"
echo "cpus=$(getconf _NPROCESSORS_ONLN 2>/dev/null || grep -c ^processor /proc/cpuinfo)"
echo "memoryKiB=$(awk '/^MemTotal:/ {print $2}' /proc/meminfo)"
for want in /var/lib/docker ${agentPaths.root} ${agentPaths.stateDir} /etc; do
  d=$want; while [ ! -d "$d" ]; do d=$(dirname "$d"); done
  kib=$(df -Pk "$d" 2>/dev/null | awk 'NR==2 {print $4}'); nodes=$(df -Pi "$d" 2>/dev/null | awk 'NR==2 {if ($2 == 0 || $2 == "-") print "-"; else print $4}')
  point=$(df -P "$d" 2>/dev/null | awk 'NR==2 {print $6}'); flags=$(awk -v p="$point" '$2 == p {o=$4} END {print o}' /proc/mounts)
  echo "disk=$want $kib $nodes $flags"
done
for p in ${programs}; do command -v "$p" >/dev/null 2>&1 && echo "program=$p"; done
if command -v dockerd >/dev/null 2>&1; then echo dockerInstalled=yes
  set -- $(timeout 5 docker version --format '{{.Server.Version}} {{.Server.APIVersion}}' 2>/dev/null); echo "dockerVersion=$1"; echo "dockerApiVersion=$2"
  [ -n "$1" ] && timeout 5 docker info --format 'dockerSwarm={{.Swarm.LocalNodeState}}
dockerRoot={{.DockerRootDir}}' 2>/dev/null
else echo dockerInstalled=no; fi
if [ -f ${agentPaths.config} ]; then
  echo "agentVersion=$(sed -n 's/.*"agentVersion" *: *"\([0-9a-f]*\)".*/\1/p' ${agentPaths.config} 2>/dev/null | head -n 1)"
  cat ${hostFiles.stamp} 2>/dev/null
fi
echo "agentActive=$(systemctl is-active ${agentPaths.unitName} 2>/dev/null)"
echo "clock=$(date +%s)"
ip -4 -o address show scope global 2>/dev/null | awk '{split($4, a, "/"); print "address=" a[1]}'
ip -4 route get 1.1.1.1 2>/dev/null | awk 'NR==1 {for (i = 1; i < NF; i++) {if ($i == "src") print "defaultAddress=" $(i+1); if ($i == "dev") print "defaultDevice=" $(i+1)}}'
for m in apt-get dnf yum zypper apk; do command -v $m >/dev/null 2>&1 && { echo "packageManager=$(echo $m | cut -d- -f1)"; break; }; done
for s in ${sysctls}; do f=/proc/sys/$(echo "$s" | tr . /); [ -r "$f" ] && echo "sysctl=$s $(cat "$f")"; done
:
`
