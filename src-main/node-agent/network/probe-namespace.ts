/**
 * A pod without containers: a network namespace on the pod bridge, in which the agent looks at the pod network as pods see
 * it, and answers the probes of other nodes.
 */
import { spawn } from 'node:child_process'
import { readlink } from 'node:fs/promises'
import type { Server, Socket } from 'node:net'
import { agentNames, agentPorts } from '../../api/agent.ts'
import type { Clock } from '../../base/env.ts'
import { runOrThrow } from '../commands.ts'
import type { RunCommand } from '../commands.ts'
import { gatewayIP, probeIP } from './overlay.ts'
import { listenInside, probeInside } from './probe-child.ts'
import type { ProbeResult, ProbeTarget } from './probe-child.ts'

const { probeNamespace, probeLink, bridge } = agentNames
/** One try at one target. */
const targetTimeoutMs = 1_500
/** The child's start on a slow host, and its tries. */
const childTimeoutMs = 15_000
const greetingTimeoutMs = 5_000

export class ProbeNamespace {
  readonly #run: RunCommand
  readonly #clock: Clock
  readonly #nodeName: string
  #server: Server | undefined
  #podCIDR = ''

  constructor(options: { run: RunCommand; clock: Clock; nodeName: string }) {
    this.#run = options.run
    this.#clock = options.clock
    this.#nodeName = options.nodeName
  }

  /** Makes it, or makes it anew where the range or the bridge is another one now. */
  async ensure(podCIDR: string, mtu: number): Promise<void> {
    if (this.#server && this.#podCIDR === podCIDR && (await masterOf(probeLink)) === bridge) return
    await this.remove()
    const run = this.#run
    const batch = (args: readonly string[], lines: readonly string[]): Promise<string> => runOrThrow(run, 'ip', [...args, '-batch', '-'], `${lines.join('\n')}\n`)
    await runOrThrow(run, 'ip', ['netns', 'add', probeNamespace])
    await batch([], [`link add ${probeLink} type veth peer name eth0 netns ${probeNamespace}`, `link set dev ${probeLink} mtu ${mtu} master ${bridge} up`])
    await batch(
      ['-n', probeNamespace],
      [
        'link set dev lo up',
        `link set dev eth0 mtu ${mtu} up`,
        `address add ${probeIP(podCIDR)}/${podCIDR.split('/')[1] ?? '24'} dev eth0`,
        `route add default via ${gatewayIP(podCIDR)}`,
      ],
    )
    this.#server = await this.#listen(probeIP(podCIDR))
    this.#podCIDR = podCIDR
  }

  /** Which of the targets a pod of this node reaches. */
  async probe(targets: readonly ProbeTarget[]): Promise<readonly ProbeResult[]> {
    const { message } = await this.#child<{ results: ProbeResult[] }>(probeInside, [targets, targetTimeoutMs])
    return message.results
  }

  async remove(): Promise<void> {
    this.#server?.close()
    this.#server = undefined
    await removeProbeNamespace(this.#run)
  }

  close(): void {
    this.#server?.close()
    this.#server = undefined
  }

  async #listen(address: string): Promise<Server> {
    const { message, handle } = await this.#child<{ fault?: string }>(listenInside, [address, agentPorts.probe])
    if (!handle) throw new Error(`the probe cannot listen on ${address}: ${message.fault ?? 'no reason given'}`)
    handle.on('connection', (socket: Socket) => {
      socket.setTimeout(greetingTimeoutMs, () => {
        socket.destroy()
      })
      socket.on('error', () => {
        socket.destroy()
      })
      socket.end(`${this.#nodeName}\n`)
    })
    handle.unref()
    return handle
  }

  /** The first message of a process in the namespace that runs `work` with `input`. */
  #child<T>(work: () => void, input: unknown): Promise<{ message: T; handle: Server | undefined }> {
    return new Promise((resolve, reject) => {
      const args = ['netns', 'exec', probeNamespace, process.execPath, '--max-semi-space-size=2', '-e', `(${work.toString()})()`, JSON.stringify(input)]
      const child = spawn('ip', args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' } })
      let stderr = ''
      child.stderr?.on('data', chunk => {
        if (stderr.length < 2_000) stderr += String(chunk)
      })
      const cancel = this.#clock.after(childTimeoutMs, () => {
        child.kill('SIGKILL')
      })
      child.on('message', (message, handle) => {
        cancel()
        resolve({ message: message as T, handle: handle as Server | undefined })
      })
      child.on('error', fault => {
        cancel()
        reject(fault)
      })
      child.on('exit', code => {
        cancel()
        // A message that was sent before the exit may still be on its way.
        setImmediate(() => {
          reject(new Error(`the probe ended with ${code ?? 'a signal'}: ${stderr.trim().slice(0, 500)}`))
        })
      })
    })
  }
}

/** Idempotent; the veth pair goes with its namespace. */
export async function removeProbeNamespace(run: RunCommand): Promise<void> {
  await run('ip', ['netns', 'del', probeNamespace])
  await run('ip', ['link', 'del', probeLink])
}

async function masterOf(link: string): Promise<string | undefined> {
  try {
    return (await readlink(`/sys/class/net/${link}/master`)).split('/').pop()
  } catch {
    return undefined
  }
}
