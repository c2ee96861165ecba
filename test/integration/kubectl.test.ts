/** The real kubectl against the real port. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientCommands, type ClientCommands, type CommandAnswer } from '../support/clients.ts'
import { eventually, startControlPlane, type RunningControlPlane } from '../support/running-control-plane.ts'

let running: RunningControlPlane
let commands: ClientCommands

beforeAll(async () => {
  running = await startControlPlane()
  commands = clientCommands(running.controlPlane.kubeconfigPath)
})
afterAll(async () => {
  await running.stop()
})

/** Standard output of a command that must succeed. */
async function kubectl(args: string, input?: string): Promise<string> {
  const answer = await commands.kubectl(args.split(' '), input)
  if (answer.code !== 0) throw new Error(`kubectl ${args}: ${answer.stderr}`)
  return answer.stdout
}
const failing = (args: string, input?: string): Promise<CommandAnswer> => commands.kubectl(args.split(' '), input)

const deployment = (replicas: number): string => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop, labels: { app: web } }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [ { name: web, image: "registry.test/web:1" } ] }
`

describe('kubectl', () => {
  test('tells the version of the server', async () => {
    expect(JSON.parse(await kubectl('version -o json'))).toMatchObject({ serverVersion: { major: '1', minor: '37', gitVersion: 'v1.37.2+quarterdeck' } })
  })

  test('lists the kinds of the API', async () => {
    const names = (await kubectl('api-resources --no-headers -o name')).trim().split('\n')
    expect(names).toEqual(expect.arrayContaining(['pods', 'deployments.apps', 'machines.infra.quarterdeck.app', 'horizontalpodautoscalers.autoscaling']))
  })

  test('creates, reads, labels, annotates, patches and deletes', async () => {
    await kubectl('create namespace basics')
    await kubectl('-n basics create configmap settings --from-literal=colour=brass')
    await kubectl('-n basics label configmap settings tier=front')
    await kubectl('-n basics annotate configmap settings note=hello')
    await kubectl('-n basics patch configmap settings --type merge -p {"data":{"size":"28"}}')
    await kubectl('-n basics patch configmap settings --type json -p [{"op":"remove","path":"/data/colour"}]')
    const read = JSON.parse(await kubectl('-n basics get configmap settings -o json')) as { data: object; metadata: { labels: object; annotations: object } }
    expect({ data: read.data, labels: read.metadata.labels, annotations: read.metadata.annotations }).toEqual({
      data: { size: '28' },
      labels: { tier: 'front' },
      annotations: { note: 'hello' },
    })
    expect(await kubectl('-n basics delete configmap settings')).toContain('configmap "settings" deleted')
    expect((await failing('-n basics get configmap settings')).stderr).toContain('Error from server (NotFound): configmaps "settings" not found')
  })

  test('applies, changes by applying again, and prunes what was taken out', async () => {
    await kubectl('create namespace shop')
    expect(await kubectl('apply -f -', deployment(1))).toContain('deployment.apps/web created')
    expect(await kubectl('apply -f -', deployment(3))).toContain('deployment.apps/web configured')
    expect(await kubectl('apply -f -', deployment(3))).toContain('deployment.apps/web unchanged')
    expect(await kubectl('-n shop get deployment web -o jsonpath={.spec.replicas}')).toBe('3')
  })

  test('applies on the server side and reports conflicts of managers', async () => {
    const map = (value: string): string => `{apiVersion: v1, kind: ConfigMap, metadata: {name: owned, namespace: default}, data: {k: ${value}}}`
    expect(await kubectl('apply --server-side --field-manager=first -f -', map('a'))).toContain('serverside-applied')
    const refused = await failing('apply --server-side --field-manager=second -f -', map('b'))
    expect(refused.stderr).toContain('conflict with "first": .data.k')
    expect(await kubectl('apply --server-side --field-manager=second --force-conflicts -f -', map('b'))).toContain('serverside-applied')
  })

  test('applies and replaces lists, and refuses unknown fields in them', async () => {
    const list = (field: string): string =>
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'List',
        items: ['a', 'b'].map(name => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, [field]: { k: 'v' } })),
      })
    expect(await kubectl('apply -f -', list('data'))).toBe('configmap/a created\nconfigmap/b created\n')
    expect(await kubectl('replace -f -', await kubectl('get configmap a b -o yaml'))).toBe('configmap/a replaced\nconfigmap/b replaced\n')
    expect((await failing('apply -f -', list('dada'))).stderr).toContain('ValidationError(ConfigMap): unknown field "dada" in io.k8s.api.core.v1.ConfigMap')
  })

  test('scales and waits for what controllers do', async () => {
    await kubectl('-n shop scale deployment web --replicas=2')
    await kubectl('-n shop wait deployment/web --for=jsonpath={.status.replicas}=2 --timeout=20s')
    const pods = JSON.parse(await kubectl('-n shop get pods -l app=web -o json')) as { items: unknown[] }
    expect(pods.items).toHaveLength(2)
  })

  test('describes a pod with its events', async () => {
    const text = await kubectl('-n shop describe pods -l app=web')
    expect(text).toMatch(/Service Account:\s+default/)
    expect(text).toContain('FailedScheduling')
  })

  test('prints tables, wide tables and own columns', async () => {
    expect((await kubectl('-n shop get deployments')).split('\n')[0]).toMatch(/^NAME\s+READY\s+UP-TO-DATE\s+AVAILABLE\s+AGE$/)
    expect((await kubectl('-n shop get deployments -o wide')).split('\n')[0]).toMatch(/CONTAINERS\s+IMAGES\s+SELECTOR$/)
    expect(await kubectl('-n shop get deployments -o custom-columns=N:.metadata.name,R:.spec.replicas --no-headers')).toMatch(/^web\s+2\n$/)
  })

  test('explains fields', async () => {
    expect(await kubectl('explain deployment.spec.template.spec.containers.resources')).toMatch(/limits\s+<map\[string\]Quantity>/)
    expect(await kubectl('explain machine.spec')).toMatch(/address\s+<string>/)
  })

  test('explains kinds and fields in words', async () => {
    const replicas = await kubectl('explain deployment.spec.replicas')
    expect(replicas).toMatch(/FIELD: replicas <integer>[\s\S]*DESCRIPTION:\s+Number of desired pods/)
    expect(await kubectl('explain pods')).toMatch(/DESCRIPTION:\s+Pod is a collection of containers[\s\S]*spec\s+<PodSpec>\s+PodSpec is a description of a pod/)
    expect(await kubectl('explain jobs.spec.backoffLimit')).not.toContain('<empty>')
  })

  test('asks what it may do', async () => {
    expect(await kubectl('auth can-i create pods')).toBe('yes\n')
    const no = await failing('auth can-i create pods --as nobody')
    expect({ code: no.code, out: no.stdout }).toEqual({ code: 1, out: 'no\n' })
    expect(await kubectl('auth whoami -o jsonpath={.status.userInfo.username}')).toBe('kubernetes-admin')
  })

  test('is refused with the words of Kubernetes', async () => {
    const { stderr } = await failing('--as nobody get secrets -n kube-system')
    expect(stderr.trim()).toBe('Error from server (Forbidden): secrets is forbidden: User "nobody" cannot list resource "secrets" in API group "" in the namespace "kube-system"')
  })

  test('refuses what is wrong before anything is stored', async () => {
    const { stderr } = await failing('apply -f -', '{apiVersion: v1, kind: Service, metadata: {name: bad, namespace: default}, spec: {ports: [{port: 99999}]}}')
    expect(stderr).toContain('spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive')
    const unknown = await failing('apply --validate=strict -f -', '{apiVersion: v1, kind: ConfigMap, metadata: {name: bad, namespace: default}, dat: {}}')
    expect(unknown.stderr).toContain('unknown field "dat"')
  })

  test('watches changes as they happen', async () => {
    const child = commands.start('kubectl', ['get', 'configmaps', '-n', 'default', '-w', '-o', 'name'])
    const seen = new Promise<string>((resolve, reject) => {
      let text = ''
      const timer = setTimeout(() => {
        reject(new Error(`the change was not seen: ${text}`))
      }, 20_000)
      child.stdout?.on('data', (chunk: Buffer) => {
        text += chunk.toString()
        if (text.includes('configmap/late')) {
          clearTimeout(timer)
          resolve(text)
        }
      })
    })
    await kubectl('create configmap late -n default --from-literal=a=b')
    await seen
    child.kill()
  })

  test('rolls a deployment back', async () => {
    await kubectl('-n shop set image deployment/web web=registry.test/web:2')
    await eventually(async () => (/1\s+<none>\n2\s+<none>/.test(await kubectl('-n shop rollout history deployment/web')) ? true : undefined), 'the second revision')
    await kubectl('-n shop rollout undo deployment/web')
    expect(await kubectl('-n shop get deployment web -o jsonpath={.spec.template.spec.containers[0].image}')).toBe('registry.test/web:1')
  })

  test('deletes a namespace with all that is in it', async () => {
    await kubectl('delete namespace shop --timeout=40s')
    expect((await failing('get namespace shop')).stderr).toContain('namespaces "shop" not found')
  })

  test('asks for a token that names its service account', async () => {
    await kubectl('create serviceaccount robot -n default')
    const token = (await kubectl('create token robot -n default --duration 600s')).trim()
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { sub: string; exp: number; iat: number }
    expect({ sub: claims.sub, seconds: claims.exp - claims.iat }).toEqual({ sub: 'system:serviceaccount:default:robot', seconds: 600 })
  })
})
