/** What the main job needs around the window: two hosts, a control plane of its own process, an image archive, a browser. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import type { Browser, Page } from 'playwright-core'
import { docker } from '../../../src-main/provisioning/practice/docker.ts'
import { buildWindow } from '../../../src-main/server/build-window.ts'
import { ensureTestImage } from '../../support/hosts/test-image.ts'
import { removeHosts, startHosts } from '../../support/hosts/hosts.ts'
import type { HostSet } from '../../support/hosts/hosts.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const set = 'click'
export const sudoPassword = 'open sesame'
export const screenshots = join(root, 'test-results', 'screenshots')
const chromiumArguments = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export interface Surroundings {
  readonly hosts: HostSet
  readonly page: Page
  /** Everything that the page reported as a fault. */
  readonly faults: string[]
  /** An archive of the test image, as `docker save` writes it. */
  readonly archive: Buffer
  readonly image: string
  /** Ends the control plane and starts it again on the same data. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export async function prepare(): Promise<Surroundings> {
  const dataDir = await mkdtemp(join(tmpdir(), 'quarterdeck-main-job-'))
  const undo: (() => Promise<unknown>)[] = [() => rm(dataDir, { recursive: true, force: true })]
  const stop = async (): Promise<void> => {
    for (const step of undo.toReversed()) await step()
  }
  try {
    await mkdir(screenshots, { recursive: true })
    // Packed artifacts are kept between runs.
    await mkdir(join(root, '.cache', 'artifacts'), { recursive: true })
    await symlink(join(root, '.cache', 'artifacts'), join(dataDir, 'cache'))
    await buildWindow(root, () => {})
    undo.push(() => removeHosts(set))
    const hosts = await startHosts({ set, count: 2, withDocker: [true, false], users: [{ name: 'ada', password: sudoPassword, sudo: 'password' }] })
    const image = await ensureTestImage()
    await docker(['save', '-o', join(dataDir, 'image.tar'), image])
    const archive = await readFile(join(dataDir, 'image.tar'))
    let server = await startHeadless(dataDir)
    undo.push(() => endProcess(server.process))
    const browser: Browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: chromiumArguments })
    undo.push(() => browser.close())
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, colorScheme: 'dark', acceptDownloads: true })
    page.setDefaultTimeout(20_000)
    const faults: string[] = []
    page.on('pageerror', fault => faults.push(fault.message))
    page.on('console', message => {
      if (message.type() === 'error') faults.push(message.text())
    })
    await page.goto(server.ui)
    return {
      hosts,
      page,
      faults,
      archive,
      image,
      stop,
      async restart() {
        await endProcess(server.process)
        server = await startHeadless(dataDir)
      },
    }
  } catch (fault) {
    await stop()
    throw fault
  }
}

async function startHeadless(dataDir: string): Promise<{ process: ChildProcess; ui: string }> {
  const child = spawn(process.execPath, [join(root, 'src-main/server/run.js'), 'headless', '--data-dir', dataDir, '--api-port', '0'], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4000)
    if (process.env['QUARTERDECK_TEST_LOG']) process.stderr.write(text)
  })
  const ready = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve)
    child.once('close', code => {
      reject(new Error(`the control plane ended with ${code} before it was ready: ${said}`))
    })
  })
  const { ui } = JSON.parse(ready) as { ui?: string }
  if (ui === undefined) throw new Error(`the control plane serves no window: ${ready}`)
  return { process: child, ui }
}

function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return Promise.resolve()
  return new Promise(resolve => {
    child.once('exit', () => {
      resolve()
    })
    child.kill('SIGTERM')
  })
}
