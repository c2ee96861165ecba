/** The node reaches the control plane through a remote forward of the SSH connection. */
import { defineCheck, pass, fail } from '../check.ts'

export const tunnelCheck = defineCheck({
  id: 'tunnel',
  title: 'SSH forwarding',
  judge: ({ tunnelProblem }) =>
    tunnelProblem === undefined
      ? pass('the SSH server forwards connections')
      : fail(tunnelProblem, "printf 'AllowTcpForwarding yes\\n' > /etc/ssh/sshd_config.d/10-quarterdeck.conf && systemctl reload ssh"),
})
