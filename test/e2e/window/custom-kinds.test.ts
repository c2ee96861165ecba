/** A kind that is defined in the window appears in its menu, with the columns of its definition, beside an object of it from the same text. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { buildWindow } from '../../../src-main/server/build-window.ts'
import { launchBrowser, openPage, root, startHeadless } from '../../support/window/driver.ts'

const columns = [
  { name: 'Spec', type: 'string', jsonPath: '.spec.cronSpec' },
  { name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas' },
]
const openAPIV3Schema = { type: 'object', properties: { spec: { type: 'object', properties: { cronSpec: { type: 'string' }, replicas: { type: 'integer' } } } } }
const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'crontabs.stable.example.com' },
  spec: {
    group: 'stable.example.com',
    scope: 'Namespaced',
    names: { plural: 'crontabs', singular: 'crontab', kind: 'CronTab' },
    versions: [{ name: 'v1', served: true, storage: true, additionalPrinterColumns: columns, schema: { openAPIV3Schema } }],
  },
}
const object = { apiVersion: 'stable.example.com/v1', kind: 'CronTab', metadata: { name: 'nightly', namespace: 'default' }, spec: { cronSpec: '0 3 * * *', replicas: 2 } }

test('a definition and an object of its kind, applied as one text, are in the menu, the list and the details', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'quarterdeck-kinds-'))
  await buildWindow(root, () => {})
  const server = await startHeadless(dataDir)
  const browser = await launchBrowser()
  try {
    const { page, faults } = await openPage(browser, server.ui)
    await page.getByRole('navigation').getByRole('link', { name: 'Config maps' }).click()
    await page.getByRole('button', { name: 'Create' }).click()
    await page.locator('.create .cm-content').click()
    await page.keyboard.press('Control+a')
    await page.keyboard.insertText(`${JSON.stringify(definition, undefined, 1)}\n---\n${JSON.stringify(object, undefined, 1)}`)
    await page.getByRole('button', { name: 'Apply', exact: true }).click()
    await page.getByRole('navigation').getByRole('link', { name: 'Cron tabs' }).click()
    await page.locator('[data-key="default/nightly"]').click()
    await page.locator('aside.drawer').getByText('spec.cronSpec').waitFor()
    // Discovery may know of the kind a moment before the definition's columns are read.
    await page.locator('[role=row]').filter({ hasText: 'Replicas' }).waitFor()
    const rows = (await page.locator('[role=row]').allInnerTexts()).map(text => text.split('\n').slice(0, 4))
    expect([rows, faults]).toEqual([
      [
        ['Name', 'Namespace', 'Spec', 'Replicas'],
        ['nightly', 'default', '0 3 * * *', '2'],
      ],
      [],
    ])
  } finally {
    await browser.close()
    await server.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
})
