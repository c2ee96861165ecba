/** Shows the names only: a proxy address may hold a password. */
import { defineCheck, pass } from '../check.ts'

export const proxyCheck = defineCheck({
  id: 'proxy',
  title: 'Proxy settings',
  probe: `env | grep -io '^\\(https\\?\\|no\\|all\\)_proxy' | sort -u; :`,
  judge: ({ output }) => pass(output === '' ? 'none' : `set: ${output.split('\n').join(', ')}`),
})
