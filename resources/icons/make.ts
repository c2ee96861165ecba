/** Makes icon.png (and the sizes that Linux wants) of icon.svg with a local Chromium: `node resources/icons/make.ts`. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const sizes = [16, 32, 48, 64, 128, 256, 512, 1024]
const here = import.meta.dirname
const svg = await readFile(join(here, 'icon.svg'), 'utf8')
const browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ['--headless', '--no-sandbox', '--disable-gpu'] })
for (const size of sizes) {
  const page = await browser.newPage({ viewport: { width: size, height: size } })
  await page.setContent(`<style>body{margin:0}svg{display:block;width:${size}px;height:${size}px}</style>${svg}`)
  const png = await page.screenshot({ omitBackground: true })
  await writeFile(join(here, `${size}x${size}.png`), png)
  if (size === 1024) await writeFile(join(here, 'icon.png'), png)
  await page.close()
}
await browser.close()
