import { defineCheck, pass, warn, fail } from '../check.ts'

export const machineIdCheck = defineCheck({
  id: 'machine-id',
  title: 'Unique machine-id',
  acrossHosts: true,
  judge({ facts, peers }) {
    const fix = 'rm -f /etc/machine-id && systemd-machine-id-setup && reboot'
    if (facts.machineID === '') return warn('The host has no machine-id.', fix)
    return peers.some(peer => peer.machineID === facts.machineID)
      ? fail('Another host has the same machine-id: they are copies of one image.', fix)
      : pass(facts.machineID.slice(0, 8))
  },
})
