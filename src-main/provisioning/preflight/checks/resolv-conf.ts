import { defineCheck, pass, warn } from '../check.ts'

export const resolvConfCheck = defineCheck({
  id: 'resolv-conf',
  title: 'Name servers',
  probe: `cat /etc/resolv.conf 2>/dev/null; echo --; cat /run/systemd/resolve/resolv.conf 2>/dev/null`,
  judge({ output }) {
    const [plain = '', upstream = ''] = output.split('--')
    const servers = [...plain.matchAll(/^nameserver\s+(\S+)/gm)].map(match => match[1] ?? '')
    if (servers.length === 0) return warn('No name server is set: pods will resolve cluster names only.')
    if (!servers.every(server => server.startsWith('127.') || server === '::1')) return pass(servers.join(', '))
    // A stub on loopback is of no use inside a pod; systemd-resolved keeps the true servers in a second file.
    const real = [...upstream.matchAll(/^nameserver\s+(\S+)/gm)].map(match => match[1] ?? '').filter(server => !server.startsWith('127.'))
    return real.length > 0 ? pass(`${real.join(', ')} (behind a local stub)`) : warn('The only name server is on loopback; the agent will ask it on behalf of the pods.')
  },
})
