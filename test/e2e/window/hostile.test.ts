/** Hostile texts in every shown field and in logs: none becomes markup, runs, turns the text's direction around or steers a terminal. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Browser, Page } from 'playwright-core'
import type { Web } from '../../../src-main/server/web.ts'
import { startFixture } from '../../support/window-fixture/fixture.ts'
import { hostileLines, hostileObjects, hostileTexts, shownSign } from '../../support/window-fixture/hostile.ts'
import { launchBrowser, openPage } from '../../support/window/driver.ts'

let browser: Browser
let web: Web
let page: Page
let faults: string[]
const dialogs: string[] = []
const asked: string[] = []
beforeAll(async () => {
  web = await startFixture({ objects: hostileObjects(), hostileLines })
  browser = await launchBrowser()
  const opened = await openPage(browser, web.url)
  page = opened.page
  faults = opened.faults
  page.on('dialog', dialog => {
    dialogs.push(dialog.message())
    void dialog.dismiss()
  })
  page.on('request', request => {
    if (!request.url().startsWith(new URL(web.url).origin) && !/^(data|blob):/.test(request.url())) asked.push(request.url())
  })
  await page.evaluate('globalThis.hits = 0; globalThis.hit = () => { globalThis.hits++ }')
  await page.getByText('Connected', { exact: true }).waitFor()
})
afterAll(async () => {
  await browser.close()
  await web.stop()
})

/** What the page holds that no text may bring into it. Runs in the page. */
const inspect = `(() => {
  const found = []
  if (globalThis.hits > 0) found.push('a text ran ' + globalThis.hits + ' times')
  const signs = /[\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]/
  const brought = new Set(['SCRIPT', 'IFRAME', 'OBJECT', 'EMBED', 'VIDEO', 'AUDIO', 'BASE', 'MARQUEE', 'XSS', 'MATH', 'TEMPLATE', 'NOSCRIPT', 'DETAILS', 'CUSTOM-ELEMENT', 'DIALOG', 'IMG', 'COMPONENT', 'USE'])
  for (const element of document.body.querySelectorAll('*')) {
    if (brought.has(element.tagName.toUpperCase())) found.push('element ' + element.outerHTML.slice(0, 120))
    for (const attribute of element.attributes) {
      if (/^on/i.test(attribute.name)) found.push('handler ' + element.outerHTML.slice(0, 120))
      if (/^(href|src|action|xlink:href)$/i.test(attribute.name) && !/^(#|\\.?\\/)/.test(attribute.value)) found.push('address ' + attribute.value)
      if (signs.test(attribute.value)) found.push('sign in ' + attribute.name + ' of ' + element.className + ': ' + JSON.stringify(attribute.value.slice(0, 80)))
    }
  }
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) if (signs.test(texts.currentNode.data)) found.push('sign in text of ' + texts.currentNode.parentElement.className + ': ' + JSON.stringify(texts.currentNode.data.slice(0, 80)))
  return [...new Set(found)]
})()`
async function faultsHere(): Promise<string[]> {
  await page.waitForTimeout(100)
  return ((await page.evaluate(inspect)) as string[]).concat(dialogs, asked, faults)
}
const go = async (path: string): Promise<void> => {
  await page.evaluate(to => {
    location.hash = to
  }, path)
}
const open = async (kind: string, key: string): Promise<void> => {
  await go(`/list/${kind}`)
  await page.locator(`[data-key="${key}"]`).click()
}

test('there are five hundred of them, and what one would bring in is found', async () => {
  await page.evaluate(
    `const made = document.createElement('div'); made.id = 'brought'; made.innerHTML = '<b title="\\u202e">a\\u001bb</b><details onclick="x"><a href="javascript:y">z</a></details>'; document.body.append(made)`,
  )
  const found = (await page.evaluate(inspect)) as string[]
  await page.evaluate(`document.getElementById('brought').remove()`)
  // The browser's policy spoke up about the handler just brought in.
  const refused = faults.splice(0).filter(fault => fault.includes('Content Security Policy')).length
  expect([hostileTexts.length >= 500, refused > 0, found.map(fault => fault.split(' ').slice(0, 3).join(' ')).toSorted()]).toEqual([
    true,
    true,
    ['address javascript:y', 'element <details onclick="x"><a', 'handler <details onclick="x"><a', 'sign in text', 'sign in title'],
  ])
})

test.each(['/', '/machines', '/balance', '/list/events', '/list/pods', '/list/nodes', '/list/deployments.apps', '/list/machines.infra.quarterdeck.app'])(
  'the page %s shows them as text',
  async path => {
    await go(path)
    if (path.startsWith('/list/')) await page.locator('[role=row][data-key]').first().waitFor()
    await page.waitForTimeout(500)
    expect(await faultsHere()).toEqual([])
  },
)

test.each([
  ['pods', 'shop/hostile-0'],
  ['pods', 'shop/hostile-1'],
  ['deployments.apps', 'shop/hostile'],
  ['nodes', 'hostile-node'],
  ['configmaps', 'shop/hostile'],
])('the details of %s %s show them as text, in every tab', async (kind, key) => {
  await open(kind, key)
  const found: string[] = []
  for (const tab of ['Summary', 'Events', 'YAML']) {
    await page.getByRole('tab', { name: tab }).click()
    await page.waitForTimeout(250)
    found.push(...(await faultsHere()).map(fault => `${tab}: ${fault}`))
  }
  await page.getByRole('tab', { name: 'Summary' }).click()
  const text = await page.locator('aside.drawer').innerText()
  await page.keyboard.press('Escape')
  expect([found, text.includes(shownSign)]).toEqual([[], true])
})

test('the values of a secret show them as text', async () => {
  await open('secrets', 'shop/hostile')
  for (const key of ['x', 'y']) await page.getByLabel(`Show ${key}`).click()
  await page.locator('aside.drawer pre').first().waitFor()
  const found = await faultsHere()
  const shown = await page.locator('aside.drawer pre').allInnerTexts()
  await page.keyboard.press('Escape')
  expect([found, shown.length, shown.some(text => text.includes('␛'))]).toEqual([[], 2, true])
})

test('a log shows every one of them as text, from its first line to its last', async () => {
  await open('pods', 'shop/hostile-0')
  await page.keyboard.press('Escape')
  await page.locator('[data-key="shop/hostile-0"]').focus()
  await page.keyboard.press('l')
  const lines = page.locator('.lines-box .line')
  await expect.poll(() => lines.count(), { timeout: 20_000 }).toBeGreaterThan(5)
  const found: string[] = []
  await page.getByLabel('Pause').click()
  for (let at = 0; at <= 10; at++) {
    await page.locator('.lines-box').evaluate((box, part) => {
      box.dispatchEvent(new Event('wheel'))
      box.scrollTop = (box.scrollHeight * part) / 10
    }, at)
    found.push(...(await faultsHere()))
  }
  await page.getByLabel('Show lines with').fill('<script>hit()</script>')
  await expect
    .poll(async () => {
      const shown = await lines.allInnerTexts()
      return shown.length > 0 && shown.every(line => line.includes('<script>hit()</script>'))
    })
    .toBe(true)
  found.push(...(await faultsHere()))
  expect([...new Set(found)]).toEqual([])
})
