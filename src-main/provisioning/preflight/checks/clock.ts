/** Certificates and leases need clocks that agree within 30 s. */
import { defineCheck, pass, warn, fail } from '../check.ts'

export const clockCheck = defineCheck({
  id: 'clock',
  title: 'Clock',
  acrossHosts: true,
  judge({ facts, peers, nowMs }) {
    const offsets = [facts, ...peers].map(host => host.clockSeconds - nowMs / 1000).sort((a, b) => a - b)
    const median = offsets[Math.floor(offsets.length / 2)] ?? 0
    const own = facts.clockSeconds - nowMs / 1000
    // One host alone is measured against the desktop; a second goes to the round trip.
    const skew = Math.abs(peers.length > 0 ? own - median : own)
    const fix = 'timedatectl set-ntp true'
    if (skew > 30) return fail(`The clock is ${Math.round(skew)} s off.`, fix)
    return skew > 5 ? warn(`The clock is ${Math.round(skew)} s off.`, fix) : pass('right')
  },
})
