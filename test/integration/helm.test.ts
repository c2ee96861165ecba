/** The real helm: install, upgrade, roll back and remove a chart. */
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientCommands, type ClientCommands } from '../support/clients.ts'
import { startControlPlane, type RunningControlPlane } from '../support/running-control-plane.ts'

let running: RunningControlPlane
let commands: ClientCommands
let chart: string

beforeAll(async () => {
  running = await startControlPlane()
  commands = clientCommands(running.controlPlane.kubeconfigPath)
  chart = await mkdtemp(join(tmpdir(), 'quarterdeck-chart-'))
  await mkdir(join(chart, 'templates'))
  await writeFile(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: harbour\nversion: 1.0.0\n')
  await writeFile(join(chart, 'values.yaml'), 'replicas: 1\n')
  await writeFile(
    join(chart, 'templates/all.yaml'),
    `
apiVersion: v1
kind: Service
metadata: { name: {{ .Release.Name }} }
spec: { selector: { app: {{ .Release.Name }} }, ports: [ { port: 80, targetPort: http } ] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: {{ .Release.Name }} }
spec:
  replicas: {{ .Values.replicas }}
  selector: { matchLabels: { app: {{ .Release.Name }} } }
  template:
    metadata: { labels: { app: {{ .Release.Name }} } }
    spec: { containers: [ { name: web, image: registry.test/web:1, ports: [ { name: http, containerPort: 8080 } ] } ] }
`,
  )
})
afterAll(async () => {
  await running.stop()
  await rm(chart, { recursive: true, force: true })
})

async function helm(args: readonly string[]): Promise<string> {
  const answer = await commands.helm(args)
  if (answer.code !== 0) throw new Error(`helm ${args.join(' ')}: ${answer.stderr}`)
  return answer.stdout
}
const replicas = async (): Promise<string> => (await commands.kubectl(['-n', 'dock', 'get', 'deployment', 'pier', '-o', 'jsonpath={.spec.replicas}'])).stdout

test('a chart is installed, upgraded, rolled back and removed', async () => {
  expect(await helm(['install', 'pier', chart, '-n', 'dock', '--create-namespace'])).toContain('STATUS: deployed')
  expect(await replicas()).toBe('1')
  await helm(['upgrade', 'pier', chart, '-n', 'dock', '--set', 'replicas=3'])
  expect(await replicas()).toBe('3')
  await helm(['rollback', 'pier', '1', '-n', 'dock'])
  expect(await replicas()).toBe('1')
  expect(JSON.parse(await helm(['list', '-n', 'dock', '-o', 'json']))).toMatchObject([{ name: 'pier', revision: '3', status: 'deployed' }])
  await helm(['uninstall', 'pier', '-n', 'dock'])
  expect((await commands.kubectl(['-n', 'dock', 'get', 'service', 'pier'])).stderr).toContain('services "pier" not found')
})
