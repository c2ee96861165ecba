/** What a node does beyond running pods, on one real host through real kubectl. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clientCommands, type ClientCommands, type CommandAnswer } from '../../support/clients.ts'
import { inHost, removeHosts, startHosts, type HostSet, type PracticeHost } from '../../support/hosts/hosts.ts'
import { machineWhere, startCluster, type TestCluster } from '../provisioning/cluster.ts'

const set = 'runtime'
const image = 'quarterdeck-agent-test:1'
let cluster: TestCluster
let hosts: HostSet
let dir = ''
let overWebSocket: ClientCommands
let overSpdy: ClientCommands

function host(): PracticeHost {
  const [found] = hosts.hosts
  if (!found) throw new Error('no such host')
  return found
}

/** Busybox from this machine, by import: no registry can be reached. */
async function makeImage(): Promise<void> {
  const script =
    'd=$(mktemp -d) && mkdir -p $d/bin $d/etc $d/tmp $d/www && cp /bin/busybox $d/bin/ && for a in $($d/bin/busybox --list); do [ $a = busybox ] || ln -sf busybox $d/bin/$a; done && echo root:x:0:0:root:/:/bin/sh > $d/etc/passwd && tar -C $d -c .; rm -r "$d"'
  await new Promise<void>((resolve, reject) => {
    const child = spawn('sh', ['-c', `(${script}) | docker exec -i ${host().name} docker import - ${image}`], { stdio: ['ignore', 'ignore', 'inherit'] })
    child.on('close', code => {
      if (code === 0) resolve()
      else reject(new Error(`docker import: exit ${code ?? ''}`))
    })
  })
}

beforeAll(async () => {
  hosts = await startHosts({ set, count: 1, withDocker: true })
  cluster = await startCluster()
  await cluster.controlPlane.controllersReady
  await cluster.provisioning.apply(
    {
      hosts: [{ name: 'n1', user: 'root', address: host().address, port: host().port, fingerprint: host().fingerprint }],
      credentials: { privateKey: hosts.privateKey },
    },
    new AbortController().signal,
  )
  dir = await mkdtemp(join(tmpdir(), 'quarterdeck-features-'))
  const kubeconfig = join(dir, 'kubeconfig')
  await writeFile(kubeconfig, cluster.controlPlane.adminKubeconfig)
  overWebSocket = clientCommands(kubeconfig)
  overSpdy = clientCommands(kubeconfig, { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' })
  await makeImage()
  await machineWhere(cluster.client, 'n1', machine => machine.status?.phase === 'Ready', 240)
  await apply({ kind: 'ConfigMap', metadata: { name: 'conf' }, data: { colour: 'blue' } })
  await apply(
    pod('web', {
      containers: [
        {
          name: 'c',
          image,
          command: ['sh', '-c', 'echo web > /www/index.html; exec httpd -f -p 8080 -h /www'],
          ports: [{ containerPort: 8080, hostPort: 18080 }],
          lifecycle: { postStart: { exec: { command: ['sh', '-c', 'echo hooked > /tmp/hook'] } } },
          volumeMounts: [
            { name: 'conf', mountPath: '/conf' },
            { name: 'file', mountPath: '/file' },
          ],
        },
      ],
      volumes: [
        { name: 'conf', configMap: { name: 'conf' } },
        { name: 'file', hostPath: { path: '/tmp/made-file', type: 'FileOrCreate' } },
      ],
    }),
  )
  await kubectl('wait', '--for=condition=Ready', 'pod/web', '--timeout=55s')
})
afterAll(async () => {
  await cluster?.stop()
  await removeHosts(set)
  await rm(dir, { recursive: true, force: true })
})

function pod(name: string, spec: object): object {
  return { kind: 'Pod', metadata: { name }, spec: { terminationGracePeriodSeconds: 1, ...spec } }
}

async function kubectl(...args: string[]): Promise<string> {
  const answer = await overWebSocket.kubectl(args)
  if (answer.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${answer.stderr}`)
  return answer.stdout
}

async function apply(object: object): Promise<void> {
  const answer = await overWebSocket.kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', ...object }))
  if (answer.code !== 0) throw new Error(answer.stderr)
}

async function until(what: string, check: () => Promise<boolean>, seconds = 60): Promise<void> {
  for (const deadline = performance.now() + seconds * 1000; ;) {
    if (await check().catch(() => false)) return
    if (performance.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`)
    await sleep(300)
  }
}

describe('a node', () => {
  it.each([
    ['WebSocket', () => overWebSocket],
    ['SPDY', () => overSpdy],
  ] as const)('runs commands with input over %s', async (_name, commands) => {
    const input = 'abcdefgh'.repeat(100_000)
    const [echo, ended]: CommandAnswer[] = await Promise.all([
      commands().kubectl(['exec', '-i', 'web', '--', 'wc', '-c'], input),
      commands().kubectl(['exec', 'web', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3']),
    ])
    expect({ count: echo?.stdout.trim(), out: ended?.stdout, err: ended?.stderr, code: ended?.code }).toEqual({
      count: '800000',
      out: 'out\n',
      err: 'err\ncommand terminated with exit code 3\n',
      code: 3,
    })
  })

  it('forwards a port over SPDY, and publishes one of the host', async () => {
    const forward = overSpdy.start('kubectl', ['port-forward', 'web', ':8080'])
    try {
      const port = await new Promise<string>((resolve, reject) => {
        forward.stdout?.on('data', chunk => {
          const found = /127\.0\.0\.1:(\d+)/.exec(String(chunk))?.[1]
          if (found !== undefined) resolve(found)
        })
        forward.on('close', () => {
          reject(new Error('port-forward ended'))
        })
      })
      const forwarded = await (await fetch(`http://127.0.0.1:${port}/`)).text()
      expect({ forwarded, published: await inHost(host(), 'curl -s -m 5 http://127.0.0.1:18080/') }).toEqual({ forwarded: 'web\n', published: 'web' })
    } finally {
      forward.kill()
    }
  })

  it('carries out hooks and makes host paths', async () => {
    expect(await kubectl('exec', 'web', '--', 'sh', '-c', 'cat /tmp/hook; [ -f /file ] && echo file')).toBe('hooked\nfile\n')
  })

  it('shows a changed ConfigMap at once', async () => {
    await apply({ kind: 'ConfigMap', metadata: { name: 'conf' }, data: { colour: 'red' } })
    await until('the file changes', async () => (await kubectl('exec', 'web', '--', 'cat', '/conf/colour')) === 'red', 20)
  })

  it('adds a container for debugging that sees the processes of another', async () => {
    await kubectl('debug', 'web', `--image=${image}`, '--target=c', '--container=dbg', '--', 'sh', '-c', 'ps; sleep 1000')
    await until('its output', async () => (await kubectl('logs', 'web', '-c', 'dbg')).includes('httpd'), 40)
  })

  it('turns away what cannot run on it', async () => {
    await Promise.all([
      apply(pod('too-big', { nodeName: 'n1', containers: [{ name: 'c', image, resources: { requests: { cpu: '500' } } }] })),
      apply(pod('elsewhere', { nodeName: 'n1', nodeSelector: { nowhere: 'x' }, containers: [{ name: 'c', image }] })),
      apply(pod('port-taken', { nodeName: 'n1', containers: [{ name: 'c', image, ports: [{ containerPort: 80, hostPort: 18080 }] }] })),
    ])
    const names = ['too-big', 'elsewhere', 'port-taken']
    const reasons = (): Promise<string[]> => Promise.all(names.map(name => kubectl('get', 'pod', name, '-o', 'jsonpath={.status.phase} {.status.reason}')))
    await until('all have failed', async () => (await reasons()).every(text => text.startsWith('Failed')), 30)
    expect(await reasons()).toEqual(['Failed OutOfcpu', 'Failed NodeAffinity', 'Failed NodePorts'])
    await kubectl('delete', 'pod', ...names)
  })

  it("shows the host's logs", async () => {
    const list = await kubectl('get', '--raw', '/api/v1/nodes/n1/proxy/logs/')
    const journal = await kubectl('get', '--raw', '/api/v1/nodes/n1/proxy/logs/?query=kubelet&tailLines=500')
    const outside = await overWebSocket.kubectl(['get', '--raw', '/api/v1/nodes/n1/proxy/logs/..%2f..%2fetc%2fpasswd'])
    expect({ listed: list.includes('apt/'), journal: journal.includes('agent started'), outside: outside.code }).toEqual({ listed: true, journal: true, outside: 1 })
  })

  it('starts its pods after a reboot while the API is away', async () => {
    // No sshd, no tunnel.
    await inHost(host(), 'systemctl disable -q ssh')
    await new Promise<void>(resolve => {
      spawn('docker', ['restart', '-t', '20', host().name], { stdio: 'ignore' }).on('close', () => {
        resolve()
      })
    })
    await until('the pod answers', async () => (await inHost(host(), 'systemctl is-active -q ssh || curl -s -m 2 http://127.0.0.1:18080/')) === 'web', 90)
    await inHost(host(), 'systemctl enable -q ssh; systemctl start ssh')
    await until('the API sees it', async () => (await kubectl('exec', 'web', '--', 'cat', '/conf/colour')) === 'red', 90)
  })

  it('leaves nothing of its own behind when cleaned up', async () => {
    // Else the machine controller starts the stopped agent again, as it should.
    await kubectl('patch', 'machine', 'n1', '--type=merge', '-p', '{"spec":{"paused":true}}')
    await sleep(2_000)
    const command = await inHost(host(), 'sed -n "s/^ExecStart=\\(\\S*\\) .* \\(\\/opt\\S*agent.js\\) .*/\\1 \\2/p" /etc/systemd/system/quarterdeck-agent.service')
    const answer = await inHost(host(), `systemctl stop quarterdeck-agent; ${command.trim()} --cleanup /etc/quarterdeck/agent.json`)
    const left = await inHost(
      host(),
      'docker ps -aq; docker network ls -q --filter name=quarterdeck; docker images -q quarterdeck/sandbox; docker images -qf dangling=true; nft list tables | grep quarterdeck; iptables-save | grep 10.244; grep quarterdeck/ /proc/mounts; ip -br link | grep quarterdeck; :',
    )
    expect({ answer: answer.trim(), left }).toEqual({ answer: '{"leftovers":[]}', left: '' })
  })
})
