/** The practice button: two local hosts made, watched until they are Ready, and removed, all by clicking; nothing is left. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Locator } from 'playwright-core'
import { docker } from '../../../src-main/provisioning/practice/docker.ts'
import { removeHosts } from '../../../src-main/provisioning/practice/hosts.ts'
import { buildWindow } from '../../../src-main/server/build-window.ts'
import { launchBrowser, openPage, root, screenshots, shareArtifacts, startHeadless } from '../../support/window/driver.ts'

/** Containers, volumes and networks of practice hosts. */
async function standing(): Promise<string[]> {
  const lists = await Promise.all(
    [
      ['ps', '-a', '--format', '{{.Names}}'],
      ['volume', 'ls', '--format', '{{.Name}}'],
      ['network', 'ls', '--format', '{{.Name}}'],
    ].map(args => docker(args)),
  )
  return lists.flatMap(text => text.split('\n')).filter(name => name.includes('quarterdeck-practice'))
}

test('practice hosts are made, become Ready and are removed by the button alone', async () => {
  // They are of one name on a computer: this test would take away somebody's own.
  expect(await standing(), 'there are practice hosts here already: npm run practice -- down').toEqual([])
  const dataDir = await mkdtemp(join(tmpdir(), 'quarterdeck-practice-'))
  await mkdir(screenshots, { recursive: true })
  await shareArtifacts(dataDir)
  await buildWindow(root, () => {})
  const server = await startHeadless(dataDir)
  const browser = await launchBrowser()
  try {
    const { page, faults } = await openPage(browser, server.ui)
    const dialog = page.getByRole('dialog')
    const press = (name: string): Promise<void> => dialog.getByRole('button', { name, exact: true }).click()
    const shot = async (name: string): Promise<void> => {
      await page.screenshot({ path: join(screenshots, `practice-${name}.png`), animations: 'disabled' })
    }
    const row = (name: string): Locator => page.locator(`[role=row][data-key="${name}"]`)

    await page.getByRole('navigation').getByRole('link', { name: 'Machines' }).click()
    await page.getByRole('main').getByRole('button', { name: 'Practice hosts', exact: true }).click()
    expect(await dialog.getByRole('button', { name: 'Remove them' }).isDisabled()).toBe(true)
    await press('Make 2 hosts')
    await dialog.getByText('Starting 2 hosts').waitFor({ timeout: 300_000 })
    await shot('making')
    // The work goes on while the dialog is closed, and the lanes show it.
    await page.keyboard.press('Escape')
    await expect.poll(() => page.locator('article.lane').count(), { timeout: 120_000 }).toBe(2)
    await shot('lanes')
    await page.getByRole('main').getByRole('button', { name: 'Practice hosts', exact: true }).click()
    await dialog.getByText('2 practice nodes are ready.').waitFor({ timeout: 300_000 })
    await shot('ready')
    await press('Show nodes')
    for (const name of ['practice-1', 'practice-2'])
      await row(name)
        .getByText(/^Ready/)
        .first()
        .waitFor()
    await shot('nodes')

    await page.getByRole('navigation').getByRole('button', { name: 'Practice hosts' }).click()
    await dialog.getByText('2 practice hosts in the cluster, 2 Ready').waitFor()
    await press('Remove them')
    await dialog.getByText('The practice hosts are gone.').waitFor({ timeout: 120_000 })
    await shot('removed')
    await page.keyboard.press('Escape')
    await expect.poll(() => page.locator('[role=row][data-key]').count()).toBe(0)
    expect([await standing(), faults]).toEqual([[], []])
  } finally {
    await browser.close()
    await server.stop()
    // A control plane that ended half-way may be removing them itself.
    await removeHosts('practice').catch(() => new Promise(resolve => setTimeout(resolve, 3000)).then(() => removeHosts('practice')))
    await rm(dataDir, { recursive: true, force: true })
  }
})
