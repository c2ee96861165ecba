import { defineCheck, pass } from '../check.ts'

export const ipForwardCheck = defineCheck({
  id: 'ip-forward',
  title: 'IP forwarding',
  judge: ({ facts }) => pass(facts.sysctls['net.ipv4.ip_forward'] === '1' ? 'on' : 'off; it will be switched on'),
})
