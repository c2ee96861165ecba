/** What the kubelet relies on, against the real Docker Engine of this machine (without any network of its own). */
import { spawn } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nodeEnv } from '../../../src-main/base/node/node-env.ts'
import { dockerRuntime } from '../../../src-main/node-agent/container-runtime/docker-runtime.ts'
import { containerLabels } from '../../../src-main/node-agent/container-runtime/runtime.ts'
import type { ContainerSpec, RuntimeEvent } from '../../../src-main/node-agent/container-runtime/runtime.ts'
import { setUpMachine } from '../../support/hosts/machine-setup.ts'

const image = 'quarterdeck-runtime-test:1'
const uid = `conformance-${process.pid}`
const runtime = dockerRuntime({ socketPath: '/var/run/docker.sock', networkName: 'quarterdeck-none', sandboxImage: 'quarterdeck/sandbox-test:1', clock: nodeEnv().clock })
let sandbox = ''

function labels(name: string, attempt = 0): Record<string, string> {
  return { [containerLabels.podUID]: uid, [containerLabels.containerName]: name, [containerLabels.restartCount]: String(attempt) }
}

function spec(name: string, command: string[], more: Partial<ContainerSpec> = {}): ContainerSpec {
  return {
    name: `quarterdeck_${name}_${uid}`,
    image,
    labels: { ...labels(name), [containerLabels.sandboxID]: sandbox },
    entrypoint: command,
    env: ['A=b'],
    mounts: [],
    sandboxID: sandbox,
    hostNetwork: true,
    hostIPC: false,
    stdin: false,
    stdinOnce: false,
    tty: false,
    groups: [],
    readOnlyRootFilesystem: false,
    privileged: false,
    addCapabilities: [],
    dropCapabilities: [],
    noNewPrivileges: false,
    unmaskPaths: false,
    cpuShares: 2,
    cpuQuota: 0,
    cpuPeriod: 0,
    memoryBytes: 0,
    oomScoreAdjustment: 0,
    ...more,
  }
}

async function ended(id: string): Promise<{ exitCode: number; oomKilled: boolean }> {
  for (;;) {
    const container = await runtime.inspect(id)
    if (container?.phase === 'exited') return container
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

beforeAll(async () => {
  await setUpMachine()
  await new Promise<void>((resolve, reject) => {
    const script =
      'd=$(mktemp -d) && mkdir -p $d/bin $d/tmp && cp /bin/busybox $d/bin/ && for a in sh cat sleep echo head tr; do ln -sf busybox $d/bin/$a; done && tar -C $d -c . | docker import - '
    spawn('sh', ['-c', script + image], { stdio: 'ignore' }).on('close', code => {
      if (code === 0) resolve()
      else reject(new Error('docker import failed'))
    })
  })
  await runtime.ensureSandboxImage()
  sandbox = await runtime.createSandbox({
    name: `quarterdeck_POD_${uid}`,
    hostname: 'x',
    labels: labels('POD'),
    hostNetwork: true,
    hostPID: false,
    hostIPC: false,
    ports: [],
    sysctls: {},
  })
  await runtime.start(sandbox)
})
afterAll(async () => {
  for (const container of await runtime.list(uid)) await runtime.remove(container.id)
  await runtime.removeImage('quarterdeck/sandbox-test:1')
  await runtime.removeImage(image)
})

describe('the container runtime', () => {
  it('finds its containers by pod with what they did', async () => {
    const id = await runtime.createContainer(spec('exit', ['sh', '-c', 'echo out; echo err >&2; exit 3']))
    const before = (await runtime.inspect(id))?.phase
    await runtime.start(id)
    const { exitCode } = await ended(id)
    const text = { stdout: '', stderr: '' }
    for await (const chunk of await runtime.logs(id, { follow: false, timestamps: false })) text[chunk.stream] += chunk.bytes.toString()
    const listed = (await runtime.list(uid)).map(c => [c.type, c.name, c.phase]).sort()
    expect({ before, exitCode, text, listed }).toEqual({
      before: 'created',
      exitCode: 3,
      text: { stdout: 'out\n', stderr: 'err\n' },
      listed: [
        ['container', 'exit', 'exited'],
        ['sandbox', 'POD', 'running'],
      ],
    })
  })

  it('runs commands with input and tells their exit code', async () => {
    const id = await runtime.createContainer(spec('exec', ['sleep', '100']))
    await runtime.start(id)
    const process = await runtime.exec(id, { command: ['sh', '-c', 'cat; exit 5'], stdin: true, stdout: true, stderr: true, tty: false })
    process.input.end('hello')
    let output = ''
    for await (const chunk of process.output) output += chunk.bytes.toString()
    expect({ output, code: await process.exitCode() }).toEqual({ output: 'hello', code: 5 })
  })

  it('kills what does not end by itself, and says when memory was the reason', async () => {
    const stubborn = await runtime.createContainer(spec('stubborn', ['sh', '-c', "trap '' TERM; while :; do sleep 1; done"]))
    await runtime.start(stubborn)
    const startMs = performance.now()
    await runtime.stop(stubborn, 1)
    const tookMs = performance.now() - startMs
    const hog = await runtime.createContainer(spec('hog', ['sh', '-c', 'x=$(head -c 60000000 /dev/zero | tr "\\0" a); echo $x'], { memoryBytes: 16 << 20 }))
    await runtime.start(hog)
    expect({ killed: (await ended(stubborn)).exitCode, inTime: tookMs > 900 && tookMs < 15_000, oom: (await ended(hog)).oomKilled }).toEqual({
      killed: 137,
      inTime: true,
      oom: true,
    })
  })

  it('reports changes, and takes what is gone for done', async () => {
    const events: RuntimeEvent[] = []
    const abort = new AbortController()
    runtime.watch(event => {
      events.push(event)
    }, abort.signal)
    await new Promise(resolve => setTimeout(resolve, 300))
    const id = await runtime.createContainer(spec('brief', ['sh', '-c', ':']))
    await runtime.start(id)
    await ended(id)
    await runtime.remove(id)
    await new Promise(resolve => setTimeout(resolve, 300))
    abort.abort()
    await runtime.stop(id, 1)
    await runtime.remove(id)
    expect({
      actions: events.filter(e => e.containerID === id).map(e => e.action),
      inspected: await runtime.inspect(id),
      image: await runtime.image('quarterdeck-no-such-image'),
    }).toEqual({ actions: ['create', 'start', 'die', 'destroy'], inspected: undefined, image: undefined })
  })

  it('removes an image that nobody uses, and only such', async () => {
    await new Promise<void>(resolve => {
      spawn('sh', ['-c', `tar -C /tmp -c --files-from=/dev/null | docker import -c 'CMD ["x"]' - quarterdeck-runtime-unused:1`], { stdio: 'ignore' }).on('close', () => {
        resolve()
      })
    })
    const container = await runtime.createContainer(spec('keeper', ['sh', '-c', ':']))
    const unused = await runtime.image('quarterdeck-runtime-unused:1')
    const used = await runtime.image(image)
    if (!unused || !used) throw new Error('images are missing')
    const removed = [await runtime.removeUnusedImage(unused), await runtime.removeUnusedImage(used)]
    await runtime.remove(container)
    expect({ removed, unused: await runtime.image('quarterdeck-runtime-unused:1'), used: (await runtime.image(image))?.id }).toEqual({
      removed: [true, false],
      unused: undefined,
      used: used.id,
    })
  })

  it('has a sandbox that ends at once when asked', async () => {
    const startMs = performance.now()
    await runtime.stop(sandbox, 10)
    expect({ code: (await ended(sandbox)).exitCode, atOnce: performance.now() - startMs < 3_000 }).toEqual({ code: 0, atOnce: true })
  })
})
