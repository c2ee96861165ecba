/** exec and attach: joins the client's channels with a process in a container. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Status } from '../../api/generated/meta-v1.ts'
import type { ProcessStream } from '../container-runtime/runtime.ts'
import { openChannels } from './channels.ts'
import type { Channels, ChannelWishes } from './channels.ts'
import { findContainer, HttpFault } from './request-scope.ts'
import type { RequestScope } from './request-scope.ts'

const statusHead = { apiVersion: 'v1', kind: 'Status', metadata: {} } as const

export async function remoteCommand(
  scope: RequestScope,
  kind: 'exec' | 'attach',
  parts: readonly string[],
  query: URLSearchParams,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const flag = (...names: string[]): boolean => names.some(name => query.get(name) === 'true' || query.get(name) === '1')
  const tty = flag('tty')
  const wishes: ChannelWishes = { stdin: flag('stdin', 'input'), stdout: flag('stdout', 'output'), stderr: flag('stderr', 'error') && !tty, tty }
  if (!wishes.stdin && !wishes.stdout && !wishes.stderr) throw new HttpFault(400, 'you must specify at least 1 of stdin, stdout, stderr')
  const [namespace = '', pod = '', name = ''] = parts
  const container = await findContainer(scope, namespace, pod, name, false)
  if (container.phase !== 'running') throw new HttpFault(400, `cannot ${kind} in a container that is not running: ${name}`)
  const command = query.getAll('command')
  if (kind === 'exec' && command.length === 0) throw new HttpFault(400, 'you must specify at least one command')
  let channels: Channels
  try {
    channels = await openChannels(scope.env.clock, wishes, request, socket, head)
  } catch (fault) {
    throw new HttpFault(400, fault instanceof Error ? fault.message : String(fault))
  }
  try {
    const process = kind === 'exec' ? await scope.runtime.exec(container.id, { command, ...wishes }) : await scope.runtime.attach(container.id, wishes)
    await join(scope, channels, process)
    await channels.finish(kind === 'exec' ? exitStatus(await process.exitCode()) : { ...statusHead, status: 'Success' })
  } catch (fault) {
    await channels.finish({ ...statusHead, status: 'Failure', message: fault instanceof Error ? fault.message : String(fault), reason: 'InternalError', code: 500 })
  }
}

async function join(scope: RequestScope, channels: Channels, process: ProcessStream): Promise<void> {
  channels.onClose(() => {
    process.close()
  })
  channels.onResize(size => {
    process.resize(size.width, size.height).catch(() => {
      /* it ended meanwhile */
    })
  })
  const { stdin } = channels
  if (stdin) {
    stdin.on('error', () => {})
    process.input.on('error', () => {})
    stdin.pipe(process.input, { end: false })
    stdin.on('end', () => {
      process.input.end()
    })
  } else process.input.end()
  try {
    for await (const chunk of process.output) await channels.write(chunk.stream, chunk.bytes)
  } catch (fault) {
    scope.env.log.log('debug', 'exec stream ended', { fault: String(fault) })
  }
  stdin?.unpipe()
}

/** As kubelets say it on the error channel: an exit code other than 0 is a failure with the code as its cause. */
export function exitStatus(code: number): Status {
  if (code === 0) return { ...statusHead, status: 'Success' }
  return {
    ...statusHead,
    status: 'Failure',
    reason: 'NonZeroExitCode',
    message: `command terminated with non-zero exit code: exit status ${code}`,
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  }
}
