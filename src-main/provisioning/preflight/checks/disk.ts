import { defineCheck, bytesText, pass, warn, fail } from '../check.ts'
import { agentPaths } from '../../../api/agent.ts'

// The Node runtime is 125 MB, with its compressed copy during the upload 170 MB; Docker itself takes 300 MB.
const needs: Record<string, number> = { '/var/lib/docker': 1024 * 2 ** 20, [agentPaths.root]: 220 * 2 ** 20, [agentPaths.stateDir]: 100 * 2 ** 20, '/etc': 2 ** 20 }

export const diskCheck = defineCheck({
  id: 'disk',
  title: 'Free disk',
  judge({ facts }) {
    for (const disk of facts.disks) {
      const need = needs[disk.path] ?? 0
      if (disk.readOnly) return fail(`${disk.path} is on a read-only file system.`)
      if (disk.noExec && disk.path === agentPaths.root) return fail(`${disk.path} is on a file system mounted noexec.`)
      if (disk.freeBytes < need) return fail(`${bytesText(disk.freeBytes)} are free for ${disk.path}; ${bytesText(need)} are needed.`)
    }
    const docker = facts.disks.find(disk => disk.path === '/var/lib/docker')
    if (docker && docker.freeBytes < 5 * 2 ** 30) return warn(`Only ${bytesText(docker.freeBytes)} are free for container images.`)
    return pass(facts.disks.map(disk => `${disk.path} ${bytesText(disk.freeBytes)}`).join(', '))
  },
})
