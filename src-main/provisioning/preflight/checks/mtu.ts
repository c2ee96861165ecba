import { defineCheck, pass, warn } from '../check.ts'

export const mtuCheck = defineCheck({
  id: 'mtu',
  title: 'MTU',
  probe: `cat "/sys/class/net/$(ip -4 route get 1.1.1.1 2>/dev/null | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p' | head -n 1)/mtu" 2>/dev/null`,
  judge({ facts, output, peers }) {
    const mtu = Number(output)
    if (!(mtu > 0)) return warn('The MTU of the default route is unknown.')
    if (mtu < 1280) return warn(`${mtu} on ${facts.defaultDevice} is very small.`)
    return pass(`${mtu} on ${facts.defaultDevice}${peers.length > 0 ? '; the overlay uses 50 less' : ''}`)
  },
})
