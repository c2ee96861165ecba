import { defineCheck, pass, warn, fail } from '../check.ts'

export const inodesCheck = defineCheck({
  id: 'inodes',
  title: 'Free inodes',
  judge({ facts }) {
    const low = facts.disks.find(disk => disk.freeInodes < 20_000 && disk.path !== '/etc')
    if (!low) return pass('enough')
    return low.freeInodes < 2_000 ? fail(`Only ${low.freeInodes} inodes are free for ${low.path}.`) : warn(`Only ${low.freeInodes} inodes are free for ${low.path}.`)
  },
})
