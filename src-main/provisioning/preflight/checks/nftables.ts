import { defineCheck, pass, fail } from '../check.ts'

export const nftablesCheck = defineCheck({
  id: 'nftables',
  title: 'nftables',
  probe: `nft --check add table ip quarterdeck_probe 2>&1 && echo works`,
  judge({ facts, output }) {
    if (!facts.programs.has('nft')) return pass('nft will be installed')
    return output.includes('works') ? pass('works') : fail(`The kernel refuses nftables: ${output.split('\n')[0] ?? ''}`, 'modprobe nf_tables')
  },
})
