/**
 * `npm run build`: the node agent and the headless server as single files, then the Electron app and the window with
 * electron-vite (left out with `--headless`).
 */
import { existsSync } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { runCommand } from '../../../src-main/base/node/command.ts'
import { bundleAgent } from '../../../src-main/provisioning/artifacts/agent-bundle.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** Entry points of the headless product; each becomes out/server/<name>.js. */
const servers = ['start', 'headless', 'practice']

async function buildServer(): Promise<void> {
  const input = Object.fromEntries(servers.filter(name => existsSync(join(root, 'src-main/server', `${name}.ts`))).map(name => [name, join(root, 'src-main/server', `${name}.ts`)]))
  // Optional native parts of ssh2 and ws, and what only development needs, stay outside.
  const bundle = await rolldown({ input, cwd: root, platform: 'node', external: [/^node:/, 'cpu-features', 'bufferutil', 'utf-8-validate', /\.node$/, 'rolldown', 'vite', 'electron'], onLog: () => undefined })
  await bundle.write({ dir: join(root, 'out/server'), format: 'esm', sourcemap: false, entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' })
  await bundle.close()
}

async function size(path: string): Promise<string> {
  return `${Math.round((await stat(path)).size / 1024)} KiB`
}

await rm(join(root, 'out/agent'), { recursive: true, force: true })
await rm(join(root, 'out/server'), { recursive: true, force: true })
await bundleAgent(join(root, 'out/agent/agent.js'))
console.log(`out/agent/agent.js ${await size(join(root, 'out/agent/agent.js'))}`)
await buildServer()
console.log('out/server')
if (!process.argv.includes('--headless')) {
  const vite = await runCommand(join(root, 'node_modules/.bin/electron-vite'), ['build'], { cwd: root, onOutput: text => { process.stdout.write(text) } })
  if (vite.status !== 0) process.exitCode = vite.status
}
