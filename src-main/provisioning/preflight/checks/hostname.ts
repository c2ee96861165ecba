import { defineCheck, pass, warn } from '../check.ts'

export const hostnameCheck = defineCheck({
  id: 'hostname',
  title: 'Unique host name',
  acrossHosts: true,
  judge({ facts, peers }) {
    if (facts.hostname === '' || facts.hostname === 'localhost') return warn('The host is called localhost.', 'hostnamectl set-hostname NAME')
    return peers.some(peer => peer.hostname === facts.hostname) ? warn(`Another host is called ${facts.hostname} too.`, 'hostnamectl set-hostname NAME') : pass(facts.hostname)
  },
})
