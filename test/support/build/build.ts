/**
 * `npm run build`: the node agent and the headless server as single files, then the Electron app and the window with
 * electron-vite (left out with `--headless`), and the texts of `kubectl explain` for the packaged app. With `--runtimes`
 * also the Node programs that the packaged app sends to hosts, of both processors whatever this computer has.
 */
import { copyFile, mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCommand } from '../../../src-main/base/node/command.ts'
import { everyText, packagedFile } from '../../../src-main/apiserver/openapi/descriptions.ts'
import { loadFacts } from '../../../src-main/apiserver/openapi/schemas.ts'
import { bundleServer } from '../../../src-main/server/server-bundle.ts'
import { bundleAgent } from '../../../src-main/provisioning/artifacts/agent-bundle.ts'
import { runtimeFile } from '../../../src-main/provisioning/artifacts/artifacts.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

async function size(path: string): Promise<string> {
  return `${Math.round((await stat(path)).size / 1024)} KiB`
}

await rm(join(root, 'out/agent'), { recursive: true, force: true })
await rm(join(root, 'out/server'), { recursive: true, force: true })
await bundleAgent(join(root, 'out/agent/agent.js'))
console.log(`out/agent/agent.js ${await size(join(root, 'out/agent/agent.js'))}`)
await bundleServer(join(root, 'out/server'))
console.log('out/server')
if (!process.argv.includes('--headless')) {
  const vite = await runCommand(join(root, 'node_modules/.bin/electron-vite'), ['build'], {
    cwd: root,
    onOutput: text => {
      process.stdout.write(text)
    },
  })
  if (vite.status !== 0) process.exitCode = vite.status
  else {
    // The app has no node_modules of development: what the server reads there from a clone travels as one file.
    await writeFile(join(root, packagedFile), JSON.stringify(await everyText(root, Object.keys(await loadFacts()))))
    console.log(`${packagedFile} ${await size(join(root, packagedFile))}`)
  }
}
if (process.argv.includes('--runtimes')) {
  for (const architecture of ['x64', 'arm64'] as const) {
    const folder = join(root, `out/runtime-${architecture}`)
    await mkdir(folder, { recursive: true })
    await copyFile(await runtimeFile({ cacheDir: join(root, '.cache/artifacts') }, architecture), join(folder, 'node'))
    console.log(`out/runtime-${architecture}/node ${await size(join(folder, 'node'))}`)
  }
}
