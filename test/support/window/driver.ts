/** What tests of the window need around it: a control plane in a process of its own, Chromium, pictures. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import type { Browser, Page } from 'playwright-core'

export const root = fileURLToPath(new URL('../../../', import.meta.url))
/** Ignored by git; kept by CI. */
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

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: chromiumArguments })
}

export interface OpenedPage {
  readonly page: Page
  /** Everything that the page reported as a fault. */
  readonly faults: string[]
}

/** A page of its own context, 1440 × 900. */
export async function openPage(browser: Browser, url: string, theme: 'dark' | 'light' = 'dark'): Promise<OpenedPage> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: theme, acceptDownloads: true })
  const page = await context.newPage()
  page.setDefaultTimeout(20_000)
  const faults: string[] = []
  page.on('pageerror', fault => faults.push(fault.message))
  page.on('console', message => {
    if (message.type() === 'error') faults.push(message.text())
  })
  await page.goto(url)
  return { page, faults }
}

/** A data directory whose packed artifacts are kept between runs. */
export async function shareArtifacts(dataDir: string): Promise<void> {
  await mkdir(join(root, '.cache', 'artifacts'), { recursive: true })
  await symlink(join(root, '.cache', 'artifacts'), join(dataDir, 'cache'))
}

export interface Headless {
  readonly ui: string
  stop(): Promise<void>
}

/** The control plane with its window, as `npm run headless` starts it. */
export async function startHeadless(dataDir: string): Promise<Headless> {
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
  return { ui, stop: () => endProcess(child) }
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
