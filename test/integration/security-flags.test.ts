/** The headless program with encryption at rest and an audit trail: what a real kubectl does, and what is left on disk. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { clientCommands } from '../support/clients.ts'

const program = fileURLToPath(new URL('../../src-main/server/headless.ts', import.meta.url))
const canary = 'canary-8d2e7'
let directory: string
let dataDir: string
let child: ChildProcess | undefined

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'quarterdeck-flags-'))
  dataDir = join(directory, 'data')
})
afterEach(async () => {
  if (child && child.exitCode === null) child.kill('SIGKILL')
  await rm(directory, { recursive: true, force: true })
})

/** Started and ready; resolves with the kubeconfig, or rejects with what it said. */
async function start(...flags: string[]): Promise<string> {
  const started = spawn(process.execPath, [program, '--data-dir', dataDir, '--api-port', '0', '--no-ui', ...flags], { stdio: ['ignore', 'pipe', 'pipe'] })
  child = started
  let said = ''
  started.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  return new Promise((resolve, reject) => {
    started.stdout.on('data', (chunk: Buffer) => {
      resolve((JSON.parse(chunk.toString()) as { kubeconfig: string }).kubeconfig)
    })
    started.once('exit', () => {
      reject(new Error(said))
    })
  })
}
function stop(): Promise<void> {
  return new Promise(resolve => {
    child?.once('exit', () => {
      resolve()
    })
    child?.kill('SIGTERM')
  })
}
async function filesBelow(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const texts = await Promise.all(entries.filter(entry => entry.isFile()).map(entry => readFile(join(entry.parentPath, entry.name), 'latin1')))
  return texts.join('\n')
}

test('secrets are sealed on disk and named, not shown, in the audit log', async () => {
  const encryption = join(directory, 'encryption.yaml')
  const policy = join(directory, 'policy.yaml')
  await writeFile(
    encryption,
    `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers: [ { aesgcm: { keys: [ { name: key1, secret: "${Buffer.alloc(32, 7).toString('base64')}" } ] } }, { identity: {} } ]
`,
  )
  await writeFile(
    policy,
    'apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- { level: Metadata, resources: [ { group: "", resources: [secrets] } ] }\n',
  )
  const kubeconfig = await start('--encryption-provider-config', encryption, '--audit-policy-file', policy)
  const { kubectl } = clientCommands(kubeconfig)
  const made = await kubectl(['create', 'secret', 'generic', 'sealed', `--from-literal=password=${canary}`])
  const read = await kubectl(['get', 'secret', 'sealed', '-o', 'jsonpath={.data.password}'])
  const refused = await kubectl(['--as', 'nobody', 'get', 'secret', 'sealed'])
  await stop()
  const disk = await filesBelow(dataDir)
  const events = (await readFile(join(dataDir, 'audit', 'audit.log'), 'utf8'))
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { verb: string; level: string; user: { username: string }; impersonatedUser?: { username: string }; responseStatus: { code: number } })
    .filter(event => event.user.username === 'kubernetes-admin')
  expect({ made: made.code, read: Buffer.from(read.stdout, 'base64').toString(), refused: refused.code }).toEqual({ made: 0, read: canary, refused: 1 })
  expect({ plain: disk.includes(canary) || disk.includes(Buffer.from(canary).toString('base64')), sealed: disk.includes('k8s:enc:aesgcm:v1:key1:') }).toEqual({
    plain: false,
    sealed: true,
  })
  expect(events.map(event => `${event.verb} ${event.impersonatedUser?.username ?? ''} ${event.responseStatus.code}`)).toEqual(['create  201', 'get  200', 'get nobody 403'])

  await expect(start()).rejects.toThrow('start with the encryption configuration that it was written with')
})

test('a wrong configuration is told before anything starts', async () => {
  const file = join(directory, 'wrong.yaml')
  await writeFile(file, 'kind: Policy')
  await expect(start('--audit-policy-file', file)).rejects.toThrow('kind Policy and apiVersion audit.k8s.io/v1')
  await expect(start('--encryption-provider-config', file)).rejects.toThrow('kind EncryptionConfiguration')
  await expect(start('--authentication-config', file)).rejects.toThrow('kind AuthenticationConfiguration')
  await expect(start('--oidc-issuer-url', 'https://issuer.test')).rejects.toThrow('belong together')
  await expect(start('--authorization-webhook-config-file', join(directory, 'none'))).rejects.toThrow('cannot be read')
})
