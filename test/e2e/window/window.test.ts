/** The window in Chromium over the real API server, bridge and carrier (fixture): every page, both themes, keyboard, accessibility, many rows. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AxeBuilder } from '@axe-core/playwright'
import type { Browser, Page } from 'playwright-core'
import { launchBrowser, openPage } from '../../support/window/driver.ts'
import { startFixture } from '../../support/window-fixture/fixture.ts'
import type { Web } from '../../../src-main/server/web.ts'

let browser: Browser
let web: Web
let page: Page
let faults: string[] = []
beforeAll(async () => {
  web = await startFixture({})
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser.close()
  await web.stop()
})
beforeEach(async () => {
  page = await opened(web.url)
})
afterEach(async () => {
  await page.context().close()
  expect(faults).toEqual([])
})

async function opened(url: string, theme: 'dark' | 'light' = 'dark'): Promise<Page> {
  const made = await openPage(browser, url, theme)
  faults = made.faults
  await made.page.getByText('Connected', { exact: true }).waitFor()
  return made.page
}
const go = async (path: string): Promise<void> => {
  await page.evaluate(to => {
    location.hash = to
  }, path)
}
const row = (text: string): ReturnType<Page['locator']> => page.locator('[role=row][data-key]', { hasText: text }).first()

describe('pages', () => {
  test.each(['dark', 'light'] as const)('have no serious accessibility fault in the %s theme', async theme => {
    await page.context().close()
    page = await opened(web.url, theme)
    const found: string[] = []
    for (const path of ['/', '/balance', '/machines', '/new-cluster', '/list/nodes', '/list/pods', '/list/events', '/list/secrets']) {
      await go(path)
      await page.waitForTimeout(700)
      const { violations } = await new AxeBuilder({ page }).analyze()
      found.push(...violations.filter(v => v.impact === 'serious' || v.impact === 'critical').map(v => `${path} ${v.id}: ${v.nodes[0]?.html.slice(0, 120) ?? ''}`))
    }
    expect(found).toEqual([])
  })

  test('the first page is small: what it does not show is loaded later, what only the server does never', async () => {
    const sizes = (await page.evaluate(`performance.getEntriesByType('resource').filter(e => e.name.endsWith('.js')).map(e => [e.name.split('/').pop(), e.decodedBodySize])`)) as [
      string,
      number,
    ][]
    expect([sizes.length > 0, sizes.reduce((sum, [, bytes]) => sum + bytes, 0) < 450_000]).toEqual([true, true])
  })

  test('the token leaves the address', () => {
    expect(page.url()).not.toContain('token')
  })
})

describe('lists', () => {
  test('filter by namespace and state from the keyboard', async () => {
    await go('/list/pods')
    await row('storefront').waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('ns:shop status!=Running')
    await expect.poll(() => page.locator('[role=row][data-key]').count(), { timeout: 10_000 }).toBe(2)
  })

  test('show a change of the cluster without a reload', async () => {
    await go('/list/configmaps')
    await row('storefront-config').waitFor()
    await page.getByRole('button', { name: 'Create' }).click()
    await page.locator('.cm-content').click()
    await page.keyboard.press('Control+a')
    await page.keyboard.insertText('apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: made-here\n  namespace: shop\ndata:\n  a: b\n')
    await page.getByRole('button', { name: 'Apply', exact: true }).click()
    await row('made-here').waitFor()
    expect(await row('made-here').isVisible()).toBe(true)
  })

  test('open details, scale and delete by their keys', async () => {
    await go('/list/deployments.apps')
    await page.locator('[data-key="monitoring/grafana"]').focus()
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Scale…' }).click()
    await page.getByLabel('Replicas').fill('3')
    await page.getByRole('button', { name: 'Scale', exact: true }).click()
    await page.getByText('Scaled grafana to 3').waitFor()
    await page.locator('[data-key="monitoring/grafana"]').focus()
    await page.keyboard.press('Control+d')
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await page.locator('[data-key="monitoring/grafana"]').waitFor({ state: 'detached' })
    expect(await page.locator('[data-key="shop/storefront"]').count()).toBe(1)
  })
})

test('logs of a workload come from all its pods and are filtered live', async () => {
  await go('/list/deployments.apps')
  await page.locator('[data-key="shop/storefront"]').focus()
  await page.keyboard.press('l')
  await expect.poll(() => page.locator('.source').count(), { timeout: 10_000 }).toBe(12)
  await page.getByLabel('Show lines with').fill('/status=5\\d\\d/')
  await expect
    .poll(async () => new Set((await page.locator('.lines-box .line').allInnerTexts()).map(t => /status=\d/.exec(t)?.[0])), { timeout: 20_000 })
    .toEqual(new Set(['status=5']))
})

test('a matching line is shown among those around it, and in the full log', async () => {
  await go('/list/deployments.apps')
  await page.locator('[data-key="data/ingest"]').focus()
  await page.keyboard.press('l')
  await expect.poll(() => page.locator('.chip.source').count(), { timeout: 20_000 }).toBe(4)
  await page.getByLabel('Show lines with').fill('refused')
  await page.getByLabel('Lines around a match').selectOption('2')
  await page.locator('.line.around').first().waitFor()
  await page.getByLabel('Pause').click()
  await page.locator('.lines-box').focus()
  await page.keyboard.press('ArrowUp')
  await page.keyboard.press('ArrowUp')
  const line = await page.locator('.line.selected').innerText()
  await page.keyboard.press('Enter')
  await page.getByText('The whole log around the line.').waitFor()
  await expect.poll(() => page.locator('.line.found').innerText(), { timeout: 20_000 }).toBe(line.replace(/\s*Show in full log$/, ''))
  expect(await page.locator('.line.around').count()).toBe(0)
})

test('the wizard goes from pasted hosts to the plan', async () => {
  await go('/new-cluster')
  await page.getByLabel('Hosts, one a line').fill('root@10.0.0.1\nroot@10.0.0.2\nroot@10.0.0.99')
  await page.getByRole('button', { name: 'Connect to 3 hosts' }).click()
  await page.getByRole('button', { name: 'Accept all 3' }).click()
  await page.getByText('The host refused the key and the password.').waitFor()
  await page.getByRole('button', { name: 'Check 2 hosts' }).click()
  await page.getByRole('button', { name: 'See the plan' }).click()
  await page.getByText('write /opt/quarterdeck/agent.js (2.1 MB)').first().waitFor()
  expect(await page.getByRole('button', { name: 'Apply to 2 hosts' }).isEnabled()).toBe(true)
})

test('hosts come from the SSH configuration, and the key of a jump host is accepted first', async () => {
  await go('/new-cluster')
  await page.getByRole('button', { name: 'From ~/.ssh/config' }).click()
  await page.getByText('rack-a').click()
  await page.getByRole('button', { name: 'Take 1 host' }).click()
  const text = await page.getByLabel('Hosts, one a line').inputValue()
  await page.getByRole('button', { name: 'Connect to 1 host' }).click()
  await page.getByText('ssh-ed25519 of jump host ops@gate.example.net').waitFor()
  await page.getByRole('button', { name: 'Accept' }).click()
  await page.getByText('SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDRzYQhKqLmPD3mEkw').waitFor()
  await page.getByRole('button', { name: 'Accept' }).click()
  await expect.poll(() => page.getByRole('button', { name: 'Check 1 host' }).isEnabled()).toBe(true)
  expect(text).toBe('ops@192.168.1.20 via ops@gate.example.net:2222\n')
})

test('the palette finds objects', async () => {
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox').fill('storefront-config')
  await page
    .getByRole('option', { name: /storefront-config/ })
    .first()
    .waitFor()
  await page.keyboard.press('Enter')
  await page.getByText('application.yaml').waitFor()
  expect(await page.locator('aside').innerText()).toContain('newCheckout')
})

test('ten thousand pods are one list of few rows in the page', async () => {
  const many = await startFixture({ nodes: 100, podsPerNode: 100 })
  await page.context().close()
  page = await opened(many.url)
  await go('/list/pods')
  await expect.poll(() => page.getByRole('grid').getAttribute('aria-rowcount'), { timeout: 60_000 }).toBe('10001')
  const rows = await page.locator('[role=row][data-key]').count()
  await page.keyboard.press('/')
  await page.keyboard.type('batch-00777')
  await expect.poll(() => page.locator('[role=row][data-key]').count(), { timeout: 10_000 }).toBe(1)
  await many.stop()
  faults = faults.filter(fault => !fault.includes('WebSocket'))
  expect(rows).toBeLessThan(80)
})
