import { defineCheck, pass, fail } from '../check.ts'

export const foreignClusterCheck = defineCheck({
  id: 'foreign-cluster',
  title: 'Other cluster software',
  probe: `for u in kubelet k3s k3s-agent rke2-server rke2-agent microk8s.daemon-kubelite snap.microk8s.daemon-kubelite k0scontroller k0sworker nomad; do systemctl is-active -q "$u" 2>/dev/null && echo "$u"; done; [ -f /etc/kubernetes/kubelet.conf ] && echo 'a kubeadm node (/etc/kubernetes/kubelet.conf)'; :`,
  judge({ facts, output }) {
    const found = output.split('\n').filter(line => line !== '')
    if (facts.docker.swarm) found.push('a Docker swarm')
    return found.length === 0 ? pass('none') : fail(`The host belongs to something else already: ${found.join(', ')}.`)
  },
})
