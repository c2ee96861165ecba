/** kubeconfig files. Every value is base64 or our own, so the few lines are written as they are. */
import { writeFileAtomically } from '../../base/node/atomic-file.ts'
import type { KeyPair } from './x509.ts'

/** A kubeconfig with one cluster, one user and one context, current. Clients read it as YAML. */
export function kubeconfigText(options: { server: string; certificateAuthority: string; client: KeyPair; name?: string; user?: string }): string {
  const name = options.name ?? 'quarterdeck'
  const user = options.user ?? 'quarterdeck-admin'
  const base64 = (pem: string): string => Buffer.from(pem).toString('base64')
  const lines = [
    'apiVersion: v1',
    'kind: Config',
    'clusters:',
    `- name: ${name}`,
    '  cluster:',
    `    server: ${options.server}`,
    `    certificate-authority-data: ${base64(options.certificateAuthority)}`,
    'users:',
    `- name: ${user}`,
    '  user:',
    `    client-certificate-data: ${base64(options.client.certificate)}`,
    `    client-key-data: ${base64(options.client.privateKey)}`,
    'contexts:',
    `- name: ${name}`,
    '  context:',
    `    cluster: ${name}`,
    `    user: ${user}`,
    `current-context: ${name}`,
    'preferences: {}',
  ]
  return `${lines.join('\n')}\n`
}

/** Written 0600, atomically: it holds the administrator's key. */
export async function writeKubeconfig(path: string, text: string): Promise<void> {
  await writeFileAtomically(path, text)
}
