/**
 * The main job by clicking and typing alone, on two real hosts: from pasted addresses to Ready nodes, an image dropped on
 * the window, a workload, its logs and a shell in it, day-to-day changes, capacity, and a node's removal without a trace.
 * Screenshots of every step go to test-results/screenshots. The steps build on each other.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Download, Locator, Page } from 'playwright-core'
import { screenshots } from '../../support/window/driver.ts'
import { prepare, sudoPassword } from './surroundings.ts'
import type { Surroundings } from './surroundings.ts'

let around: Surroundings
let page: Page
let nodes: string[]
let shots = 0
let failed: string | undefined
let stopAll = async (): Promise<void> => {}
beforeAll(async () => {
  around = await prepare()
  stopAll = around.stop
  page = around.page
  nodes = around.hosts.hosts.map(h => `node-${h.address.replaceAll('.', '-')}`)
})
afterAll(async () => {
  await stopAll()
})
beforeEach(() => {
  if (failed !== undefined) throw new Error(`it builds on the step "${failed}", which failed`)
})
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail' && failed === undefined) {
    failed = task.name
    await shot('failed')
    console.error((await page.locator('body').innerText()).slice(0, 4000))
  }
})

async function shot(name: string): Promise<void> {
  await page.screenshot({ path: join(screenshots, `${String(++shots).padStart(2, '0')}-${name}.png`), animations: 'disabled' })
}
/** The same page at another size and in the other theme. */
async function shotSmallAndLight(name: string): Promise<void> {
  await page.setViewportSize({ width: 1024, height: 700 })
  await shot(`${name}-1024`)
  await page.setViewportSize({ width: 1440, height: 900 })
  await page.emulateMedia({ colorScheme: 'light' })
  await shot(`${name}-light`)
  await page.emulateMedia({ colorScheme: 'dark' })
}
const rail = async (title: string): Promise<void> => {
  await page
    .getByRole('navigation')
    .getByRole('link', { name: new RegExp(`^${title}\\b`) })
    .click()
}
const row = (key: string): Locator => page.locator(`[role=row][data-key="${key}"]`)
const pods = (app: string, state = 'Running'): Locator => page.locator('[role=row][data-key]', { hasText: `${app}-` }).filter({ hasText: state })
const drawer = (): Locator => page.locator('aside.drawer')
const dialog = (): Locator => page.getByRole('dialog')
const button = (name: string | RegExp, inside: Locator | Page = page): Locator => inside.getByRole('button', { name, exact: true }).first()
const lines = (): Locator => page.locator('.pane:visible .lines-box .line')

/** Saves the log's shown lines to a file. */
async function saved(): Promise<Download> {
  await button('Save').click()
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: 'Save what is shown' }).click()])
  return download
}
async function create(yaml: string): Promise<void> {
  await button('Create').click()
  const pane = page.locator('.create:visible')
  await pane.locator('.cm-content').click()
  await page.keyboard.press('Control+a')
  await page.keyboard.insertText(yaml)
  await button('Check', pane).click()
  await pane.getByText('The server would accept 1 object').waitFor()
  await button('Apply', pane).click()
  await pane.waitFor({ state: 'detached' })
}
const deployment = (name: string, replicas: number, cpu: string, containers: Record<string, string>): string =>
  JSON.stringify(
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace: 'default' },
      spec: {
        replicas,
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name } },
          spec: {
            terminationGracePeriodSeconds: 1,
            containers: Object.entries(containers).map(([container, script]) => ({
              name: container,
              image: around.image,
              command: ['sh', '-c', script],
              resources: { requests: { cpu, memory: '16Mi' } },
            })),
          },
        },
      },
    },
    undefined,
    2,
  )

test('two pasted hosts log in after their fingerprints are accepted', async () => {
  await page.getByText('Connected', { exact: true }).waitFor()
  await shot('first-start')
  await page
    .getByRole('main')
    .getByRole('button', { name: 'Add nodes' })
    .or(page.getByRole('main').getByRole('link', { name: 'Add nodes' }))
    .first()
    .click()
  await page.getByRole('heading', { name: 'New cluster' }).waitFor()
  await page.getByLabel('Hosts, one a line').fill(around.hosts.hosts.map((host, i) => `${i === 0 ? 'root' : 'ada'}@${host.address}:${host.port}`).join('\n'))
  await page.getByLabel('Private key').fill(around.hosts.privateKey)
  await page.getByLabel('sudo password, where sudo asks for one').fill(sudoPassword)
  await shot('hosts')
  await button('Connect to 2 hosts').click()
  await button('Accept all 2').waitFor()
  const keys = await page.locator('table .mono.wrap').allInnerTexts()
  await shot('fingerprints')
  await button('Accept all 2').click()
  await expect
    .poll(
      () =>
        button('Check 2 hosts')
          .isEnabled()
          .catch(() => false),
      { timeout: 20_000 },
    )
    .toBe(true)
  await expect.poll(() => page.getByText(/quarterdeck-click-\d · Debian/).count(), { timeout: 20_000 }).toBe(2)
  expect(keys).toEqual(around.hosts.hosts.map(h => h.fingerprint))
})

test('checks fill the grid, and the plan says what will be changed', async () => {
  await button('Check 2 hosts').click()
  await page.getByText(/\d+ checks: 0 failed/).waitFor({ timeout: 30_000 })
  const cells = await page.locator('.grid .cell').count()
  await shot('checks')
  await button('See the plan').click()
  await page.getByText('This is all that will be changed').waitFor({ timeout: 60_000 })
  await shot('plan')
  expect(cells).toBeGreaterThan(40)
  expect(await page.getByText('Install docker.io').count()).toBe(1)
})

test('a lane per host shows steps and output until both nodes are Ready', async () => {
  await button('Apply to 2 hosts').click()
  await expect.poll(() => page.locator('article.lane').count()).toBe(2)
  const lane = page.locator('article.lane').nth(1)
  await lane.getByRole('button', { name: /Install container runtime/ }).click()
  await lane.getByText('Install docker.io').first().waitFor()
  await lane
    .locator('.output')
    .getByText(/Reading package lists|Setting up|Unpacking/)
    .first()
    .waitFor({ timeout: 60_000 })
  await shot('work')
  await page.getByText('All 2 nodes are Ready.').waitFor({ timeout: 300_000 })
  await shotSmallAndLight('ready')
  await button('Show nodes').click()
  for (const node of nodes)
    await row(node)
      .getByText(/^Ready/)
      .first()
      .waitFor()
  await expect
    .poll(
      () =>
        page
          .locator('[role=row][data-key] [role=gridcell]')
          .filter({ hasText: /^\d+ %$/ })
          .count(),
      { timeout: 40_000 },
    )
    .toBe(4)
  await shot('nodes')
})

test('an image archive dropped on the window reaches both nodes', async () => {
  const transfer = await page.evaluateHandle(text => {
    const made = new DataTransfer()
    made.items.add(new File([Uint8Array.from(atob(text), c => c.charCodeAt(0))], 'tools.tar', { type: 'application/x-tar' }))
    return made
  }, around.archive.toString('base64'))
  await page.dispatchEvent('.app', 'dragover', { dataTransfer: transfer })
  await shot('drag')
  await page.dispatchEvent('.app', 'drop', { dataTransfer: transfer })
  await button('Push to 2 nodes', dialog()).click()
  await expect
    .poll(
      () =>
        dialog()
          .locator('li')
          .filter({ hasText: /done ·/ })
          .count(),
      { timeout: 60_000 },
    )
    .toBe(2)
  await shot('pushed')
  await page.keyboard.press('Escape')
})

test('a workload made in the window is seen to run', async () => {
  await rail('Pods')
  await create(
    deployment('web', 3, '50m', {
      app: 'i=0; while true; do i=$((i+1)); echo "request $i status=$((200 + i % 3 * 150))"; sleep 0.3; done',
      side: 'while true; do echo "side of $HOSTNAME"; sleep 2; done',
    }),
  )
  await expect.poll(() => pods('web').count(), { timeout: 60_000 }).toBe(3)
  expect(new Set(await page.locator('[role=row][data-key] .link-plain').allInnerTexts()).size).toBe(2)
  // More than the cluster can hold, so that there is something to warn of later.
  await create(deployment('big', 6, '800m', { app: 'sleep 100000' }))
  await expect.poll(() => pods('big', 'Pending').count(), { timeout: 30_000 }).toBeGreaterThan(0)
  await shotSmallAndLight('pods')
})

test('logs of all its pods are one log that can be filtered, paused and saved', async () => {
  await rail('Deployments')
  await row('default/web').click()
  await button('Logs', drawer()).click()
  await expect.poll(() => page.locator('.source').count(), { timeout: 20_000 }).toBe(6)
  await expect
    .poll(
      async () => {
        const said = (await lines().allInnerTexts()).join('\n')
        return /request \d+/.test(said) && /side of web/.test(said)
      },
      { timeout: 20_000 },
    )
    .toBe(true)
  await shotSmallAndLight('logs')
  await page.getByLabel('Show lines with').fill('/status=5\\d\\d/')
  await expect.poll(async () => new Set((await lines().allInnerTexts()).map(t => /status=\d/.exec(t)?.[0])), { timeout: 10_000 }).toEqual(new Set(['status=5']))
  await shot('logs-filtered')
  await page.getByLabel('Show lines with').fill('')
  await button('Pause').click()
  // The worker says that it has paused by counting; lines on their way when it was pressed are shown by then.
  const missed = page.getByRole('button', { name: /[1-9]\d* new lines?/ })
  const counted = async (): Promise<number> => Number.parseInt(await missed.innerText(), 10)
  await missed.waitFor()
  const shown = await page.locator('.lines').innerText()
  const before = await counted()
  await expect.poll(counted).toBeGreaterThan(before)
  const still = await page.locator('.lines').innerText()
  await button('Go on').click()
  const download = await saved()
  const text = await readFile(await download.path(), 'utf8')
  expect([still, download.suggestedFilename()]).toEqual([shown, 'web.log'])
  expect(text).toMatch(/^\S+Z web-\S+\/app request \d+ status=\d+$/m)
})

test('a shell in a pod runs commands', async () => {
  await rail('Pods')
  await pods('web').first().click()
  await button('Shell', drawer()).click()
  const terminal = page.locator('.pane:visible .xterm-rows')
  await expect.poll(() => terminal.innerText(), { timeout: 20_000 }).toContain('/ #')
  await page.locator('.pane:visible .xterm-helper-textarea').focus()
  await page.keyboard.type('echo $((6*7))-here\n')
  await expect.poll(() => terminal.innerText(), { timeout: 10_000 }).toContain('42-here')
  await shot('shell')
  await page.getByRole('button', { name: /^Close web-.* app$/ }).click()
})

test('it scales, restarts, and takes an edit of its YAML', async () => {
  await rail('Deployments')
  await row('default/web').click()
  await button('Scale…', drawer()).click()
  await page.getByLabel('Replicas').fill('4')
  await button('Scale', dialog()).click()
  await row('default/web').filter({ hasText: '4/4' }).waitFor({ timeout: 40_000 })
  await drawer().getByRole('tab', { name: 'YAML' }).click()
  await drawer().locator('.cm-line', { hasText: 'replicas: 4' }).first().waitFor()
  // The object changes under the editor: the edit below is put onto what it is by then.
  await button('Restart', drawer()).click()
  await button('Restart', dialog()).click()
  await page.getByText('Restarting deployment web').waitFor()
  await drawer().locator('.cm-line', { hasText: 'replicas: 4' }).first().click()
  await page.keyboard.press('End')
  await page.keyboard.press('Backspace')
  await page.keyboard.type('2')
  await button('Check and compare', drawer()).click()
  await drawer()
    .getByText(/The server accepts it; it changed meanwhile/)
    .waitFor()
  await shot('yaml-difference')
  await button('Apply', drawer()).click()
  await row('default/web').filter({ hasText: '2/2' }).waitFor({ timeout: 60_000 })
  await expect.poll(() => row('default/web').locator('[role=gridcell]').allInnerTexts(), { timeout: 60_000 }).toEqual(expect.arrayContaining(['2/2', '2']))
})

test('a deleted pod is made again; a node is cordoned and uncordoned', async () => {
  await rail('Pods')
  const victim = (await pods('web').first().getAttribute('data-key')) ?? ''
  await row(victim).click()
  await button('Delete', drawer()).click()
  await button('Delete', dialog()).click()
  await row(victim).waitFor({ state: 'detached', timeout: 40_000 })
  await expect.poll(() => pods('web').count(), { timeout: 40_000 }).toBe(2)
  await button('Close details').click()
  await rail('Nodes')
  await row(nodes[0] ?? '').click()
  await button('Cordon', drawer()).click()
  await row(nodes[0] ?? '')
    .filter({ hasText: 'Ready,SchedulingDisabled' })
    .waitFor()
  await shot('cordoned')
  await button('Uncordon', drawer()).click()
  await row(nodes[0] ?? '')
    .filter({ hasNotText: 'SchedulingDisabled' })
    .waitFor()
})

test('a node shows its samples and its events', async () => {
  await drawer().getByRole('tab', { name: 'Metrics' }).click()
  await drawer().locator('.u-over').first().waitFor({ timeout: 30_000 })
  const charts = await drawer()
    .locator('figure')
    .evaluateAll(all => all.map(f => f.getAttribute('aria-label')))
  await shotSmallAndLight('node-metrics')
  await button('Close details').click()
  await rail('Events')
  await page.locator('[role=row][data-key]', { hasText: 'Scheduled' }).first().waitFor()
  await shot('events')
  expect(charts).toEqual([expect.stringMatching(/^CPU: [\d.]+ (cores|m)$/), expect.stringMatching(/^Memory: [\d.]+ GiB$/)])
})

test('the balance page warns of what would not survive', async () => {
  await rail('Balance')
  for (const id of ['C1', 'C5', 'C13'])
    await page
      .locator('.warning')
      .filter({ has: page.getByText(id, { exact: true }) })
      .first()
      .waitFor({ timeout: 90_000 })
  await shotSmallAndLight('balance')
  expect(await page.locator('.heat .cell').count()).toBe(2)
  await rail('Overview')
  await page.locator('.warning').first().waitFor()
  await shotSmallAndLight('overview')
  await rail('Nodes')
  await row(nodes[0] ?? '').click()
  await drawer().getByRole('tab', { name: 'Metrics' }).click()
  await drawer().locator('.u-over').first().waitFor({ timeout: 30_000 })
  await shot('nodes-and-logs')
  await button('Close details').click()
})

test('lists and logs go on after the control plane was away', async () => {
  await rail('Deployments')
  await page.locator('.dock [role=tab]', { hasText: 'web' }).click()
  await page.getByText('Connected', { exact: true }).waitFor()
  const restarted = around.restart()
  await page.getByText('The connection to Quarterdeck is lost.').waitFor()
  await shot('connection-lost')
  await restarted
  await page.getByText('The connection to Quarterdeck is lost.').waitFor({ state: 'detached', timeout: 20_000 })
  await expect.poll(() => page.locator('.source[title$=": live"]').count(), { timeout: 60_000 }).toBeGreaterThanOrEqual(4)
  const download = await saved()
  const numbered = (await readFile(await download.path(), 'utf8')).split('\n').flatMap(line => /^\S+ (\S+\/app) request (\d+) /.exec(line)?.slice(1).join(' ') ?? [])
  await page.getByRole('button', { name: 'Close web' }).click()
  around.faults.splice(0, around.faults.length, ...around.faults.filter(fault => !fault.includes('WebSocket')))
  expect(numbered.length - new Set(numbered).size).toBe(0)
})

test('a removed node leaves nothing behind and says so', async () => {
  await row('default/big').click()
  await button('Delete', drawer()).click()
  await button('Delete', dialog()).click()
  await row('default/big').waitFor({ state: 'detached' })
  await button('Close details').click()
  await rail('Machines')
  await page
    .locator('tr', { hasText: nodes[1] ?? '' })
    .getByRole('button', { name: 'Remove' })
    .click()
  await dialog()
    .getByText(/pods? of node-.* moves? to other nodes|0 pods of/)
    .waitFor()
  await page.getByLabel(`Type ${nodes[1] ?? ''} to remove`).fill(nodes[1] ?? '')
  await shot('remove')
  await button('Remove', dialog()).click()
  await page.locator('article.lane').waitFor()
  await shot('removing')
  await page.getByLabel('Removed machines').getByText('0 leftovers').waitFor({ timeout: 90_000 })
  await shot('removed')
  await rail('Pods')
  await expect.poll(() => pods('web').count(), { timeout: 60_000 }).toBe(2)
  expect(around.faults).toEqual([])
})
