/**
 * A real kube-apiserver with its etcd, both built from the modules that test/upstream pins, both with their defaults:
 * what the figures of the control plane are compared with. No Go, no comparison.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { createHash, generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createAuthority, issueLeaf } from '../../../../src-main/control-plane/pki/x509.ts'
import { cpuMsOf, end, freePort, meter, newDataDir, untilReady, type MeasuredServer } from './measured-server.ts'

const root = fileURLToPath(new URL('../../../../', import.meta.url))
const upstream = join(root, 'test/upstream')
const cacheDir = join(root, '.cache/bench')
const apiServer = join(cacheDir, 'kube-apiserver')
const etcd = join(cacheDir, 'etcd')

export const kubernetesVersion = (): string => /k8s\.io\/kubernetes (v\S+)/.exec(readFileSync(join(upstream, 'go.mod'), 'utf8'))?.[1] ?? ''

/** The module file of the builds: upstream's own pins, and the server half of the etcd whose client half is pinned there. */
function writeModule(): void {
  const text = readFileSync(join(upstream, 'go.mod'), 'utf8')
  const version = /go\.etcd\.io\/etcd\/client\/v3 (v\S+)/.exec(text)?.[1]
  if (version === undefined) throw new Error('test/upstream/go.mod pins no etcd')
  mkdirSync(join(cacheDir, 'etcd-main'), { recursive: true })
  writeFileSync(join(cacheDir, 'go.mod'), `${text.replace(/^module .*$/m, 'module quarterdeck/bench')}\nrequire go.etcd.io/etcd/server/v3 ${version}\n`)
  writeFileSync(join(cacheDir, 'go.sum'), readFileSync(join(upstream, 'go.sum')))
  const main = 'package main\n\nimport (\n\t"os"\n\n\t"go.etcd.io/etcd/server/v3/etcdmain"\n)\n\nfunc main() { etcdmain.Main(os.Args) }\n'
  writeFileSync(join(cacheDir, 'etcd-main/main.go'), main)
}

/** Builds both once for each version of the module file: minutes the first time. False where there is no Go. */
export function buildKubernetes(): boolean {
  try {
    execFileSync('go', ['version'], { stdio: 'ignore' })
  } catch {
    return false
  }
  const digest = createHash('sha256')
    .update(readFileSync(join(upstream, 'go.mod')))
    .digest('hex')
  const stamp = join(cacheDir, 'built')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return true
  writeModule()
  const version = kubernetesVersion()
  // As released: kube-apiserver refuses to run as an unknown version, and is built without symbols.
  const stamps = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].map(name => `-X ${name}.gitVersion=${version}`).join(' ')
  for (const [output, source] of [
    [etcd, './etcd-main'],
    [apiServer, 'k8s.io/kubernetes/cmd/kube-apiserver'],
  ] as const) {
    console.error(`go build ${source}`)
    const args = ['build', '-mod=mod', '-buildvcs=false', '-ldflags', `-s -w ${stamps}`, '-o', output, source]
    const { status } = spawnSync('go', args, { cwd: cacheDir, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, GOFLAGS: '', CGO_ENABLED: '0' } })
    if (status !== 0) throw new Error(`go build ${source} ended with ${status ?? 'a signal'}`)
  }
  writeFileSync(stamp, digest)
  return true
}

interface Keys {
  readonly ca: Buffer
  readonly cert: Buffer
  readonly key: Buffer
}

/** Those that are there, else new ones. */
async function keysIn(dir: string): Promise<Keys> {
  if (!existsSync(join(dir, 'ca.crt'))) await writeKeys(dir)
  const [ca, cert, key] = ['ca.crt', 'admin.crt', 'admin.key'].map(name => readFileSync(join(dir, name)))
  if (!ca || !cert || !key) throw new Error('a key is missing')
  return { ca, cert, key }
}

async function writeKeys(dir: string): Promise<void> {
  const notBeforeMs = Date.now() - 3_600_000
  const validity = { notBeforeMs, notAfterMs: notBeforeMs + 7 * 86_400_000 }
  const authority = await createAuthority('bench', validity.notBeforeMs, validity.notAfterMs)
  const serving = await issueLeaf(authority, {
    commonName: 'kube-apiserver',
    dnsNames: ['localhost', 'kubernetes'],
    ipAddresses: ['127.0.0.1'],
    usages: ['serverAuth'],
    ...validity,
  })
  const admin = await issueLeaf(authority, { commonName: 'bench', organizations: ['system:masters'], usages: ['clientAuth'], ...validity })
  const tokens = generateKeyPairSync('rsa', { modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } })
  const files = {
    'ca.crt': authority.certificate,
    'serving.crt': serving.certificate,
    'serving.key': serving.privateKey,
    'tokens.key': tokens.privateKey,
    'tokens.pub': tokens.publicKey,
    'admin.crt': admin.certificate,
    'admin.key': admin.privateKey,
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
}

/** `dataDir` of an earlier run to start on its data. */
export async function startKubernetes(dataDir = newDataDir()): Promise<MeasuredServer> {
  const keys = await keysIn(dataDir)
  const [client, peer, port] = [await freePort(), await freePort(), await freePort()]
  const file = (name: string): string => join(dataDir, name)
  const [clientUrl, peerUrl] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`]
  const etcdArgs = [`--data-dir=${file('etcd')}`, `--listen-client-urls=${clientUrl}`, `--advertise-client-urls=${clientUrl}`, `--listen-peer-urls=${peerUrl}`]
  etcdArgs.push(`--initial-advertise-peer-urls=${peerUrl}`, `--initial-cluster=default=${peerUrl}`, '--log-level=error')
  const apiArgs = [
    `--etcd-servers=${clientUrl}`,
    `--secure-port=${port}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    '--endpoint-reconciler-type=none',
    `--cert-dir=${file('certs')}`,
  ]
  apiArgs.push(`--client-ca-file=${file('ca.crt')}`, `--tls-cert-file=${file('serving.crt')}`, `--tls-private-key-file=${file('serving.key')}`, '--authorization-mode=Node,RBAC')
  apiArgs.push(
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${file('tokens.pub')}`,
    `--service-account-signing-key-file=${file('tokens.key')}`,
  )
  apiArgs.push('--service-cluster-ip-range=10.0.0.0/16', '--allow-privileged', '--v=0')
  let faults = ''
  const run = (program: string, args: readonly string[]): ChildProcess => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    child.stderr.on('data', (chunk: Buffer) => {
      faults = (faults + chunk.toString()).slice(-4096)
    })
    return child
  }
  const began = performance.now()
  const children = [run(etcd, etcdArgs), run(apiServer, apiArgs)]
  const credentials = { server: `https://127.0.0.1:${port}`, ...keys }
  const stop = async (): Promise<void> => {
    // The API server first: it leaves its lease behind in etcd.
    for (const child of [...children].reverse()) await end(child)
  }
  try {
    await untilReady(port, () => children.every(child => child.exitCode === null)).catch((fault: unknown) => {
      throw new Error(`kube-apiserver did not get ready: ${faults}`, { cause: fault })
    })
  } catch (fault) {
    await stop()
    throw fault
  }
  const pids = children.map(child => child.pid ?? 0)
  return {
    name: `kube-apiserver ${kubernetesVersion()} + etcd`,
    credentials,
    readyMs: performance.now() - began,
    readyCpuMs: cpuMsOf(pids),
    dataDir,
    ...meter(pids, () => Promise.resolve(undefined)),
    async stop(keepData = false) {
      await stop()
      if (!keepData) rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
