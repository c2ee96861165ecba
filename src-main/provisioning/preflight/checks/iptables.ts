import { defineCheck, pass, warn } from '../check.ts'

export const iptablesCheck = defineCheck({
  id: 'iptables',
  title: 'iptables variant',
  probe: `echo "legacy=$(iptables-legacy-save 2>/dev/null | grep -c '^-A')"; echo "nft=$(iptables-nft-save 2>/dev/null | grep -c '^-A')"`,
  judge({ output }) {
    const legacy = Number(/legacy=(\d+)/.exec(output)?.[1] ?? '0')
    const nft = Number(/nft=(\d+)/.exec(output)?.[1] ?? '0')
    return legacy > 0 && nft > 0
      ? warn(`Rules stand in iptables-legacy (${legacy}) and in nftables (${nft}); they may contradict each other.`, 'update-alternatives --set iptables /usr/sbin/iptables-nft')
      : pass('not mixed')
  },
})
