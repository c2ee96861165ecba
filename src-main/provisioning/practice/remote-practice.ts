/** Practice hosts of a control plane in another process, reached with its administrator's kubeconfig. */
import { parseYaml } from '../../api/yaml.ts'
import type { Env } from '../../base/env.ts'
import { httpsTransport } from '../../client/node/https-transport.ts'
import { createClient } from '../../client/typed-client.ts'
import { applyMachines } from '../hosts-input.ts'
import { createLogin } from '../login.ts'
import { createPractice, type Practice } from './practice.ts'

interface Kubeconfig {
  clusters?: { cluster?: { server?: string; 'certificate-authority-data'?: string } }[]
  users?: { user?: { 'client-certificate-data'?: string; 'client-key-data'?: string } }[]
}

/** `kubeconfig` is the text of a kubeconfig as the control plane writes it: one cluster, one user, data inside. */
export function remotePractice(env: Env, kubeconfig: string): Practice & { close(): void } {
  const [config] = parseYaml(kubeconfig) as [Kubeconfig | undefined]
  const cluster = config?.clusters?.[0]?.cluster
  const user = config?.users?.[0]?.user
  const pem = (data: string | undefined): string => Buffer.from(data ?? '', 'base64').toString('utf8')
  if (cluster?.server === undefined) throw new Error('the kubeconfig names no cluster')
  const transport = httpsTransport({
    server: cluster.server,
    ca: pem(cluster['certificate-authority-data']),
    cert: pem(user?.['client-certificate-data']),
    key: pem(user?.['client-key-data']),
  })
  const client = createClient(transport)
  const login = createLogin({})
  return {
    ...createPractice({ env, client, apply: input => applyMachines({ client, login }, input) }),
    close: () => {
      transport.close()
    },
  }
}
